//! Bringing conversations in from JSON Lines. Each line is one conversation; a bad one is reported and passed over.
//! Importing a file again, or the rest of one after an interruption, doubles nothing.

use crate::base::error::Error;
use crate::base::id::{AgentId, WorkspaceId};
use crate::conversations::document::Document;
use crate::conversations::store;
use crate::db::Db;
use std::collections::HashSet;
use std::io::BufRead;

/// Lines that are written in one transaction. In SQLite, which has one writer at a time, few, for others to write in between.
const BATCH_SQLITE: usize = 100;
const BATCH_POSTGRES: usize = 500;

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// Conversations that were new.
    pub imported: u64,
    /// Conversations that were written in place of one with the same id, from this file or from before.
    pub replaced: u64,
    /// Lines that hold no conversation.
    pub rejected: u64,
}

/// Writes conversations and remembers which metric names it has noted already.
pub struct Importer<'a> {
    db: &'a Db,
    workspace: &'a WorkspaceId,
    agent: &'a AgentId,
    size: usize,
    noted: HashSet<String>,
    batch: Vec<Document>,
    done: Imported,
}

impl<'a> Importer<'a> {
    /// Ready to bring conversations to this agent.
    pub fn new(db: &'a Db, workspace: &'a WorkspaceId, agent: &'a AgentId) -> Self {
        let size = if db.is_sqlite() { BATCH_SQLITE } else { BATCH_POSTGRES };
        let batch = Vec::with_capacity(size);
        Self { db, workspace, agent, size, noted: HashSet::new(), batch, done: Imported::default() }
    }

    /// Takes one conversation, and writes a batch where it is full.
    pub async fn push(&mut self, document: Document) -> Result<(), Error> {
        self.batch.push(document);
        if self.batch.len() == self.size { self.flush().await } else { Ok(()) }
    }

    /// Writes what has been taken, in one transaction.
    pub async fn flush(&mut self) -> Result<(), Error> {
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

/// Imports a file. `progress` hears how many bytes each line had; `rejected` hears the number and the reason of each
/// bad line, counted from 1.
pub async fn import(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    mut lines: impl BufRead,
    mut progress: impl FnMut(u64),
    mut rejected: impl FnMut(u64, &str),
) -> Result<Imported, ImportError> {
    let mut importer = Importer::new(db, workspace, agent);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        progress(length as u64);
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

/// Why an import stopped; what was imported before stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file could not be read on.
    #[error("the file could not be read: {0}")]
    Read(#[from] std::io::Error),
    /// The database failed.
    #[error("{0}")]
    Write(#[from] Error),
}
