//! Import of conversations from JSON Lines. Each line is one conversation. Invalid lines are reported and skipped. A
//! conversation with a known id is replaced, so a file can be imported again, for example after an interruption.

use crate::base::id::{AgentId, WorkspaceId};
use crate::conversations::document::Document;
use crate::conversations::store;
use crate::db::{Db, DbError};
use std::collections::HashSet;
use std::io::BufRead;

/// Conversations per transaction. Fewer on SQLite, so that other writers do not wait long: it has one writer at a time.
const BATCH_SQLITE: usize = 100;
const BATCH_POSTGRES: usize = 500;

/// UTF-8's byte order mark, which some programs write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// Result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportSummary {
    /// Number of new conversations.
    pub imported: u64,
    /// Number of conversations that replaced one with the same id, stored earlier or by the same file.
    pub replaced: u64,
    /// Number of invalid lines.
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

/// Imports a file. Calls `progress` with the length of each line in bytes, and `rejected` with the number (from 1) of
/// each invalid line and the reason.
pub async fn import(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    mut lines: impl BufRead,
    mut progress: impl FnMut(u64),
    mut rejected: impl FnMut(u64, &str),
) -> Result<ImportSummary, ImportError> {
    let mut importer = Importer::new(db, workspace, agent);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        progress(length as u64);
        if number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match Document::parse(&line) {
            Ok(document) => {
                importer.push(document).await?;
            }
            Err(reason) => {
                rejected(number, &reason);
                importer.done.rejected += 1;
            }
        }
    }
    importer.flush().await?;
    Ok(importer.done)
}

/// Why an import stopped. Batches written before the error remain.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the file could not be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("{0}")]
    Write(#[from] DbError),
}
