//! What pages and command line do with users. Each is one transaction with its audit entry.

use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::{Error, Problem};
use crate::base::id::{InvitationId, UserId, WorkspaceId};
use crate::base::token::Token;
use crate::db::Tx;
use crate::server::state::App;
use crate::users::password::Password;
use crate::users::store::{self, Invitation};
use crate::users::{Email, Invited, Member, Role};
use crate::{sessions, workspaces};
use serde_json::json;

/// How long an invitation can be used.
const INVITATION_DAYS: i64 = 7;

/// Makes an account and the workspace's first membership in one go: set-up and the command line.
pub async fn create(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    email: &Email,
    role: Role,
    password: Password,
) -> Result<UserId, Error> {
    let hash = app.passwords.hash(password, &app.random).await?;
    let mut tx = app.db.begin().await?;
    let id = UserId::generate(&app.random);
    if !store::insert(&mut tx, &id, email, &hash, app.clock.now()).await? {
        return Err(Problem::EmailTaken.into());
    }
    add_member(&mut tx, app, workspace, actor, &id, email, role).await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes the first account and its workspace. Refuses where somebody was faster.
pub async fn set_up(
    app: &App,
    actor: &Actor,
    workspace_name: &str,
    email: &Email,
    password: Password,
) -> Result<(UserId, workspaces::Workspace), Error> {
    let hash = app.passwords.hash(password, &app.random).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !store::claim_set_up(&mut tx, now).await? || store::any_within(&mut tx).await? {
        return Err(Error::NotFound);
    }
    let workspace = workspaces::service::create(&mut tx, app, actor, workspace_name, None).await?;
    let id = UserId::generate(&app.random);
    if !store::insert(&mut tx, &id, email, &hash, now).await? {
        return Err(Error::NotFound);
    }
    let actor = Actor { id: Some(id.clone()), name: email.as_str().to_owned(), address: actor.address };
    add_member(&mut tx, app, &workspace.id, &actor, &id, email, Role::Admin).await?;
    tx.commit().await?;
    Ok((id, workspace))
}

/// Sets a user's password and signs the user out everywhere.
pub async fn set_password(app: &App, actor: &Actor, user: &UserId, password: Password) -> Result<(), Error> {
    let email = store::email(&app.db, user).await?.ok_or(Error::NotFound)?;
    let hash = app.passwords.hash(password, &app.random).await?;
    let mut tx = app.db.begin().await?;
    store::set_password(&mut tx, user, &hash).await?;
    sessions::store::delete_of_user(&mut tx, user).await?;
    let entry = Entry {
        action: Action::PasswordChanged,
        subject_id: user.as_str(),
        subject: email.as_str(),
        details: json!({}),
    };
    audit::record_for_member(&mut tx, app, user, actor, entry).await?;
    tx.commit().await
}

/// Invites somebody: the token for the link, shown this once. An earlier invitation of the same person ends.
pub async fn invite(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    email: &Email,
    role: Role,
) -> Result<Token, Error> {
    if store::is_member(&app.db, workspace, email).await? {
        return Err(Problem::EmailTaken.into());
    }
    let token = Token::generate("", &app.random);
    let now = app.clock.now();
    let invited = Invited {
        id: InvitationId::generate(&app.random),
        email: email.clone(),
        role,
        expires_at: now.plus_days(INVITATION_DAYS),
    };
    let mut tx = app.db.begin().await?;
    store::upsert_invitation(&mut tx, workspace, &invited, &token.hash(), now).await?;
    let entry = Entry {
        action: Action::UserInvited,
        subject_id: invited.id.as_str(),
        subject: email.as_str(),
        details: json!({ "role": role }),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    tx.commit().await?;
    Ok(token)
}

/// Ends an invitation before it is used.
pub async fn withdraw(app: &App, workspace: &WorkspaceId, actor: &Actor, id: &InvitationId) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    let email = store::delete_invitation(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    let entry = Entry {
        action: Action::InvitationWithdrawn,
        subject_id: id.as_str(),
        subject: email.as_str(),
        details: json!({}),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    tx.commit().await
}

/// The invitation behind a link, while it can be used.
pub async fn invitation(app: &App, token: &str) -> Result<Invitation, Error> {
    let found = store::find_invitation(&app.db, &Token::sent(token).hash()).await?;
    found.filter(|i| i.expires_at > app.clock.now()).ok_or(Error::LinkSpent)
}

/// Uses an invitation: joins the workspace with the account of that e-mail, made here where there is none, for which
/// the password is then the new one.
pub async fn accept(app: &App, actor: &Actor, token: &str, password: String) -> Result<(UserId, Invitation), Error> {
    let invitation = invitation(app, token).await?;
    let existing = store::credentials(&app.db, &invitation.email).await?;
    let new_hash = match &existing {
        Some(account) => {
            let attempt = Password::attempt(password);
            if !app.passwords.verify(attempt, Some(account.password_hash.clone())).await? {
                return Err(Error::WrongCredentials);
            }
            None
        }
        None => Some(app.passwords.hash(Password::parse(password)?, &app.random).await?),
    };
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    if !store::spend_invitation(&mut tx, &Token::sent(token).hash(), now).await? {
        return Err(Error::LinkSpent);
    }
    let id = match (existing, new_hash) {
        (Some(account), _) => account.id,
        (None, hash) => {
            let id = UserId::generate(&app.random);
            let hash = hash.ok_or(Error::Internal)?;
            if !store::insert(&mut tx, &id, &invitation.email, &hash, now).await? {
                return Err(Error::WrongCredentials);
            }
            id
        }
    };
    let actor = Actor { id: Some(id.clone()), name: invitation.email.as_str().to_owned(), address: actor.address };
    add_member(&mut tx, app, &invitation.workspace_id, &actor, &id, &invitation.email, invitation.role).await?;
    tx.commit().await?;
    Ok((id, invitation))
}

/// Gives a member another role. The last admin stays one.
pub async fn set_role(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    user: &UserId,
    role: Role,
) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::lock_members(&mut tx, workspace).await?;
    let before = store::find_member(&mut tx, workspace, user).await?.ok_or(Error::NotFound)?;
    if !store::set_role(&mut tx, workspace, user, role).await? {
        return Err(Error::NotFound);
    }
    keep_an_admin(&mut tx, workspace).await?;
    let details = json!({ "role": { "from": before.role, "to": role } });
    record(&mut tx, app, workspace, actor, Action::UserChanged, &before, details).await?;
    tx.commit().await
}

/// Ends a membership. The last admin stays.
pub async fn remove(app: &App, workspace: &WorkspaceId, actor: &Actor, user: &UserId) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::lock_members(&mut tx, workspace).await?;
    let before = store::find_member(&mut tx, workspace, user).await?.ok_or(Error::NotFound)?;
    if !store::delete_member(&mut tx, workspace, user).await? {
        return Err(Error::NotFound);
    }
    keep_an_admin(&mut tx, workspace).await?;
    record(&mut tx, app, workspace, actor, Action::UserRemoved, &before, json!({ "role": before.role })).await?;
    tx.commit().await
}

async fn keep_an_admin(tx: &mut Tx, workspace: &WorkspaceId) -> Result<(), Error> {
    if store::admins(tx, workspace).await? == 0 { Err(Error::LastAdmin) } else { Ok(()) }
}

async fn add_member(
    tx: &mut Tx,
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    id: &UserId,
    email: &Email,
    role: Role,
) -> Result<(), Error> {
    let now = app.clock.now();
    if !store::insert_member(tx, workspace, id, role, now).await? {
        return Err(Problem::EmailTaken.into());
    }
    let member = Member { id: id.clone(), email: email.clone(), role, created_at: now };
    record(tx, app, workspace, actor, Action::UserAdded, &member, json!({ "role": role })).await
}

async fn record(
    tx: &mut Tx,
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    action: Action,
    member: &Member,
    details: serde_json::Value,
) -> Result<(), Error> {
    let entry = Entry { action, subject_id: member.id.as_str(), subject: member.email.as_str(), details };
    audit::record(tx, app, workspace, actor, entry).await
}
