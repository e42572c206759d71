//! The SQL on runtime tokens.

use crate::base::error::Error;
use crate::base::id::{RuntimeTokenId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db};
use crate::{on_change, on_db, statements};

statements! {
    INSERT = "INSERT INTO runtime_tokens (workspace_id, id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5)";
    LIST = "SELECT id, name, created_at FROM runtime_tokens WHERE workspace_id = $1 ORDER BY created_at, id";
    DELETE = "DELETE FROM runtime_tokens WHERE workspace_id = $1 AND id = $2 RETURNING name";
    WORKSPACE_OF = "SELECT workspace_id FROM runtime_tokens WHERE hash = $1";
}

/// A token, without its value, which is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct RuntimeToken {
    pub id: RuntimeTokenId,
    pub name: String,
    pub created_at: Timestamp,
}

/// Writes a new token.
pub async fn insert(
    change: &mut Change,
    workspace: &WorkspaceId,
    token: &RuntimeToken,
    hash: &[u8; 32],
) -> Result<(), Error> {
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

/// A workspace's tokens, oldest first.
pub async fn list(db: &Db, workspace: &WorkspaceId) -> Result<Vec<RuntimeToken>, Error> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST).bind(workspace).fetch_all(pool).await)?)
}

/// Deletes a token; its name, or `None` where there is none.
pub async fn delete(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &RuntimeTokenId,
) -> Result<Option<String>, Error> {
    let row: Option<(String,)> =
        on_change!(change, |c| sqlx::query_as(DELETE).bind(workspace).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(name,)| name))
}

/// The workspace whose token has this hash.
pub async fn workspace_of(db: &Db, hash: &[u8; 32]) -> Result<Option<WorkspaceId>, Error> {
    let row: Option<(WorkspaceId,)> =
        on_db!(db, |pool| sqlx::query_as(WORKSPACE_OF).bind(hash.as_slice()).fetch_optional(pool).await)?;
    Ok(row.map(|(workspace,)| workspace))
}
