//! Operations on keys. Each change is recorded in the audit log, in the same transaction.

/// Changes of many keys at once.
pub mod bulk;

use crate::api_keys::filter::KeyFacets;
use crate::api_keys::review::{Concern, Review, UNUSED_DAYS};
use crate::api_keys::secret::PlainKey;
use crate::api_keys::store::{self, Insertion, NewKeyRow, NextValue, PAGE_SIZE, PageStart, Selected};
use crate::api_keys::{
    AgentScope, ApiKey, DeletedKey, KeyBeyondPolicy, KeyFilter, KeyListQuery, KeyName, KeyOrder, KeyPage, KeySettings,
    Pause, Permissions, UnusedKey, within_limits,
};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{ApiKeyId, UserId, WorkspaceId};
use crate::base::sealing::{MasterKeys, SealError};
use crate::base::text::optional_line;
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError, WorkKind};
use crate::sessions::shown_once::{ShownOnce, ShownOnceError};
use crate::workspaces::{self, KeyPolicy};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Longest list of deleted keys.
const MAX_DELETED: i64 = 1_000;
/// Most keys that are changed at once.
pub const MAX_CHANGED: usize = 10_000;
/// Keys erased per transaction.
const ERASE_BATCH: i64 = 100;

/// Why an operation on keys failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("There is no such key.")]
    NotFound,
    /// The key's value was never stored, or was destroyed.
    #[error("This key was shown once, when it was created, and cannot be copied any more. Create a new key instead.")]
    NotCopyable,
    /// The value that the last rotation replaced still opens.
    #[error("This key is being rotated. End its old value first, or cancel the rotation.")]
    RotationUnderWay,
    /// Somebody else has changed the key since it was read.
    #[error(
        "Somebody changed this key in the meantime. Look at it again, and repeat your change if it is still right."
    )]
    Changed,
    /// There is no old value, or it no longer opens.
    #[error("This key has no old value that still opens.")]
    NoOldValue,
    /// The cursor of a page of the list is invalid for this sort order.
    #[error("This is not a place in the list of keys.")]
    BadCursor,
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The validated input for a new key.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: KeyName,
    pub scope: AgentScope,
    pub permissions: Permissions,
    pub expires_at: Timestamp,
    pub settings: KeySettings,
}

/// Who creates a key with a form, and where its value waits for their page.
#[derive(Clone, Copy, Debug)]
pub struct FormCreator<'a> {
    pub actor: &'a Actor,
    pub user: &'a UserId,
    pub shown_once: &'a ShownOnce,
}

/// What a rotation asks for.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Until when the value that is replaced still opens.
    pub overlap_end: Timestamp,
    /// Expiry of the new value.
    pub expires_at: Timestamp,
}

/// The masked value that a form was made for. A form that is sent again does not rotate again.
#[derive(Clone, Copy, Debug)]
pub struct SeenValue<'a>(pub &'a str);

/// The new value of a key.
#[derive(Debug)]
pub struct RotatedKey {
    pub value: PlainKey,
    pub expires_at: Timestamp,
    /// Until when the old value still opens.
    pub old_until: Timestamp,
}

/// A newly created key and its value.
#[derive(Debug)]
pub struct CreatedKey {
    pub id: ApiKeyId,
    pub value: PlainKey,
}

/// Service for API keys.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    db: Db,
    sealing: Arc<MasterKeys>,
}

/// How many sealed values open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealReport {
    pub open: u64,
    /// Sealed under a master key that this server does not have.
    pub other_master_key: u64,
    /// Changed, or moved from another key.
    pub damaged: u64,
}

/// Sealed values that are read at once.
const SEALED_BATCH: i64 = 200;

impl ApiKeys {
    pub fn new(db: Db, sealing: Arc<MasterKeys>) -> Self {
        Self { db, sealing }
    }

    /// Makes an id for a new key.
    pub fn new_id(&self) -> ApiKeyId {
        ApiKeyId::generate(self.db.random())
    }

