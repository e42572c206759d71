//! SQL for users, memberships and invitations.

use crate::base::id::{InvitationId, UserId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, is_duplicate};
use crate::users::{Email, Member, PendingInvitation, Role};
use crate::{on_change, on_db, statements};

statements! {
    ANY = "SELECT 1 FROM users LIMIT 1";
    CLAIM_SET_UP = "INSERT INTO set_up (once, at) VALUES (1, $1) ON CONFLICT (once) DO NOTHING";
    LIST_ALL = "SELECT id, email, created_at FROM users ORDER BY email";
    INSERT = "INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, $3, $4)";
    CREDENTIALS = "SELECT id, email, password_hash FROM users WHERE email = $1";
    EMAIL = "SELECT email FROM users WHERE id = $1";
    SET_PASSWORD = "UPDATE users SET password_hash = $2 WHERE id = $1";
    INSERT_MEMBER = "INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)";
    MEMBERS = "SELECT u.id, u.email, m.role, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 ORDER BY u.email";
    FIND_MEMBER = "SELECT u.id, u.email, m.role, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND m.user_id = $2";
    IS_MEMBER = "SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND u.email = $2";
    SET_ROLE = "UPDATE memberships SET role = $3 WHERE workspace_id = $1 AND user_id = $2";
    DELETE_MEMBER = "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2";
    ADMINS = "SELECT COUNT(*) FROM memberships WHERE workspace_id = $1 AND role = 'admin'";
    // Serialises changes to members, so that two admins who demote each other cannot both succeed.
    LOCK_WORKSPACE = "UPDATE workspaces SET id = id WHERE id = $1";
    UPSERT_INVITATION = "INSERT INTO invitations (workspace_id, id, email, role, token_hash, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (workspace_id, email) DO UPDATE SET id = excluded.id, role = excluded.role,
            token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at";
    INVITED = "SELECT id, email, role, expires_at FROM invitations WHERE workspace_id = $1 ORDER BY email";
    DELETE_INVITATION = "DELETE FROM invitations WHERE workspace_id = $1 AND id = $2 RETURNING email";
    FIND_INVITATION = "SELECT i.workspace_id, w.slug, w.name, i.id, i.email, i.role, i.expires_at FROM invitations i
        JOIN workspaces w ON w.id = i.workspace_id WHERE i.token_hash = $1";
    SPEND_INVITATION = "DELETE FROM invitations WHERE token_hash = $1 AND expires_at > $2";
}

/// The columns of an account that a sign-in needs.
#[derive(Debug, sqlx::FromRow)]
pub struct Credentials {
    pub id: UserId,
    pub email: Email,
    pub password_hash: String,
}

/// A user of any workspace, for the command line.
#[derive(Debug, serde::Serialize, sqlx::FromRow)]
pub struct User {
    pub id: UserId,
    pub email: Email,
    pub created_at: Timestamp,
}

/// An invitation with its workspace, as the invited person sees it.
#[derive(Debug, sqlx::FromRow)]
pub struct Invitation {
    pub workspace_id: WorkspaceId,
    pub slug: String,
    pub name: String,
    pub id: InvitationId,
    pub email: Email,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub expires_at: Timestamp,
}

/// Whether there are any users.
pub async fn any(db: &Db) -> Result<bool, DbError> {
    let row: Option<(i32,)> = on_db!(db, |pool| sqlx::query_as(ANY).fetch_optional(pool).await)?;
    Ok(row.is_some())
}

/// Whether there are any users, within an open change.
pub async fn any_within(change: &mut Change) -> Result<bool, DbError> {
    let row: Option<(i32,)> = on_change!(change, |c| sqlx::query_as(ANY).fetch_optional(c).await)?;
    Ok(row.is_some())
}

/// Claims the right to set the server up; `false` if it was claimed before. A concurrent claim waits for the first
/// one's transaction.
pub async fn claim_set_up(change: &mut Change, now: Timestamp) -> Result<bool, DbError> {
    let claimed =
        on_change!(change, |c| sqlx::query(CLAIM_SET_UP).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(claimed > 0)
}

/// All users in the order of their e-mail addresses, for the command line.
pub async fn list_all(db: &Db) -> Result<Vec<User>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(LIST_ALL).fetch_all(pool).await)?)
}

/// Inserts a user; `false` if the e-mail address has an account already.
pub async fn insert(
    change: &mut Change,
    id: &UserId,
    email: &Email,
    password_hash: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let written = on_change!(change, |c| sqlx::query(INSERT)
        .bind(id)
        .bind(email)
        .bind(password_hash)
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()));
    match written {
        Err(error) if is_duplicate(&error) => Ok(false),
        other => Ok(other.map(|()| true)?),
    }
}

/// The account with this e-mail.
pub async fn credentials(db: &Db, email: &Email) -> Result<Option<Credentials>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(CREDENTIALS).bind(email).fetch_optional(pool).await)?)
}

