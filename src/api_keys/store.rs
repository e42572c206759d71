//! SQL for API keys.

use crate::agents::AgentName;
use crate::api_keys::secret::HashedKey;
use crate::api_keys::{AgentScope, ApiKey, KeyName, Permissions, UnusedKey};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::sealing::Sealed;
use crate::base::text::containing;
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};
use std::collections::HashMap;

/// Maximum number of keys on one page.
pub const PAGE_SIZE: usize = 25;

macro_rules! columns {
    () => {
        "id, name, name_key, masked, sealed IS NOT NULL AS copyable, all_agents, permissions, created_at, created_by, \
         expires_at, last_used_at"
    };
}
// One statement for each sort order. Its columns are those of an index, so that every page costs the same. `$2` is the
// pattern for the name, `$3` and `$4` are the cursor (sort value and id).
macro_rules! page {
    ($column:literal, $compare:literal, $direction:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys
            WHERE workspace_id = $1 AND name_key LIKE $2 ESCAPE '\\' AND (",
            $column,
            ", id) ",
            $compare,
            " ($3, $4)
            ORDER BY ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction,
            " LIMIT $5"
        )
    };
}

statements! {
    INSERT = "INSERT INTO api_keys (workspace_id, id, name, name_key, masked, hash, sealed, sealed_with, all_agents,
        permissions, created_at, created_by, updated_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $13)
        ON CONFLICT (workspace_id, id) DO NOTHING";
    INSERT_AGENT = "INSERT INTO api_key_agents (workspace_id, key_id, agent_id)
        SELECT workspace_id, $2, id FROM agents WHERE workspace_id = $1 AND id = $3";
    FIND = concat!("SELECT ", columns!(), " FROM api_keys WHERE workspace_id = $1 AND id = $2");
    // An update to the same value locks the row on both engines.
    LOCK = "UPDATE api_keys SET name = name WHERE workspace_id = $1 AND id = $2 RETURNING name, permissions, all_agents";
    UPDATE = "UPDATE api_keys SET name = $3, name_key = $4, permissions = $5, updated_at = $6
        WHERE workspace_id = $1 AND id = $2";
    DELETE = "DELETE FROM api_keys WHERE workspace_id = $1 AND id = $2";
    FIND_SEALED = "SELECT sealed, sealed_with FROM api_keys WHERE workspace_id = $1 AND id = $2";
    DESTROY_SEALED = "UPDATE api_keys SET sealed = NULL, sealed_with = NULL
        WHERE workspace_id = $1 AND sealed IS NOT NULL";
    AGENTS_OF = "SELECT k.key_id, a.id, a.name FROM api_key_agents k
        JOIN agents a ON a.workspace_id = k.workspace_id AND a.id = k.agent_id
        WHERE k.workspace_id = $1 AND k.key_id IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
        ORDER BY a.name, a.id";
    NEVER_USED = "SELECT id, name, created_at, expires_at FROM api_keys WHERE workspace_id = $1 AND last_used_at = 0
        ORDER BY created_at, id LIMIT $2";
    COUNT_NEVER_USED = "SELECT COUNT(*) FROM api_keys WHERE workspace_id = $1 AND last_used_at = 0";
    FOREIGN_SEALS = "SELECT COUNT(*) FROM api_keys WHERE sealed_with IS NOT NULL AND sealed_with <> $1";
    NEWEST = page!("created_at", "<", "DESC");
    OLDEST = page!("created_at", ">", "ASC");
    BY_NAME = page!("name_key", ">", "ASC");
    BY_NAME_BACKWARDS = page!("name_key", "<", "DESC");
    EXPIRES_FIRST = page!("expires_at", ">", "ASC");
    EXPIRES_LAST = page!("expires_at", "<", "DESC");
    USED_LATELY = page!("last_used_at", "<", "DESC");
    USED_LATELY_BACKWARDS = page!("last_used_at", ">", "ASC");
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: ApiKeyId,
    name: KeyName,
    name_key: String,
    masked: String,
    copyable: bool,
    all_agents: bool,
    permissions: String,
    created_at: Timestamp,
    created_by: String,
    expires_at: Timestamp,
    /// 0 if it was never used.
    last_used_at: Timestamp,
}

/// A new key's row.
#[derive(Debug)]
pub struct NewKeyRow<'a> {
    pub id: &'a ApiKeyId,
    pub name: &'a KeyName,
    pub masked: &'a str,
    pub hash: &'a HashedKey,
    pub sealed: Option<&'a Sealed>,
    pub scope: &'a AgentScope,
    pub permissions: &'a Permissions,
    pub created_at: Timestamp,
    pub created_by: &'a str,
    pub expires_at: Timestamp,
}

