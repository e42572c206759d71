//! SQL for requests for keys.

use crate::api_keys::{AgentScope, KeyName, Permissions};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError};
use crate::key_requests::{KeyRequest, NewKeyRequest};
use crate::{on_change, on_db, statements};

statements! {
    // The same request sent again is one request.
    INSERT = "INSERT INTO key_requests (workspace_id, id, requested_at, requested_by, reason, name, all_agents, agents,
            permissions, expires_at, networks)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (workspace_id, id) DO NOTHING";
    COUNT_BY = "SELECT COUNT(*) FROM key_requests WHERE workspace_id = $1 AND requested_by = $2";
    COUNT = "SELECT COUNT(*) FROM key_requests WHERE workspace_id = $1";
    LIST = "SELECT id, requested_at, requested_by, reason, name, all_agents, agents, permissions, expires_at, networks
        FROM key_requests WHERE workspace_id = $1 ORDER BY requested_at, id LIMIT $2";
    TAKE = "DELETE FROM key_requests WHERE workspace_id = $1 AND id = $2
        RETURNING id, requested_at, requested_by, reason, name, all_agents, agents, permissions, expires_at, networks";
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    id: ApiKeyId,
    requested_at: Timestamp,
    requested_by: String,
    reason: String,
    name: KeyName,
    all_agents: bool,
    agents: String,
    permissions: String,
    expires_at: Timestamp,
    networks: String,
}

impl RequestRow {
    fn read(self) -> Result<KeyRequest, DbError> {
        let agents = self.agents.split(',').filter(|id| !id.is_empty()).map(AgentId::parse);
        let scope = match self.all_agents {
            true => AgentScope::All,
            false => AgentScope::Chosen(agents.collect::<Option<_>>().ok_or(DbError::Failed)?),
        };
        let permissions = Permissions::parse(self.permissions.split(',')).map_err(|_| DbError::Failed)?;
        let asked = NewKeyRequest {
            name: self.name,
            scope,
            permissions,
            expires_at: self.expires_at,
            reason: self.reason,
            networks: self.networks.split(',').filter(|network| !network.is_empty()).map(str::to_owned).collect(),
        };
        Ok(KeyRequest { id: self.id, at: self.requested_at, by: self.requested_by, asked })
    }
}

/// Inserts a request; `false` if there is one with this id.
pub async fn insert(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    by: &str,
    asked: &NewKeyRequest,
) -> Result<bool, DbError> {
    let now = change.now();
    let agents = match &asked.scope {
        AgentScope::All => String::new(),
        AgentScope::Chosen(agents) => agents.iter().map(AgentId::as_str).collect::<Vec<_>>().join(","),
    };
    let inserted = on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .bind(by)
        .bind(&asked.reason)
        .bind(&asked.name)
        .bind(asked.scope == AgentScope::All)
        .bind(agents)
        .bind(asked.permissions.ids())
        .bind(asked.expires_at)
        .bind(asked.networks.join(","))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Number of requests of this person that wait.
pub async fn count_by(change: &mut Change, workspace: &WorkspaceId, by: &str) -> Result<i64, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(COUNT_BY).bind(workspace).bind(by).fetch_one(c).await)?)
}

/// Number of requests that wait.
pub async fn count(db: &Db, workspace: &WorkspaceId) -> Result<i64, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_scalar(COUNT).bind(workspace).fetch_one(pool).await)?)
}

/// Up to `limit` requests, oldest first.
pub async fn list(db: &Db, workspace: &WorkspaceId, limit: i64) -> Result<Vec<KeyRequest>, DbError> {
    let rows: Vec<RequestRow> =
        on_db!(db, |pool| sqlx::query_as(LIST).bind(workspace).bind(limit).fetch_all(pool).await)?;
    rows.into_iter().map(RequestRow::read).collect()
}

/// Deletes a request and returns it; `None` if somebody else has answered it.
pub async fn take(change: &mut Change, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<KeyRequest>, DbError> {
    let row: Option<RequestRow> =
        on_change!(change, |c| sqlx::query_as(TAKE).bind(workspace).bind(id).fetch_optional(c).await)?;
    row.map(RequestRow::read).transpose()
}