/// A user's e-mail.
pub async fn email(db: &Db, id: &UserId) -> Result<Option<Email>, DbError> {
    let row: Option<(Email,)> = on_db!(db, |pool| sqlx::query_as(EMAIL).bind(id).fetch_optional(pool).await)?;
    Ok(row.map(|(email,)| email))
}

/// Sets a user's password hash.
pub async fn set_password(change: &mut Change, id: &UserId, password_hash: &str) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(SET_PASSWORD).bind(id).bind(password_hash).execute(c).await.map(|_| ()))?)
}

/// Inserts a membership; `false` if the user is a member already.
pub async fn insert_member(
    change: &mut Change,
    workspace: &WorkspaceId,
    user: &UserId,
    role: Role,
    now: Timestamp,
) -> Result<bool, DbError> {
    let written = on_change!(change, |c| sqlx::query(INSERT_MEMBER)
        .bind(workspace)
        .bind(user)
        .bind(role.id())
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()));
    match written {
        Err(error) if is_duplicate(&error) => Ok(false),
        other => Ok(other.map(|()| true)?),
    }
}

/// The members of a workspace, in the order of their e-mail addresses.
pub async fn members(db: &Db, workspace: &WorkspaceId) -> Result<Vec<Member>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(MEMBERS).bind(workspace).fetch_all(pool).await)?)
}

pub async fn find_member(
    change: &mut Change,
    workspace: &WorkspaceId,
    user: &UserId,
) -> Result<Option<Member>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(FIND_MEMBER).bind(workspace).bind(user).fetch_optional(c).await)?)
}

/// Whether a member has this e-mail address.
pub async fn is_member(db: &Db, workspace: &WorkspaceId, email: &Email) -> Result<bool, DbError> {
    let row: Option<(i32,)> =
        on_db!(db, |pool| sqlx::query_as(IS_MEMBER).bind(workspace).bind(email).fetch_optional(pool).await)?;
    Ok(row.is_some())
}

/// Locks the workspace, so that other changes to its members wait for this transaction.
pub async fn lock_members(change: &mut Change, workspace: &WorkspaceId) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(LOCK_WORKSPACE).bind(workspace).execute(c).await.map(|_| ()))?)
}

/// Changes a member's role; `false` if there is no such member.
pub async fn set_role(
    change: &mut Change,
    workspace: &WorkspaceId,
    user: &UserId,
    role: Role,
) -> Result<bool, DbError> {
    let changed = on_change!(change, |c| sqlx::query(SET_ROLE)
        .bind(workspace)
        .bind(user)
        .bind(role.id())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed > 0)
}

/// Deletes a membership; `false` if it does not exist.
pub async fn delete_member(change: &mut Change, workspace: &WorkspaceId, user: &UserId) -> Result<bool, DbError> {
    let deleted = on_change!(change, |c| sqlx::query(DELETE_MEMBER)
        .bind(workspace)
        .bind(user)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Number of admins of a workspace.
pub async fn admins(change: &mut Change, workspace: &WorkspaceId) -> Result<i64, DbError> {
    let (count,): (i64,) = on_change!(change, |c| sqlx::query_as(ADMINS).bind(workspace).fetch_one(c).await)?;
    Ok(count)
}

/// Stores an invitation and replaces an earlier one for the same e-mail address.
pub async fn upsert_invitation(
    change: &mut Change,
    workspace: &WorkspaceId,
    invited: &PendingInvitation,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(UPSERT_INVITATION)
        .bind(workspace)
        .bind(&invited.id)
        .bind(&invited.email)
        .bind(invited.role.id())
        .bind(token_hash)
        .bind(now)
        .bind(invited.expires_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// The open invitations of a workspace, in the order of their e-mail addresses.
pub async fn invited(db: &Db, workspace: &WorkspaceId) -> Result<Vec<PendingInvitation>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(INVITED).bind(workspace).fetch_all(pool).await)?)
}

/// Deletes an invitation and returns its e-mail address; `None` if it does not exist.
pub async fn delete_invitation(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &InvitationId,
) -> Result<Option<Email>, DbError> {
    let row: Option<(Email,)> =
        on_change!(change, |c| sqlx::query_as(DELETE_INVITATION).bind(workspace).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(email,)| email))
}

/// The invitation with this token. Searches all workspaces, because the token alone authorises.
pub async fn find_invitation(db: &Db, token_hash: &[u8]) -> Result<Option<Invitation>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(FIND_INVITATION).bind(token_hash).fetch_optional(pool).await)?)
}

/// Deletes an invitation that is accepted; `false` if it was used already or has expired.
pub async fn spend_invitation(change: &mut Change, token_hash: &[u8], now: Timestamp) -> Result<bool, DbError> {
    let spent = on_change!(change, |c| sqlx::query(SPEND_INVITATION)
        .bind(token_hash)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(spent > 0)
}
