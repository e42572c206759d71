//! SQL for workspaces. Lists of every workspace are for the command line and for housekeeping; the rest is for one workspace or
//! for one user.

use crate::base::error::{Error, Problem};
use crate::base::id::{UserId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, is_duplicate};
use crate::users::Role;
use crate::workspaces::Workspace;
use crate::{on_change, on_db, statements};

statements! {
    INSERT = "INSERT INTO workspaces (id, slug, name, created_at) VALUES ($1, $2, $3, $4)";
    SLUG_TAKEN = "SELECT 1 FROM workspaces WHERE slug = $1 OR id = $1";
    LIST = "SELECT id, slug, name, keys_copyable, retention_days FROM workspaces ORDER BY name, id";
    FIND = "SELECT id, slug, name, keys_copyable, retention_days FROM workspaces WHERE id = $1 OR slug = $1
        ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";
    OF_USER = "SELECT w.id, w.slug, w.name, w.keys_copyable, w.retention_days, m.role FROM memberships m
        JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1 ORDER BY w.name, w.id";
    KEYS_COPYABLE = "SELECT keys_copyable FROM workspaces WHERE id = $1";
    // Touching the row first makes a key that is being created wait, or be seen.
    SET_KEYS_COPYABLE = "UPDATE workspaces SET keys_copyable = $2 WHERE id = $1 RETURNING name";
    SET_RETENTION = "UPDATE workspaces SET retention_days = $2 WHERE id = $1 RETURNING name";
    // Written over with itself, the row is locked on either engine.
    LOCK_RETENTION = "UPDATE workspaces SET retention_days = retention_days WHERE id = $1 AND retention_days = $2
        RETURNING 1";
    // Of every workspace: what the server does of itself.
    RETENTIONS = "SELECT id, retention_days FROM workspaces WHERE retention_days IS NOT NULL ORDER BY id";
}

/// Writes a new workspace.
pub async fn insert(
    change: &mut Change,
    id: &WorkspaceId,
    slug: &str,
    name: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let written = on_change!(change, |c| sqlx::query(INSERT)
        .bind(id)
        .bind(slug)
        .bind(name)
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()));
    match written {
        Err(error) if is_duplicate(&error) => Err(Problem::SlugTaken.into()),
        other => Ok(other?),
    }
}

/// Whether a workspace has this slug.
pub async fn slug_taken(change: &mut Change, slug: &str) -> Result<bool, Error> {
    let row: Option<(i32,)> = on_change!(change, |c| sqlx::query_as(SLUG_TAKEN).bind(slug).fetch_optional(c).await)?;
    Ok(row.is_some())
}

/// Every workspace, by name: for the command line.
pub async fn list(db: &Db) -> Result<Vec<Workspace>, Error> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST).fetch_all(pool).await)?)
}

/// The workspace with this id or slug.
pub async fn find(db: &Db, id_or_slug: &str) -> Result<Option<Workspace>, Error> {
    // Slugs are written like ids; anything else is none, and may be nothing that a database takes.
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

/// The workspaces that a user is a member of, by name, with the role in each.
pub async fn of_user(db: &Db, user: &UserId) -> Result<Vec<(Workspace, Role)>, Error> {
    let rows: Vec<MemberRow> = on_db!(db, |pool| sqlx::query_as(OF_USER).bind(user).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|row| (row.workspace, row.role)).collect())
}

/// Whether keys can be copied later; `None` without such a workspace.
pub async fn keys_copyable(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<bool>, Error> {
    let row: Option<(bool,)> =
        on_change!(change, |c| sqlx::query_as(KEYS_COPYABLE).bind(workspace).fetch_optional(c).await)?;
    Ok(row.map(|(copyable,)| copyable))
}

/// Sets whether keys can be copied later; the workspace's name, `None` without such a workspace.
pub async fn set_keys_copyable(
    change: &mut Change,
    workspace: &WorkspaceId,
    copyable: bool,
) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = on_change!(change, |c| sqlx::query_as(SET_KEYS_COPYABLE)
        .bind(workspace)
        .bind(copyable)
        .fetch_optional(c)
        .await)?;
    Ok(row.map(|(name,)| name))
}

/// Sets how many days conversations are kept; the workspace's name, `None` without such a workspace.
pub async fn set_retention(
    change: &mut Change,
    workspace: &WorkspaceId,
    days: Option<i32>,
) -> Result<Option<String>, Error> {
    let row: Option<(String,)> =
        on_change!(change, |c| sqlx::query_as(SET_RETENTION).bind(workspace).bind(days).fetch_optional(c).await)?;
    Ok(row.map(|(name,)| name))
}

/// The workspaces that keep their conversations for a number of days.
pub async fn retentions(db: &Db) -> Result<Vec<(WorkspaceId, i32)>, Error> {
    Ok(on_db!(db, |pool| sqlx::query_as(RETENTIONS).fetch_all(pool).await)?)
}

/// Whether conversations are kept this many days, which is then so until the transaction ends.
pub async fn lock_retention(change: &mut Change, workspace: &WorkspaceId, days: i32) -> Result<bool, Error> {
    let row: Option<(i32,)> =
        on_change!(change, |c| sqlx::query_as(LOCK_RETENTION).bind(workspace).bind(days).fetch_optional(c).await)?;
    Ok(row.is_some())
}
