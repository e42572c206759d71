//! SQL for recordings. Triggers enter the object of a recording that was replaced or deleted into `loose_objects`.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, is_missing_reference};
use crate::recordings::RecordingKind;
use crate::{on_change, on_db, statements};

statements! {
    // The server's own housekeeping, for all workspaces.
    INSERT_LOOSE = "INSERT INTO loose_objects (object, delete_at) VALUES ($1, $2)";
    DELETE_LOOSE = "DELETE FROM loose_objects WHERE object = $1";
    DUE = "SELECT object FROM loose_objects WHERE delete_at <= $1 AND object LIKE $2
        ORDER BY delete_at, object LIMIT $3 OFFSET $4";

    UPSERT = "INSERT INTO recordings (workspace_id, agent_id, conversation_id, side, redacted, object, size, stored_at)
        SELECT workspace_id, agent_id, id, $4, $5, $6, $7, $8 FROM conversations
            WHERE workspace_id = $1 AND agent_id = $2 AND id = $3
        ON CONFLICT (workspace_id, agent_id, conversation_id, side, redacted)
            DO UPDATE SET object = excluded.object, size = excluded.size, stored_at = excluded.stored_at";
    OBJECTS = "SELECT object FROM recordings WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3";
    OBJECT = "SELECT object FROM recordings
        WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3 AND side = $4 AND redacted = $5";
    FIND = "SELECT object, size FROM recordings
        WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3 AND side = $4 AND redacted = $5";
}

/// A stored recording.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredRecording {
    /// Name of its object in the storage.
    pub object: String,
    /// In bytes.
    pub size: i64,
}

/// Enters an object that no recording refers to. It is deleted at this time.
pub async fn insert_loose(change: &mut Change, object: &str, delete_at: Timestamp) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(INSERT_LOOSE).bind(object).bind(delete_at).execute(c).await.map(|_| ()))?)
}

/// Removes the entry of an object; `false` if there is none.
pub async fn delete_loose(change: &mut Change, object: &str) -> Result<bool, DbError> {
    let deleted = on_change!(change, |c| sqlx::query(DELETE_LOOSE)
        .bind(object)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Up to `limit` objects of this workspace, or of all, that are to be deleted, without the first `skipped`.
pub async fn due(db: &Db, workspace: Option<&WorkspaceId>, limit: i64, skipped: i64) -> Result<Vec<String>, DbError> {
    let (now, pattern) = (db.now(), workspace.map_or_else(|| "%".to_owned(), |workspace| format!("{workspace}/%")));
    Ok(on_db!(db, |pool| sqlx::query_scalar(DUE)
        .bind(now)
        .bind(pattern)
        .bind(limit)
        .bind(skipped)
        .fetch_all(pool)
        .await)?)
}

/// The objects of a conversation's recordings.
pub async fn objects(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
) -> Result<Vec<String>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(OBJECTS)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .fetch_all(c)
        .await)?)
}

/// The object of a conversation's recording of this kind, if there is one.
pub async fn object(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    kind: RecordingKind,
) -> Result<Vec<String>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(OBJECT)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(kind.side.id())
        .bind(kind.redacted)
        .fetch_all(c)
        .await)?)
}

/// Stores a conversation's recording and replaces an earlier one of its kind; `false` if there is no such conversation.
/// The change must not be committed then.
pub async fn upsert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    kind: RecordingKind,
    recording: &StoredRecording,
) -> Result<bool, DbError> {
    let now = change.now();
    let written = on_change!(change, |c| sqlx::query(UPSERT)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(kind.side.id())
        .bind(kind.redacted)
        .bind(&recording.object)
        .bind(recording.size)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()));
    match written {
        Ok(written) => Ok(written > 0),
        // The conversation was deleted while this statement ran.
        Err(error) if is_missing_reference(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub async fn find(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    kind: RecordingKind,
) -> Result<Option<StoredRecording>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(kind.side.id())
        .bind(kind.redacted)
        .fetch_optional(pool)
        .await)?)
}