/// The sort order of a page, and the value of that order's column at which the page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// Newest first, created before this instant.
    Newest(Timestamp),
    /// Oldest first, created after this instant.
    Oldest(Timestamp),
    /// By name, after this name in lower case.
    Name(String),
    /// By name in reverse order, before this name in lower case.
    NameBackwards(String),
    /// Earliest expiry first, after this instant.
    ExpiresFirst(Timestamp),
    /// Latest expiry first, before this instant.
    ExpiresLast(Timestamp),
    /// Most recently used first, last used before this instant. Keys that were never used come last.
    UsedLately(Timestamp),
    /// The reverse of `UsedLately`: last used after this instant.
    UsedLatelyBackwards(Timestamp),
}

/// The form of a name that is searched and sorted by: lower case.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// What became of the insertion of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    Done,
    /// The workspace has a key with this id. Nothing was inserted.
    IdTaken,
    /// A chosen agent does not belong to this workspace. The change must not be committed.
    UnknownAgent,
}

/// Inserts a key with the agents that it covers.
pub async fn insert(change: &mut Change, workspace: &WorkspaceId, row: &NewKeyRow<'_>) -> Result<Insertion, DbError> {
    let inserted = on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(row.id)
        .bind(row.name)
        .bind(name_key(row.name.as_str()))
        .bind(row.masked)
        .bind(row.hash.as_bytes())
        .bind(row.sealed.map(|s| s.bytes.as_slice()))
        .bind(row.sealed.map(|s| s.master_key_id.as_str()))
        .bind(*row.scope == AgentScope::All)
        .bind(row.permissions.ids())
        .bind(row.created_at)
        .bind(row.created_by)
        .bind(row.expires_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if inserted == 0 {
        return Ok(Insertion::IdTaken);
    }
    if let AgentScope::Chosen(agents) = row.scope {
        for agent in agents {
            let inserted = on_change!(change, |c| sqlx::query(INSERT_AGENT)
                .bind(workspace)
                .bind(row.id)
                .bind(agent)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if inserted == 0 {
                return Ok(Insertion::UnknownAgent);
            }
        }
    }
    Ok(Insertion::Done)
}

pub async fn find(db: &Db, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<ApiKey>, DbError> {
    let row: Option<KeyRow> =
        on_db!(db, |pool| sqlx::query_as(FIND).bind(workspace).bind(id).fetch_optional(pool).await)?;
    Ok(with_agents(db, workspace, row.into_iter().collect()).await?.pop().map(|(key, _)| key))
}

/// The number of keys that were never used, and up to `limit` of them, oldest first.
pub async fn never_used(db: &Db, workspace: &WorkspaceId, limit: i64) -> Result<(u64, Vec<UnusedKey>), DbError> {
    let keys = on_db!(db, |pool| sqlx::query_as(NEVER_USED).bind(workspace).bind(limit).fetch_all(pool).await)?;
    let count: i64 = on_db!(db, |pool| sqlx::query_scalar(COUNT_NEVER_USED).bind(workspace).fetch_one(pool).await)?;
    Ok((count.max(0) as u64, keys))
}

/// One page of keys whose names contain `search`, each with its name in lower case. Returns one more than [`PAGE_SIZE`]
/// keys if there is another page.
pub async fn page(
    db: &Db,
    workspace: &WorkspaceId,
    search: &str,
    from: &PageStart,
    after_id: &str,
) -> Result<Vec<(ApiKey, String)>, DbError> {
    let limit = i64::try_from(PAGE_SIZE + 1).unwrap_or(i64::MAX);
    let contains = containing(&name_key(search));
    let (sql, at) = match from {
        PageStart::Newest(at) => (NEWEST, Ok(*at)),
        PageStart::Oldest(at) => (OLDEST, Ok(*at)),
        PageStart::ExpiresFirst(at) => (EXPIRES_FIRST, Ok(*at)),
        PageStart::ExpiresLast(at) => (EXPIRES_LAST, Ok(*at)),
        PageStart::UsedLately(at) => (USED_LATELY, Ok(*at)),
        PageStart::UsedLatelyBackwards(at) => (USED_LATELY_BACKWARDS, Ok(*at)),
        PageStart::Name(name) => (BY_NAME, Err(name)),
        PageStart::NameBackwards(name) => (BY_NAME_BACKWARDS, Err(name)),
    };
    let rows: Vec<KeyRow> = on_db!(db, |pool| {
        let query = sqlx::query_as(sql).bind(workspace).bind(contains);
        let query = match at {
            Ok(time) => query.bind(time),
            Err(name) => query.bind(name),
        };
        query.bind(after_id).bind(limit).fetch_all(pool).await
    })?;
    with_agents(db, workspace, rows).await
}

async fn with_agents(db: &Db, workspace: &WorkspaceId, rows: Vec<KeyRow>) -> Result<Vec<(ApiKey, String)>, DbError> {
    let mut agents: HashMap<ApiKeyId, Vec<AgentName>> = HashMap::new();
    let scoped: Vec<&str> = rows.iter().filter(|r| !r.all_agents).map(|r| r.id.as_str()).collect();
    for ids in scoped.chunks(25) {
        let found: Vec<(ApiKeyId, AgentId, String)> = on_db!(db, |pool| {
            let mut query = sqlx::query_as(AGENTS_OF).bind(workspace);
            for at in 0..25 {
                query = query.bind(ids.get(at).copied().unwrap_or_default());
            }
            query.fetch_all(pool).await
        })?;
        for (key, id, name) in found {
            agents.entry(key).or_default().push(AgentName { id, name });
        }
    }
    rows.into_iter()
        .map(|row| {
            let scope = (!row.all_agents).then(|| agents.remove(&row.id).unwrap_or_default());
            let key = ApiKey {
                agents: scope,
                permissions: stored_permissions(&row.permissions)?,
                id: row.id,
                name: row.name,
                masked: row.masked,
                copyable: row.copyable,
                created_at: row.created_at,
                created_by: row.created_by,
                expires_at: row.expires_at,
                last_used_at: Some(row.last_used_at).filter(|at| at.0 > 0),
            };
            Ok((key, row.name_key))
        })
        .collect()
}

fn stored_permissions(ids: &str) -> Result<Permissions, DbError> {
    Permissions::parse(ids.split(',')).map_err(|_| {
        tracing::error!(permissions = ids, "a key's stored permissions are not readable");
        DbError::Failed
    })
}

/// Updates name and permissions of a key that [`lock`] has locked.
pub async fn update(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    name: &KeyName,
    permissions: &Permissions,
    now: Timestamp,
) -> Result<(), DbError> {
    on_change!(change, |c| sqlx::query(UPDATE)
        .bind(workspace)
        .bind(id)
        .bind(name)
        .bind(name_key(name.as_str()))
        .bind(permissions.ids())
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The columns of a locked key that an edit needs.
#[derive(Debug)]
pub struct LockedKey {
    pub name: KeyName,
    pub permissions: Permissions,
    pub all_agents: bool,
}

/// Locks a key until the transaction ends; `None` if it does not exist.
pub async fn lock(change: &mut Change, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<LockedKey>, DbError> {
    let row: Option<(KeyName, String, bool)> =
        on_change!(change, |c| sqlx::query_as(LOCK).bind(workspace).bind(id).fetch_optional(c).await)?;
    row.map(|(name, ids, all_agents)| Ok(LockedKey { name, permissions: stored_permissions(&ids)?, all_agents }))
        .transpose()
}

/// Deletes a key; `false` if it does not exist.
pub async fn delete(change: &mut Change, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<bool, DbError> {
    let deleted = on_change!(change, |c| sqlx::query(DELETE)
        .bind(workspace)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// A key's sealed value: `None` if there is no such key, `Some(None)` if its value is not stored.
pub async fn find_sealed(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
) -> Result<Option<Option<Sealed>>, DbError> {
    let row: Option<(Option<Vec<u8>>, Option<String>)> =
        on_change!(change, |c| sqlx::query_as(FIND_SEALED).bind(workspace).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(bytes, with)| Some(Sealed { bytes: bytes?, master_key_id: with? })))
}

/// Deletes every sealed value of a workspace and returns their number.
pub async fn destroy_sealed(change: &mut Change, workspace: &WorkspaceId) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(DESTROY_SEALED)
        .bind(workspace)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Number of keys, in all workspaces, whose values are sealed under another master key than this one.
pub async fn foreign_seals(db: &Db, master_key_id: &str) -> Result<i64, DbError> {
    let (count,): (i64,) = on_db!(db, |pool| sqlx::query_as(FOREIGN_SEALS).bind(master_key_id).fetch_one(pool).await)?;
    Ok(count)
}
