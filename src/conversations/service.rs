//! Operations on conversations: storing, appending turns, reading, importing, erasing.

use crate::base::bulk;
use crate::base::id::{AgentId, WorkspaceId};
use crate::configuration::Configuration;
use crate::conversations::concurrency::{ConcurrencyQuery, Counters, Maxima};
use crate::conversations::cursor::Cursor;
use crate::conversations::document::{self, Document, MAX_BYTES, StoredConversation};
use crate::conversations::import::file::Place;
use crate::conversations::import::{ImportError, ImportSummary, Importer, import};
use crate::conversations::incoming::DocumentError;
use crate::conversations::live_form::LiveConversation;
use crate::conversations::query::ListQuery;
use crate::conversations::store::{self, concurrency, lists};
use crate::conversations::turn::IncomingTurns;
use crate::db::{Db, DbError, WorkKind};
use crate::recordings::service::Recordings;
use crate::workspaces;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use std::io::Read;
use std::pin::pin;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// Conversations per transaction in operations on many, so that other writers do not wait long.
const BATCH: i64 = 100;

/// Result of appending turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendResult {
    Done,
    NoSuchConversation,
    /// The conversation is no longer in progress.
    Ended,
    /// The conversation would become larger than [`MAX_BYTES`].
    TooLarge,
}

/// Service for conversations.
#[derive(Clone, Debug)]
pub struct Conversations {
    db: Db,
    recordings: Recordings,
}

impl Conversations {
    pub fn new(db: Db, recordings: Recordings) -> Self {
        Self { db, recordings }
    }

    /// Creates a conversation, or replaces it.
    pub async fn replace(&self, workspace: &WorkspaceId, agent: &AgentId, document: &Document) -> Result<(), DbError> {
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
        more: &IncomingTurns<'_>,
    ) -> Result<AppendResult, DbError> {
        let mut change = self.db.begin_unattended().await?;
        let Some(mut held) = store::lock(&mut change, workspace, agent, id).await? else {
            return Ok(AppendResult::NoSuchConversation);
        };
        if !held.in_progress {
            return Ok(AppendResult::Ended);
        }
        held.append(more).map_err(|error| {
            tracing::error!(%error, "a stored conversation is not readable");
            DbError::Failed
        })?;
        if held.document.len() + held.turns.len() + held.turn_extras.len() > MAX_BYTES {
            return Ok(AppendResult::TooLarge);
        }
        store::update_turns(&mut change, workspace, agent, id, &held, self.db.now()).await?;
        change.commit().await?;
        Ok(AppendResult::Done)
    }

    /// Whether a conversation is in progress; `None` if it does not exist.
    pub async fn in_progress(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        id: &str,
    ) -> Result<Option<bool>, DbError> {
        store::in_progress(&self.db.of(WorkKind::Api), workspace, agent, id).await
    }

    /// One conversation, optionally with its turns and their latencies.
    pub async fn find(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        id: &str,
        with_turns: bool,
        with_latency: bool,
    ) -> Result<Option<StoredConversation>, DbError> {
        store::find(&self.db.of(WorkKind::Api), workspace, agent, id, with_turns, with_latency).await
    }

    /// One conversation for a response in the live form, optionally with its turns.
    pub async fn find_live(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        id: &str,
        with_turns: bool,
    ) -> Result<Option<LiveConversation>, DbError> {
        store::find_live(&self.db.of(WorkKind::Api), workspace, agent, id, with_turns).await
    }

