//! SQL for workspaces. Lists of every workspace are for the command line and for housekeeping; the rest is for one
//! workspace or for one user.

use crate::base::id::{UserId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, is_duplicate};
use crate::users::Role;
use crate::workspaces::{KeyPolicy, Workspace};
use crate::{on_change, on_db, statements};

statements! {
    INSERT = "INSERT INTO workspaces (id, slug, name, created_at) VALUES ($1, $2, $3, $4)";
    SLUG_TAKEN = "SELECT 1 FROM workspaces WHERE slug = $1 OR id = $1";
    LIST = "SELECT id, slug, name, keys_copyable, retention_days, undo_days, members_may_request FROM workspaces ORDER BY name, id";
    FIND = "SELECT id, slug, name, keys_copyable, retention_days, undo_days, members_may_request FROM workspaces WHERE id = $1 OR slug = $1
        ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";
    OF_USER = "SELECT w.id, w.slug, w.name, w.keys_copyable, w.retention_days, w.undo_days, w.members_may_request, m.role FROM memberships m
        JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1 ORDER BY w.name, w.id";
    // An update to the same value locks the row on both engines: no value is stored while all are destroyed.
    KEYS_COPYABLE = "UPDATE workspaces SET created_at = created_at WHERE id = $1 RETURNING keys_copyable";
    SET_KEYS_COPYABLE = "UPDATE workspaces SET keys_copyable = $2 WHERE id = $1 RETURNING name";
    UNDO_DAYS = "SELECT undo_days FROM workspaces WHERE id = $1";
    SET_UNDO_DAYS = "UPDATE workspaces SET undo_days = $2 WHERE id = $1 RETURNING name";
    // An update to the same value locks the row on both engines: no key is made against a policy that is being replaced.
    LOCK_POLICY = "UPDATE workspaces SET created_at = created_at WHERE id = $1
        RETURNING default_lifetime_days, max_lifetime_days, binds_existing, all_agents_allowed, owner_required,
            networks_required, members_may_request";
    POLICY = "SELECT default_lifetime_days, max_lifetime_days, binds_existing, all_agents_allowed, owner_required,
            networks_required, members_may_request
        FROM workspaces WHERE id = $1";
    SET_POLICY = "UPDATE workspaces SET default_lifetime_days = $2, max_lifetime_days = $3, binds_existing = $4,
            all_agents_allowed = $5, owner_required = $6, networks_required = $7, members_may_request = $8
        WHERE id = $1 RETURNING name";
    NAME = "SELECT name FROM workspaces WHERE id = $1";
    RENAME = "UPDATE workspaces SET name = $2 WHERE id = $1";
    SET_RETENTION = "UPDATE workspaces SET retention_days = $2 WHERE id = $1 RETURNING name";
    // An update to the same value locks the row on both engines.
    LOCK_RETENTION = "UPDATE workspaces SET retention_days = retention_days WHERE id = $1 AND retention_days = $2
        RETURNING 1";
    // Covers all workspaces: the server's own housekeeping.
    RETENTIONS = "SELECT id, retention_days FROM workspaces WHERE retention_days IS NOT NULL ORDER BY id";
}

/// Inserts a workspace; `false` if another one has its slug.
pub async fn insert(
    change: &mut Change,
    id: &WorkspaceId,
    slug: &str,
    name: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let written = on_change!(change, |c| sqlx::query(INSERT)
        .bind(id)
        .bind(slug)
        .bind(name)
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

/// Whether a workspace has this text as its slug or id.
pub async fn slug_taken(change: &mut Change, slug: &str) -> Result<bool, DbError> {
    let row: Option<(i32,)> = on_change!(change, |c| sqlx::query_as(SLUG_TAKEN).bind(slug).fetch_optional(c).await)?;
    Ok(row.is_some())
}

/// All workspaces in the order of names, for the command line.
pub async fn list(db: &Db) -> Result<Vec<Workspace>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST).fetch_all(pool).await)?)
}

/// The workspace with this id or slug.
pub async fn find(db: &Db, id_or_slug: &str) -> Result<Option<Workspace>, DbError> {
    // Slugs have the characters of ids. Other text matches no workspace, and PostgreSQL may not accept it (NUL).
    if WorkspaceId::parse(id_or_slug).is_none() {
        return Ok(None);
    }
    Ok(on_db!(db, |pool| sqlx::query_as(FIND).bind(id_or_slug).fetch_optional(pool).await)?)
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    workspace: Workspace,
    #[sqlx(try_from = "String")]
    role: Role,
}

