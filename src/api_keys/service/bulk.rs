//! Changes of many keys at once. Each is one transaction, has an audit entry for every key, and can be undone.

use super::ApiKeys;
use crate::api_keys::filter::KeyFilter;
use crate::api_keys::review::UNUSED_DAYS;
use crate::api_keys::service::{ApiKeyError, MAX_CHANGED};
use crate::api_keys::settings::{parse_owner, parse_tags};
use crate::api_keys::store::Selected;
use crate::api_keys::store::bulk::{self as store, BulkChange, KeyBefore, KeyValues, StoredPause};
use crate::api_keys::{Pause, Permission, Permissions, store as keys};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{ApiKeyId, WorkspaceId};
use crate::base::text::optional_line;
use crate::base::time::Timestamp;
use crate::db::{Change, DbError, WorkKind};
use crate::workspaces;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// Characters and length of the id of a change.
const CHANGE_ID: (&[u8], usize) = (b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
/// For how many days a change can be undone.
const UNDO_DAYS: i64 = 7;

/// Which keys are changed.
#[derive(Clone, Debug)]
pub enum Selection {
    Ids(Vec<ApiKeyId>),
    /// All that search and filter let through. It is an error if their number is not `seen`.
    Matching {
        search: String,
        filter: KeyFilter,
        seen: u64,
    },
}

/// What is done to each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkAction {
    Pause {
        reason: String,
    },
    Resume,
    Delete,
    /// Tags separated by commas.
    AddTags(String),
    RemoveTags(String),
    SetOwner(String),
    /// Takes away the permissions that were not used for [`UNUSED_DAYS`]. Each key keeps one.
    RemoveUnused,
}

impl BulkAction {
    /// The name in addresses and in the database.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Delete => "delete",
            Self::AddTags(_) => "add-tags",
            Self::RemoveTags(_) => "remove-tags",
            Self::SetOwner(_) => "set-owner",
            Self::RemoveUnused => "remove-unused",
        }
    }

    /// The action with this id. `text` is what it needs: a reason, tags or an owner.
    pub fn parse(id: &str, text: &str) -> Option<Self> {
        let text = text.to_owned();
        Some(match id {
            "pause" => Self::Pause { reason: text },
            "resume" => Self::Resume,
            "delete" => Self::Delete,
            "add-tags" => Self::AddTags(text),
            "remove-tags" => Self::RemoveTags(text),
            "set-owner" => Self::SetOwner(text),
            "remove-unused" => Self::RemoveUnused,
            _ => return None,
        })
    }
}

/// A change of many keys that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkDone {
    /// Its id; empty if no key had to be changed.
    pub id: String,
    pub keys: u64,
}

/// What becomes of one key.
struct Step {
    values: OneValue,
    action: Action,
    details: Value,
    /// What is needed to undo it.
    before: Value,
}

/// A value that is set for one key.
enum OneValue {
    Pause(StoredPause),
    Deletion(Timestamp, String),
    Tags(String),
    Owner(String),
    Permissions(Permissions),
}