    /// Creates a key. Errors: a chosen agent is not of this workspace, the expiry is out of range, or a permission
    /// needs a key on all agents.
    pub async fn create(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        new: &NewKey,
    ) -> Result<CreatedKey, ApiKeyError> {
        let id = self.new_id();
        let mut change = self.db.begin(actor).await?;
        // A fresh id is never taken.
        let value = self.create_in(&mut change, workspace, actor, &id, new).await?.ok_or(DbError::Failed)?;
        change.commit().await?;
        Ok(CreatedKey { id, value })
    }

    /// Creates the key of a form, which has the key's id, and leaves its value for the page that shows it once. The same
    /// form sent again creates nothing more. Returns the key's id: another one where a different form was sent under this
    /// id before. Errors as of [`create`](Self::create).
    pub async fn create_from_form(
        &self,
        workspace: &WorkspaceId,
        creator: FormCreator<'_>,
        id: ApiKeyId,
        new: &NewKey,
    ) -> Result<ApiKeyId, ApiKeyError> {
        if self.insert_from_form(workspace, creator, &id, new).await? {
            return Ok(id);
        }
        let before = store::find(&self.db, workspace, &id).await?;
        if before.is_some_and(|key| is_made_from(&key, new, creator.actor)) {
            return Ok(id);
        }
        let id = self.new_id();
        self.insert_from_form(workspace, creator, &id, new).await?;
        Ok(id)
    }

    /// Returns `false` if the id is taken.
    async fn insert_from_form(
        &self,
        workspace: &WorkspaceId,
        FormCreator { actor, user, shown_once }: FormCreator<'_>,
        id: &ApiKeyId,
        new: &NewKey,
    ) -> Result<bool, ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let Some(value) = self.create_in(&mut change, workspace, actor, id, new).await? else { return Ok(false) };
        shown_once.put_in(&mut change, workspace, user, id.as_str(), value.expose()).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Whether a workspace with this policy allows a new key like this.
    pub fn check(
        &self,
        policy: &KeyPolicy,
        scope: &AgentScope,
        permissions: &Permissions,
        expires_at: Timestamp,
    ) -> Result<(), ApiKeyError> {
        let now = self.db.now();
        let all_agents = *scope == AgentScope::All;
        within_limits(expires_at, now)?;
        fits(permissions, all_agents)?;
        lifetime_obeys(policy, expires_at, now)?;
        match all_agents && !policy.all_agents_allowed {
            true => Err(Problem::AllAgentsForbidden.into()),
            false => Ok(()),
        }
    }

