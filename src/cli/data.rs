//! `import` and `demo`.

use crate::cli::demo;
use crate::cli::{agent, output, workspace};
use crate::conversations::import::import;
use crate::server::state::App;
use crate::users;
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
    /// One conversation a line, as the Conversations API answers them
    file: PathBuf,
}

impl Import {
    /// Does it. Bad lines are reported and passed over; the exit status tells whether there were any.
    pub async fn run(self, app: &App) -> Result<(), String> {
        let of = workspace(app, &self.workspace).await?;
        let agent = agent(app, &of, &self.agent).await?;
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
        let done = import(app, &of.id, &agent.id, lines, |bytes| bar.inc(bytes), rejected).await;
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
pub struct Demo {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Demo {
    /// Does it.
    pub async fn run(self, app: &App) -> Result<(), String> {
        let made = demo::load(app).await.map_err(|e| e.to_string())?;
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

/// Loads the demo workspace where there are no users yet, and says how to sign in.
pub async fn demo_if_empty(app: &App) -> Result<(), String> {
    if users::store::any(&app.db).await.map_err(|e| e.to_string())? {
        return Ok(());
    }
    eprintln!("The database is empty: loading the demo workspace.");
    let made = demo::load(app).await.map_err(|e| e.to_string())?;
    println!("Sign in as  {}\npassword    {}", made.email, made.password);
    Ok(())
}
