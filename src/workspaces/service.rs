//! Operations on workspaces.

use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{UserId, WorkspaceId};
use crate::base::text::single_line;
use crate::db::{Change, Db, DbError};
use crate::users::Role;
use crate::workspaces::{KeyPolicy, RetentionDays, Workspace, slug, store};
use serde_json::json;

const MAX_NAME_CHARS: usize = 100;

/// Why an operation on workspaces failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    #[error("There is no such workspace.")]
    NotFound,
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Service for workspaces.
#[derive(Clone, Debug)]
pub struct Workspaces {
    db: Db,
}

impl Workspaces {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Creates a workspace. The slug is made from the name if none is given.
    pub async fn create(&self, actor: &Actor, name: &str, slug: Option<&str>) -> Result<Workspace, WorkspaceError> {
        let mut change = self.db.begin(actor).await?;
        let made = create_in(&mut change, name, slug).await?;
        change.commit().await?;
        Ok(made)
    }

    /// All workspaces in the order of names, for the command line.
    pub async fn list(&self) -> Result<Vec<Workspace>, DbError> {
        store::list(&self.db).await
    }

    /// The workspace with this id or slug.
    pub async fn find(&self, id_or_slug: &str) -> Result<Option<Workspace>, DbError> {
        store::find(&self.db, id_or_slug).await
    }

    /// The workspaces that a user is a member of, in the order of names, with the user's role in each.
    pub async fn of_user(&self, user: &UserId) -> Result<Vec<(Workspace, Role)>, DbError> {
        store::of_user(&self.db, user).await
    }

    /// Gives a workspace another name. Its slug, and so its addresses, stay.
    pub async fn rename(&self, workspace: &WorkspaceId, actor: &Actor, name: &str) -> Result<(), WorkspaceError> {
        let name = single_line(name, MAX_NAME_CHARS)?;
        let mut change = self.db.begin(actor).await?;
        let before = store::rename(&mut change, workspace, &name).await?.ok_or(WorkspaceError::NotFound)?;
        let entry = NewAuditEntry {
            action: Action::WorkspaceChanged,
            subject_id: workspace.as_str(),
            subject: &name,
            details: json!({ "name": { "from": before, "to": name } }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// Sets for how many days deletions can be undone, 0 to 90. With 0 they are for good, also those made before.
    pub async fn set_undo_days(&self, workspace: &WorkspaceId, actor: &Actor, days: i32) -> Result<(), WorkspaceError> {
        if !(0..=Workspace::MAX_UNDO_DAYS).contains(&days) {
            return Err(Problem::UndoDaysInvalid.into());
        }
        let mut change = self.db.begin(actor).await?;
        let before = store::undo_days(&mut change, workspace).await?.ok_or(WorkspaceError::NotFound)?;
        let name = store::set_undo_days(&mut change, workspace, days).await?.ok_or(WorkspaceError::NotFound)?;
        let entry = NewAuditEntry {
            action: Action::WorkspaceChanged,
            subject_id: workspace.as_str(),
            subject: &name,
            details: json!({ "undo_days": { "from": before, "to": days } }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// Sets how long conversations are kept; `None` keeps them for ever. The next run of
    /// [`erase_old`](crate::conversations::service::Conversations::erase_old) deletes those that are older.
    pub async fn set_retention(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        days: Option<RetentionDays>,
    ) -> Result<(), WorkspaceError> {
        let days = days.map(RetentionDays::get);
        let mut change = self.db.begin(actor).await?;
        let name = store::set_retention(&mut change, workspace, days).await?.ok_or(WorkspaceError::NotFound)?;
        let entry = NewAuditEntry {
            action: Action::WorkspaceChanged,
            subject_id: workspace.as_str(),
            subject: &name,
            details: json!({ "retention_days": days }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }
}

/// Creates a workspace within an open change. The slug is made from the name if none is given.
pub async fn create_in(change: &mut Change, name: &str, slug: Option<&str>) -> Result<Workspace, WorkspaceError> {
    let name = single_line(name, MAX_NAME_CHARS)?;
    let id = WorkspaceId::generate(change.random());
    let slug = match slug {
        Some(slug) => slug::parse(slug)?,
        None => {
            let slug = slug::from_name(&name, "workspace");
            let taken = store::slug_taken(change, &slug).await?;
            if taken { slug::with_suffix(&slug, change.random()) } else { slug }
        }
    };
    let now = change.now();
    if !store::insert(change, &id, &slug, &name, now).await? {
        return Err(Problem::SlugTaken.into());
    }
    let entry = NewAuditEntry {
        action: Action::WorkspaceCreated,
        subject_id: id.as_str(),
        subject: &name,
        details: json!({ "slug": slug }),
    };
    audit::record(change, &id, entry).await?;
    Ok(Workspace {
        id,
        slug,
        name,
        keys_copyable: true,
        retention_days: None,
        undo_days: Workspace::DEFAULT_UNDO_DAYS,
        members_may_request: false,
    })
}

/// What a workspace demands of its keys; `None` if there is no such workspace.
pub async fn policy(db: &Db, workspace: &WorkspaceId) -> Result<Option<KeyPolicy>, DbError> {
    store::policy(db, workspace).await
}

/// Like [`policy`]. Locks it until the change ends.
pub async fn lock_policy(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<KeyPolicy>, DbError> {
    store::lock_policy(change, workspace).await
}

/// Replaces the policy. Returns the workspace's name; `None` if it does not exist.
pub async fn set_policy(
    change: &mut Change,
    workspace: &WorkspaceId,
    policy: &KeyPolicy,
) -> Result<Option<String>, DbError> {
    store::set_policy(change, workspace, policy).await
}

/// Days in which a deletion in this workspace can be undone; `None` if there is no such workspace.
pub async fn undo_days(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<i32>, DbError> {
    store::undo_days(change, workspace).await
}

/// Whether a workspace's keys can be copied after their creation; `None` if there is no such workspace.
pub async fn keys_copyable(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<bool>, DbError> {
    store::keys_copyable(change, workspace).await
}

/// Sets whether a workspace's keys can be copied after their creation. Returns the workspace's name; `None` if it does
/// not exist.
pub async fn set_keys_copyable(
    change: &mut Change,
    workspace: &WorkspaceId,
    copyable: bool,
) -> Result<Option<String>, DbError> {
    store::set_keys_copyable(change, workspace, copyable).await
}

/// The workspaces with a retention period, and the period in days.
pub async fn retentions(db: &Db) -> Result<Vec<(WorkspaceId, i32)>, DbError> {
    store::retentions(db).await
}

/// Locks a workspace's retention period until the change ends; `false` if it is no longer `days`.
pub async fn lock_retention(change: &mut Change, workspace: &WorkspaceId, days: i32) -> Result<bool, DbError> {
    store::lock_retention(change, workspace, days).await
}

/// The workspace with this id or slug; for services of other modules.
pub async fn find(db: &Db, id_or_slug: &str) -> Result<Option<Workspace>, DbError> {
    store::find(db, id_or_slug).await
}
