//! SQL for runtime tokens.

use crate::base::id::{RuntimeTokenId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};

statements! {
    INSERT = "INSERT INTO runtime_tokens (workspace_id, id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5)";
    LIST = "SELECT id, name, created_at FROM runtime_tokens WHERE workspace_id = $1 ORDER BY created_at, id";
    DELETE = "DELETE FROM runtime_tokens WHERE workspace_id = $1 AND id = $2 RETURNING name";
    WORKSPACE_OF = "SELECT workspace_id FROM runtime_tokens WHERE hash = $1";
}

/// A token without its value, which is not stored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct RuntimeToken {
    pub id: RuntimeTokenId,
    pub name: String,
    pub created_at: Timestamp,
}

pub async fn insert(
    change: &mut Change,
    workspace: &WorkspaceId,
    token: &RuntimeToken,
    hash: &[u8; 32],
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(&token.id)
        .bind(&token.name)
        .bind(hash.as_slice())
        .bind(token.created_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// All tokens of a workspace, oldest first.
pub async fn list(db: &Db, workspace: &WorkspaceId) -> Result<Vec<RuntimeToken>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST).bind(workspace).fetch_all(pool).await)?)
}

/// Deletes a token and returns its name; `None` if it does not exist.
pub async fn delete(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &RuntimeTokenId,
) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> =
        on_change!(change, |c| sqlx::query_as(DELETE).bind(workspace).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(name,)| name))
}

/// The workspace of the token with this hash.
pub async fn workspace_of(db: &Db, hash: &[u8; 32]) -> Result<Option<WorkspaceId>, DbError> {
    let row: Option<(WorkspaceId,)> =
        on_db!(db, |pool| sqlx::query_as(WORKSPACE_OF).bind(hash.as_slice()).fetch_optional(pool).await)?;
    Ok(row.map(|(workspace,)| workspace))
}
