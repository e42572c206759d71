use crate::backups::contents::Contents;
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
    /// Id of the audit entry.
    uid: String,
    event_code: String,
    tenant_uid: String,
}

#[derive(Deserialize)]
struct Subject {
    uid: String,
    #[serde(default)]
    name: String,
}

/// What gives access: the id of a workspace, and the id of a key, token, user or invitation in it, or the e-mail address of
/// an invitation.
pub type Access = (String, String);

/// What was ended after a backup was made, and not begun again, by audit entries as OCSF events: a file of `--audit-to` or of the
/// Activity page. Blocks.
pub fn ended_since(path: &Path, backup: &Contents) -> Result<HashSet<Access>, BackupError> {
    let failed = |e| BackupError::File(path.display().to_string(), e);
    let (mut events, mut torn) = (Vec::new(), Vec::new());
    for (at, line) in BufReader::new(File::open(path).map_err(failed)?).lines().enumerate() {
        match serde_json::from_str::<Event>(&line.map_err(failed)?) {
            Ok(event) => events.push(event),
            Err(_) => torn.push(at + 1),
        }
    }
    if events.is_empty() && !torn.is_empty() {
        return Err(BackupError::NotAnAuditFile);
    }
    if !torn.is_empty() {
        // A crash leaves such a line; its entry was delivered again.
        tracing::warn!(lines = ?torn, "lines of the audit file are not complete");
    }
    events.retain(|event| backup.is_later(&event.metadata.uid, Timestamp(event.time.saturating_mul(1_000))));
    // The Activity page's file begins with the newest entry.
    events.sort_by_key(|event| event.time);
    let mut reasons: HashSet<(Access, &str)> = HashSet::new();
    for Event { metadata: Metadata { event_code, tenant_uid, .. }, resources, user, .. } in events {
        let Some(subject) = resources.into_iter().next().or(user) else { continue };
        let by_name = (tenant_uid.clone(), subject.name);
        let of = (tenant_uid, subject.uid);
        match event_code.as_str() {
            "key-deleted" => drop(reasons.insert((of, "deleted"))),
            "key-restored" => drop(reasons.remove(&(of, "deleted"))),
            "key-paused" => drop(reasons.insert((of, "paused"))),
            "key-resumed" => drop(reasons.remove(&(of, "paused"))),
            // The value that the backup has was replaced.
            "key-rotated" | "key-old-value-ended" => drop(reasons.insert((of, "rotated"))),
            "key-rotation-cancelled" => drop(reasons.remove(&(of, "rotated"))),
            "runtime-token-revoked" | "invitation-withdrawn" => drop(reasons.insert((of, "ended"))),
            "user-removed" => drop(reasons.insert((of, "removed"))),
            "user-added" => {
                reasons.remove(&(of, "removed"));
                // The invitation was used.
                reasons.insert((by_name, "used"));
            }
            _ => {}
        }
    }
    Ok(reasons.into_iter().map(|(of, _)| of).collect())
}
