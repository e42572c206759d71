//! Storing, reading and deleting recordings.

use crate::base::id::{AgentId, WorkspaceId};
use crate::db::{Change, Db, DbError, WorkKind};
use crate::recordings::storage::{RecordingStorage, StorageError};
use crate::recordings::store::{self, StoredRecording};
use crate::recordings::{MAX_BYTES, RecordingKind};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Time for an upload, in seconds. After it an object that belongs to no recording is deleted.
const UPLOAD_SECONDS: i64 = 3_600;
/// Objects deleted in one go.
const BATCH: i64 = 100;
/// Uploads at the same time. Each has up to three parts of 5 MiB in memory.
const UPLOADS: usize = 16;
/// Longest wait for an upload to begin.
const UPLOAD_WAIT: Duration = Duration::from_secs(5);
/// Size of the pieces in which a recording is read, in bytes.
const PIECE: u64 = 1024 * 1024;
/// Length of the beginning of a WAV file, by which it is told from other files.
const HEAD: usize = 12;

/// Why a recording was not stored or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingError {
    /// There is no such conversation.
    NoSuchConversation,
    NotWav,
    /// It is larger than [`MAX_BYTES`].
    TooLarge,
    /// The client did not send it whole.
    Interrupted,
    /// Too many recordings are being stored.
    Busy,
    /// The storage failed.
    Storage,
    Failed(DbError),
}

impl From<DbError> for RecordingError {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl From<StorageError> for RecordingError {
    fn from(_: StorageError) -> Self {
        Self::Storage
    }
}

/// Service for recordings.
#[derive(Clone, Debug)]
pub struct Recordings {
    db: Db,
    storage: RecordingStorage,
    uploads: Arc<Semaphore>,
}

impl Recordings {
    pub fn new(db: Db, storage: RecordingStorage) -> Self {
        Self { db, storage, uploads: Arc::new(Semaphore::new(UPLOADS)) }
    }

    /// Stores a WAV file as a conversation's recording of this kind and replaces an earlier one. Whenever this stops, each
    /// object in the storage belongs to a recording or is entered for deletion.
    pub async fn store(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        kind: RecordingKind,
        body: impl Stream<Item = Result<Bytes, RecordingError>>,
    ) -> Result<(), RecordingError> {
        let waiting = tokio::time::timeout(UPLOAD_WAIT, self.uploads.acquire());
        let Ok(Ok(_place)) = waiting.await else { return Err(RecordingError::Busy) };
        let mut body = pin!(body);
        let head = read_head(&mut body).await?;
        let object = format!("{workspace}/{}.wav", self.db.random().text(b"0123456789abcdefghijklmnopqrstuvwxyz", 32));
        let mut change = self.db.begin_unattended().await?;
        let end = change.now().plus_seconds(UPLOAD_SECONDS);
        store::insert_loose(&mut change, &object, end).await?;
        change.commit().await?;
        let stored = match self.upload(&object, head, body).await {
            Ok(size) => {
                self.refer(workspace, agent, conversation, kind, StoredRecording { object: object.clone(), size }).await
            }
            Err(error) => Err(error),
        };
        match &stored {
            Ok(replaced) => self.delete(replaced).await,
            // The object may still appear in the storage, or a recording may refer to it: left to its entry.
            Err(RecordingError::Storage | RecordingError::Failed(_)) => {}
            Err(_) => self.delete(std::slice::from_ref(&object)).await,
        }
        stored.map(|_| ())
    }

    async fn upload(
        &self,
        object: &str,
        head: Bytes,
        mut body: Pin<&mut impl Stream<Item = Result<Bytes, RecordingError>>>,
    ) -> Result<i64, RecordingError> {
        let mut size = 0;
        let mut writer = self.storage.write(object).await?;
        let mut next = Some(Ok(head));
        while let Some(piece) = next {
            let added = match piece {
                Ok(bytes) => {
                    size += bytes.len() as u64;
                    if size > MAX_BYTES {
                        Err(RecordingError::TooLarge)
                    } else {
                        writer.write(bytes).await.map_err(RecordingError::from)
                    }
                }
                Err(error) => Err(error),
            };
            if let Err(error) = added {
                writer.abort().await;
                return Err(error);
            }
            next = body.next().await;
        }
        writer.finish().await?;
        Ok(size as i64)
    }

    /// Lets a recording refer to an object that was written, and returns the object that it replaced.
    async fn refer(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        kind: RecordingKind,
        recording: StoredRecording,
    ) -> Result<Vec<String>, RecordingError> {
        let mut change = self.db.begin_unattended().await?;
        let replaced = store::object(&mut change, workspace, agent, conversation, kind).await?;
        if !store::delete_loose(&mut change, &recording.object).await? {
            // It took so long that the object was deleted.
            return Err(RecordingError::Interrupted);
        }
        if !store::upsert(&mut change, workspace, agent, conversation, kind, &recording).await? {
            return Err(RecordingError::NoSuchConversation);
        }
        change.commit().await?;
        Ok(replaced)
    }

