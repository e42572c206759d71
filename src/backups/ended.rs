use crate::backups::format::BackupError;
use crate::base::time::Timestamp;
use serde::Deserialize;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// What an audit event says about something that gives access (`audit::ocsf`).
#[derive(Deserialize)]
struct Event {
    /// Milliseconds since 1970.
    time: i64,
    metadata: Metadata,
    #[serde(default)]
    resources: Vec<Subject>,
    user: Option<Subject>,
}

#[derive(Deserialize)]
struct Metadata {
    event_code: String,
}

#[derive(Deserialize)]
struct Subject {
    uid: String,
}

/// Ids of what was ended after a time, and not restored again, by audit entries as OCSF events: a file of `--audit-to` or of
/// the Activity page. Blocks.
pub fn ended_since(path: &Path, since: Timestamp) -> Result<HashSet<String>, BackupError> {
    let failed = |e| BackupError::File(path.display().to_string(), e);
    let mut events = Vec::new();
    for (at, line) in BufReader::new(File::open(path).map_err(failed)?).lines().enumerate() {
        let event: Event = serde_json::from_str(&line.map_err(failed)?)
            .map_err(|e| BackupError::NotAnAuditFile { line: at + 1, error: e.to_string() })?;
        // The backup was made within its second.
        if event.time / 1_000 >= since.seconds() {
            events.push(event);
        }
    }
    // The Activity page's file begins with the newest entry.
    events.sort_by_key(|event| event.time);
    let mut ended = HashSet::new();
    for event in events {
        let Some(id) = event.resources.into_iter().next().or(event.user).map(|subject| subject.uid) else { continue };
        match event.metadata.event_code.as_str() {
            "key-deleted" | "runtime-token-revoked" | "user-removed" | "invitation-withdrawn" => drop(ended.insert(id)),
            "key-restored" | "user-added" => drop(ended.remove(&id)),
            _ => {}
        }
    }
    Ok(ended)
}
