//! What pages, command line and APIs do with keys. Each is one transaction with its audit entry.

use crate::api_keys::secret::PlainKey;
use crate::api_keys::store::{self, NewKeyRow, PAGE_SIZE, PageStart};
use crate::api_keys::{AgentScope, ApiKey, KeyListQuery, KeyName, KeyOrder, KeyPage, Permissions, within_limits};
use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::{Error, Problem};
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::sealing::MasterKey;
use crate::base::time::Timestamp;
use crate::db::{Change, Db};
use crate::workspaces;
use serde_json::json;
use std::sync::Arc;

/// A key to be made, each part already parsed.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: KeyName,
    pub scope: AgentScope,
    pub permissions: Permissions,
    pub expires_at: Timestamp,
}

/// A key just made, and its value for its owner.
#[derive(Debug)]
pub struct CreatedKey {
    pub id: ApiKeyId,
    pub value: PlainKey,
}

/// API keys: made, edited, copied, deleted, listed.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    db: Db,
    sealing: Arc<MasterKey>,
}

impl ApiKeys {
    /// On this database.
    pub fn new(db: Db, sealing: Arc<MasterKey>) -> Self {
        Self { db, sealing }
    }

    /// Makes a key. Refuses chosen agents that are not this workspace's and an expiry out of bounds.
    pub async fn create(&self, workspace: &WorkspaceId, actor: &Actor, new: &NewKey) -> Result<CreatedKey, Error> {
        let now = self.db.now();
        let expires_at = within_limits(new.expires_at, now)?;
        fits(&new.permissions, new.scope == AgentScope::All)?;
        let id = ApiKeyId::generate(self.db.random());
        let value = PlainKey::generate(self.db.random());

        let mut change = self.db.begin(actor).await?;
        let copyable = workspaces::service::keys_copyable(&mut change, workspace).await?.ok_or(Error::NotFound)?;
        let sealed = copyable.then(|| value.seal(&self.sealing, workspace, &id, self.db.random())).transpose()?;
        let row = NewKeyRow {
            id: &id,
            name: &new.name,
            masked: &value.masked(),
            hash: &value.hashed(),
            sealed: sealed.as_ref(),
            scope: &new.scope,
            permissions: &new.permissions,
            created_at: now,
            created_by: &actor.name,
            expires_at,
        };
        if !store::insert(&mut change, workspace, &row).await? {
            return Err(Problem::AgentsUnknown.into());
        }
        let details = json!({
            "agents": match &new.scope {
                AgentScope::All => json!("all"),
                AgentScope::Chosen(agents) => json!(agents),
            },
            "permissions": new.permissions,
            "expires_at": expires_at.iso(),
        });
        record(&mut change, workspace, Action::KeyCreated, &id, &new.name, details).await?;
        change.commit().await?;
        Ok(CreatedKey { id, value })
    }

    /// One key.
    pub async fn find(&self, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<ApiKey>, Error> {
        store::find(&self.db, workspace, id).await
    }

    /// How many keys of any workspace are sealed under another master key than this server's.
    pub async fn foreign_seals(&self) -> Result<i64, Error> {
        store::foreign_seals(&self.db, self.sealing.id()).await
    }

    /// Changes a key's name and permissions, the two things that can be changed.
    pub async fn edit(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        name: &KeyName,
        permissions: &Permissions,
    ) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        let before = store::lock(&mut change, workspace, id).await?.ok_or(Error::NotFound)?;
        fits(permissions, before.all_agents)?;
        store::update(&mut change, workspace, id, name, permissions, self.db.now()).await?;
        let details = json!({
            "name": { "from": before.name, "to": name },
            "permissions": { "from": before.permissions, "to": permissions },
        });
        record(&mut change, workspace, Action::KeyEdited, id, name, details).await?;
        change.commit().await
    }

