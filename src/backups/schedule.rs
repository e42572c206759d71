use crate::backups::service::Backups;
use crate::base::clock::Clock;
use crate::base::time::{Timestamp, parse_instant};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;

const PREFIX: &str = "agent-studio-";
const ENDING: &str = ".backup";
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
    /// Makes backups for ever.
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
        let newest = self.list().await?.into_iter().next().map(|(at, _)| at);
        status.newest.store(newest.unwrap_or_default().0, Ordering::Relaxed);
        if let Some(age) = status.age(now)
            && age < self.every
        {
            return Ok(self.every - age);
        }
        let path = self.folder.join(file_name(now));
        let rows = backups.write(&path, &|_, _| {}).await.map_err(|e| e.to_string())?;
        status.newest.store(now.0, Ordering::Relaxed);
        let rows: u64 = rows.values().sum();
        tracing::info!(file = %path.display(), rows, "backup made");
        for (_, old) in self.list().await?.into_iter().skip(self.keep.max(1)) {
            fs::remove_file(&old).map_err(|e| format!("the old backup {}: {e}", old.display()))?;
        }
        Ok(self.every)
    }

    /// Finds the newest backup, and makes none.
    pub fn look(&self, status: &BackupStatus) -> Result<(), String> {
        let found =
            list(&self.folder).map_err(|e| format!("the folder {} (--backup-to): {e}", self.folder.display()))?;
        status.newest.store(found.first().map_or(0, |(at, _)| at.0), Ordering::Relaxed);
        Ok(())
    }

    /// The backups in the folder, the newest first. Makes the folder if it is not there.
    async fn list(&self) -> Result<Vec<(Timestamp, PathBuf)>, String> {
        let folder = self.folder.clone();
        let listed = spawn_blocking(move || list(&folder)).await.map_err(|e| e.to_string())?;
        listed.map_err(|e| format!("the folder {} (--backup-to): {e}", self.folder.display()))
    }
}

fn list(folder: &Path) -> std::io::Result<Vec<(Timestamp, PathBuf)>> {
    fs::create_dir_all(folder)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(at) = time_of(name) {
            found.push((at, path));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
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
