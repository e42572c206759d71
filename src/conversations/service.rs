//! What the runtime side does to conversations, each one transaction.

use crate::base::error::Error;
use crate::base::id::{AgentId, WorkspaceId};
use crate::conversations::cursor::Cursor;
use crate::conversations::document::{Document, MAX_BYTES, Stored, Turns};
use crate::conversations::import::{ImportError, Imported, Importer, import};
use crate::conversations::query::ListQuery;
use crate::conversations::store;
use crate::db::Db;
use crate::db::Work;
use crate::workspaces;
use std::io::BufRead;

/// How many conversations one transaction takes where many are meant, for others to write in between.
const BATCH: i64 = 100;

/// What became of turns to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Done,
    NoSuchConversation,
    /// The conversation is no longer in progress.
    Ended,
    /// It would outgrow [`MAX_BYTES`].
    TooLarge,
}

/// Conversations: written, read, listed, erased.
#[derive(Clone, Debug)]
pub struct Conversations {
    db: Db,
}

impl Conversations {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Creates a conversation, or replaces it.
    pub async fn replace(&self, workspace: &WorkspaceId, agent: &AgentId, document: &Document) -> Result<(), Error> {
        let mut change = self.db.begin_unattended().await?;
        store::upsert(&mut change, workspace, agent, document, self.db.now()).await?;
        for name in &document.metric_names {
            store::insert_metric_name(&mut change, workspace, agent, name).await?;
        }
        change.commit().await
    }

    /// Appends turns to a conversation in progress.
    pub async fn append(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        id: &str,
        more: Turns,
    ) -> Result<Appended, Error> {
        let mut change = self.db.begin_unattended().await?;
        let Some(mut held) = store::lock(&mut change, workspace, agent, id).await? else {
            return Ok(Appended::NoSuchConversation);
        };
        if !held.in_progress {
            return Ok(Appended::Ended);
        }
        held.append(&more).map_err(|error| {
            tracing::error!(%error, "a stored conversation is not readable");
            Error::Internal
        })?;
        if held.document.len() + held.turns.len() > MAX_BYTES {
            return Ok(Appended::TooLarge);
        }
        store::update_turns(&mut change, workspace, agent, id, &held, self.db.now()).await?;
        change.commit().await?;
        Ok(Appended::Done)
    }

    /// Whether a conversation is in progress; `None` where there is none of this id.
    pub async fn in_progress(&self, workspace: &WorkspaceId, agent: &AgentId, id: &str) -> Result<Option<bool>, Error> {
        store::in_progress(&self.db.of(Work::Api), workspace, agent, id).await
    }

    /// One conversation, with what was said and how long each turn took where that is wanted.
    pub async fn find(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        id: &str,
        with_turns: bool,
        with_latency: bool,
    ) -> Result<Option<Stored>, Error> {
        store::find(&self.db.of(Work::Api), workspace, agent, id, with_turns, with_latency).await
    }