    /// Ends a key for good: refused by every request that starts after this returned.
    pub async fn delete(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<ApiKey, Error> {
        let key = store::find(&self.db, workspace, id).await?.ok_or(Error::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        if !store::delete(&mut change, workspace, id).await? {
            return Err(Error::NotFound);
        }
        let details = json!({ "masked": key.masked });
        record(&mut change, workspace, Action::KeyDeleted, id, &key.name, details).await?;
        change.commit().await?;
        Ok(key)
    }

    /// Opens a key's sealed value, for an admin to copy.
    pub async fn copy(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<PlainKey, Error> {
        let key = store::find(&self.db, workspace, id).await?.ok_or(Error::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        let sealed = store::find_sealed(&mut change, workspace, id).await?.ok_or(Error::NotFound)?;
        let value = PlainKey::open(&sealed.ok_or(Error::NotCopyable)?, &self.sealing, workspace, id)?;
        record(&mut change, workspace, Action::KeyCopied, id, &key.name, json!({})).await?;
        change.commit().await?;
        Ok(value)
    }

    /// Sets whether keys can be copied later; setting it to no destroys every value that was kept.
    pub async fn set_copyable(&self, workspace: &WorkspaceId, actor: &Actor, copyable: bool) -> Result<(), Error> {
        let mut change = self.db.begin(actor).await?;
        let before = workspaces::service::keys_copyable(&mut change, workspace).await?.ok_or(Error::NotFound)?;
        if before == copyable {
            return Ok(());
        }
        let name =
            workspaces::service::set_keys_copyable(&mut change, workspace, copyable).await?.ok_or(Error::NotFound)?;
        let destroyed = if copyable { 0 } else { store::destroy_sealed(&mut change, workspace).await? };
        let entry = Entry {
            action: Action::WorkspaceChanged,
            subject_id: workspace.as_str(),
            subject: &name,
            details: json!({ "keys_copyable": { "from": before, "to": copyable }, "values_destroyed": destroyed }),
        };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await
    }

    /// One page of keys. The place where it begins is a key's own value in that order, so that it costs the same at any
    /// depth and nothing is skipped or doubled while keys come and go.
    pub async fn page(&self, workspace: &WorkspaceId, query: &KeyListQuery) -> Result<KeyPage, Error> {
        let (backwards, place) = match (&query.before, &query.after) {
            (Some(before), _) => (true, Some(before)),
            (None, after) => (false, after.as_ref()),
        };
        let place = match place {
            Some(text) => Some(KeyCursor::parse(text).ok_or(Error::BadRequest)?),
            None => None,
        };
        let (from, id) = begin(query.sort, backwards, place.as_ref())?;
        let mut rows = store::page(&self.db, workspace, &query.search, &from, &id).await?;
        let more = rows.len() > PAGE_SIZE;
        rows.truncate(PAGE_SIZE);
        if backwards {
            rows.reverse();
        }
        let place_of =
            |row: Option<&(ApiKey, String)>| row.map(|(key, name)| KeyCursor::of(query.sort, key, name).to_string());
        let (has_previous, has_next) = if backwards { (more, true) } else { (place.is_some(), more) };
        Ok(KeyPage {
            now: self.db.now(),
            previous: has_previous.then(|| place_of(rows.first())).flatten(),
            next: has_next.then(|| place_of(rows.last())).flatten(),
            keys: rows.into_iter().map(|(key, _)| key).collect(),
        })
    }
}

fn fits(permissions: &Permissions, all_agents: bool) -> Result<(), Problem> {
    match permissions.iter().any(|permission| permission.needs_all_agents()) && !all_agents {
        true => Err(Problem::PermissionNeedsAllAgents),
        false => Ok(()),
    }
}

/// A key's place in an order: its id and its value in that order, as they stand in the page's address.
struct KeyCursor {
    id: String,
    value: String,
}

impl KeyCursor {
    fn of(sort: KeyOrder, key: &ApiKey, name_key: &str) -> Self {
        let value = match sort {
            KeyOrder::Newest | KeyOrder::Oldest => key.created_at.0.to_string(),
            KeyOrder::Expiry => key.expires_at.0.to_string(),
            KeyOrder::LastUsed => key.last_used_at.map_or(0, |at| at.0).to_string(),
            KeyOrder::Name => name_key.to_owned(),
        };
        Self { id: key.id.to_string(), value }
    }

    fn parse(text: &str) -> Option<Self> {
        let (id, value) = text.split_once('~')?;
        let id = ApiKeyId::parse(id)?.to_string();
        // A name of 100 characters, each of which may grow to several bytes in lower case.
        (value.len() <= 1_200 && !value.contains('\0')).then(|| Self { id, value: value.to_owned() })
    }

    fn time(&self) -> Result<Timestamp, Error> {
        self.value.parse().map(Timestamp).map_err(|_| Error::BadRequest)
    }
}

impl std::fmt::Display for KeyCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}~{}", self.id, self.value)
    }
}

/// Where a page begins. Read backwards, an order is its opposite.
fn begin(sort: KeyOrder, backwards: bool, place: Option<&KeyCursor>) -> Result<(PageStart, String), Error> {
    const FIRST: Timestamp = Timestamp(i64::MIN);
    const LAST: Timestamp = Timestamp(i64::MAX);
    let Some(place) = place else {
        let from = match sort {
            KeyOrder::Newest => PageStart::Newest(LAST),
            KeyOrder::Oldest => PageStart::Oldest(FIRST),
            KeyOrder::Name => PageStart::Name(String::new()),
            KeyOrder::Expiry => PageStart::ExpiresFirst(FIRST),
            KeyOrder::LastUsed => PageStart::UsedLately(LAST),
        };
        return Ok((from, String::new()));
    };
    let from = match (sort, backwards) {
        (KeyOrder::Newest, false) | (KeyOrder::Oldest, true) => PageStart::Newest(place.time()?),
        (KeyOrder::Oldest, false) | (KeyOrder::Newest, true) => PageStart::Oldest(place.time()?),
        (KeyOrder::Name, false) => PageStart::Name(place.value.clone()),
        (KeyOrder::Name, true) => PageStart::NameBackwards(place.value.clone()),
        (KeyOrder::Expiry, false) => PageStart::ExpiresFirst(place.time()?),
        (KeyOrder::Expiry, true) => PageStart::ExpiresLast(place.time()?),
        (KeyOrder::LastUsed, false) => PageStart::UsedLately(place.time()?),
        (KeyOrder::LastUsed, true) => PageStart::UsedLatelyBackwards(place.time()?),
    };
    Ok((from, place.id.clone()))
}

async fn record(
    change: &mut Change,
    workspace: &WorkspaceId,
    action: Action,
    id: &ApiKeyId,
    name: &KeyName,
    details: serde_json::Value,
) -> Result<(), Error> {
    let entry = Entry { action, subject_id: id.as_str(), subject: name.as_str(), details };
    audit::record(change, workspace, entry).await
}