    /// The id of an agent's latest conversation in the environment `live`.
    pub async fn latest(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<Option<String>, DbError> {
        lists::latest(&self.db, workspace, agent).await
    }

    /// An agent's latest live conversation as a response of version 3 has it under this configuration; `None` if there is
    /// none.
    pub async fn preview(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        configuration: &Configuration,
    ) -> Result<Option<String>, DbError> {
        let Some(id) = self.latest(workspace, agent).await? else { return Ok(None) };
        let Some(stored) = self.find(workspace, agent, &id, configuration.transcript, false).await? else {
            return Ok(None);
        };
        let mut text = String::new();
        document::write(&mut text, &stored, workspace, agent, configuration).map_err(|error| {
            tracing::error!(%error, "a stored conversation is not readable");
            DbError::Failed
        })?;
        Ok(Some(text))
    }

    /// The largest numbers of concurrent conversations: one row of them for all conversations, or one for each variant.
    /// A conversation in progress lasts until now.
    pub async fn concurrency(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        query: &ConcurrencyQuery,
    ) -> Result<Vec<Maxima>, DbError> {
        let (db, now) = (self.db.of(WorkKind::Bulk), self.db.now());
        let (workspace, agent, query) = (workspace.clone(), agent.clone(), query.clone());
        // Counting a million takes long enough to hold up other calls.
        let counted = bulk::run(async move {
            let db = db.in_turn().await?;
            let mut counters = Counters::new(&query);
            for call in concurrency::going_on(&db, &workspace, &agent, &query).await? {
                let end = if call.in_progress { now.0 } else { call.started_at + call.total_duration * 1_000_000 };
                counters.add(call.variant_id, call.variant_name, vec![(call.started_at, end)]);
            }
            // The database reads one day while the one before it is counted.
            let days = stream::iter(query.days()).map(|(start, end)| {
                let (db, workspace, agent, query) = (db.clone(), workspace.clone(), agent.clone(), query.clone());
                // In a task of its own, because each day has its own connection.
                let read = async move {
                    let groups = concurrency::started(&db, &workspace, &agent, &query, start, end).await?;
                    Ok::<_, DbError>((end, groups))
                };
                let reading = AbortOnDropHandle::new(tokio::spawn(read.in_current_span()));
                async move { reading.await.unwrap_or(Err(DbError::Failed)) }
            });
            let mut days = pin!(days.buffered(2));
            while let Some((end, groups)) = days.try_next().await? {
                for group in groups {
                    counters.add(group.variant_id, group.variant_name, group.spans);
                }
                counters.count_until(end);
            }
            Ok(counters.finish())
        });
        counted.await.unwrap_or(Err(DbError::Failed))
    }

    /// Waits for a turn to read lists.
    pub async fn list_reader(&self) -> Result<ListReader, DbError> {
        Ok(ListReader { db: self.db.of(WorkKind::Bulk).in_turn().await? })
    }

    /// Like [`Self::list_reader`], with a longer wait, for a list whose response has already begun.
    pub async fn list_reader_again(&self) -> Result<ListReader, DbError> {
        Ok(ListReader { db: self.db.of(WorkKind::Bulk).in_turn_again().await? })
    }

    /// An importer for conversations of this agent.
    pub fn importer<'a>(&'a self, workspace: &'a WorkspaceId, agent: &'a AgentId) -> Importer<'a> {
        Importer::new(&self.db, workspace, agent)
    }

    /// Imports a file. See [`import`].
    pub async fn import(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        file: impl Read + Send + 'static,
        rejected: impl FnMut(Place, &DocumentError),
    ) -> Result<ImportSummary, ImportError> {
        import(&self.db, workspace, agent, file, rejected).await
    }

    /// Deletes a conversation with its transcript words, events, handoff state and recordings. Does nothing if it does not
    /// exist. If the audio cannot be deleted now, it is deleted later.
    pub async fn erase(&self, workspace: &WorkspaceId, agent: &AgentId, id: &str) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        let recordings = self.recordings.objects(&mut change, workspace, agent, id).await?;
        store::delete(&mut change, workspace, agent, id).await?;
        change.commit().await?;
        self.recordings.delete(&recordings).await;
        Ok(())
    }

    /// Deletes all of an agent's conversations, in batches.
    pub async fn erase_all(&self, workspace: &WorkspaceId, agent: &AgentId) -> Result<(), DbError> {
        loop {
            let mut change = self.db.begin_unattended().await?;
            let count = store::delete_some(&mut change, workspace, agent, BATCH).await?;
            change.commit().await?;
            if count < BATCH as u64 {
                self.recordings.delete_due(Some(workspace)).await;
                return Ok(());
            }
        }
    }

    /// Deletes the conversations that are older than the retention period of their workspace, and returns their number.
    /// An error in one workspace is logged and does not stop the others.
    pub async fn erase_old(&self) -> Result<u64, DbError> {
        let mut erased = 0;
        for (workspace, days) in workspaces::service::retentions(&self.db.of(WorkKind::Background)).await? {
            match self.erase_older(&workspace, days).await {
                Ok(count) => erased += count,
                Err(error) => tracing::error!(%workspace, %error, "old conversations could not be erased"),
            }
        }
        Ok(erased)
    }

    /// Deletes a workspace's conversations that are older than this many days. Stops if the workspace's retention
    /// period is no longer `days`.
    async fn erase_older(&self, workspace: &WorkspaceId, days: i32) -> Result<u64, DbError> {
        let oldest = self.db.now().plus_days(-i64::from(days));
        let mut erased = 0;
        loop {
            let mut change = self.db.of(WorkKind::Background).begin_unattended().await?;
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

    /// Indexes the transcripts that an earlier version stored without an index, and returns their number.
    pub async fn index_missing(&self) -> Result<u64, DbError> {
        let (mut indexed, mut last) = (0, None);
        loop {
            let places = store::without_words(&self.db.of(WorkKind::Background), last.as_ref(), BATCH).await?;
            if places.is_empty() {
                return Ok(indexed);
            }
            let mut change = self.db.of(WorkKind::Background).begin_unattended().await?;
            for (workspace, agent, id) in &places {
                // It may have been deleted meanwhile.
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

/// Reads lists of conversations. It holds a turn until it is dropped, so do not keep it while waiting for a client.
#[derive(Debug)]
pub struct ListReader {
    db: Db,
}

impl ListReader {
    /// Cursors of the conversations on a page, and of one more conversation if there is a next page.
    pub async fn places(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        query: &ListQuery,
    ) -> Result<Vec<Cursor>, DbError> {
        lists::places(&self.db, workspace, agent, query).await
    }

    /// Number of conversations that match the filters, on all pages.
    pub async fn count(&self, workspace: &WorkspaceId, agent: &AgentId, query: &ListQuery) -> Result<i64, DbError> {
        lists::count(&self.db, workspace, agent, query).await
    }

    /// The conversations at these cursors, at most [`BATCH_SIZE`].
    pub async fn batch(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        places: &[Cursor],
        with_turns: bool,
        with_latency: bool,
    ) -> Result<Vec<StoredConversation>, DbError> {
        lists::batch(&self.db, workspace, agent, places, with_turns, with_latency).await
    }

    /// The same for responses in the live form, without turns.
    pub async fn live_batch(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        places: &[Cursor],
    ) -> Result<Vec<LiveConversation>, DbError> {
        lists::live_batch(&self.db, workspace, agent, places).await
    }
}

pub use lists::BATCH_SIZE;
