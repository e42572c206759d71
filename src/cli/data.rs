//! The commands that load conversations: import and demo.

use crate::cli::demo;
use crate::cli::lookup::agent;
use crate::cli::lookup::workspace;
use crate::cli::output;
use crate::server::state::Services;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

/// `import …`
#[derive(Args)]
pub struct Import {
    /// The workspace's id or slug
    #[arg(long)]
    workspace: String,
    /// The agent's id or slug
    #[arg(long)]
    agent: String,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
    /// JSON Lines: one conversation per line, in the format of the Conversations API
    file: PathBuf,
}

impl Import {
    /// Imports the file. Invalid lines are reported and skipped; if there are any, the exit status is not 0.
    pub async fn run(self, services: &Services) -> Result<(), String> {
        let of = workspace(services, &self.workspace).await?;
        let agent = agent(services, &of, &self.agent).await?;
        let shown = self.file.display();
        let file = File::open(&self.file).map_err(|e| format!("the file {shown}: {e}"))?;
        let size = file.metadata().map_err(|e| format!("the file {shown}: {e}"))?.len();
        let style = "{bar:40} {bytes} of {total_bytes}, {eta} left";
        let bar = ProgressBar::new(size);
        bar.set_style(ProgressStyle::with_template(style).map_err(|e| e.to_string())?);
        let rejected = |line: u64, reason: &str| {
            bar.suspend(|| eprintln!("line {line}: {reason}"));
        };
        let lines = BufReader::with_capacity(1 << 20, file);
        let done = services.conversations.import(&of.id, &agent.id, lines, |bytes| bar.inc(bytes), rejected).await;
        bar.finish_and_clear();
        let done = done.map_err(|e| e.to_string())?;
        output::one(self.json, &json!(done));
        match done.rejected {
            0 => Ok(()),
            1 => Err("1 line was not imported".to_owned()),
            n => Err(format!("{n} lines were not imported")),
        }
    }
}

/// `demo`
#[derive(Args)]
pub struct DemoCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DemoCommand {
    pub async fn run(self, services: &Services) -> Result<(), String> {
        let made = demo::load(services).await.map_err(|e| e.to_string())?;
        output::one(
            self.json,
            &json!({
                "workspace": made.workspace.slug,
                "email": made.email,
                "password": made.password,
                "keys": made.keys.iter().map(|k| k.value.expose()).collect::<Vec<_>>(),
            }),
        );
        Ok(())
    }
}

/// Loads the demo workspace if there are no users yet, and prints how to sign in.
pub async fn demo_if_empty(services: &Services) -> Result<(), String> {
    if services.users.any().await.map_err(|e| e.to_string())? {
        return Ok(());
    }
    eprintln!("The database is empty: loading the demo workspace.");
    let made = demo::load(services).await.map_err(|e| e.to_string())?;
    println!("Sign in as  {}\npassword    {}", made.email, made.password);
    Ok(())
}
