//! What pages and command line do with workspaces.

use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::base::text::single_line;
use crate::db::Tx;
use crate::gate;
use crate::server::state::App;
use crate::workspaces::{RetentionDays, Workspace, slug, store};
use serde_json::json;

const MAX_NAME_CHARS: usize = 100;

/// Makes a workspace in a transaction of the caller's. Without a slug it gets one made from its name.
pub async fn create(tx: &mut Tx, app: &App, actor: &Actor, name: &str, slug: Option<&str>) -> Result<Workspace, Error> {
    let name = single_line(name, MAX_NAME_CHARS)?;
    let id = WorkspaceId::generate(&app.random);
    let slug = match slug {
        Some(slug) => slug::parse(slug)?,
        None => {
            let slug = slug::from_name(&name, "workspace");
            let taken = store::slug_taken(tx, &slug).await?;
            if taken { slug::with_suffix(&slug, &app.random) } else { slug }
        }
    };
    store::insert(tx, &id, &slug, &name, app.clock.now()).await?;
    let entry = Entry {
        action: Action::WorkspaceCreated,
        subject_id: id.as_str(),
        subject: &name,
        details: json!({ "slug": slug }),
    };
    audit::record(tx, app, &id, actor, entry).await?;
    Ok(Workspace { id, slug, name, keys_copyable: true, retention_days: None })
}

/// Sets how long conversations are kept; `None` keeps them. Those that are older go with the next round of
/// [`erase_old`](crate::conversations::service::erase_old).
pub async fn set_retention(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    days: Option<RetentionDays>,
) -> Result<(), Error> {
    let days = days.map(RetentionDays::get);
    let mut tx = app.db.begin().await?;
    let name = store::set_retention(&mut tx, workspace, days).await?.ok_or(Error::NotFound)?;
    let entry = Entry {
        action: Action::WorkspaceChanged,
        subject_id: workspace.as_str(),
        subject: &name,
        details: json!({ "retention_days": days }),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    gate::follower::commit(app, tx).await
}
