use crate::db::work::MAX_WAIT;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// A queue of the processes that write to one SQLite file. SQLite's own lock has no queue: a process that does not get
/// it polls, and can lose every time against a process that writes without pause. Here the next process in the queue
/// holds a lock on the `next` file while it waits for the lock on the `writer` file.
#[derive(Debug)]
pub struct FileQueue {
    next: PathBuf,
    writer: PathBuf,
}

/// The lock on the `writer` file; released when dropped.
#[derive(Debug)]
pub struct WriteTurn(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl FileQueue {
    /// The queue whose two lock files stand beside the database at this path.
    pub fn beside(path: &Path) -> Self {
        Self { next: path.with_added_extension("next.lock"), writer: path.with_added_extension("writer.lock") }
    }

    /// Waits for this process's turn. `None` if the lock files cannot be created or locked; then only SQLite's own lock
    /// applies. The error: no turn within [`MAX_WAIT`].
    pub async fn enter(&self) -> Result<Option<WriteTurn>, sqlx::Error> {
        let (Ok(next), Ok(writer)) = (open(&self.next), open(&self.writer)) else { return Ok(None) };
        match (next.try_lock(), writer.try_lock()) {
            (Ok(()), Ok(())) => return Ok(Some(WriteTurn(writer))),
            (Err(TryLockError::Error(_)), _) | (_, Err(TryLockError::Error(_))) => return Ok(None),
            // Releases a lock that was taken, so that both are taken in order below.
            _ => drop((next, writer)),
        }
        let (Ok(next), Ok(writer)) = (open(&self.next), open(&self.writer)) else { return Ok(None) };
        // After a timeout, the blocking task drops the files, and with them the locks.
        let waiting = tokio::task::spawn_blocking(move || next.lock().and_then(|()| writer.lock()).map(|()| writer));
        match timeout(MAX_WAIT, waiting).await {
            Ok(Ok(Ok(writer))) => Ok(Some(WriteTurn(writer))),
            Ok(_) => Ok(None),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}
