//! What pages and command line do with users. Each is one transaction with its audit entry.

use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::{Error, Problem};
use crate::base::id::{InvitationId, UserId, WorkspaceId};
use crate::base::token::Token;
use crate::db::{Change, Db};
use crate::users::password::Password;
use crate::users::password::Passwords;
use crate::users::store::{self, Invitation, User};
use crate::users::{Email, Invited, Member, Role};
use crate::{sessions, workspaces};
use serde_json::json;
use std::sync::Arc;

/// How long an invitation can be used.
const INVITATION_DAYS: i64 = 7;

/// Users: made, invited, signed in, given roles, removed.
#[derive(Clone, Debug)]
pub struct Users {
    db: Db,
    passwords: Arc<Passwords>,
}

impl Users {
    /// On this database.
    pub fn new(db: Db, passwords: Arc<Passwords>) -> Self {
        Self { db, passwords }
    }

    /// Makes an account and the workspace's first membership in one go: set-up and the command line.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        email: &Email,
        role: Role,
        password: Password,
    ) -> Result<UserId, Error> {
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

    /// Makes the first account and its workspace. Refuses where somebody was faster.
    pub async fn set_up(
        &self,
        actor: &Actor,
        workspace_name: &str,
        email: &Email,
        password: Password,
    ) -> Result<(UserId, workspaces::Workspace), Error> {
        let hash = self.passwords.hash(password, self.db.random()).await?;
        let now = self.db.now();
        let mut change = self.db.begin(actor).await?;
        if !store::claim_set_up(&mut change, now).await? || store::any_within(&mut change).await? {
            return Err(Error::NotFound);
        }
        let workspace = workspaces::service::create_in(&mut change, workspace_name, None).await?;
        let id = UserId::generate(self.db.random());
        if !store::insert(&mut change, &id, email, &hash, now).await? {
            return Err(Error::NotFound);
        }
        let actor = Actor { id: Some(id.clone()), name: email.as_str().to_owned(), address: actor.address };
        change.act_as(actor);
        add_member(&mut change, &workspace.id, &id, email, Role::Admin).await?;
        change.commit().await?;
        Ok((id, workspace))
    }

    /// Whether there is anybody at all.
    pub async fn any(&self) -> Result<bool, Error> {
        store::any(&self.db).await
    }

    /// Everyone, for the command line.
    pub async fn list_all(&self) -> Result<Vec<User>, Error> {
        store::list_all(&self.db).await
    }

    /// A user's address.
    pub async fn email(&self, id: &UserId) -> Result<Option<Email>, Error> {
        store::email(&self.db, id).await
    }

    /// The user with this address, without a password.
    pub async fn find(&self, email: &Email) -> Result<Option<UserId>, Error> {
        Ok(store::credentials(&self.db, email).await?.map(|account| account.id))
    }

    /// The members of a workspace.
    pub async fn members(&self, workspace: &WorkspaceId) -> Result<Vec<Member>, Error> {
        store::members(&self.db, workspace).await
    }

    /// Those who are invited to a workspace and have not come yet.
    pub async fn invited(&self, workspace: &WorkspaceId) -> Result<Vec<Invited>, Error> {
        store::invited(&self.db, workspace).await
    }

    /// The user with this address and password; `None` where there is none. Takes as long either way.
    pub async fn verify(&self, email: &Email, password: String) -> Result<Option<UserId>, Error> {
        let account = store::credentials(&self.db, email).await?;
        let stored = account.as_ref().map(|a| a.password_hash.clone());
        let right = self.passwords.verify(Password::attempt(password), stored).await?;
        Ok(account.filter(|_| right).map(|account| account.id))
    }

    /// Notes that somebody has signed in.
    pub async fn note_sign_in(&self, actor: &Actor, user: &UserId, email: &Email) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        let entry =
            Entry { action: Action::SignedIn, subject_id: user.as_str(), subject: email.as_str(), details: json!({}) };
        audit::record_for_member(&mut change, user, entry).await?;
        change.commit().await
    }

    /// Signs a user out everywhere.
    pub async fn sign_out_everywhere(&self, actor: &Actor, user: &UserId) -> Result<(), Error> {
        sessions::service::end_all(&self.db, actor, user).await
    }

    /// Sets a user's password and signs the user out everywhere.
    pub async fn set_password(&self, actor: &Actor, user: &UserId, password: Password) -> Result<(), Error> {
        let email = store::email(&self.db, user).await?.ok_or(Error::NotFound)?;
        let hash = self.passwords.hash(password, self.db.random()).await?;
        let mut change = self.db.begin(actor).await?;
        store::set_password(&mut change, user, &hash).await?;
        sessions::service::end_all_in(&mut change, user).await?;
        let entry = Entry {
            action: Action::PasswordChanged,
            subject_id: user.as_str(),
            subject: email.as_str(),
            details: json!({}),
        };
        audit::record_for_member(&mut change, user, entry).await?;
        change.commit().await
    }

    /// Invites somebody: the token for the link, shown this once. An earlier invitation of the same person ends.
    pub async fn invite(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        email: &Email,
        role: Role,
    ) -> Result<Token, Error> {
        if store::is_member(&self.db, workspace, email).await? {
            return Err(Problem::EmailTaken.into());
        }
        let token = Token::generate("", self.db.random());
        let now = self.db.now();
        let invited = Invited {
            id: InvitationId::generate(self.db.random()),
            email: email.clone(),
            role,
            expires_at: now.plus_days(INVITATION_DAYS),
        };
        let mut change = self.db.begin(actor).await?;
        store::upsert_invitation(&mut change, workspace, &invited, &token.hash(), now).await?;
        let entry = Entry {
            action: Action::UserInvited,
            subject_id: invited.id.as_str(),
            subject: email.as_str(),
            details: json!({ "role": role }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok(token)
    }

    /// Ends an invitation before it is used.
    pub async fn withdraw(&self, workspace: &WorkspaceId, actor: &Actor, id: &InvitationId) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        let email = store::delete_invitation(&mut change, workspace, id).await?.ok_or(Error::NotFound)?;
        let entry = Entry {
            action: Action::InvitationWithdrawn,
            subject_id: id.as_str(),
            subject: email.as_str(),
            details: json!({}),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await
    }

    /// The invitation behind a link, while it can be used.
    pub async fn invitation(&self, token: &str) -> Result<Invitation, Error> {
        let found = store::find_invitation(&self.db, &Token::sent(token).hash()).await?;
        found.filter(|i| i.expires_at > self.db.now()).ok_or(Error::LinkSpent)
    }

    /// Uses an invitation: joins the workspace with the account of that e-mail, made here where there is none, for which
    /// the password is then the new one.
    pub async fn accept(&self, actor: &Actor, token: &str, password: String) -> Result<(UserId, Invitation), Error> {
        let invitation = self.invitation(token).await?;
        let existing = store::credentials(&self.db, &invitation.email).await?;
        let new_hash = match &existing {
            Some(account) => {
                let attempt = Password::attempt(password);
                if !self.passwords.verify(attempt, Some(account.password_hash.clone())).await? {
                    return Err(Error::WrongCredentials);
                }
                None
            }
            None => Some(self.passwords.hash(Password::parse(password)?, self.db.random()).await?),
        };
        let mut change = self.db.begin(actor).await?;
        let now = self.db.now();
        if !store::spend_invitation(&mut change, &Token::sent(token).hash(), now).await? {
            return Err(Error::LinkSpent);
        }
        let id = match (existing, new_hash) {
            (Some(account), _) => account.id,
            (None, hash) => {
                let id = UserId::generate(self.db.random());
                let hash = hash.ok_or(Error::Internal)?;
                if !store::insert(&mut change, &id, &invitation.email, &hash, now).await? {
                    return Err(Error::WrongCredentials);
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

    /// Gives a member another role. The last admin stays one.
    pub async fn set_role(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        user: &UserId,
        role: Role,
    ) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        store::lock_members(&mut change, workspace).await?;
        let before = store::find_member(&mut change, workspace, user).await?.ok_or(Error::NotFound)?;
        if !store::set_role(&mut change, workspace, user, role).await? {
            return Err(Error::NotFound);
        }
        keep_an_admin(&mut change, workspace).await?;
        let details = json!({ "role": { "from": before.role, "to": role } });
        record(&mut change, workspace, Action::UserChanged, &before, details).await?;
        change.commit().await
    }

    /// Ends a membership. The last admin stays.
    pub async fn remove(&self, workspace: &WorkspaceId, actor: &Actor, user: &UserId) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        store::lock_members(&mut change, workspace).await?;
        let before = store::find_member(&mut change, workspace, user).await?.ok_or(Error::NotFound)?;
        if !store::delete_member(&mut change, workspace, user).await? {
            return Err(Error::NotFound);
        }
        keep_an_admin(&mut change, workspace).await?;
        record(&mut change, workspace, Action::UserRemoved, &before, json!({ "role": before.role })).await?;
        change.commit().await
    }
}

async fn keep_an_admin(change: &mut Change, workspace: &WorkspaceId) -> Result<(), Error> {
    if store::admins(change, workspace).await? == 0 { Err(Error::LastAdmin) } else { Ok(()) }
}

async fn add_member(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &UserId,
    email: &Email,
    role: Role,
) -> Result<(), Error> {
    let now = change.now();
    if !store::insert_member(change, workspace, id, role, now).await? {
        return Err(Problem::EmailTaken.into());
    }
    let member = Member { id: id.clone(), email: email.clone(), role, created_at: now };
    record(change, workspace, Action::UserAdded, &member, json!({ "role": role })).await
}

async fn record(
    change: &mut Change,
    workspace: &WorkspaceId,
    action: Action,
    member: &Member,
    details: serde_json::Value,
) -> Result<(), Error> {
    let entry = Entry { action, subject_id: member.id.as_str(), subject: member.email.as_str(), details };
    audit::record(change, workspace, entry).await
}
