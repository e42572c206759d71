//! The commands that load conversations: import and demo.

use crate::cli::demo;
use crate::cli::lookup::agent;
use crate::cli::lookup::workspace;
use crate::cli::output;
use crate::conversations::import;
use crate::conversations::import::file::Place;
use crate::conversations::incoming::DocumentError;
use crate::server::state::Services;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

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
    /// Count what would be imported and refused, by reason, and import nothing
    #[arg(long)]
    dry_run: bool,
    /// Conversations as the Conversations API returns them, in snake_case or camelCase: JSON Lines, a JSON array, a list
    /// answer or single documents, also compressed (gzip, Zstandard). `-` is standard input
    file: PathBuf,
}

impl Import {
    /// Imports the file. Invalid conversations are reported and skipped; if there are any, the exit status is not 0.
    pub async fn run(self, services: &Services) -> Result<(), String> {
        let of = workspace(services, &self.workspace).await?;
        let agent = agent(services, &of, &self.agent).await?;
        let (file, bar) = self.open()?;
        if self.dry_run {
            let forecast = import::forecast(file).await;
            bar.finish_and_clear();
            let forecast = forecast.map_err(|e| e.to_string())?;
            if self.json {
                output::one(true, &json!(forecast));
            } else {
                output::one(false, &json!({ "accepted": forecast.accepted, "rejected": forecast.rejected }));
                let mut reasons: Vec<_> = forecast.reasons.iter().collect();
                reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
                reasons.iter().for_each(|(reason, count)| output::line(&format!("{count:>10}  {reason}")));
            }
            return refused(forecast.rejected, "would not be imported");
        }
        let rejected = |place: Place, reason: &DocumentError| {
            bar.suspend(|| eprintln!("{place}: {reason}"));
        };
        let done = services.conversations.import(&of.id, &agent.id, file, rejected).await;
        bar.finish_and_clear();
        let done = done.map_err(|e| e.to_string())?;
        output::one(self.json, &json!(done));
        refused(done.rejected, "was not imported")
    }

    /// The file, and a bar that shows how much of it was read.
    fn open(&self) -> Result<(Box<dyn Read + Send>, ProgressBar), String> {
        let style = |template| ProgressStyle::with_template(template).map_err(|e| e.to_string());
        if self.file == Path::new("-") {
            let bar = ProgressBar::no_length().with_style(style("{spinner} {bytes} read")?);
            return Ok((Box::new(bar.wrap_read(std::io::stdin())), bar));
        }
        let failed = |e| format!("the file {}: {e}", self.file.display());
        let file = File::open(&self.file).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let bar = ProgressBar::new(size).with_style(style("{bar:40} {bytes} of {total_bytes}, {eta} left")?);
        Ok((Box::new(bar.wrap_read(file)), bar))
    }
}

/// An error if conversations were refused.
fn refused(count: u64, what: &str) -> Result<(), String> {
    match count {
        0 => Ok(()),
        1 => Err(format!("1 conversation {what}")),
        n => Err(format!("{n} conversations {}", what.replace("was", "were"))),
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
    output::line(&format!("Sign in as  {}\npassword    {}", made.email, made.password));
    Ok(())
}
