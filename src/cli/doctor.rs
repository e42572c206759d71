//! The command `doctor`.

/// The database: reachable, of this version, with the right clock, and with values that open.
mod database;
/// Files: their modes, the room on their disk, and the age of backups.
mod files;
/// Results of checks.
mod finding;
/// The running server, as its own address and its public URL show it.
mod running;

use crate::cli::output;
use crate::server::settings::Settings;
use clap::Args;
use finding::{Finding, State};
use serde_json::json;

/// `doctor`
#[derive(Args)]
pub struct DoctorCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DoctorCommand {
    /// Makes all checks and changes nothing. An error if one fails; warnings are none.
    pub async fn run(&self, settings: &Settings) -> Result<(), String> {
        let mut findings = files::check(settings);
        findings.extend(database::check(settings).await);
        findings.extend(running::check(settings).await);
        if self.json {
            output::one(true, &json!({ "findings": findings }));
        } else {
            findings.iter().for_each(print);
        }
        match findings.iter().filter(|finding| finding.state == State::Failure).count() {
            0 => Ok(()),
            1 => Err("1 check failed".to_owned()),
            count => Err(format!("{count} checks failed")),
        }
    }
}

/// An error unless the server at the address of the settings is ready.
pub async fn ready(settings: &Settings) -> Result<(), String> {
    running::ready(settings).await
}

fn print(finding: &Finding) {
    let state = match finding.state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failure => "FAILURE",
    };
    output::line(&format!("{state:<8} {:<15} {}", finding.check, finding.found));
    if !finding.advice.is_empty() {
        output::line(&format!("{:24} → {}", "", finding.advice));
    }
}