impl ApiKeys {
    /// Changes several keys in one transaction. Keys that are gone, or are as they should be, are passed over. Errors: too
    /// many keys, the selection has changed, the text is too long, or a deletion could not be undone.
    pub async fn change_many(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        selection: &Selection,
        action: &BulkAction,
    ) -> Result<BulkDone, ApiKeyError> {
        let ids = self.selected(workspace, selection).await?;
        let mut change = self.db.begin(actor).await?;
        let policy = workspaces::service::lock_policy(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let undo_days = workspaces::service::undo_days(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        if *action == BulkAction::Delete && undo_days == 0 {
            return Err(Problem::ConfirmationMissing.into());
        }
        let planned = Plan::new(action, actor, change.now())?;
        if policy.owner_required && matches!(&planned, Plan::SetOwner(owner) if owner.is_empty()) {
            return Err(Problem::OwnerMissing.into());
        }
        let locked = store::lock(&mut change, workspace, &ids).await?;
        let steps: Vec<_> = locked.iter().filter_map(|key| planned.step(key).map(|step| (key, step))).collect();
        let id = self.db.random().text(CHANGE_ID.0, CHANGE_ID.1);
        let done = carry_out(&mut change, workspace, &id, action.id(), steps).await?;
        change.commit().await?;
        Ok(done)
    }

    async fn selected(&self, workspace: &WorkspaceId, selection: &Selection) -> Result<Vec<ApiKeyId>, ApiKeyError> {
        let ids = match selection {
            Selection::Ids(ids) => ids.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
            Selection::Matching { search, filter, seen } => {
                let limit = i64::try_from(MAX_CHANGED + 1).unwrap_or(i64::MAX);
                let ids = keys::ids(&self.db, workspace, Selected { search, filter }, limit).await?;
                if ids.len() <= MAX_CHANGED && ids.len() as u64 != *seen {
                    return Err(ApiKeyError::Changed);
                }
                ids
            }
        };
        if ids.len() > MAX_CHANGED { Err(Problem::KeysTooMany.into()) } else { Ok(ids) }
    }

    /// A change of many keys; `None` if there is none with this id, or it can no longer be undone.
    pub async fn bulk_change(&self, workspace: &WorkspaceId, id: &str) -> Result<Option<BulkChange>, DbError> {
        if is_change_id(id) { store::find(&self.db, workspace, id).await } else { Ok(None) }
    }

    /// Undoes a change of many keys: each has again what it had before, where it was not changed since and the policy allows
    /// it. Returns the number of keys that were changed back.
    pub async fn undo_many(&self, workspace: &WorkspaceId, actor: &Actor, id: &str) -> Result<u64, ApiKeyError> {
        if !is_change_id(id) {
            return Err(ApiKeyError::NotFound);
        }
        let mut change = self.db.begin(actor).await?;
        let policy = workspaces::service::lock_policy(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let undo_days = workspaces::service::undo_days(&mut change, workspace).await?.ok_or(ApiKeyError::NotFound)?;
        let deleted_since = change.now().plus_days(-i64::from(undo_days));
        let (action, changed) = store::begin_undo(&mut change, workspace, id).await?.ok_or(ApiKeyError::NotFound)?;
        let ids: Vec<_> = changed.iter().map(|(key, _)| key.clone()).collect();
        let before: HashMap<_, _> = changed.into_iter().collect();
        let locked = store::lock(&mut change, workspace, &ids).await?;
        let allowed = |step: &Step, key: &KeyBefore| match &step.values {
            OneValue::Owner(owner) => !(owner.is_empty() && policy.owner_required),
            OneValue::Deletion(..) => key.deleted_at > deleted_since,
            _ => true,
        };
        let step = |key: &KeyBefore| undone(&action, key, before.get(&key.id)?).filter(|step| allowed(step, key));
        let steps: Vec<_> = locked.iter().filter_map(|key| step(key).map(|step| (key, step))).collect();
        let undo = self.db.random().text(CHANGE_ID.0, CHANGE_ID.1);
        let done = carry_out(&mut change, workspace, &undo, "undo", steps).await?;
        change.commit().await?;
        Ok(done.keys)
    }

    /// Forgets the changes of many keys that can no longer be undone.
    pub async fn forget_bulk_changes(&self) -> Result<(), DbError> {
        let db = self.db.of(WorkKind::Background);
        let mut change = db.begin_unattended().await?;
        store::forget(&mut change, db.now().plus_days(-UNDO_DAYS)).await?;
        change.commit().await
    }
}

/// Whether a text can be the id of a change.
fn is_change_id(text: &str) -> bool {
    text.len() == CHANGE_ID.1 && text.bytes().all(|byte| CHANGE_ID.0.contains(&byte))
}

/// Sets what the steps say, with audit entries, and records it so that it can be undone.
async fn carry_out(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &str,
    action: &str,
    steps: Vec<(&KeyBefore, Step)>,
) -> Result<BulkDone, DbError> {
    if steps.is_empty() {
        return Ok(BulkDone { id: String::new(), keys: 0 });
    }
    let mut pauses = Vec::new();
    let mut deletions = Vec::new();
    let (mut tags, mut owners, mut permissions) = (Vec::new(), Vec::new(), Vec::new());
    let (mut entries, mut before) = (Vec::new(), Vec::new());
    for (key, step) in steps {
        match step.values {
            OneValue::Pause(pause) => pauses.push((key.id.clone(), pause)),
            OneValue::Deletion(at, by) => deletions.push((key.id.clone(), at, by)),
            OneValue::Tags(text) => tags.push((key.id.clone(), text)),
            OneValue::Owner(text) => owners.push((key.id.clone(), text)),
            OneValue::Permissions(left) => permissions.push((key.id.clone(), left)),
        }
        before.push((key.id.clone(), step.before));
        entries.push(NewAuditEntry {
            action: step.action,
            subject_id: key.id.as_str(),
            subject: key.name.as_str(),
            details: step.details,
        });
    }
    for values in [
        KeyValues::Pauses(pauses),
        KeyValues::Deletions(deletions),
        KeyValues::Tags(tags),
        KeyValues::Owners(owners),
        KeyValues::Permissions(permissions),
    ] {
        store::set(change, workspace, &values).await?;
    }
    store::record(change, workspace, id, action, &before).await?;
    audit::record_many(change, workspace, &entries).await?;
    Ok(BulkDone { id: id.to_owned(), keys: before.len() as u64 })
}

/// A checked action.
enum Plan {
    Pause(StoredPause),
    Resume,
    Delete(Timestamp, String),
    AddTags(Vec<String>),
    RemoveTags(Vec<String>),
    SetOwner(String),
    RemoveUnused(Timestamp),
}

impl Plan {
    fn new(action: &BulkAction, actor: &Actor, now: Timestamp) -> Result<Self, Problem> {
        Ok(match action {
            BulkAction::Pause { reason } => {
                let reason = optional_line(reason, Pause::MAX_REASON).ok_or(Problem::ReasonTooLong)?;
                Self::Pause(StoredPause { at: now, by: actor.name.clone(), reason })
            }
            BulkAction::Resume => Self::Resume,
            BulkAction::Delete => Self::Delete(now, actor.name.clone()),
            BulkAction::AddTags(tags) => Self::AddTags(parse_tags(tags)?),
            BulkAction::RemoveTags(tags) => Self::RemoveTags(parse_tags(tags)?),
            BulkAction::SetOwner(owner) => Self::SetOwner(parse_owner(owner)?),
            BulkAction::RemoveUnused => Self::RemoveUnused(now.plus_days(-UNUSED_DAYS)),
        })
    }

    /// What becomes of a key; `None` if it is gone, or as it should be.
    fn step(&self, key: &KeyBefore) -> Option<Step> {
        if key.deleted_at.0 > 0 {
            return None;
        }
        match self {
            Self::Pause(_) if key.pause.at.0 > 0 => None,
            Self::Pause(pause) => Some(paused(key, pause.clone())),
            Self::Resume if key.pause.at.0 == 0 => None,
            Self::Resume => {
                Some(paused(key, StoredPause { at: Timestamp(0), by: String::new(), reason: String::new() }))
            }
            Self::Delete(at, by) => Some(Step {
                values: OneValue::Deletion(*at, by.clone()),
                action: Action::KeyDeleted,
                details: json!({ "masked": key.masked }),
                before: json!({ "after": at }),
            }),
            Self::AddTags(more) => {
                let all: BTreeSet<&str> = tags_of(&key.tags).chain(more.iter().map(String::as_str)).collect();
                tagged(key, all)
            }
            Self::RemoveTags(less) => {
                let left = tags_of(&key.tags).filter(|tag| !less.iter().any(|other| other == tag)).collect();
                tagged(key, left)
            }
            Self::SetOwner(owner) if *owner == key.owner => None,
            Self::SetOwner(owner) => Some(owned(key, owner.clone())),
            Self::RemoveUnused(since) => narrowed(key, *since),
        }
    }
}

fn tags_of(tags: &str) -> impl Iterator<Item = &str> {
    tags.split(',').filter(|tag| !tag.is_empty())
}

fn paused(key: &KeyBefore, pause: StoredPause) -> Step {
    let (action, details) = match pause.at.0 {
        0 => (Action::KeyResumed, json!({})),
        _ => (Action::KeyPaused, json!({ "reason": pause.reason })),
    };
    let before = json!({
        "at": key.pause.at, "by": key.pause.by, "reason": key.pause.reason, "after": pause.at,
    });
    Step { values: OneValue::Pause(pause), action, details, before }
}

/// `None` if the key has these tags already, or would have too many.
fn tagged(key: &KeyBefore, tags: BTreeSet<&str>) -> Option<Step> {
    let (count, tags) = (tags.len(), tags.into_iter().collect::<Vec<_>>().join(","));
    if tags == key.tags || count > crate::api_keys::settings::MAX_TAGS {
        return None;
    }
    let lists = |tags: &str| tags_of(tags).map(str::to_owned).collect::<Vec<_>>();
    Some(Step {
        details: json!({ "tags": { "from": lists(&key.tags), "to": lists(&tags) } }),
        before: json!({ "before": key.tags, "after": tags }),
        values: OneValue::Tags(tags),
        action: Action::KeyEdited,
    })
}

fn owned(key: &KeyBefore, owner: String) -> Step {
    Step {
        details: json!({ "owner": { "from": key.owner, "to": owner } }),
        before: json!({ "before": key.owner, "after": owner }),
        values: OneValue::Owner(owner),
        action: Action::KeyEdited,
    }
}

/// `None` if every permission is used, none is, or this is not known for long enough.
fn narrowed(key: &KeyBefore, since: Timestamp) -> Option<Step> {
    if key.use_counted_since > since {
        return None;
    }
    let used = |permission: Permission| {
        Permission::ALL.iter().zip(key.used).any(|(known, at)| *known == permission && at > since)
    };
    let left: Vec<&str> = key.permissions.iter().filter(|permission| used(*permission)).map(Permission::id).collect();
    let left = Permissions::parse(left).ok().filter(|left| *left != key.permissions)?;
    Some(permitted(key, left))
}

fn permitted(key: &KeyBefore, permissions: Permissions) -> Step {
    Step {
        details: json!({ "permissions": { "from": key.permissions, "to": permissions } }),
        before: json!({ "before": key.permissions.ids(), "after": permissions.ids() }),
        values: OneValue::Permissions(permissions),
        action: Action::KeyEdited,
    }
}

/// What undoes an action for a key; `None` if somebody has changed the key since.
fn undone(action: &str, key: &KeyBefore, before: &Value) -> Option<Step> {
    let text = |name: &str| before[name].as_str().map(str::to_owned);
    let time = |name: &str| before[name].as_i64().map(Timestamp);
    match action {
        "pause" | "resume" if key.deleted_at.0 == 0 && key.pause.at == time("after")? => {
            Some(paused(key, StoredPause { at: time("at")?, by: text("by")?, reason: text("reason")? }))
        }
        "delete" if key.deleted_at == time("after")? => Some(Step {
            values: OneValue::Deletion(Timestamp(0), String::new()),
            action: Action::KeyRestored,
            details: json!({ "masked": key.masked }),
            before: json!({}),
        }),
        "add-tags" | "remove-tags" if key.tags == text("after")? => tagged(key, tags_of(&text("before")?).collect()),
        "set-owner" if key.owner == text("after")? => Some(owned(key, text("before")?)),
        "remove-unused" if key.permissions.ids() == text("after")? => {
            Permissions::parse(text("before")?.split(',')).ok().map(|permissions| permitted(key, permissions))
        }
        _ => None,
    }
}