    /// Finds a conversation's recording of this kind.
    pub async fn find(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        kind: RecordingKind,
    ) -> Result<Option<Recording>, RecordingError> {
        let found = store::find(&self.db.of(WorkKind::Api), workspace, agent, conversation, kind).await?;
        Ok(found.map(|stored| Recording {
            size: stored.size.max(0) as u64,
            object: stored.object,
            storage: self.storage.clone(),
        }))
    }

    /// The objects of a conversation's recordings, to be passed to [`Self::delete`] after the conversation was deleted.
    pub async fn objects(
        &self,
        change: &mut Change,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
    ) -> Result<Vec<String>, DbError> {
        store::objects(change, workspace, agent, conversation).await
    }

    /// Deletes objects that are entered for deletion. Those for which this fails are deleted by [`Self::delete_due`].
    pub async fn delete(&self, objects: &[String]) {
        for object in objects {
            let _ = self.delete_object(object).await;
        }
    }

    /// Deletes the objects that are due, of this workspace or of all. Errors are logged; what is left is due again.
    pub async fn delete_due(&self, workspace: Option<&WorkspaceId>) {
        let db = self.db.of(WorkKind::Background);
        let mut failed = 0;
        // Objects that could not be deleted stay first in the order, and are passed over.
        while let Ok(due) = store::due(&db, workspace, BATCH, failed).await {
            for object in &due {
                failed += i64::from(self.delete_object(object).await.is_err());
            }
            if due.len() < BATCH as usize || failed >= BATCH {
                return;
            }
        }
    }

    async fn delete_object(&self, object: &str) -> Result<(), RecordingError> {
        self.storage.delete(object).await?;
        Ok(self.forget(object).await?)
    }

    async fn forget(&self, object: &str) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        store::delete_loose(&mut change, object).await?;
        change.commit().await
    }
}

/// Reads the beginning of a WAV file.
async fn read_head(
    body: &mut Pin<&mut impl Stream<Item = Result<Bytes, RecordingError>>>,
) -> Result<Bytes, RecordingError> {
    let mut head = BytesMut::new();
    while head.len() < HEAD {
        head.extend_from_slice(&body.next().await.ok_or(RecordingError::NotWav)??);
    }
    if is_wav(&head) { Ok(head.freeze()) } else { Err(RecordingError::NotWav) }
}

/// Whether a file begins like a WAV file: a RIFF container with the form type `WAVE` (Microsoft and IBM, "Multimedia
/// Programming Interface and Data Specifications 1.0", 1991).
fn is_wav(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..HEAD) == Some(b"WAVE".as_slice())
}

/// A recording that can be read.
#[derive(Clone, Debug)]
pub struct Recording {
    /// In bytes.
    pub size: u64,
    object: String,
    storage: RecordingStorage,
}

impl Recording {
    /// Unique identifier of this stored recording; used as the ETag.
    pub fn version(&self) -> &str {
        self.object.rsplit('/').next().unwrap_or_default().trim_end_matches(".wav")
    }

    /// Reads the first bytes of this range, at most a piece; the next range is after it. An error if the recording was
    /// deleted in the meantime.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        let end = range.end.min(range.start + PIECE);
        self.storage.read(&self.object, range.start..end).await
    }

    /// The bytes of this range, of which the first were read already.
    pub fn rest(self, first: Bytes, range: Range<u64>) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
        let after = range.start + first.len() as u64..range.end;
        let rest = stream::try_unfold((self, after), |(recording, range)| async move {
            if range.is_empty() {
                return Ok(None);
            }
            let bytes = recording.read(range.clone()).await.map_err(|_| std::io::Error::other("the storage failed"))?;
            let after = range.start + bytes.len() as u64..range.end;
            // A storage that returns nothing would be asked for ever.
            if bytes.is_empty() {
                return Err(std::io::Error::other("the recording is shorter than it was"));
            }
            Ok(Some((bytes, (recording, after))))
        });
        stream::once(async { Ok(first) }).chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wav_files_are_told_from_others() {
        assert!(is_wav(b"RIFF\x24\x00\x00\x00WAVEfmt "));
        for other in [&b"RIFF\x24\x00\x00\x00AVI "[..], b"ID3\x04", b"RIFF", b"OggS\x00\x02\x00\x00\x00\x00\x00\x00"] {
            assert!(!is_wav(other), "{other:?}");
        }
    }
}