    /// Inserts a key and its audit entry. Returns the key's value; `None` if the id is taken.
    pub async fn create_in(
        &self,
        change: &mut Change,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        new: &NewKey,
    ) -> Result<Option<PlainKey>, ApiKeyError> {
        let (now, expires_at) = (self.db.now(), new.expires_at);
        let policy = workspaces::service::lock_policy(change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        self.check(&policy, &new.scope, &new.permissions, expires_at)?;
        settings_obey(&policy, &new.settings)?;
        let value = PlainKey::generate(self.db.random());
        let copyable = workspaces::service::keys_copyable(change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let sealed = copyable.then(|| value.seal(&self.sealing, workspace, id, self.db.random())).transpose()?;
        let row = NewKeyRow {
            id,
            name: &new.name,
            masked: &value.masked(),
            hash: &value.hashed(),
            sealed: sealed.as_ref(),
            scope: &new.scope,
            permissions: &new.permissions,
            created_at: now,
            created_by: &actor.name,
            expires_at,
            settings: &new.settings,
        };
        match store::insert(change, workspace, &row).await? {
            Insertion::Done => {}
            Insertion::IdTaken => return Ok(None),
            Insertion::UnknownAgent => return Err(Problem::AgentsUnknown.into()),
        }
        let mut details = json!({
            "agents": match &new.scope {
                AgentScope::All => json!("all"),
                AgentScope::Chosen(agents) => json!(agents),
            },
            "permissions": new.permissions,
            "expires_at": expires_at.iso(),
        });
        let set = difference(&KeySettings::default(), &new.settings);
        if let (Some(details), Value::Object(set)) = (details.as_object_mut(), set) {
            details.extend(set.into_iter().map(|(name, change)| (name, change["to"].clone())));
        }
        record(change, workspace, Action::KeyCreated, id, &new.name, details).await?;
        Ok(Some(value))
    }

    pub async fn find(&self, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<ApiKey>, DbError> {
        store::find(&self.db, workspace, id).await
    }

    /// The number of keys that were never used, and up to `limit` of them, oldest first.
    pub async fn never_used(&self, workspace: &WorkspaceId, limit: i64) -> Result<(u64, Vec<UnusedKey>), DbError> {
        store::never_used(&self.db, workspace, limit).await
    }

    /// Number of keys, in all workspaces, whose values are sealed under another master key than this server's.
    pub async fn foreign_seals(&self) -> Result<i64, DbError> {
        store::foreign_seals(&self.db, &self.sealing.id()).await
    }

    /// Opens every sealed value, in all workspaces, and counts those that open and those that do not.
    pub async fn check_seals(&self) -> Result<SealReport, DbError> {
        let (db, mut report, mut last) = (self.db.of(WorkKind::Background), SealReport::default(), None);
        loop {
            let values = store::sealed_values(&db, last.as_ref(), SEALED_BATCH).await?;
            let Some(next) = values.last() else { return Ok(report) };
            last = Some((next.workspace_id.clone(), next.id.clone()));
            for value in &values {
                match PlainKey::open(&value.sealed(), &self.sealing, &value.workspace_id, &value.id) {
                    Ok(_) => report.open += 1,
                    Err(SealError::OtherMasterKey) => report.other_master_key += 1,
                    Err(_) => report.damaged += 1,
                }
            }
        }
    }

    /// Seals every value, in all workspaces, under the master key that seals now. Returns how many were sealed again;
    /// those that do not open stay as they are.
    pub async fn seal_again(&self) -> Result<u64, ApiKeyError> {
        let (db, mut count, mut last) = (self.db.of(WorkKind::Background), 0, None);
        loop {
            let values = store::sealed_values(&db, last.as_ref(), SEALED_BATCH).await?;
            let Some(next) = values.last() else { return Ok(count) };
            last = Some((next.workspace_id.clone(), next.id.clone()));
            let current = self.sealing.id();
            let mut change = db.begin_unattended().await?;
            for value in values.iter().filter(|value| value.sealed_with != current) {
                let (workspace, id) = (&value.workspace_id, &value.id);
                let Ok(plain) = PlainKey::open(&value.sealed(), &self.sealing, workspace, id) else { continue };
                let sealed = plain.seal(&self.sealing, workspace, id, db.random())?;
                count += store::replace_sealed(&mut change, value, &sealed).await?;
            }
            change.commit().await?;
        }
    }

    /// Changes a key's name and permissions. Nothing else of a key can be changed.
    pub async fn edit(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        name: &KeyName,
        permissions: &Permissions,
    ) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let before = store::lock(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        fits(permissions, before.all_agents)?;
        let is_wider = permissions.iter().any(|permission| !before.permissions.contain(permission));
        store::update(&mut change, workspace, id, name, (permissions, is_wider), self.db.now()).await?;
        let details = json!({
            "name": { "from": before.name, "to": name },
            "permissions": { "from": before.permissions, "to": permissions },
        });
        record(&mut change, workspace, Action::KeyEdited, id, name, details).await?;
        Ok(change.commit().await?)
    }

    /// Replaces a key's settings. They hold for every call that begins after this has returned, on all servers. With `seen`,
    /// the [version](KeySettings::version) that the new settings were made from, it is an error if they changed since.
    pub async fn set(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        settings: &KeySettings,
        seen: Option<&str>,
    ) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let policy = workspaces::service::lock_policy(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let locked = store::lock(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let before = store::settings(&mut change, workspace, id).await?;
        if seen.is_some_and(|seen| before.version() != seen) {
            return Err(ApiKeyError::Changed);
        }
        if before == *settings {
            return Ok(());
        }
        settings_obey(&policy, settings)?;
        store::set(&mut change, workspace, id, settings, self.db.now()).await?;
        record(&mut change, workspace, Action::KeyEdited, id, &locked.name, difference(&before, settings)).await?;
        Ok(change.commit().await?)
    }

    /// The key with this value, or with this value before its last rotation; `None` if it was erased.
    pub async fn find_by_value(&self, workspace: &WorkspaceId, value: &str) -> Result<Option<ApiKeyId>, DbError> {
        match PlainKey::parse(value.trim()) {
            Some(value) => store::by_hash(&self.db, workspace, &value.hashed()).await,
            None => Ok(None),
        }
    }

    /// Gives a key another value. The one that it has opens until `overlap_end`, but not beyond its own expiry. Errors: the
    /// value before that one still opens, or the new expiry is out of range.
    pub async fn rotate(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        rotation: Rotation,
    ) -> Result<RotatedKey, ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let rotated = self.rotate_in(&mut change, workspace, id, rotation, None).await?;
        change.commit().await?;
        Ok(rotated)
    }

    /// Like [`rotate`](Self::rotate), for a form: leaves the new value for the page that shows it once.
    pub async fn rotate_from_form(
        &self,
        workspace: &WorkspaceId,
        FormCreator { actor, user, shown_once }: FormCreator<'_>,
        id: &ApiKeyId,
        rotation: Rotation,
        seen: SeenValue<'_>,
    ) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let rotated = self.rotate_in(&mut change, workspace, id, rotation, Some(seen)).await?;
        shown_once.put_in(&mut change, workspace, user, id.as_str(), rotated.value.expose()).await?;
        Ok(change.commit().await?)
    }

    async fn rotate_in(
        &self,
        change: &mut Change,
        workspace: &WorkspaceId,
        id: &ApiKeyId,
        rotation: Rotation,
        seen: Option<SeenValue<'_>>,
    ) -> Result<RotatedKey, ApiKeyError> {
        let now = self.db.now();
        let expires_at = within_limits(rotation.expires_at, now)?;
        let policy = workspaces::service::lock_policy(change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        lifetime_obeys(&policy, expires_at, now)?;
        let copyable = workspaces::service::keys_copyable(change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let before = store::lock(change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        if before.open_old_value(now).is_some() {
            return Err(ApiKeyError::RotationUnderWay);
        }
        if seen.is_some_and(|SeenValue(masked)| masked != before.masked) {
            return Err(ApiKeyError::Changed);
        }
        let value = PlainKey::generate(self.db.random());
        let sealed = copyable.then(|| value.seal(&self.sealing, workspace, id, self.db.random())).transpose()?;
        let old_until = rotation.overlap_end.min(before.expires_at).max(now);
        let next = NextValue {
            masked: &value.masked(),
            hash: &value.hashed(),
            sealed: sealed.as_ref(),
            expires_at,
            old_until,
        };
        store::rotate(change, workspace, id, &next, now).await?;
        let details = json!({
            "value": { "from": before.masked, "to": next.masked },
            "expires_at": { "from": before.expires_at.iso(), "to": expires_at.iso() },
            "old_value_until": old_until.iso(),
        });
        record(change, workspace, Action::KeyRotated, id, &before.name, details).await?;
        Ok(RotatedKey { value, expires_at, old_until })
    }

    /// Ends the value that a rotation replaced.
    pub async fn end_old_value(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
    ) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let (now, before) = (self.db.now(), store::lock(&mut change, workspace, id).await?);
        let before = before.ok_or(ApiKeyError::NotFound)?;
        let old = before.open_old_value(now).ok_or(ApiKeyError::NoOldValue)?;
        store::end_old_value(&mut change, workspace, id, now).await?;
        let details = json!({ "old_value": old.masked, "until": { "from": old.until.iso(), "to": now.iso() } });
        record(&mut change, workspace, Action::KeyOldValueEnded, id, &before.name, details).await?;
        Ok(change.commit().await?)
    }

    /// Undoes a rotation while the old value still opens: the key has the old value and its expiry again, and the new value
    /// is refused.
    pub async fn cancel_rotation(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
    ) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let policy = workspaces::service::lock_policy(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let (now, before) = (self.db.now(), store::lock(&mut change, workspace, id).await?);
        let before = before.ok_or(ApiKeyError::NotFound)?;
        let old = before.open_old_value(now).ok_or(ApiKeyError::NoOldValue)?;
        let bound = policy.bound().map(|days| old.created_at.plus_days(days.into()));
        let expires_at = bound.map_or(old.expires_at, |bound| old.expires_at.min(bound));
        store::cancel_rotation(&mut change, workspace, id, expires_at, now).await?;
        let details = json!({
            "value": { "from": before.masked, "to": old.masked },
            "expires_at": { "from": before.expires_at.iso(), "to": expires_at.iso() },
        });
        record(&mut change, workspace, Action::KeyRotationCancelled, id, &before.name, details).await?;
        Ok(change.commit().await?)
    }

    /// Refuses a key until it is resumed. A paused key gets the new reason.
    pub async fn pause(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        id: &ApiKeyId,
        reason: &str,
    ) -> Result<(), ApiKeyError> {
        let reason = optional_line(reason, Pause::MAX_REASON).ok_or(Problem::ReasonTooLong)?;
        let mut change = self.db.begin(actor).await?;
        let before = store::lock(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let now = self.db.now();
        let pause = Pause { at: now, by: actor.name.clone(), reason };
        store::set_pause(&mut change, workspace, id, Some(&pause), now).await?;
        let details = json!({ "reason": pause.reason });
        record(&mut change, workspace, Action::KeyPaused, id, &before.name, details).await?;
        Ok(change.commit().await?)
    }

    /// Accepts a paused key again. Does nothing if it is not paused.
    pub async fn resume(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let before = store::lock(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        if !before.is_paused {
            return Ok(());
        }
        store::set_pause(&mut change, workspace, id, None, self.db.now()).await?;
        record(&mut change, workspace, Action::KeyResumed, id, &before.name, json!({})).await?;
        Ok(change.commit().await?)
    }

    /// Deletes a key. Every request that begins after this has returned is refused, on all servers. The deletion can be
    /// undone for as many days as the workspace's settings say.
    pub async fn delete(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<ApiKey, ApiKeyError> {
        let key = store::find(&self.db, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        let undo_days = workspaces::service::undo_days(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        store::lock(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        match undo_days {
            0 => drop(store::delete(&mut change, workspace, id).await?),
            _ => store::mark_deleted(&mut change, workspace, id, &actor.name, self.db.now()).await?,
        }
        let details = json!({ "masked": key.masked });
        record(&mut change, workspace, Action::KeyDeleted, id, &key.name, details).await?;
        change.commit().await?;
        Ok(key)
    }

    /// The keys that a concern is about, at most `limit` of them.
    pub async fn review(&self, workspace: &WorkspaceId, concern: Concern, limit: i64) -> Result<Review, DbError> {
        let now = self.db.now();
        let at = match concern {
            Concern::NeverUsed => now.plus_days(-1).0,
            Concern::Idle => now.plus_days(-90).0,
            Concern::ExpiresSoon => now.plus_days(30).0,
            Concern::OldValue => now.plus_days(-365).0,
            Concern::OftenRefused => now.plus_days(-7).seconds() / 3_600,
            Concern::OneAgent | Concern::UnusedPermissions => now.plus_days(-UNUSED_DAYS).0,
            Concern::BeyondPolicy => match self.lifetime_limit(workspace).await? {
                Some(days) => Timestamp(0).plus_days(days.into()).0,
                None => return Ok(Review::new(concern, Vec::new())),
            },
            Concern::OwnerGone | Concern::NoOwner | Concern::NoNetwork => 0,
        };
        Ok(Review::new(concern, store::review(&self.db, workspace, concern, at, limit).await?))
    }

    /// Undoes the deletion of a key. It has its values, its pause and its history again.
    pub async fn restore(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let undo_days = workspaces::service::undo_days(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let since = self.db.now().plus_days(-i64::from(undo_days));
        let restored = store::restore(&mut change, workspace, id, since).await?;
        let (name, masked) = restored.ok_or(ApiKeyError::NotFound)?;
        record(&mut change, workspace, Action::KeyRestored, id, &name, json!({ "masked": masked })).await?;
        Ok(change.commit().await?)
    }

    /// The latest keys whose deletion can still be undone, at most 1,000 of them.
    pub async fn deleted(&self, workspace: &WorkspaceId, undo_days: i32) -> Result<Vec<DeletedKey>, DbError> {
        let since = self.db.now().plus_days(-i64::from(undo_days));
        store::deleted(&self.db, workspace, since, MAX_DELETED).await
    }

    /// Erases the keys of all workspaces whose deletion can no longer be undone, and the sealed old values that no longer
    /// open.
    pub async fn erase_deleted(&self) -> Result<(), DbError> {
        let db = self.db.of(WorkKind::Background);
        loop {
            let mut change = db.begin_unattended().await?;
            let erased = store::erase(&mut change, db.now(), ERASE_BATCH).await?;
            change.commit().await?;
            if erased < ERASE_BATCH as u64 {
                break;
            }
        }
        let mut change = db.begin_unattended().await?;
        store::forget_old_values(&mut change, db.now()).await?;
        change.commit().await
    }

    /// Decrypts a key's value for an admin to copy, and records this in the audit log.
    pub async fn copy(&self, workspace: &WorkspaceId, actor: &Actor, id: &ApiKeyId) -> Result<PlainKey, ApiKeyError> {
        let key = store::find(&self.db, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let mut change = self.db.begin(actor).await?;
        let sealed = store::find_sealed(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let value = PlainKey::open(&sealed.ok_or(ApiKeyError::NotCopyable)?, &self.sealing, workspace, id)?;
        record(&mut change, workspace, Action::KeyCopied, id, &key.name, json!({})).await?;
        change.commit().await?;
        Ok(value)
    }

    /// Sets whether the workspace's keys can be copied after their creation. Turning this off destroys all stored
    /// values.
    pub async fn set_copyable(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        copyable: bool,
    ) -> Result<(), ApiKeyError> {
        let mut change = self.db.begin(actor).await?;
        let before = workspaces::service::keys_copyable(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        if before == copyable {
            return Ok(());
        }
        let name = workspaces::service::set_keys_copyable(&mut change, workspace, copyable)
            .await?
            .ok_or(ApiKeyError::NotFound)?;
        let destroyed = if copyable { 0 } else { store::destroy_sealed(&mut change, workspace).await? };
        let entry = NewAuditEntry {
            action: Action::WorkspaceChanged,
            subject_id: workspace.as_str(),
            subject: &name,
            details: json!({ "keys_copyable": { "from": before, "to": copyable }, "values_destroyed": destroyed }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }

    /// The longest lifetime of the policy, in days.
    async fn lifetime_limit(&self, workspace: &WorkspaceId) -> Result<Option<i32>, DbError> {
        let policy = workspaces::service::policy(&self.db, workspace).await?;
        Ok(policy.and_then(|policy| policy.max_lifetime_days))
    }

    /// What a workspace demands of its keys.
    pub async fn policy(&self, workspace: &WorkspaceId) -> Result<KeyPolicy, ApiKeyError> {
        workspaces::service::policy(&self.db, workspace).await?.ok_or(ApiKeyError::NotFound)
    }

    /// Replaces what a workspace demands of its keys, and makes existing keys follow. Returns the number of keys whose
    /// expiry changed. Errors: the rules do not agree with each other, keys would expire earlier and this was not
    /// `confirmed`, or the policy has changed since `seen`, the [version](KeyPolicy::version) that it was made from.
    pub async fn set_policy(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        policy: KeyPolicy,
        confirmed: bool,
        seen: Option<&str>,
    ) -> Result<u64, ApiKeyError> {
        let policy = policy.checked()?;
        let mut change = self.db.begin(actor).await?;
        let before = workspaces::service::lock_policy(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        if seen.is_some_and(|seen| before.version() != seen) {
            return Err(ApiKeyError::Changed);
        }
        if before == policy {
            return Ok(0);
        }
        let (now, bound) = (self.db.now(), policy.bound());
        if let Some(days) = bound.filter(|_| !confirmed) {
            let keys = store::count_beyond(&mut change, workspace, days, now).await?;
            if keys > 0 {
                return Err(Problem::KeysExpireEarlier { keys: keys.try_into().unwrap_or(u32::MAX) }.into());
            }
        }
        let name = workspaces::service::set_policy(&mut change, workspace, &policy).await?;
        let name = name.ok_or(ApiKeyError::NotFound)?;
        let changed = match before.bound() == bound {
            true => 0,
            false => store::bind_lifetimes(&mut change, workspace, bound, now).await?,
        };
        let mut details = policy_difference(&before, &policy);
        details["expiries_changed"] = json!(changed);
        let entry =
            NewAuditEntry { action: Action::WorkspaceChanged, subject_id: workspace.as_str(), subject: &name, details };
        audit::record(&mut change, workspace, entry).await?;
        change.commit().await?;
        Ok(changed)
    }

    /// The number of keys that expire later than this longest lifetime allows, and up to `limit` of them: first those
    /// that would expire first.
    pub async fn beyond_lifetime(
        &self,
        workspace: &WorkspaceId,
        max_lifetime_days: i32,
        limit: i64,
    ) -> Result<(u64, Vec<KeyBeyondPolicy>), DbError> {
        store::beyond(&self.db, workspace, max_lifetime_days, limit).await
    }

    /// The number of keys that search and filter let through, up to `most`.
    pub async fn count_matches(
        &self,
        workspace: &WorkspaceId,
        query: &KeyListQuery,
        most: u64,
    ) -> Result<u64, DbError> {
        let selected = Selected { search: &query.search, filter: &query.filter };
        store::count(&self.db, workspace, selected, most).await
    }

    /// The number of keys that a filter lets through, up to one more than can be changed at once.
    pub async fn count_filtered(&self, workspace: &WorkspaceId, filter: &KeyFilter) -> Result<u64, DbError> {
        store::count(&self.db, workspace, Selected { search: "", filter }, MAX_CHANGED as u64 + 1).await
    }

    /// Numbers of keys by what they can be filtered by.
    pub async fn facets(&self, workspace: &WorkspaceId) -> Result<KeyFacets, DbError> {
        store::facets(&self.db, workspace).await
    }

    /// One page of keys. The cursor is the sort value and the id of a key (keyset pagination). So every page costs the
    /// same, and no key is skipped or repeated when keys are added or deleted meanwhile.
    pub async fn page(&self, workspace: &WorkspaceId, query: &KeyListQuery) -> Result<KeyPage, ApiKeyError> {
        let (backwards, place) = match (&query.before, &query.after) {
            (Some(before), _) => (true, Some(before)),
            (None, after) => (false, after.as_ref()),
        };
        let place = match place {
            Some(text) => Some(KeyCursor::parse(text).ok_or(ApiKeyError::BadCursor)?),
            None => None,
        };
        let (from, id) = begin(query.sort, backwards, place.as_ref())?;
        let selected = Selected { search: &query.search, filter: &query.filter };
        let mut rows = store::page(&self.db, workspace, selected, &from, &id).await?;
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

/// Whether a key is what this input makes. The expiry is not compared: the input has it relative to now.
fn is_made_from(key: &ApiKey, new: &NewKey, actor: &Actor) -> bool {
    let same_agents = match (&key.agents, &new.scope) {
        (None, AgentScope::All) => true,
        (Some(agents), AgentScope::Chosen(chosen)) => {
            agents.len() == chosen.len() && agents.iter().all(|agent| chosen.contains(&agent.id))
        }
        _ => false,
    };
    same_agents && key.name == new.name && key.permissions == new.permissions && key.created_by == actor.name
}

fn lifetime_obeys(policy: &KeyPolicy, expires_at: Timestamp, now: Timestamp) -> Result<(), Problem> {
    match policy.max_lifetime_days {
        Some(days) if expires_at > now.plus_days(days.into()) => Err(Problem::LifetimeTooLong { days }),
        _ => Ok(()),
    }
}

fn settings_obey(policy: &KeyPolicy, settings: &KeySettings) -> Result<(), Problem> {
    if policy.owner_required && settings.owner.is_empty() {
        Err(Problem::OwnerMissing)
    } else if policy.networks_required && settings.networks.is_empty() {
        Err(Problem::NetworksMissing)
    } else {
        Ok(())
    }
}

fn fits(permissions: &Permissions, all_agents: bool) -> Result<(), Problem> {
    match permissions.iter().any(|permission| permission.needs_all_agents()) && !all_agents {
        true => Err(Problem::PermissionNeedsAllAgents),
        false => Ok(()),
    }
}

/// Cursor of the list of keys: the id and the sort value of a key. In the query string it is `id~value`.
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
        // The longest value is a name of 100 characters in lower case, each of up to several bytes.
        (value.len() <= 1_200 && !value.contains('\0')).then(|| Self { id, value: value.to_owned() })
    }

    fn time(&self) -> Result<Timestamp, ApiKeyError> {
        self.value.parse().map(Timestamp).map_err(|_| ApiKeyError::BadCursor)
    }
}

impl std::fmt::Display for KeyCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}~{}", self.id, self.value)
    }
}

/// The start of a page, and the id after which it begins. A page read backwards has the opposite sort order.
fn begin(sort: KeyOrder, backwards: bool, place: Option<&KeyCursor>) -> Result<(PageStart, String), ApiKeyError> {
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

impl From<ShownOnceError> for ApiKeyError {
    fn from(error: ShownOnceError) -> Self {
        match error {
            ShownOnceError::Seal(error) => error.into(),
            ShownOnceError::Db(error) => error.into(),
        }
    }
}

fn policy_difference(before: &KeyPolicy, after: &KeyPolicy) -> Value {
    let fields = |policy: &KeyPolicy| json!(policy).as_object().cloned().unwrap_or_default();
    changed_fields(fields(before).into_iter().zip(fields(after)).map(|((name, from), (_, to))| (name, from, to)))
}

/// What changed, for the audit log.
fn difference(before: &KeySettings, after: &KeySettings) -> Value {
    let rate = |settings: &KeySettings| settings.rate.map(|rate| json!({ "calls": rate.typed(), "burst": rate.burst }));
    let fields = [
        ("owner", json!(before.owner), json!(after.owner)),
        ("note", json!(before.note), json!(after.note)),
        ("tags", json!(before.tags), json!(after.tags)),
        ("networks", json!(before.networks), json!(after.networks)),
        ("rate", json!(rate(before)), json!(rate(after))),
        ("quota", json!(before.quota), json!(after.quota)),
    ];
    changed_fields(fields.into_iter().map(|(name, from, to)| (name.to_owned(), from, to)))
}

fn changed_fields(fields: impl Iterator<Item = (String, Value, Value)>) -> Value {
    let changed = fields.filter(|(_, from, to)| from != to);
    changed.map(|(name, from, to)| (name, json!({ "from": from, "to": to }))).collect::<Map<_, _>>().into()
}

async fn record(
    change: &mut Change,
    workspace: &WorkspaceId,
    action: Action,
    id: &ApiKeyId,
    name: &KeyName,
    details: serde_json::Value,
) -> Result<(), DbError> {
    let entry = NewAuditEntry { action, subject_id: id.as_str(), subject: name.as_str(), details };
    audit::record(change, workspace, entry).await
}
