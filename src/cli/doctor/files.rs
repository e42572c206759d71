use super::finding::Finding;
use crate::backups::schedule::BackupStatus;
use crate::base::clock::Clock;
use crate::server::settings::Settings;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// With less room than this, in bytes, writing will soon fail.
const LITTLE_ROOM: u64 = 1024 * MIB;
const NO_ROOM: u64 = 64 * MIB;

pub fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let data = settings.data_dir();
    if let Some(file) = &settings.config {
        findings.push(private("settings file", file));
    }
    if settings.is_sqlite() {
        if !data.is_dir() {
            let found = format!("the data directory {} is not there", data.display());
            findings.push(Finding::failure("files", found, "Start the server once, or correct --data-dir."));
            return findings;
        }
        findings.push(private("files", data));
        for name in ["agent-studio.db", "master.key"] {
            findings.push(private("files", &data.join(name)));
        }
        findings.push(room("disk", data));
    }
    if let Some(schedule) = settings.backup_schedule() {
        if schedule.folder.is_dir() {
            findings.push(room("backup disk", &schedule.folder));
        }
        let status = BackupStatus::default();
        let now = Clock::System.now();
        let age = schedule.look(&status, now).map(|()| status.age(now));
        findings.push(backup_age(age, schedule.every));
    } else {
        let advice = "Set --backup-to, or run `agent-studio backup FILE` regularly.";
        findings.push(Finding::warning("backups", "no scheduled backups", advice));
    }
    findings
}

fn backup_age(age: Result<Option<Duration>, String>, every: Duration) -> Finding {
    let check = "backups";
    match age {
        Err(error) => Finding::failure(check, error, "Make the folder writable for the server."),
        Ok(None) => Finding::failure(check, "there is no backup yet", "Start the server, and look into its log."),
        Ok(Some(age)) => {
            let found = format!("the newest is {} old", humantime::format_duration(Duration::from_secs(age.as_secs())));
            match age > every * 2 {
                true => Finding::failure(check, found, "The server's log says why no newer one was made."),
                false => Finding::ok(check, found),
            }
        }
    }
}

/// Whether only the owner can read a file or folder.
fn private(check: &'static str, path: &Path) -> Finding {
    let name = path.display();
    match fs::metadata(path) {
        Err(error) => Finding::failure(check, format!("{name}: {error}"), "Run this as the server's user."),
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            let wanted = if found.is_dir() { 0o700 } else { 0o600 };
            match mode & 0o007 {
                0 => Finding::ok(check, format!("{name} has mode {mode:o}")),
                _ => Finding::failure(
                    check,
                    format!("{name} has mode {mode:o}: others can read it"),
                    format!("chmod {wanted:o} {name}"),
                ),
            }
        }
    }
}

/// Room on the disk of a folder.
fn room(check: &'static str, folder: &Path) -> Finding {
    let name = folder.display();
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return Finding::warning(check, format!("{name}: {error}"), "Look at the disk with `df`."),
    };
    let found = format!("{} MiB are free for {name}", free / MIB);
    match free {
        ..NO_ROOM => Finding::failure(check, found, "Make room now: writing fails on a full disk."),
        NO_ROOM..LITTLE_ROOM => Finding::warning(check, found, "Make room soon."),
        _ => Finding::ok(check, found),
    }
}
