//! Where the audio of recordings is: a folder of this machine, or a bucket of an S3-compatible store.

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreExt as _, RetryConfig, WriteMultipart};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Size of the parts in which an object is written, in bytes. S3 takes no smaller ones than 5 MiB.
const PART: usize = 5 * 1024 * 1024;
/// Parts that may be on their way at the same time.
const PARTS: usize = 2;
/// Longest time for one request to an S3-compatible store: one part is written, or one piece is read.
const TIMEOUT: &str = "20 seconds";
/// Longest time for repeating a request that failed.
const RETRIES: Duration = Duration::from_secs(20);

/// An error of the storage, which was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageError {
    NoSuchObject,
    Failed,
}

/// A store for objects.
#[derive(Clone, Debug)]
pub struct RecordingStorage {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if the objects are files.
    folder: Option<PathBuf>,
}

impl RecordingStorage {
    /// A folder, which is made when the first object is written. Objects are written to the disk before they are
    /// reported as written.
    pub fn folder(folder: &Path) -> Result<Self, String> {
        let absolute = std::path::absolute(folder).map_err(|e| e.to_string())?;
        let prefix = ObjectPath::from_absolute_path(&absolute).map_err(|e| e.to_string())?;
        let files = LocalFileSystem::new().with_fsync(true);
        Ok(Self { objects: Arc::new(PrefixStore::new(files, prefix)), folder: Some(absolute) })
    }

    /// A bucket of an S3-compatible store: `s3://bucket/prefix`. Credentials, region and endpoint come from the
    /// environment variables of AWS's own programs: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`.
    pub fn bucket(url: &str) -> Result<Self, String> {
        Self::of_bucket(AmazonS3Builder::from_env(), url)
    }

    /// Like [`Self::bucket`], with settings that are not the environment's.
    pub fn of_bucket(settings: AmazonS3Builder, url: &str) -> Result<Self, String> {
        // The only provider in this program; it is already installed after the first storage.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let rest = url.strip_prefix("s3://").ok_or("the address does not begin with s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let retries = RetryConfig { retry_timeout: RETRIES, max_retries: 3, ..RetryConfig::default() };
        let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
        let store = settings.with_bucket_name(bucket).with_config(timeout, TIMEOUT).with_retry(retries).build();
        let store = store.map_err(|e| e.to_string())?;
        let prefix = ObjectPath::parse(prefix.trim_matches('/')).map_err(|e| e.to_string())?;
        Ok(Self { objects: Arc::new(PrefixStore::new(store, prefix)), folder: None })
    }

    /// Begins to write an object.
    pub async fn write(&self, object: &str) -> Result<ObjectWriter, StorageError> {
        let upload = self.objects.put_multipart(&path(object)?).await.map_err(failed)?;
        Ok(ObjectWriter(Some(WriteMultipart::new_with_chunk_size(upload, PART))))
    }

    /// Reads a part of an object.
    pub async fn read(&self, object: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.objects.get_range(&path(object)?, range).await.map_err(failed)
    }

    /// Deletes an object. Does nothing if there is none.
    pub async fn delete(&self, object: &str) -> Result<(), StorageError> {
        if let Some(folder) = &self.folder {
            // The file in which `object_store` writes an object, which a killed server leaves behind.
            let _ = tokio::fs::remove_file(folder.join(format!("{object}#1"))).await;
        }
        match self.objects.delete(&path(object)?).await.map_err(failed) {
            Err(StorageError::NoSuchObject) => Ok(()),
            done => done,
        }
    }
}

/// An object that is being written. It exists only after [`ObjectWriter::finish`]. Dropped before, it is given up in the
/// background.
#[derive(Debug)]
pub struct ObjectWriter(Option<WriteMultipart>);

impl ObjectWriter {
    /// Adds bytes. Waits while too much is on its way.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        let Some(upload) = &mut self.0 else { return Err(StorageError::Failed) };
        upload.wait_for_capacity(PARTS).await.map_err(failed)?;
        upload.put(bytes);
        Ok(())
    }

    pub async fn finish(mut self) -> Result<(), StorageError> {
        let Some(upload) = self.0.take() else { return Err(StorageError::Failed) };
        upload.finish().await.map(|_| ()).map_err(failed)
    }

    /// Aborts the upload and removes the parts already written. If this fails, a lifecycle rule of the bucket must remove
    /// them.
    pub async fn abort(mut self) {
        if let Some(upload) = self.0.take() {
            give_up(upload).await;
        }
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(give_up(upload));
        }
    }
}

async fn give_up(upload: WriteMultipart) {
    // An error was logged.
    let _ = upload.abort().await.map_err(failed);
}

fn path(object: &str) -> Result<ObjectPath, StorageError> {
    ObjectPath::parse(object).map_err(|error| {
        tracing::error!(%error, "an object's name is not valid");
        StorageError::Failed
    })
}

fn failed(error: object_store::Error) -> StorageError {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return StorageError::NoSuchObject;
    }
    tracing::error!(%error, "the storage for recordings failed");
    StorageError::Failed
}
