use crate::backups::format::BackupError;
use crate::backups::service::{Backups, DRAFT_ENDING};
use crate::base::clock::Clock;
use crate::base::time::{Timestamp, parse_instant};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

const PREFIX: &str = "agent-studio-";
const ENDING: &str = ".backup";
/// How far the clocks of servers that share a folder may differ, in seconds.
const CLOCK_DIFFERENCE_SECONDS: i64 = 300;
/// How long the next try waits after a failure.
const RETRY: Duration = Duration::from_secs(300);

/// Backups at intervals, into one folder. Servers that share a folder share its backups: none is made while the newest is
/// young enough.
#[derive(Clone, Debug)]
pub struct BackupSchedule {
    pub folder: PathBuf,
    pub every: Duration,
    /// Number of backups that are kept. Older ones are deleted.
    pub keep: usize,
}

/// How the backups of a schedule went.
#[derive(Debug, Default)]
pub struct BackupStatus {
    /// When the newest backup was made; 0 if there is none.
    newest: AtomicI64,
    failures: AtomicU64,
}

impl BackupStatus {
    /// Age of the newest backup; `None` if there is none, or no schedule.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest > 0).then(|| Duration::from_micros(u64::try_from(now.0 - newest).unwrap_or(0)))
    }

    /// Number of backups that could not be made since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

impl BackupSchedule {
    /// Makes backups until the task is stopped.
    pub async fn run(self, backups: Backups, status: &BackupStatus, clock: Clock) {
        loop {
            let due = match self.make_if_due(&backups, status, &clock).await {
                Ok(due) => due,
                Err(error) => {
                    status.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(folder = %self.folder.display(), %error, "a backup could not be made");
                    RETRY.min(self.every)
                }
            };
            tokio::time::sleep(due).await;
        }
    }

    /// Makes a backup if the newest is too old, and deletes those that are not kept. Returns when the next one is due.
    pub async fn make_if_due(
        &self,
        backups: &Backups,
        status: &BackupStatus,
        clock: &Clock,
    ) -> Result<Duration, String> {
        let now = clock.now();
        fs::create_dir_all(&self.folder).map_err(|e| self.failed(e))?;
        self.look(status, now)?;
        if let Some(age) = status.age(now)
            && age < self.every
        {
            return Ok(self.every - age);
        }
        let path = self.folder.join(file_name(now));
        match backups.write(&path, &|_, _| {}).await {
            Ok(rows) => tracing::info!(file = %path.display(), rows = rows.values().sum::<u64>(), "backup made"),
            // Another server has made it in the same second.
            Err(BackupError::Exists(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
        status.newest.store(now.0, Ordering::Relaxed);
        for (_, old) in self.list(now)?.into_iter().skip(self.keep.max(1)) {
            remove(&old)?;
        }
        self.remove_drafts(now)?;
        Ok(self.every)
    }

    /// Finds the newest backup, and makes none.
    pub fn look(&self, status: &BackupStatus, now: Timestamp) -> Result<(), String> {
        let newest = self.list(now)?.first().map_or(0, |(at, _)| at.0);
        status.newest.store(newest, Ordering::Relaxed);
        Ok(())
    }

    /// The backups in the folder, the newest first. One that was made by a clock that is ahead is left alone: it would
    /// keep all others from being made.
    fn list(&self, now: Timestamp) -> Result<Vec<(Timestamp, PathBuf)>, String> {
        let mut found: Vec<_> =
            self.files()?.into_iter().filter_map(|path| Some((time_of(name(&path))?, path))).collect();
        found.retain(|(at, path)| {
            let is_ahead = *at > now.plus_seconds(CLOCK_DIFFERENCE_SECONDS);
            if is_ahead {
                tracing::warn!(file = %path.display(), "a backup seems to be made in the future, and does not count");
            }
            !is_ahead
        });
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Removes what killed servers have left.
    fn remove_drafts(&self, now: Timestamp) -> Result<(), String> {
        for path in self.files()? {
            let is_draft = path.extension().is_some_and(|ending| ending == DRAFT_ENDING);
            let made_at = name(&path).split_once(ENDING).and_then(|(begin, _)| time_of(&format!("{begin}{ENDING}")));
            if is_draft && made_at.is_some_and(|at| at < now.plus_days(-1)) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// All files of the folder; none if it is not there.
    fn files(&self) -> Result<Vec<PathBuf>, String> {
        match fs::read_dir(&self.folder) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(|e| self.failed(e))).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: std::io::Error) -> String {
        format!("the folder {} (--backup-to): {error}", self.folder.display())
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Another server may have removed it already.
fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("the old file {}: {error}", path.display())),
        _ => Ok(()),
    }
}

/// `agent-studio-2026-11-28T114132Z.backup`: names sort by time, and hold no colons, which some file systems refuse.
fn file_name(at: Timestamp) -> String {
    format!("{PREFIX}{}{ENDING}", at.iso().replace(':', ""))
}

fn time_of(name: &str) -> Option<Timestamp> {
    let time = name.strip_prefix(PREFIX)?.strip_suffix(ENDING)?;
    let (date, time) = time.split_once('T')?;
    let (hour, minute, second) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    parse_instant(&format!("{date}T{hour}:{minute}:{second}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_when_a_backup_was_made() {
        let at = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(file_name(at), "agent-studio-2027-01-15T080000Z.backup");
        assert_eq!(time_of(&file_name(at)), Some(at));
        for other in ["notes.txt", "agent-studio-.backup", "agent-studio-2027-01-15T080000Z.backup.partial"] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }
}