/// The workspaces that a user is a member of, in the order of names, with the role in each.
pub async fn of_user(db: &Db, user: &UserId) -> Result<Vec<(Workspace, Role)>, DbError> {
    let rows: Vec<MemberRow> = on_db!(db, |pool| sqlx::query_as(OF_USER).bind(user).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|row| (row.workspace, row.role)).collect())
}

/// Whether keys can be copied after their creation; `None` if there is no such workspace. Locks this until the change ends.
pub async fn keys_copyable(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<bool>, DbError> {
    let row: Option<(bool,)> =
        on_change!(change, |c| sqlx::query_as(KEYS_COPYABLE).bind(workspace).fetch_optional(c).await)?;
    Ok(row.map(|(copyable,)| copyable))
}

/// Sets whether keys can be copied after their creation. Returns the workspace's name; `None` if it does not exist.
pub async fn set_keys_copyable(
    change: &mut Change,
    workspace: &WorkspaceId,
    copyable: bool,
) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> = on_change!(change, |c| sqlx::query_as(SET_KEYS_COPYABLE)
        .bind(workspace)
        .bind(copyable)
        .fetch_optional(c)
        .await)?;
    Ok(row.map(|(name,)| name))
}

/// Days in which a deletion can be undone; `None` if there is no such workspace.
pub async fn undo_days(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<i32>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(UNDO_DAYS).bind(workspace).fetch_optional(c).await)?)
}

/// Sets the days in which a deletion can be undone. Returns the workspace's name; `None` if it does not exist.
pub async fn set_undo_days(change: &mut Change, workspace: &WorkspaceId, days: i32) -> Result<Option<String>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(SET_UNDO_DAYS).bind(workspace).bind(days).fetch_optional(c).await)?)
}

/// What the workspace demands of its keys; `None` if there is no such workspace.
pub async fn policy(db: &Db, workspace: &WorkspaceId) -> Result<Option<KeyPolicy>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(POLICY).bind(workspace).fetch_optional(pool).await)?)
}

/// Like [`policy`]. Locks it until the change ends.
pub async fn lock_policy(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<KeyPolicy>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(LOCK_POLICY).bind(workspace).fetch_optional(c).await)?)
}

/// Replaces the policy. Returns the workspace's name; `None` if it does not exist.
pub async fn set_policy(
    change: &mut Change,
    workspace: &WorkspaceId,
    policy: &KeyPolicy,
) -> Result<Option<String>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_scalar(SET_POLICY)
        .bind(workspace)
        .bind(policy.default_lifetime_days)
        .bind(policy.max_lifetime_days)
        .bind(policy.binds_existing)
        .bind(policy.all_agents_allowed)
        .bind(policy.owner_required)
        .bind(policy.networks_required)
        .bind(policy.members_may_request)
        .fetch_optional(c)
        .await)?)
}

/// Renames a workspace. Returns its earlier name; `None` if it does not exist.
pub async fn rename(change: &mut Change, workspace: &WorkspaceId, name: &str) -> Result<Option<String>, DbError> {
    let before: Option<(String,)> =
        on_change!(change, |c| sqlx::query_as(NAME).bind(workspace).fetch_optional(c).await)?;
    on_change!(change, |c| sqlx::query(RENAME).bind(workspace).bind(name).execute(c).await.map(|_| ()))?;
    Ok(before.map(|(name,)| name))
}

/// Sets the retention period in days. Returns the workspace's name; `None` if it does not exist.
pub async fn set_retention(
    change: &mut Change,
    workspace: &WorkspaceId,
    days: Option<i32>,
) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> =
        on_change!(change, |c| sqlx::query_as(SET_RETENTION).bind(workspace).bind(days).fetch_optional(c).await)?;
    Ok(row.map(|(name,)| name))
}

/// The workspaces with a retention period, and the period in days.
pub async fn retentions(db: &Db) -> Result<Vec<(WorkspaceId, i32)>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(RETENTIONS).fetch_all(pool).await)?)
}

/// Locks a workspace's retention period until the transaction ends; `false` if it is not `days`.
pub async fn lock_retention(change: &mut Change, workspace: &WorkspaceId, days: i32) -> Result<bool, DbError> {
    let row: Option<(i32,)> =
        on_change!(change, |c| sqlx::query_as(LOCK_RETENTION).bind(workspace).bind(days).fetch_optional(c).await)?;
    Ok(row.is_some())
}
