use crate::db::work::PATIENCE;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// A queue of processes that write to one SQLite file. SQLite's own lock has none: who asks for it in vain asks again after a
/// while, and a program that writes in one go is always faster. Here the one who is next waits with a lock of its own on `next`,
/// until the writer's lock is free.
#[derive(Debug)]
pub struct FileQueue {
    next: PathBuf,
    writer: PathBuf,
}

/// The writer's lock; given back when dropped.
#[derive(Debug)]
pub struct WriteTurn(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl FileQueue {
    /// The queue for the database at this path.
    pub fn beside(path: &Path) -> Self {
        Self { next: path.with_added_extension("next.lock"), writer: path.with_added_extension("writer.lock") }
    }

    /// Waits for this process's turn. `None` where files cannot be made or locked here: then SQLite's own lock must do.
    pub async fn enter(&self) -> Result<Option<WriteTurn>, sqlx::Error> {
        let (Ok(next), Ok(writer)) = (open(&self.next), open(&self.writer)) else { return Ok(None) };
        match (next.try_lock(), writer.try_lock()) {
            (Ok(()), Ok(())) => return Ok(Some(WriteTurn(writer))),
            (Err(TryLockError::Error(_)), _) | (_, Err(TryLockError::Error(_))) => return Ok(None),
            // Whatever was taken is given back, and asked for in its order.
            _ => drop((next, writer)),
        }
        let (Ok(next), Ok(writer)) = (open(&self.next), open(&self.writer)) else { return Ok(None) };
        // Where nobody waits for it any more, the lock is dropped with the file.
        let waiting = tokio::task::spawn_blocking(move || next.lock().and_then(|()| writer.lock()).map(|()| writer));
        match timeout(PATIENCE, waiting).await {
            Ok(Ok(Ok(writer))) => Ok(Some(WriteTurn(writer))),
            Ok(_) => Ok(None),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}
