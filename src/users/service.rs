//! Operations on users, memberships and invitations. Each change is recorded in the audit log, in the same transaction.

use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{InvitationId, UserId, WorkspaceId};
use crate::base::token::Token;
use crate::db::{Change, Db, DbError};
use crate::users::password::{Password, PasswordError, Passwords};
use crate::users::store::{self, Invitation, User};
use crate::users::{Email, Member, PendingInvitation, Role};
use crate::workspaces::service::WorkspaceError;
use crate::{sessions, workspaces};
use serde_json::json;
use std::sync::Arc;

/// Lifetime of an invitation.
const INVITATION_DAYS: i64 = 7;

/// Why an operation on users failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("There is no such user.")]
    NotFound,
    #[error("There are users already.")]
    AlreadySetUp,
    /// There is no such account, or the password is wrong.
    #[error("That e-mail and password do not match.")]
    WrongCredentials,
    #[error("This is the workspace's last admin. Make somebody else an admin first.")]
    LastAdmin,
    /// The invitation was used, has expired or was replaced.
    #[error("This invitation is no longer valid.")]
    InvitationSpent,
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Service for users, memberships and invitations.
#[derive(Clone, Debug)]
pub struct Users {
    db: Db,
    passwords: Arc<Passwords>,
}

impl Users {
    pub fn new(db: Db, passwords: Arc<Passwords>) -> Self {
        Self { db, passwords }
    }

