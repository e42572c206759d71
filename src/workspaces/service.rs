//! What pages and command line do with workspaces.

use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::base::id::{UserId, WorkspaceId};
use crate::base::text::single_line;
use crate::db::{Change, Db};
use crate::users::Role;
use crate::workspaces::{RetentionDays, Workspace, slug, store};
use serde_json::json;

const MAX_NAME_CHARS: usize = 100;

/// Workspaces: made, listed, found, set up.
#[derive(Clone, Debug)]
pub struct Workspaces {
    db: Db,
}

impl Workspaces {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Makes a workspace. Without a slug it gets one made from its name.
    pub async fn create(&self, actor: &Actor, name: &str, slug: Option<&str>) -> Result<Workspace, Error> {
        let mut change = self.db.begin(actor).await?;
        let made = create_in(&mut change, name, slug).await?;
        change.commit().await?;
        Ok(made)
    }

    /// Every workspace, by name: for the command line.
    pub async fn list(&self) -> Result<Vec<Workspace>, Error> {
        store::list(&self.db).await
    }

    /// The workspace with this id or slug.
    pub async fn find(&self, id_or_slug: &str) -> Result<Option<Workspace>, Error> {
        store::find(&self.db, id_or_slug).await
    }

    /// The workspaces that a user is a member of, by name, with the user's role in each.
    pub async fn of_user(&self, user: &UserId) -> Result<Vec<(Workspace, Role)>, Error> {
        store::of_user(&self.db, user).await
    }

    /// Sets how long conversations are kept; `None` keeps them. Those that are older go with the next round of
    /// [`erase_old`](crate::conversations::service::Conversations::erase_old).
    pub async fn set_retention(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        days: Option<RetentionDays>,
    ) -> Result<(), Error> {
        let days = days.map(RetentionDays::get);
        let mut change = self.db.begin(actor).await?;
        let name = store::set_retention(&mut change, workspace, days).await?.ok_or(Error::NotFound)?;
        let entry = Entry {
            action: Action::WorkspaceChanged,
            subject_id: workspace.as_str(),
            subject: &name,
            details: json!({ "retention_days": days }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await
    }
}

/// Makes a workspace in a transaction of the caller's. Without a slug it gets one made from its name.
pub async fn create_in(change: &mut Change, name: &str, slug: Option<&str>) -> Result<Workspace, Error> {
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
    store::insert(change, &id, &slug, &name, now).await?;
    let entry = Entry {
        action: Action::WorkspaceCreated,
        subject_id: id.as_str(),
        subject: &name,
        details: json!({ "slug": slug }),
    };
    audit::record(change, &id, entry).await?;
    Ok(Workspace { id, slug, name, keys_copyable: true, retention_days: None })
}

/// Whether a workspace's keys can be copied later; `None` where there is no such workspace.
pub async fn keys_copyable(change: &mut Change, workspace: &WorkspaceId) -> Result<Option<bool>, Error> {
    store::keys_copyable(change, workspace).await
}

/// Sets whether a workspace's keys can be copied later; its name.
pub async fn set_keys_copyable(
    change: &mut Change,
    workspace: &WorkspaceId,
    copyable: bool,
) -> Result<Option<String>, Error> {
    store::set_keys_copyable(change, workspace, copyable).await
}

/// How many days each workspace that erases its conversations keeps them.
pub async fn retentions(db: &Db) -> Result<Vec<(WorkspaceId, i32)>, Error> {
    store::retentions(db).await
}

/// Keeps a workspace's number of days as it is until the change ends; `false` where it is another one.
pub async fn lock_retention(change: &mut Change, workspace: &WorkspaceId, days: i32) -> Result<bool, Error> {
    store::lock_retention(change, workspace, days).await
}

/// The workspace with this id or slug, for other nouns.
pub async fn find(db: &Db, id_or_slug: &str) -> Result<Option<Workspace>, Error> {
    store::find(db, id_or_slug).await
}
