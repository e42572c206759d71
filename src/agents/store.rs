//! SQL for agents.

use crate::agents::{Agent, AgentDependents, AgentName, DeletedAgent};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, is_duplicate};
use crate::{on_change, on_db, statements};

statements! {
    INSERT = "INSERT INTO agents (workspace_id, id, slug, name, settings, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    SETTINGS = "SELECT settings FROM agents WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0";
    BELONGINGS = "SELECT (SELECT COUNT(*) FROM conversations WHERE workspace_id = $1 AND agent_id = $2),
        (SELECT COUNT(*) FROM variants WHERE workspace_id = $1 AND agent_id = $2),
        (SELECT COUNT(*) FROM deployments WHERE workspace_id = $1 AND agent_id = $2),
        (SELECT COUNT(*) FROM api_key_agents k WHERE k.workspace_id = $1 AND k.agent_id = $2 AND NOT EXISTS
            (SELECT 1 FROM api_key_agents o WHERE o.workspace_id = k.workspace_id AND o.key_id = k.key_id
                AND o.agent_id <> k.agent_id)
            AND EXISTS (SELECT 1 FROM api_keys a WHERE a.workspace_id = k.workspace_id AND a.id = k.key_id
                AND a.deleted_at = 0))";
    DELETE = "DELETE FROM agents WHERE workspace_id = $1 AND id = $2";
    MARK_DELETED = "UPDATE agents SET deleted_at = $3, deleted_by = $4
        WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0";
    RESTORE = "UPDATE agents SET deleted_at = 0, deleted_by = '' WHERE workspace_id = $1 AND id = $2 AND deleted_at > $3
        RETURNING name";
    DELETED = "SELECT id, name, deleted_at, deleted_by FROM agents
        WHERE workspace_id = $1 AND deleted_at > $2 ORDER BY deleted_at DESC, id DESC LIMIT $3";
    // The server's own housekeeping, for all workspaces.
    DUE = "SELECT a.workspace_id, a.id FROM agents a JOIN workspaces w ON w.id = a.workspace_id
        WHERE a.deleted_at > 0 AND a.deleted_at <= $1 - w.undo_days * CAST(86400000000 AS BIGINT)
        ORDER BY a.workspace_id, a.deleted_at, a.id";
    // From then on the deletion can no longer be undone, whatever becomes of the time for it.
    BEGIN_ERASURE = "UPDATE agents SET deleted_at = 1 WHERE workspace_id = $1 AND id = $2 AND deleted_at > 0
            AND deleted_at <= $3 - (SELECT undo_days FROM workspaces WHERE id = $1) * CAST(86400000000 AS BIGINT)
        RETURNING 1";
    ERASE = "DELETE FROM agents WHERE workspace_id = $1 AND id = $2 AND deleted_at = 1";
    RENAME = "UPDATE agents SET name = $3, updated_at = $4 WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0";
    TOUCH = "UPDATE agents SET updated_at = $3 WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0";
    NAMES = "SELECT id, name FROM agents WHERE workspace_id = $1 AND deleted_at = 0 ORDER BY name, id";
    LIST = "SELECT id, slug, name, created_at,
            (SELECT COUNT(*) FROM conversations c WHERE c.workspace_id = a.workspace_id AND c.agent_id = a.id)
                AS conversations
        FROM agents a WHERE workspace_id = $1 AND deleted_at = 0 ORDER BY created_at DESC, id";
    FIND = "SELECT id, name FROM agents WHERE workspace_id = $1 AND (id = $2 OR slug = $2) AND deleted_at = 0";
    COVERED = "SELECT id, name, created_at, updated_at FROM agents a WHERE workspace_id = $1 AND deleted_at = 0
            AND ($3 OR EXISTS (SELECT 1 FROM api_key_agents k
                WHERE k.workspace_id = a.workspace_id AND k.key_id = $2 AND k.agent_id = a.id))
        ORDER BY created_at, id";
    // The names of a deleted agent are kept for it.
    SLUG_TAKEN = "SELECT 1 FROM agents WHERE workspace_id = $1 AND (slug = $2 OR id = $2)";
}