    /// Creates an account and makes it a member of the workspace. For the command line.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        email: &Email,
        role: Role,
        password: Password,
    ) -> Result<UserId, UserError> {
        let hash = self.passwords.hash(password, self.db.random()).await?;
        let mut change = self.db.begin(actor).await?;
        let id = UserId::generate(self.db.random());
        if !store::insert(&mut change, &id, email, &hash, self.db.now()).await? {
            return Err(Problem::EmailTaken.into());
        }
        add_member(&mut change, workspace, &id, email, role).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Makes somebody who has an account a member of another workspace. For the command line.
    pub async fn add_member(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        user: &UserId,
        role: Role,
    ) -> Result<(), UserError> {
        let email = store::email(&self.db, user).await?.ok_or(UserError::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        add_member(&mut change, workspace, user, &email, role).await?;
        Ok(change.commit().await?)
    }

    /// Creates the first account and its workspace. Refused if there are users already, also when two requests compete.
    pub async fn set_up(
        &self,
        actor: &Actor,
        workspace_name: &str,
        email: &Email,
        password: Password,
    ) -> Result<(UserId, workspaces::Workspace), UserError> {
        let hash = self.passwords.hash(password, self.db.random()).await?;
        let now = self.db.now();
        let mut change = self.db.begin(actor).await?;
        if !store::claim_set_up(&mut change, now).await? || store::any_within(&mut change).await? {
            return Err(UserError::AlreadySetUp);
        }
        let workspace = workspaces::service::create_in(&mut change, workspace_name, None).await?;
        let id = UserId::generate(self.db.random());
        if !store::insert(&mut change, &id, email, &hash, now).await? {
            return Err(UserError::AlreadySetUp);
        }
        let actor = Actor { id: Some(id.clone()), name: email.as_str().to_owned(), address: actor.address };
        change.act_as(actor);
        add_member(&mut change, &workspace.id, &id, email, Role::Admin).await?;
        change.commit().await?;
        Ok((id, workspace))
    }

    /// Whether there are any users.
    pub async fn any(&self) -> Result<bool, DbError> {
        store::any(&self.db).await
    }

    /// All users of all workspaces, for the command line.
    pub async fn list_all(&self) -> Result<Vec<User>, DbError> {
        store::list_all(&self.db).await
    }

    /// A user's e-mail address.
    pub async fn email(&self, id: &UserId) -> Result<Option<Email>, DbError> {
        store::email(&self.db, id).await
    }

    /// The user with this e-mail address. Does not check a password.
    pub async fn find(&self, email: &Email) -> Result<Option<UserId>, DbError> {
        Ok(store::credentials(&self.db, email).await?.map(|account| account.id))
    }

    pub async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<Member>, DbError> {
        store::members(&self.db, workspace).await
    }

    /// The open invitations of a workspace.
    pub async fn invited(&self, workspace: &WorkspaceId) -> Result<Vec<PendingInvitation>, DbError> {
        store::invited(&self.db, workspace).await
    }

    /// The user with this address and password; `None` if either is wrong. Takes the same time for an unknown address.
    pub async fn verify(&self, email: &Email, password: String) -> Result<Option<UserId>, UserError> {
        let account = store::credentials(&self.db, email).await?;
        let stored = account.as_ref().map(|a| a.password_hash.clone());
        let right = self.passwords.verify(Password::attempt(password), stored).await?;
        Ok(account.filter(|_| right).map(|account| account.id))
    }

    /// Records a sign-in in the audit log.
    pub async fn note_sign_in(&self, actor: &Actor, user: &UserId, email: &Email) -> Result<(), DbError> {
        let mut change = self.db.begin(actor).await?;
        let entry = NewAuditEntry {
            action: Action::SignedIn,
            subject_id: user.as_str(),
            subject: email.as_str(),
            details: json!({}),
        };
        audit::record_for_member(&mut change, user, entry).await?;
        change.commit().await
    }

    /// Ends all sessions of a user.
    pub async fn sign_out_everywhere(&self, actor: &Actor, user: &UserId) -> Result<(), DbError> {
        sessions::service::end_all(&self.db, actor, user).await
    }

    /// Sets a user's password and ends all of the user's sessions.
    pub async fn set_password(&self, actor: &Actor, user: &UserId, password: Password) -> Result<(), UserError> {
        let email = store::email(&self.db, user).await?.ok_or(UserError::NotFound)?;
        let hash = self.passwords.hash(password, self.db.random()).await?;
        let mut change = self.db.begin(actor).await?;
        store::set_password(&mut change, user, &hash).await?;
        sessions::service::end_all_in(&mut change, user).await?;
        let entry = NewAuditEntry {
            action: Action::PasswordChanged,
            subject_id: user.as_str(),
            subject: email.as_str(),
            details: json!({}),
        };
        audit::record_for_member(&mut change, user, entry).await?;
        Ok(change.commit().await?)
    }

    /// Invites a person and returns the token for the link, which is not stored. Replaces an earlier invitation of the
    /// same address.
    pub async fn invite(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        email: &Email,
        role: Role,
    ) -> Result<Token, UserError> {
        if store::is_member(&self.db, workspace, email).await? {
            return Err(Problem::EmailTaken.into());
        }
        let token = Token::generate("", self.db.random());
        let now = self.db.now();
        let invited = PendingInvitation {
            id: InvitationId::generate(self.db.random()),
            email: email.clone(),
            role,
            expires_at: now.plus_days(INVITATION_DAYS),
        };
        let mut change = self.db.begin(actor).await?;
        store::upsert_invitation(&mut change, workspace, &invited, &token.hash(), now).await?;
        let entry = NewAuditEntry {
            action: Action::UserInvited,
            subject_id: invited.id.as_str(),
            subject: email.as_str(),
            details: json!({ "role": role }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok(token)
    }

    /// Withdraws an invitation.
    pub async fn withdraw(&self, workspace: &WorkspaceId, actor: &Actor, id: &InvitationId) -> Result<(), UserError> {
        let mut change = self.db.begin(actor).await?;
        let email = store::delete_invitation(&mut change, workspace, id).await?.ok_or(UserError::NotFound)?;
        let entry = NewAuditEntry {
            action: Action::InvitationWithdrawn,
            subject_id: id.as_str(),
            subject: email.as_str(),
            details: json!({}),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// The invitation with this token, if it has not expired.
    pub async fn invitation(&self, token: &str) -> Result<Invitation, UserError> {
        let found = store::find_invitation(&self.db, &Token::sent(token).hash()).await?;
        found.filter(|i| i.expires_at > self.db.now()).ok_or(UserError::InvitationSpent)
    }

    /// Accepts an invitation: makes the account of its address a member. If there is no such account, creates it with
    /// this password; otherwise the password must be the account's.
    pub async fn accept(
        &self,
        actor: &Actor,
        token: &str,
        password: String,
    ) -> Result<(UserId, Invitation), UserError> {
        let invitation = self.invitation(token).await?;
        let existing = store::credentials(&self.db, &invitation.email).await?;
        let new_hash = match &existing {
            Some(account) => {
                let attempt = Password::attempt(password);
                if !self.passwords.verify(attempt, Some(account.password_hash.clone())).await? {
                    return Err(UserError::WrongCredentials);
                }
                None
            }
            None => Some(self.passwords.hash(Password::parse(password)?, self.db.random()).await?),
        };
        let mut change = self.db.begin(actor).await?;
        let now = self.db.now();
        if !store::spend_invitation(&mut change, &Token::sent(token).hash(), now).await? {
            return Err(UserError::InvitationSpent);
        }
        let id = match (existing, new_hash) {
            (Some(account), _) => account.id,
            (None, hash) => {
                let id = UserId::generate(self.db.random());
                let hash = hash.ok_or(PasswordError::Failed)?;
                if !store::insert(&mut change, &id, &invitation.email, &hash, now).await? {
                    return Err(UserError::WrongCredentials);
                }
                id
            }
        };
        let actor = Actor { id: Some(id.clone()), name: invitation.email.as_str().to_owned(), address: actor.address };
        change.act_as(actor);
        add_member(&mut change, &invitation.workspace_id, &id, &invitation.email, invitation.role).await?;
        change.commit().await?;
        Ok((id, invitation))
    }

    /// Changes a member's role. Refused if the workspace would have no admin left.
    pub async fn set_role(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        user: &UserId,
        role: Role,
    ) -> Result<(), UserError> {
        let mut change = self.db.begin(actor).await?;
        store::lock_members(&mut change, workspace).await?;
        let before = store::find_member(&mut change, workspace, user).await?.ok_or(UserError::NotFound)?;
        if !store::set_role(&mut change, workspace, user, role).await? {
            return Err(UserError::NotFound);
        }
        keep_an_admin(&mut change, workspace).await?;
        let details = json!({ "role": { "from": before.role, "to": role } });
        record(&mut change, workspace, Action::UserChanged, &before, details).await?;
        Ok(change.commit().await?)
    }

    /// Ends a membership. Refused if the workspace would have no admin left.
    pub async fn remove(&self, workspace: &WorkspaceId, actor: &Actor, user: &UserId) -> Result<(), UserError> {
        let mut change = self.db.begin(actor).await?;
        store::lock_members(&mut change, workspace).await?;
        let before = store::find_member(&mut change, workspace, user).await?.ok_or(UserError::NotFound)?;
        if !store::delete_member(&mut change, workspace, user).await? {
            return Err(UserError::NotFound);
        }
        keep_an_admin(&mut change, workspace).await?;
        record(&mut change, workspace, Action::UserRemoved, &before, json!({ "role": before.role })).await?;
        Ok(change.commit().await?)
    }
}

async fn keep_an_admin(change: &mut Change, workspace: &WorkspaceId) -> Result<(), UserError> {
    if store::admins(change, workspace).await? == 0 { Err(UserError::LastAdmin) } else { Ok(()) }
}

async fn add_member(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &UserId,
    email: &Email,
    role: Role,
) -> Result<(), UserError> {
    let now = change.now();
    if !store::insert_member(change, workspace, id, role, now).await? {
        return Err(Problem::EmailTaken.into());
    }
    let member = Member { id: id.clone(), email: email.clone(), role, created_at: now };
    record(change, workspace, Action::UserAdded, &member, json!({ "role": role })).await?;
    Ok(())
}

async fn record(
    change: &mut Change,
    workspace: &WorkspaceId,
    action: Action,
    member: &Member,
    details: serde_json::Value,
) -> Result<(), DbError> {
    let entry = NewAuditEntry { action, subject_id: member.id.as_str(), subject: member.email.as_str(), details };
    audit::record(change, workspace, entry).await
}