    /// The id of an agent's latest conversation.
    pub async fn latest(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Option<String>, Error> {
        store::latest(&self.db, workspace, agent).await
    }

    /// Waits for a turn to read a list.
    pub async fn list_reader(&self) -> Result<ListReader, Error> {
        Ok(ListReader { db: self.db.of(Work::Bulk).in_turn().await? })
    }

    /// The same for a list whose answer has begun: it is not refused as long as its request lasts.
    pub async fn list_reader_again(&self) -> Result<ListReader, Error> {
        Ok(ListReader { db: self.db.of(Work::Bulk).in_turn_again().await? })
    }

    /// An importer of conversations to this agent.
    pub fn importer<'a>(&'a self, workspace: &'a WorkspaceId, agent: &'a AgentId) -> Importer<'a> {
        Importer::new(&self.db, workspace, agent)
    }

    /// Imports a file; see [`import`].
    pub async fn import(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        lines: impl BufRead,
        progress: impl FnMut(u64),
        rejected: impl FnMut(u64, &str),
    ) -> Result<Imported, ImportError> {
        import(&self.db, workspace, agent, lines, progress, rejected).await
    }

    /// Erases a conversation with everything that belongs to it; nothing happens where there is none.
    pub async fn erase(&self, workspace: &WorkspaceId, agent: &AgentId, id: &str) -> Result<(), Error> {
        let mut change = self.db.begin_unattended().await?;
        store::delete(&mut change, workspace, agent, id).await?;
        change.commit().await
    }

    /// Erases all of an agent's conversations.
    pub async fn erase_all(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<(), Error> {
        loop {
            let mut change = self.db.begin_unattended().await?;
            let count = store::delete_some(&mut change, workspace, agent, BATCH).await?;
            change.commit().await?;
            if count < BATCH as u64 {
                return Ok(());
            }
        }
    }

    /// Erases every conversation that is older than its workspace keeps them; how many there were. What fails in one
    /// workspace holds up no other.
    pub async fn erase_old(&self) -> Result<u64, Error> {
        let mut erased = 0;
        for (workspace, days) in workspaces::service::retentions(&self.db.of(Work::Background)).await? {
            match self.erase_older(&workspace, days).await {
                Ok(count) => erased += count,
                Err(error) => tracing::error!(%workspace, %error, "old conversations could not be erased"),
            }
        }
        Ok(erased)
    }

    /// Erases a workspace's conversations that are older than this many days, as long as it is set to that.
    async fn erase_older(&self, workspace: &WorkspaceId, days: i32) -> Result<u64, Error> {
        let oldest = self.db.now().plus_days(-i64::from(days));
        let mut erased = 0;
        loop {
            let mut change = self.db.of(Work::Background).begin_unattended().await?;
            if !workspaces::service::lock_retention(&mut change, workspace, days).await? {
                return Ok(erased);
            }
            let count = store::delete_older(&mut change, workspace, oldest, BATCH).await?;
            change.commit().await?;
            erased += count;
            if count < BATCH as u64 {
                return Ok(erased);
            }
        }
    }

    /// Indexes the transcripts that an earlier version stored without their words; how many there were.
    pub async fn index_missing(&self) -> Result<u64, Error> {
        let (mut indexed, mut last) = (0, None);
        loop {
            let places = store::without_words(&self.db.of(Work::Background), last.as_ref(), BATCH).await?;
            if places.is_empty() {
                return Ok(indexed);
            }
            let mut change = self.db.of(Work::Background).begin_unattended().await?;
            for (workspace, agent, id) in &places {
                // It may have been replaced or erased since.
                let Some(held) = store::lock(&mut change, workspace, agent, id).await? else { continue };
                let Ok(transcript) = held.transcript() else { continue };
                store::index(&mut change, workspace, agent, id, &transcript).await?;
                indexed += 1;
            }
            change.commit().await?;
            last = places.into_iter().next_back();
        }
    }
}

/// Reads lists of conversations in its turn among other lists. It must not be kept while a client is waited for.
#[derive(Debug)]
pub struct ListReader {
    db: Db,
}

impl ListReader {
    /// The places of the conversations on a page, and of one more where there are more.
    pub async fn places(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        query: &ListQuery,
    ) -> Result<Vec<Cursor>, Error> {
        store::places(&self.db, workspace, agent, query).await
    }

    /// How many conversations the query means.
    pub async fn count(&self, workspace: &WorkspaceId, agent: &AgentId, query: &ListQuery) -> Result<i64, Error> {
        store::count(&self.db, workspace, agent, query).await
    }

    /// The conversations at these places, at most [`BATCH_SIZE`].
    pub async fn batch(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        places: &[Cursor],
        with_turns: bool,
        with_latency: bool,
    ) -> Result<Vec<Stored>, Error> {
        store::batch(&self.db, workspace, agent, places, with_turns, with_latency).await
    }
}

pub use store::BATCH_SIZE;
