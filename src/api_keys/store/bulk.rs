//! SQL for changes of many keys at once.

use super::stored_permissions;
use crate::api_keys::{KeyName, Permissions};
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::rows::{fetch, run};
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, row_statements, rows, statements};
use serde_json::{Value, json};

macro_rules! lock_keys {
    ($engine:ident) => {
        concat!(
            "UPDATE api_keys SET name = name FROM ",
            rows!($engine),
            " WHERE workspace_id = r.value ->> 0 AND api_keys.id = r.value ->> 1
            RETURNING api_keys.id, name, masked, permissions, owner, tags, deleted_at, deleted_by, paused_at, paused_by,
                pause_reason, conversations_used_at, handoff_used_at, external_events_used_at, agents_used_at,
                use_counted_since"
        )
    };
}
macro_rules! update_keys {
    ($engine:ident, $set:literal) => {
        concat!(
            "UPDATE api_keys SET ",
            $set,
            " FROM ",
            rows!($engine),
            " WHERE workspace_id = r.value ->> 0 AND api_keys.id = r.value ->> 1"
        )
    };
}
macro_rules! pause_keys {
    ($engine:ident) => {
        update_keys!(
            $engine,
            "paused_at = CAST(r.value ->> 2 AS BIGINT), paused_by = r.value ->> 3, pause_reason = r.value ->> 4,
                updated_at = CAST(r.value ->> 5 AS BIGINT)"
        )
    };
}
macro_rules! delete_keys {
    ($engine:ident) => {
        update_keys!($engine, "deleted_at = CAST(r.value ->> 2 AS BIGINT), deleted_by = r.value ->> 3")
    };
}
macro_rules! set_tags {
    ($engine:ident) => {
        update_keys!($engine, "tags = r.value ->> 2, updated_at = CAST(r.value ->> 3 AS BIGINT)")
    };
}
macro_rules! set_owners {
    ($engine:ident) => {
        update_keys!($engine, "owner = r.value ->> 2, updated_at = CAST(r.value ->> 3 AS BIGINT)")
    };
}
macro_rules! set_permissions {
    ($engine:ident) => {
        update_keys!($engine, "permissions = r.value ->> 2, updated_at = CAST(r.value ->> 3 AS BIGINT)")
    };
}
macro_rules! insert_changed {
    ($engine:ident) => {
        concat!(
            "INSERT INTO bulk_change_keys (workspace_id, change_id, key_id, before)
            SELECT r.value ->> 0, r.value ->> 1, r.value ->> 2, r.value ->> 3 FROM ",
            rows!($engine)
        )
    };
}

row_statements! {
    LOCK = lock_keys;
    PAUSE = pause_keys;
    DELETE = delete_keys;
    SET_TAGS = set_tags;
    SET_OWNERS = set_owners;
    SET_PERMISSIONS = set_permissions;
    INSERT_CHANGED = insert_changed;
}

statements! {
    INSERT = "INSERT INTO bulk_changes (workspace_id, id, at, made_by, action) VALUES ($1, $2, $3, $4, $5)";
    FIND = "SELECT at, action, undone_at > 0 AS is_undone, (SELECT COUNT(*) FROM bulk_change_keys k
            WHERE k.workspace_id = c.workspace_id AND k.change_id = c.id) AS keys
        FROM bulk_changes c WHERE workspace_id = $1 AND id = $2";
    // Nobody else undoes it too.
    BEGIN_UNDO = "UPDATE bulk_changes SET undone_at = $3 WHERE workspace_id = $1 AND id = $2 AND undone_at = 0
        RETURNING action";
    CHANGED = "SELECT key_id, before FROM bulk_change_keys WHERE workspace_id = $1 AND change_id = $2 ORDER BY key_id";
    // The server's own housekeeping, for all workspaces.
    FORGET = "DELETE FROM bulk_changes WHERE at < $1";
}

/// A locked key as it is before a change of many keys, with what such changes set.
#[derive(Clone, Debug)]
pub struct KeyBefore {
    pub id: ApiKeyId,
    pub name: KeyName,
    pub masked: String,
    pub permissions: Permissions,
    pub owner: String,
    /// Separated by commas, in alphabetical order.
    pub tags: String,
    /// 0 if it is not deleted.
    pub deleted_at: Timestamp,
    pub deleted_by: String,
    pub pause: StoredPause,
    /// Since when it is known what is used.
    pub use_counted_since: Timestamp,
    /// Last use of each permission, in the order of [`Permission::ALL`](crate::api_keys::Permission::ALL).
    pub used: [Timestamp; 4],
}

/// A pause as it is stored; its time is 0 if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPause {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
}

#[derive(sqlx::FromRow)]
struct LockedRow {
    id: ApiKeyId,
    name: KeyName,
    masked: String,
    permissions: String,
    owner: String,
    tags: String,
    deleted_at: Timestamp,
    deleted_by: String,
    paused_at: Timestamp,
    paused_by: String,
    pause_reason: String,
    conversations_used_at: Timestamp,
    handoff_used_at: Timestamp,
    external_events_used_at: Timestamp,
    agents_used_at: Timestamp,
    use_counted_since: Timestamp,
}