/// Inserts an agent; `false` if another agent has this id or slug.
pub async fn insert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentName,
    slug: &str,
    settings: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let written = on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(&agent.id)
        .bind(slug)
        .bind(&agent.name)
        .bind(settings)
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if is_duplicate(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Renames an agent; `false` if it does not exist.
pub async fn rename(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &AgentId,
    name: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let changed = on_change!(change, |c| sqlx::query(RENAME)
        .bind(workspace)
        .bind(id)
        .bind(name)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Updates the time of an agent's last change, which locks its row; `false` if it does not exist.
pub async fn touch(change: &mut Change, workspace: &WorkspaceId, id: &AgentId) -> Result<bool, DbError> {
    let now = change.now();
    let touched = on_change!(change, |c| sqlx::query(TOUCH)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(touched > 0)
}

/// The settings that the Agents API stored for an agent, as a JSON object.
pub async fn settings(db: &Db, workspace: &WorkspaceId, id: &AgentId) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> =
        on_db!(db, |pool| sqlx::query_as(SETTINGS).bind(workspace).bind(id).fetch_optional(pool).await)?;
    Ok(row.map(|(settings,)| settings))
}

/// Counts what deleting this agent would affect.
pub async fn belongings(db: &Db, workspace: &WorkspaceId, id: &AgentId) -> Result<AgentDependents, DbError> {
    let (conversations, variants, deployments, keys): (i64, i64, i64, i64) =
        on_db!(db, |pool| sqlx::query_as(BELONGINGS).bind(workspace).bind(id).fetch_one(pool).await)?;
    Ok(AgentDependents { conversations, variants, deployments, keys })
}

/// Deletes an agent and the rows that reference it; `false` if it does not exist.
pub async fn delete(change: &mut Change, workspace: &WorkspaceId, id: &AgentId) -> Result<bool, DbError> {
    let deleted = on_change!(change, |c| sqlx::query(DELETE)
        .bind(workspace)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Marks an agent as deleted; `false` if it does not exist.
pub async fn mark_deleted(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &AgentId,
    by: &str,
) -> Result<bool, DbError> {
    let now = change.now();
    let deleted = on_change!(change, |c| sqlx::query(MARK_DELETED)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Restores an agent that was deleted after `since`, and returns its name; `None` if there is none.
pub async fn restore(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &AgentId,
    since: Timestamp,
) -> Result<Option<String>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(RESTORE)
        .bind(workspace)
        .bind(id)
        .bind(since)
        .fetch_optional(c)
        .await)?)
}

/// Up to `limit` agents that were deleted after `since`, the latest first.
pub async fn deleted(
    db: &Db,
    workspace: &WorkspaceId,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<DeletedAgent>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(DELETED).bind(workspace).bind(since).bind(limit).fetch_all(pool).await)?)
}

/// The agents of all workspaces whose deletion can no longer be undone.
pub async fn due(db: &Db, now: Timestamp) -> Result<Vec<(WorkspaceId, AgentId)>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(DUE).bind(now).fetch_all(pool).await)?)
}

/// Makes a deletion final, if it can no longer be undone; `false` if it can, or there is none.
pub async fn begin_erasure(change: &mut Change, workspace: &WorkspaceId, id: &AgentId) -> Result<bool, DbError> {
    let now = change.now();
    let row: Option<(i32,)> = on_change!(change, |c| sqlx::query_as(BEGIN_ERASURE)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    Ok(row.is_some())
}

/// Erases an agent whose deletion is final, and the rows that reference it.
pub async fn erase(change: &mut Change, workspace: &WorkspaceId, id: &AgentId) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(ERASE).bind(workspace).bind(id).execute(c).await.map(|_| ()))?)
}

/// Id and name of every agent, in the order of names.
pub async fn names(db: &Db, workspace: &WorkspaceId) -> Result<Vec<AgentName>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(NAMES).bind(workspace).fetch_all(pool).await)?)
}

/// Every agent, newest first.
pub async fn list(db: &Db, workspace: &WorkspaceId) -> Result<Vec<Agent>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST).bind(workspace).fetch_all(pool).await)?)
}

/// An agent with the times of its creation and last change.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DatedAgent {
    pub id: AgentId,
    pub name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The agents that a key covers, oldest first.
pub async fn covered(db: &Db, workspace: &WorkspaceId, key: &ApiKeyId, all: bool) -> Result<Vec<DatedAgent>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(COVERED).bind(workspace).bind(key).bind(all).fetch_all(pool).await)?)
}

/// The agent with this id or slug.
pub async fn find(db: &Db, workspace: &WorkspaceId, id_or_slug: &str) -> Result<Option<AgentName>, DbError> {
    // Slugs have the characters of ids. Other text matches no agent, and PostgreSQL may not accept it (NUL).
    if AgentId::parse(id_or_slug).is_none() {
        return Ok(None);
    }
    Ok(on_db!(db, |pool| sqlx::query_as(FIND).bind(workspace).bind(id_or_slug).fetch_optional(pool).await)?)
}

/// Whether an agent of the workspace has this text as its slug or id. Ids and slugs share one namespace, because
/// addresses accept both.
pub async fn slug_taken(change: &mut Change, workspace: &WorkspaceId, slug: &str) -> Result<bool, DbError> {
    let row: Option<(i32,)> =
        on_change!(change, |c| sqlx::query_as(SLUG_TAKEN).bind(workspace).bind(slug).fetch_optional(c).await)?;
    Ok(row.is_some())
}
