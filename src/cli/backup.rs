//! The commands `backup` and `restore`.

use crate::backups::service::{Backups, EndRule};
use crate::backups::{BackupError, Contents, LiveItem, LiveKind, ended_since};
use crate::base::clock::Clock;
use crate::base::randomness::Random;
use crate::base::time::{Timestamp, parse_instant};
use crate::cli::output;
use crate::server::settings::Settings;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `backup …`
#[derive(Args)]
pub struct BackupCommand {
    /// The new file. It contains no password, key or token in the clear, and no audio of recordings
    file: PathBuf,
    /// Check this backup instead, without a database, and say what is in it
    #[arg(long)]
    verify: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl BackupCommand {
    pub async fn run(&self, settings: &Settings) -> Result<(), String> {
        let backups = backups(settings)?;
        if self.verify {
            let contents = backups.check(&self.file).await.map_err(|e| e.to_string())?;
            output::one(self.json, &summary(&contents));
            return Ok(());
        }
        let bar = rows_bar()?;
        let written = backups.write(&self.file, &|done, all| show(&bar, done, all)).await;
        bar.finish_and_clear();
        let rows = written.map_err(|error| explain(settings, error))?;
        let size = self.file.metadata().map_err(|e| e.to_string())?.len();
        output::one(self.json, &json!({ "file": self.file, "bytes": size, "rows": counts(self.json, &rows) }));
        Ok(())
    }
}

/// `restore …`
#[derive(Args)]
pub struct RestoreCommand {
    /// A file that `backup` has written
    file: PathBuf,
    /// Keep every key, runtime token, user and invitation as it was when the backup was made
    #[arg(long, conflicts_with_all = ["end_after", "ended_in"])]
    keep_live: bool,
    /// End keys, runtime tokens, users and invitations that were made after this time (RFC 3339): a key whose value was
    /// made after it is deleted, which can be undone as always
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    end_after: Option<Timestamp>,
    /// End also what was ended after the backup was made, by this file of audit events: one of --audit-to, or of the
    /// Activity page (OCSF)
    #[arg(long, value_name = "FILE")]
    ended_in: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    parse_instant(text).ok_or_else(|| "not a time such as 2026-11-28T00:00:00Z".to_owned())
}

impl RestoreCommand {
    /// Lists what would give access again. Without a word on what to do with it, restores nothing: whatever was ended
    /// since the backup was made would come back unseen.
    pub async fn run(&self, settings: &Settings) -> Result<(), String> {
        let backups = backups(settings)?;
        let contents = backups.check(&self.file).await.map_err(|e| e.to_string())?;
        let mut rule = EndRule { made_after: self.end_after, ..EndRule::default() };
        for file in &self.ended_in {
            rule.ended.extend(ended_since(file, &contents).map_err(|e| e.to_string())?);
        }
        if !self.says_what_to_end() {
            self.list(&contents, &rule);
            return Err(format!(
                "nothing was restored. The backup is of {}. What is listed would give access again, also where it was \
                 ended since. Say --keep-live to keep it, --ended-in FILE to end what the audit log says was ended since, \
                 or --end-after TIME to end what was made after a time.",
                contents.header.made_at
            ));
        }
        // Makes the data directory and the master key if there are none.
        let master_key = settings.find_master_keys()?;
        let _lock = settings.lock_data_dir()?;
        let bar = rows_bar()?;
        let restored = backups.restore(&self.file, &contents, &rule, &|done, all| show(&bar, done, all)).await;
        bar.finish_and_clear();
        let ended = restored.map_err(|error| explain(settings, error))?;
        self.list(&contents, &rule);
        output::one(
            self.json,
            &json!({
                "restored": counts(self.json, &contents.rows),
                "ended": if self.json { json!(ended) } else { json!(ended.len()) },
            }),
        );
        let foreign = |id: &&String| id.as_str() != master_key.id();
        if let Some(other) = contents.header.master_keys.iter().find(foreign) {
            eprintln!(
                "Keys are sealed under another master key ({other}) than this server's ({}). They work, but cannot be \
                 copied: set the master key that the backup's server had.",
                master_key.id()
            );
        }
        if contents.rows.get("recordings").is_some_and(|count| *count > 0) {
            eprintln!("The audio of recordings is not part of a backup: give the server the same --recordings.");
        }
        Ok(())
    }

    fn says_what_to_end(&self) -> bool {
        self.keep_live || self.end_after.is_some() || !self.ended_in.is_empty()
    }

    /// Prints what gives access.
    fn list(&self, contents: &Contents, rule: &EndRule) {
        if !self.json {
            let rows: Vec<Value> = contents.live.iter().map(|item| live_row(item, rule)).collect();
            output::many(false, &["kind", "workspace", "name", "detail", "made_at", "state"], &rows);
        } else if !self.says_what_to_end() {
            output::one(true, &json!({ "would_be_live": contents.live }));
        }
    }
}

fn backups(settings: &Settings) -> Result<Backups, String> {
    Ok(Backups::new(settings.location()?, Clock::System, Random::System))
}

/// Names the database where it is the cause.
fn explain(settings: &Settings, error: BackupError) -> String {
    match error {
        BackupError::Open(error) => format!("{}: {error}", settings.named_location()),
        other => other.to_string(),
    }
}

fn summary(contents: &Contents) -> Value {
    let live = |kind| contents.live.iter().filter(|item| item.kind == kind).count();
    json!({
        "made_at": contents.header.made_at,
        "engine": contents.header.engine,
        "program": contents.header.program,
        "schema": contents.header.schema,
        "master_keys": contents.header.master_keys,
        "rows": contents.rows.values().sum::<u64>(),
        "conversations": contents.rows.get("conversations"),
        "live_keys": live(LiveKind::ApiKey),
        "live_runtime_tokens": live(LiveKind::RuntimeToken),
        "live_users": live(LiveKind::User),
        "open_invitations": live(LiveKind::Invitation),
    })
}

/// Each table's count for scripts, their sum for people.
fn counts(json: bool, rows: &BTreeMap<String, u64>) -> Value {
    if json { json!(rows) } else { json!(rows.values().sum::<u64>()) }
}

fn live_row(item: &LiveItem, rule: &EndRule) -> Value {
    let state = match (rule.ends(item), item.is_paused) {
        (true, _) => "ended",
        (false, true) => "paused",
        (false, false) => "works",
    };
    json!({
        "kind": item.kind,
        "workspace": item.workspace,
        "name": item.name,
        "detail": item.detail,
        "made_at": item.made_at.iso(),
        "state": state,
    })
}

fn rows_bar() -> Result<ProgressBar, String> {
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {eta} left");
    Ok(ProgressBar::no_length().with_style(style.map_err(|e| e.to_string())?))
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}