impl LockedRow {
    fn read(self) -> Result<KeyBefore, DbError> {
        Ok(KeyBefore {
            permissions: stored_permissions(&self.permissions)?,
            id: self.id,
            name: self.name,
            masked: self.masked,
            owner: self.owner,
            tags: self.tags,
            deleted_at: self.deleted_at,
            deleted_by: self.deleted_by,
            pause: StoredPause { at: self.paused_at, by: self.paused_by, reason: self.pause_reason },
            use_counted_since: self.use_counted_since,
            used: [self.conversations_used_at, self.handoff_used_at, self.external_events_used_at, self.agents_used_at],
        })
    }
}

/// Locks keys, deleted ones too, until the change ends.
pub async fn lock(change: &mut Change, workspace: &WorkspaceId, ids: &[ApiKeyId]) -> Result<Vec<KeyBefore>, DbError> {
    let rows: Vec<_> = ids.iter().map(|id| json!([workspace, id])).collect();
    let locked: Vec<LockedRow> = fetch(change, LOCK, &rows).await?;
    locked.into_iter().map(LockedRow::read).collect()
}

/// What is set for locked keys.
#[derive(Clone, Debug)]
pub enum KeyValues {
    Pauses(Vec<(ApiKeyId, StoredPause)>),
    /// The time of the deletion, and who made it; 0 for a key that is not deleted.
    Deletions(Vec<(ApiKeyId, Timestamp, String)>),
    Tags(Vec<(ApiKeyId, String)>),
    Owners(Vec<(ApiKeyId, String)>),
    Permissions(Vec<(ApiKeyId, Permissions)>),
}

/// Sets values of locked keys.
pub async fn set(change: &mut Change, workspace: &WorkspaceId, values: &KeyValues) -> Result<(), DbError> {
    let now = change.now();
    let texts = |texts: &[(ApiKeyId, String)]| -> Vec<Value> {
        texts.iter().map(|(id, text)| json!([workspace, id, text, now])).collect()
    };
    let (statement, rows) = match values {
        KeyValues::Pauses(pauses) => {
            let row =
                |(id, pause): &(ApiKeyId, StoredPause)| json!([workspace, id, pause.at, pause.by, pause.reason, now]);
            (PAUSE, pauses.iter().map(row).collect())
        }
        KeyValues::Deletions(deletions) => {
            (DELETE, deletions.iter().map(|(id, at, by)| json!([workspace, id, at, by])).collect())
        }
        KeyValues::Tags(tags) => (SET_TAGS, texts(tags)),
        KeyValues::Owners(owners) => (SET_OWNERS, texts(owners)),
        KeyValues::Permissions(permissions) => {
            let row = |(id, permissions): &(ApiKeyId, Permissions)| json!([workspace, id, permissions.ids(), now]);
            (SET_PERMISSIONS, permissions.iter().map(row).collect())
        }
    };
    run(change, statement, &rows).await
}

/// Records a change of many keys, so that it can be undone: the keys and what they had before, as JSON.
pub async fn record(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &str,
    action: &str,
    before: &[(ApiKeyId, Value)],
) -> Result<(), DbError> {
    let (now, by) = (change.now(), change.actor().name.clone());
    on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .bind(by)
        .bind(action)
        .execute(c)
        .await
        .map(|_| ()))?;
    let rows: Vec<_> = before.iter().map(|(key, before)| json!([workspace, id, key, before.to_string()])).collect();
    run(change, INSERT_CHANGED, &rows).await
}

/// A change of many keys.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BulkChange {
    pub at: Timestamp,
    pub action: String,
    pub is_undone: bool,
    /// Number of keys that it changed.
    pub keys: i64,
}

pub async fn find(db: &Db, workspace: &WorkspaceId, id: &str) -> Result<Option<BulkChange>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND).bind(workspace).bind(id).fetch_optional(pool).await)?)
}

/// Marks a change as undone. Returns its action, and its keys with what they had before; `None` if there is no such change,
/// or it was undone already.
pub async fn begin_undo(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &str,
) -> Result<Option<(String, Vec<(ApiKeyId, Value)>)>, DbError> {
    let now = change.now();
    let action: Option<String> = on_change!(change, |c| sqlx::query_scalar(BEGIN_UNDO)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some(action) = action else { return Ok(None) };
    let rows: Vec<(ApiKeyId, String)> =
        on_change!(change, |c| sqlx::query_as(CHANGED).bind(workspace).bind(id).fetch_all(c).await)?;
    let read = |(key, before): (ApiKeyId, String)| {
        serde_json::from_str(&before).map(|before| (key, before)).map_err(|_| DbError::Failed)
    };
    Ok(Some((action, rows.into_iter().map(read).collect::<Result<_, _>>()?)))
}

/// Forgets the changes before this instant: they can no longer be undone.
pub async fn forget(change: &mut Change, before: Timestamp) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(FORGET).bind(before).execute(c).await.map(|_| ()))?)
}
