//! Who did what, when, from where. An entry is written in the transaction of the change that it tells of, so that
//! neither is ever without the other.

use crate::error::Error;
use crate::id::{UserId, WorkspaceId};
use crate::server::db::Tx;
use crate::server::state::{Actor, App};
use crate::{on_tx, statements};

statements! {
    INSERT = "INSERT INTO audit_entries
        (workspace_id, id, at, actor, actor_id, action, subject_id, subject, details, address)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    INSERT_FOR_MEMBER = "INSERT INTO audit_entries
        (workspace_id, id, at, actor, actor_id, action, subject_id, subject, details, address)
        SELECT workspace_id, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM memberships WHERE user_id = $1";
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    SignedIn,
    WorkspaceCreated,
    WorkspaceChanged,
    AgentCreated,
    AgentRenamed,
    AgentDeleted,
    KeyCreated,
    KeyCopied,
    KeyEdited,
    KeyDeleted,
    ConfigurationChanged,
    UserInvited,
    InvitationWithdrawn,
    UserAdded,
    UserChanged,
    UserRemoved,
    PasswordChanged,
    RuntimeTokenCreated,
    RuntimeTokenRevoked,
}

impl Action {
    /// As it is stored.
    pub fn id(self) -> &'static str {
        match self {
            Self::SignedIn => "signed-in",
            Self::WorkspaceCreated => "workspace-created",
            Self::WorkspaceChanged => "workspace-changed",
            Self::AgentCreated => "agent-created",
            Self::AgentRenamed => "agent-renamed",
            Self::AgentDeleted => "agent-deleted",
            Self::KeyCreated => "key-created",
            Self::KeyCopied => "key-copied",
            Self::KeyEdited => "key-edited",
            Self::KeyDeleted => "key-deleted",
            Self::ConfigurationChanged => "configuration-changed",
            Self::UserInvited => "user-invited",
            Self::InvitationWithdrawn => "invitation-withdrawn",
            Self::UserAdded => "user-added",
            Self::UserChanged => "user-changed",
            Self::UserRemoved => "user-removed",
            Self::PasswordChanged => "password-changed",
            Self::RuntimeTokenCreated => "runtime-token-created",
            Self::RuntimeTokenRevoked => "runtime-token-revoked",
        }
    }
}

/// One thing done to one thing.
#[derive(Debug)]
pub struct Entry<'a> {
    pub action: Action,
    /// The id of the key, agent or user acted upon.
    pub subject_id: &'a str,
    /// Its name at that time.
    pub subject: &'a str,
    /// What changed; never a secret.
    pub details: serde_json::Value,
}

/// Writes an entry of a workspace.
pub async fn record(
    tx: &mut Tx,
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    entry: Entry<'_>,
) -> Result<(), Error> {
    insert(tx, app, INSERT, workspace.as_str(), actor, entry).await
}

/// Writes an entry of a user's own, once for each workspace that the user is a member of.
pub async fn record_for_member(
    tx: &mut Tx,
    app: &App,
    user: &UserId,
    actor: &Actor,
    entry: Entry<'_>,
) -> Result<(), Error> {
    insert(tx, app, INSERT_FOR_MEMBER, user.as_str(), actor, entry).await
}

async fn insert(
    tx: &mut Tx,
    app: &App,
    sql: &'static str,
    owner: &str,
    actor: &Actor,
    entry: Entry<'_>,
) -> Result<(), Error> {
    on_tx!(tx, |c| sqlx::query(sql)
        .bind(owner)
        .bind(app.random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20))
        .bind(app.clock.now())
        .bind(&actor.name)
        .bind(&actor.id)
        .bind(entry.action.id())
        .bind(entry.subject_id)
        .bind(entry.subject)
        .bind(entry.details.to_string())
        .bind(actor.address.map(|a| a.to_string()).unwrap_or_default())
        .execute(c)
        .await
        .map(|_| ()))?;
    Ok(())
}
