//! Import of conversations from files. Invalid conversations are reported and skipped. A conversation with a known id is
//! replaced, so a file can be imported again, for example after an interruption.

/// Finding the conversations in a file.
pub mod file;

use crate::base::id::{AgentId, WorkspaceId};
use crate::conversations::document::Document;
use crate::conversations::import::file::{FoundDocument, Place};
use crate::conversations::incoming::DocumentError;
use crate::conversations::store;
use crate::db::{Db, DbError};
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Conversations per transaction. Fewer on SQLite, so that other writers do not wait long: it has one writer at a time.
const BATCH_SQLITE: usize = 100;
const BATCH_POSTGRES: usize = 500;
/// Conversations that are read before the earlier ones are written. Each may have several megabytes.
const READ_AHEAD: usize = 16;

/// Result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportSummary {
    /// Number of new conversations.
    pub imported: u64,
    /// Number of conversations that replaced one with the same id, stored earlier or by the same file.
    pub replaced: u64,
    /// Number of invalid conversations.
    pub rejected: u64,
}

/// Writes conversations in batches. Remembers which metric names it has already stored.
pub struct Importer<'a> {
    db: &'a Db,
    workspace: &'a WorkspaceId,
    agent: &'a AgentId,
    size: usize,
    noted: HashSet<String>,
    batch: Vec<Document>,
    done: ImportSummary,
}

impl<'a> Importer<'a> {
    /// An importer for conversations of this agent.
    pub fn new(db: &'a Db, workspace: &'a WorkspaceId, agent: &'a AgentId) -> Self {
        let size = if db.is_sqlite() { BATCH_SQLITE } else { BATCH_POSTGRES };
        let batch = Vec::with_capacity(size);
        Self { db, workspace, agent, size, noted: HashSet::new(), batch, done: ImportSummary::default() }
    }

    /// Adds a conversation to the batch, and writes the batch if it is full.
    pub async fn push(&mut self, document: Document) -> Result<(), DbError> {
        self.batch.push(document);
        if self.batch.len() == self.size { self.flush().await } else { Ok(()) }
    }

    /// Writes the batch in one transaction.
    pub async fn flush(&mut self) -> Result<(), DbError> {
        let now = self.db.now();
        let mut change = self.db.begin_unattended().await?;
        let ids: HashSet<&str> = self.batch.iter().map(|document| document.id.as_str()).collect();
        let new = ids.len() as u64 - store::count_existing(&mut change, self.workspace, self.agent, &ids).await?;
        for document in &self.batch {
            store::upsert(&mut change, self.workspace, self.agent, document, now).await?;
            for name in &document.metric_names {
                if self.noted.insert(name.clone()) {
                    store::insert_metric_name(&mut change, self.workspace, self.agent, name).await?;
                }
            }
        }
        change.commit().await?;
        self.done.imported += new;
        self.done.replaced += self.batch.len() as u64 - new;
        self.batch.clear();
        Ok(())
    }
}

/// Imports a file. Calls `rejected` with the place of each invalid conversation and the reason.
pub async fn import(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    file: impl Read + Send + 'static,
    mut rejected: impl FnMut(Place, &DocumentError),
) -> Result<ImportSummary, ImportError> {
    let mut importer = Importer::new(db, workspace, agent);
    let (mut found, reading) = read_apart(file);
    while let Some(FoundDocument { place, document }) = found.recv().await {
        match document {
            Ok(document) => importer.push(document).await?,
            Err(reason) => {
                rejected(place, &reason);
                importer.done.rejected += 1;
            }
        }
    }
    reading.await.map_err(std::io::Error::other)??;
    importer.flush().await?;
    Ok(importer.done)
}

/// What an import of a file would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportForecast {
    /// Number of valid conversations.
    pub accepted: u64,
    /// Number of invalid conversations.
    pub rejected: u64,
    /// Number of invalid conversations by reason.
    pub reasons: BTreeMap<String, u64>,
}

/// Reads a file as an import does, and stores nothing.
pub async fn forecast(file: impl Read + Send + 'static) -> Result<ImportForecast, ImportError> {
    let (mut found, reading) = read_apart(file);
    let mut forecast = ImportForecast::default();
    while let Some(FoundDocument { document, .. }) = found.recv().await {
        match document {
            Ok(_) => forecast.accepted += 1,
            Err(reason) => {
                forecast.rejected += 1;
                *forecast.reasons.entry(reason.kind()).or_default() += 1;
            }
        }
    }
    reading.await.map_err(std::io::Error::other)??;
    Ok(forecast)
}

/// Reads a file on a thread of its own, which is ahead of the writer by a bounded number of conversations.
fn read_apart(file: impl Read + Send + 'static) -> (mpsc::Receiver<FoundDocument>, JoinHandle<std::io::Result<()>>) {
    let (found, receiver) = mpsc::channel(READ_AHEAD);
    let reading =
        tokio::task::spawn_blocking(move || file::read(file, |document| found.blocking_send(document).is_ok()));
    (receiver, reading)
}

/// Why an import stopped. Batches written before the error remain.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the file could not be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("{0}")]
    Write(#[from] DbError),
}
