//! What the runtime side does to conversations, each one transaction.

use crate::base::error::Error;
use crate::base::id::{AgentId, WorkspaceId};
use crate::conversations::document::{Document, MAX_BYTES, Turns};
use crate::conversations::store;
use crate::db::Work;
use crate::server::state::App;
use crate::workspaces;

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

/// Creates a conversation, or replaces it.
pub async fn replace(app: &App, workspace: &WorkspaceId, agent: &AgentId, document: &Document) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::upsert(&mut tx, workspace, agent, document, app.clock.now()).await?;
    for name in &document.metric_names {
        store::insert_metric_name(&mut tx, workspace, agent, name).await?;
    }
    tx.commit().await
}

/// Appends turns to a conversation in progress.
pub async fn append(
    app: &App,
    workspace: &WorkspaceId,
    agent: &AgentId,
    id: &str,
    more: Turns,
) -> Result<Appended, Error> {
    let mut tx = app.db.begin().await?;
    let Some(mut held) = store::hold(&mut tx, workspace, agent, id).await? else {
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
    store::update_turns(&mut tx, workspace, agent, id, &held, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Appended::Done)
}

/// Erases a conversation with everything that belongs to it; nothing happens where there is none.
pub async fn erase(app: &App, workspace: &WorkspaceId, agent: &AgentId, id: &str) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete(&mut tx, workspace, agent, id).await?;
    tx.commit().await
}

/// Erases all of an agent's conversations.
pub async fn erase_all(app: &App, workspace: &WorkspaceId, agent: &AgentId) -> Result<(), Error> {
    loop {
        let mut tx = app.db.begin().await?;
        let count = store::delete_some(&mut tx, workspace, agent, BATCH).await?;
        tx.commit().await?;
        if count < BATCH as u64 {
            return Ok(());
        }
    }
}

/// Erases every conversation that is older than its workspace keeps them; how many there were. What fails in one
/// workspace holds up no other.
pub async fn erase_old(app: &App) -> Result<u64, Error> {
    let mut erased = 0;
    for (workspace, days) in workspaces::store::retentions(&app.db.of(Work::Background)).await? {
        match erase_older(app, &workspace, days).await {
            Ok(count) => erased += count,
            Err(error) => tracing::error!(%workspace, %error, "old conversations could not be erased"),
        }
    }
    Ok(erased)
}

/// Erases a workspace's conversations that are older than this many days, as long as it is set to that.
async fn erase_older(app: &App, workspace: &WorkspaceId, days: i32) -> Result<u64, Error> {
    let oldest = app.clock.now().plus_days(-i64::from(days));
    let mut erased = 0;
    loop {
        let mut tx = app.db.of(Work::Background).begin().await?;
        if !workspaces::store::hold_retention(&mut tx, workspace, days).await? {
            return Ok(erased);
        }
        let count = store::delete_older(&mut tx, workspace, oldest, BATCH).await?;
        tx.commit().await?;
        erased += count;
        if count < BATCH as u64 {
            return Ok(erased);
        }
    }
}

/// Indexes the transcripts that an earlier version stored without their words; how many there were.
pub async fn index_missing(app: &App) -> Result<u64, Error> {
    let (mut indexed, mut last) = (0, None);
    loop {
        let places = store::without_words(&app.db.of(Work::Background), last.as_ref(), BATCH).await?;
        if places.is_empty() {
            return Ok(indexed);
        }
        let mut tx = app.db.of(Work::Background).begin().await?;
        for (workspace, agent, id) in &places {
            // It may have been replaced or erased since.
            let Some(held) = store::hold(&mut tx, workspace, agent, id).await? else { continue };
            let Ok(transcript) = held.transcript() else { continue };
            store::index(&mut tx, workspace, agent, id, &transcript).await?;
            indexed += 1;
        }
        tx.commit().await?;
        last = places.into_iter().next_back();
    }
}
