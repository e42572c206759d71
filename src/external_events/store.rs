//! SQL for external events. Events are numbered within their conversation while its row is locked. So a reader who has
//! read up to a number cannot miss an event below it.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};

statements! {
    IN_PROGRESS = "SELECT in_progress FROM conversations WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    AWAITED_BY = "SELECT conversation_id FROM awaited_events
        WHERE workspace_id = $1 AND agent_id = $2 AND event_id = $3";
    AWAIT = "INSERT INTO awaited_events (workspace_id, agent_id, event_id, conversation_id, since)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (workspace_id, agent_id, event_id)
            DO UPDATE SET conversation_id = excluded.conversation_id, since = excluded.since";
    // An update to the same value locks the row on both engines.
    LOCK = "UPDATE conversations SET events_received = events_received
        WHERE workspace_id = $1 AND agent_id = $2 AND id = $3 RETURNING in_progress, events_received";
    COUNT = "UPDATE conversations SET events_received = $4 WHERE workspace_id = $1 AND agent_id = $2 AND id = $3";
    IS_STORED = "SELECT 1 FROM external_events
        WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3 AND event_id = $4 AND digest = $5";
    INSERT = "INSERT INTO external_events (workspace_id, agent_id, conversation_id, position, event_id, content_type,
            body, digest, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    AFTER = "SELECT position, event_id, content_type, body, received_at FROM external_events
        WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3 AND position > $4
        ORDER BY position LIMIT $5";
}

/// An event to store.
#[derive(Debug)]
pub struct NewEvent<'a> {
    pub event_id: &'a str,
    pub content_type: &'a str,
    pub body: &'a str,
    /// SHA-256 of content type and body.
    pub digest: [u8; 32],
    pub received_at: Timestamp,
}

/// A stored event.
#[derive(Debug, sqlx::FromRow)]
pub struct ReceivedEvent {
    /// Counted from 1 within the conversation.
    pub position: i64,
    pub event_id: String,
    pub content_type: String,
    pub body: String,
    pub received_at: Timestamp,
}

/// The columns of a locked conversation that receiving an event needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LockedReceiver {
    pub in_progress: bool,
    pub events_received: i64,
}

/// The conversation that is registered for this event.
pub async fn awaited_by(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    event_id: &str,
) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> = on_change!(change, |c| sqlx::query_as(AWAITED_BY)
        .bind(workspace)
        .bind(agent)
        .bind(event_id)
        .fetch_optional(c)
        .await)?;
    Ok(row.map(|(conversation,)| conversation))
}

/// Whether a conversation is in progress; `false` if it does not exist.
pub async fn is_in_progress(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
) -> Result<bool, DbError> {
    let row: Option<(bool,)> = on_change!(change, |c| sqlx::query_as(IN_PROGRESS)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .fetch_optional(c)
        .await)?;
    Ok(row.is_some_and(|(in_progress,)| in_progress))
}

/// Registers a conversation for an event, in place of another conversation.
pub async fn set_awaited(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    event_id: &str,
    conversation: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(AWAIT)
        .bind(workspace)
        .bind(agent)
        .bind(event_id)
        .bind(conversation)
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Locks a conversation until the transaction ends; `None` if it does not exist.
pub async fn lock(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
) -> Result<Option<LockedReceiver>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(LOCK)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .fetch_optional(c)
        .await)?)
}

/// Whether an event with this id and digest is already stored.
pub async fn is_stored(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    event: &NewEvent<'_>,
) -> Result<bool, DbError> {
    let row: Option<(i32,)> = on_change!(change, |c| sqlx::query_as(IS_STORED)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(event.event_id)
        .bind(event.digest.as_slice())
        .fetch_optional(c)
        .await)?;
    Ok(row.is_some())
}

/// Stores an event at this position of a locked conversation.
pub async fn insert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    position: i64,
    event: &NewEvent<'_>,
) -> Result<(), DbError> {
    on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(position)
        .bind(event.event_id)
        .bind(event.content_type)
        .bind(event.body)
        .bind(event.digest.as_slice())
        .bind(event.received_at)
        .execute(c)
        .await
        .map(|_| ()))?;
    Ok(on_change!(change, |c| sqlx::query(COUNT)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(position)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Notifies the other servers when the transaction commits. Does nothing on SQLite, which only one server uses.
pub async fn notify(change: &mut Change, channel: &str, payload: &str) -> Result<(), DbError> {
    Ok(on_change!(
        change,
        sqlite | _c | Ok(()),
        postgres | c | sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(payload).execute(c).await.map(|_| ())
    )?)
}

/// Events of a conversation after a position, oldest first.
pub async fn after(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    position: i64,
    limit: i64,
) -> Result<Vec<ReceivedEvent>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(AFTER)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(position)
        .bind(limit)
        .fetch_all(pool)
        .await)?)
}
