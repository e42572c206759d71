//! SQL for API keys.

/// Changes of many keys at once.
pub mod bulk;

use crate::agents::AgentName;
use crate::api_keys::filter::{Disuse, KeyFacets, KeyFilter, KeyState, NONE};
use crate::api_keys::review::{Concern, ReviewedKey};
use crate::api_keys::secret::{HashedKey, PREFIX};
use crate::api_keys::{
    AgentScope, ApiKey, DeletedKey, KeyBeyondPolicy, KeyName, KeySettings, LastClient, OldValue, Pause, Permissions,
    Rate, UnusedKey,
};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::sealing::Sealed;
use crate::base::text::containing;
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};
use std::collections::HashMap;

/// Most groups that are counted of what keys can be filtered by.
const MAX_FACETS: i64 = 5_000;
/// Maximum number of keys on one page.
pub const PAGE_SIZE: usize = 25;

macro_rules! columns {
    () => {
        "id, name, name_key, masked, sealed IS NOT NULL AS copyable, all_agents, permissions, created_at, created_by, \
         expires_at, last_used_at, value_created_at, old_masked, old_created_at, old_until, paused_at, paused_by, \
         pause_reason, last_address, last_program, owner, note, tags, networks, rate_calls, rate_seconds, burst, quota"
    };
}
/// Keys that search and filter let through. `$2` is the pattern for the name, `$6` that for the masked value, `$7` to `$16`
/// are the filter.
macro_rules! filtered {
    () => {
        "workspace_id = $1 AND deleted_at = 0 AND (name_key LIKE $2 ESCAPE '\\' OR masked LIKE $6 ESCAPE '\\')
            AND ($8 = '' OR ($8 = 'active' AND expires_at > $7 AND paused_at = 0)
                OR ($8 = 'expiring' AND expires_at > $7 AND expires_at <= $9) OR ($8 = 'expired' AND expires_at <= $7)
                OR ($8 = 'paused' AND paused_at > 0) OR ($8 = 'rotating' AND old_until > $7))
            AND ($10 = '' OR all_agents OR EXISTS (SELECT 1 FROM api_key_agents a
                WHERE a.workspace_id = $1 AND a.key_id = api_keys.id AND a.agent_id = $10))
            AND ($11 = '' OR ',' || permissions || ',' LIKE $11)
            AND ($12 = '' OR owner = $12 OR ($12 = 'none' AND owner = ''))
            AND ($13 = '' OR ($13 = 'none' AND tags = '')
                OR ($13 <> 'none' AND replace(',' || tags || ',', $13, '') <> ',' || tags || ','))
            AND ($14 = 0 OR (last_used_at = 0 AND ($14 < 0 OR created_at <= $14))
                OR (last_used_at > 0 AND last_used_at <= $14))
            AND ($15 = '' OR networks LIKE $15 ESCAPE '\\' OR ($15 = 'none' AND networks = ''))
            AND ($16 = '' OR created_by = $16)"
    };
}
/// One statement for each sort order. Its columns are those of an index, so that every page costs the same. `$3` and `$4` are
/// the cursor: sort value and id.
macro_rules! page {
    ($column:literal, $compare:literal, $direction:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys
            WHERE ",
            filtered!(),
            " AND (",
            $column,
            ", id) ",
            $compare,
            " ($3, $4)
            ORDER BY ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction,
            " LIMIT $5"
        )
    };
}

/// Keys that a concern is about, by name, with their number.
macro_rules! review {
    ($($condition:tt)+) => {
        concat!(
            "SELECT id, name, owner, expires_at, last_used_at, permissions, conversations_used_at, handoff_used_at,
                external_events_used_at, agents_used_at, agent_called, COUNT(*) OVER () AS total FROM api_keys k
            WHERE workspace_id = $1 AND deleted_at = 0 AND paused_at = 0 AND expires_at > $2 AND ",
            $($condition)+,
            " ORDER BY name_key, id LIMIT $4"
        )
    };
}

statements! {
    // `$2` is now, `$3` an instant or an hour that the concern is about.
    NEVER_USED_SINCE = review!("last_used_at = 0 AND created_at <= $3");
    IDLE_SINCE = review!("last_used_at > 0 AND last_used_at <= $3");
    EXPIRES_BEFORE = review!("expires_at <= $3");
    VALUE_BEFORE = review!("value_created_at <= $3");
    OFTEN_REFUSED = review!("(SELECT SUM(CASE WHEN outcome = 'accepted' THEN -requests ELSE requests END) FROM key_usage u
            WHERE u.workspace_id = k.workspace_id AND u.key_id = k.id AND u.hour >= $3
                AND u.outcome NOT IN ('left-out', 'old-value', 'with-conversations', 'with-handoff', 'with-external-events',
                    'with-agents')) > 0
        AND (SELECT SUM(requests) FROM key_usage u
            WHERE u.workspace_id = k.workspace_id AND u.key_id = k.id AND u.hour >= $3
                AND u.outcome NOT IN ('left-out', 'old-value', 'with-conversations', 'with-handoff', 'with-external-events',
                    'with-agents')) > 100");
    OWNER_GONE = review!("owner LIKE '%@%' AND $3 >= 0 AND NOT EXISTS (SELECT 1 FROM memberships m
            JOIN users p ON p.id = m.user_id
            WHERE m.workspace_id = k.workspace_id AND p.email = lower(k.owner))");
    NO_OWNER = review!("owner = '' AND $3 >= 0");
    NO_NETWORK = review!("networks = '' AND $3 >= 0");
    // The Agents API needs all agents.
    ONE_AGENT = review!("all_agents AND agent_called NOT IN ('', '*') AND agents_used_at <= $3 AND use_counted_since <= $3");
    UNUSED_PERMISSIONS = review!("use_counted_since <= $3 AND permissions LIKE '%,%' AND (
            (conversations_used_at <= $3 AND permissions LIKE '%conversations%')
            OR (handoff_used_at <= $3 AND permissions LIKE '%handoff%')
            OR (external_events_used_at <= $3 AND permissions LIKE '%external-events%')
            OR (agents_used_at <= $3 AND permissions LIKE '%agents%'))
        AND ((conversations_used_at > $3 AND permissions LIKE '%conversations%')
            OR (handoff_used_at > $3 AND permissions LIKE '%handoff%')
            OR (external_events_used_at > $3 AND permissions LIKE '%external-events%')
            OR (agents_used_at > $3 AND permissions LIKE '%agents%'))");
    // `$3` is the longest lifetime, in microseconds.
    BEYOND_POLICY = review!("expires_at > value_created_at + $3");
    INSERT = "INSERT INTO api_keys (workspace_id, id, name, name_key, masked, hash, sealed, sealed_with, all_agents,
        permissions, created_at, created_by, updated_at, value_created_at, expires_at, owner, note, tags, networks,
        rate_calls, rate_seconds, burst, quota, chosen_expires_at, use_counted_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $11, $13, $14, $15, $16, $17, $18, $19, $20, $21,
            $13, $11)
        ON CONFLICT (workspace_id, id) DO NOTHING";
    INSERT_AGENT = "INSERT INTO api_key_agents (workspace_id, key_id, agent_id)
        SELECT workspace_id, $2, id FROM agents WHERE workspace_id = $1 AND id = $3 AND deleted_at = 0";
    FIND = concat!("SELECT ", columns!(), " FROM api_keys WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0");
    // An update to the same value locks the row on both engines.
    LOCK = "UPDATE api_keys SET name = name WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0
        RETURNING name, masked, permissions, all_agents, expires_at, paused_at > 0 AS is_paused, old_masked, old_until,
            old_expires_at, old_created_at";
    // Of an added permission it is not known yet whether it is used.
    UPDATE = "UPDATE api_keys SET name = $3, name_key = $4, permissions = $5, updated_at = $6,
            use_counted_since = CASE WHEN $7 THEN $6 ELSE use_counted_since END
        WHERE workspace_id = $1 AND id = $2";
    ROTATE = "UPDATE api_keys SET old_masked = masked, old_hash = hash, old_sealed = sealed,
            old_sealed_with = sealed_with, old_created_at = value_created_at,
            old_expires_at = CASE WHEN chosen_expires_at > expires_at THEN chosen_expires_at ELSE expires_at END, old_until = $3,
            masked = $4, hash = $5, sealed = $6, sealed_with = $7, value_created_at = $8, expires_at = $9,
            chosen_expires_at = $9, updated_at = $8
        WHERE workspace_id = $1 AND id = $2";
    END_OLD_VALUE = "UPDATE api_keys SET old_until = $3, old_sealed = NULL, old_sealed_with = NULL, updated_at = $3
        WHERE workspace_id = $1 AND id = $2";
    CANCEL_ROTATION = "UPDATE api_keys SET masked = old_masked, hash = old_hash, sealed = old_sealed,
            sealed_with = old_sealed_with, value_created_at = old_created_at, expires_at = $4,
            chosen_expires_at = old_expires_at, old_masked = NULL, old_hash = NULL, old_sealed = NULL, old_sealed_with = NULL, old_created_at = NULL,
            old_expires_at = NULL, old_until = NULL, updated_at = $3
        WHERE workspace_id = $1 AND id = $2";
    // What a program that knows no policies wrote.
    ADOPT_EXPIRY = "UPDATE api_keys SET chosen_expires_at = expires_at
        WHERE workspace_id = $1 AND chosen_expires_at < expires_at";
    // `$2` is the longest lifetime, in microseconds. What has expired stays expired.
    BIND = "UPDATE api_keys SET expires_at = CASE WHEN chosen_expires_at > value_created_at + $2
                THEN value_created_at + $2 ELSE chosen_expires_at END,
            old_until = CASE WHEN old_until > old_created_at + $2 THEN old_created_at + $2 ELSE old_until END
        WHERE workspace_id = $1 AND expires_at > $3 AND (chosen_expires_at > value_created_at + $2
            OR expires_at <> chosen_expires_at OR old_until > old_created_at + $2)";
    UNBIND = "UPDATE api_keys SET expires_at = chosen_expires_at
        WHERE workspace_id = $1 AND expires_at > $2 AND expires_at <> chosen_expires_at";
    COUNT_BEYOND = "SELECT COUNT(*) FROM api_keys
        WHERE workspace_id = $1 AND deleted_at = 0 AND expires_at > $3 AND (expires_at > value_created_at + $2
            OR (old_until > $3 AND old_until > old_created_at + $2))";
    // Of a key that is being rotated, it may be the old value alone that is too old.
    BEYOND = "SELECT id, name, owner, expires_at > value_created_at + $2 AS by_expiry,
            CASE WHEN expires_at > value_created_at + $2 THEN expires_at ELSE old_until END AS expires_at,
            CASE WHEN expires_at > value_created_at + $2 THEN value_created_at ELSE old_created_at END + $2 AS bound
        FROM api_keys
        WHERE workspace_id = $1 AND deleted_at = 0 AND expires_at > $3 AND (expires_at > value_created_at + $2
            OR (old_until > $3 AND old_until > old_created_at + $2))
        ORDER BY bound, id LIMIT $4";
    PAUSE = "UPDATE api_keys SET paused_at = $3, paused_by = $4, pause_reason = $5, updated_at = $6
        WHERE workspace_id = $1 AND id = $2";
    MARK_DELETED = "UPDATE api_keys SET deleted_at = $3, deleted_by = $4 WHERE workspace_id = $1 AND id = $2";
    RESTORE = "UPDATE api_keys SET deleted_at = 0, deleted_by = '' WHERE workspace_id = $1 AND id = $2 AND deleted_at > $3
        RETURNING name, masked";
    DELETED = "SELECT id, name, masked, deleted_at, deleted_by, last_used_at FROM api_keys
        WHERE workspace_id = $1 AND deleted_at > $2 ORDER BY deleted_at DESC, id DESC LIMIT $3";
    SET = "UPDATE api_keys SET owner = $3, note = $4, tags = $5, networks = $6, rate_calls = $7, rate_seconds = $8,
            burst = $9, quota = $10, updated_at = $11
        WHERE workspace_id = $1 AND id = $2";
    SETTINGS = "SELECT owner, note, tags, networks, rate_calls, rate_seconds, burst, quota FROM api_keys
        WHERE workspace_id = $1 AND id = $2";
    BY_HASH = "SELECT id FROM api_keys WHERE workspace_id = $1 AND (hash = $2 OR old_hash = $2)";
    DELETE = "DELETE FROM api_keys WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0";
    // The server's own housekeeping, for all workspaces.
    ERASE = "DELETE FROM api_keys WHERE deleted_at > 0 AND (workspace_id, id) IN (SELECT k.workspace_id, k.id
        FROM api_keys k JOIN workspaces w ON w.id = k.workspace_id
        WHERE k.deleted_at > 0 AND k.deleted_at <= $1 - w.undo_days * CAST(86400000000 AS BIGINT)
        ORDER BY k.workspace_id, k.deleted_at, k.id LIMIT $2)";
    FORGET_OLD_VALUES = "UPDATE api_keys SET old_sealed = NULL, old_sealed_with = NULL
        WHERE old_sealed IS NOT NULL AND old_until <= $1";
    FIND_SEALED = "SELECT sealed, sealed_with FROM api_keys WHERE workspace_id = $1 AND id = $2 AND deleted_at = 0";
    DESTROY_SEALED = "UPDATE api_keys SET sealed = NULL, sealed_with = NULL, old_sealed = NULL, old_sealed_with = NULL
        WHERE workspace_id = $1 AND (sealed IS NOT NULL OR old_sealed IS NOT NULL)";
    AGENTS_OF = "SELECT k.key_id, a.id, a.name FROM api_key_agents k
        JOIN agents a ON a.workspace_id = k.workspace_id AND a.id = k.agent_id AND a.deleted_at = 0
        WHERE k.workspace_id = $1 AND k.key_id IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
        ORDER BY a.name, a.id";
    NEVER_USED = "SELECT id, name, created_at, expires_at FROM api_keys
        WHERE workspace_id = $1 AND last_used_at = 0 AND deleted_at = 0 ORDER BY created_at, id LIMIT $2";
    COUNT_NEVER_USED = "SELECT COUNT(*) FROM api_keys WHERE workspace_id = $1 AND last_used_at = 0 AND deleted_at = 0";
    // Covers all workspaces: the operator's checks. A key that is being rotated has two values.
    SEALED_VALUES = "SELECT workspace_id, id, FALSE AS is_old, sealed, sealed_with FROM api_keys
            WHERE (workspace_id, id) > ($1, $2) AND sealed IS NOT NULL
        UNION ALL SELECT workspace_id, id, TRUE AS is_old, old_sealed, old_sealed_with FROM api_keys
            WHERE (workspace_id, id) > ($1, $2) AND old_sealed IS NOT NULL
        ORDER BY workspace_id, id LIMIT $3";
    REPLACE_SEALED = "UPDATE api_keys SET sealed = $3, sealed_with = $4
        WHERE workspace_id = $1 AND id = $2 AND sealed = $5";
    REPLACE_OLD_SEALED = "UPDATE api_keys SET old_sealed = $3, old_sealed_with = $4
        WHERE workspace_id = $1 AND id = $2 AND old_sealed = $5";
    FOREIGN_SEALS = "SELECT COUNT(*) FROM api_keys WHERE sealed_with <> $1 OR old_sealed_with <> $1";
    NEWEST = page!("created_at", "<", "DESC");
    OLDEST = page!("created_at", ">", "ASC");
    BY_NAME = page!("name_key", ">", "ASC");
    BY_NAME_BACKWARDS = page!("name_key", "<", "DESC");
    EXPIRES_FIRST = page!("expires_at", ">", "ASC");
    EXPIRES_LAST = page!("expires_at", "<", "DESC");
    USED_LATELY = page!("last_used_at", "<", "DESC");
    USED_LATELY_BACKWARDS = page!("last_used_at", ">", "ASC");
    // `$3` and `$4` are not used; they keep the numbers of the parameters.
    // In the order of an index that has the keys as they were made: others lead through the table in random order.
    COUNT = concat!("SELECT COUNT(*) FROM (SELECT 1 FROM api_keys WHERE ", filtered!(), " AND $3 = '' AND $4 = ''
        ORDER BY created_at DESC, id DESC LIMIT $5) AS counted");
    IDS = concat!("SELECT id FROM api_keys WHERE ", filtered!(), " AND $3 = '' AND $4 = '' ORDER BY id LIMIT $5");
    COUNT_STATES = "SELECT COALESCE(SUM(CASE WHEN expires_at > $2 AND paused_at = 0 THEN 1 ELSE 0 END), 0),
            COALESCE(SUM(CASE WHEN expires_at > $2 AND expires_at <= $3 THEN 1 ELSE 0 END), 0),
            COALESCE(SUM(CASE WHEN expires_at <= $2 THEN 1 ELSE 0 END), 0),
            COALESCE(SUM(CASE WHEN paused_at > 0 THEN 1 ELSE 0 END), 0),
            COALESCE(SUM(CASE WHEN old_until > $2 THEN 1 ELSE 0 END), 0),
            COALESCE(SUM(CASE WHEN last_used_at = 0 THEN 1 ELSE 0 END), 0)
        FROM api_keys WHERE workspace_id = $1 AND deleted_at = 0";
    OWNERS = "SELECT owner, COUNT(*) FROM api_keys WHERE workspace_id = $1 AND deleted_at = 0 GROUP BY owner
        ORDER BY COUNT(*) DESC, owner LIMIT $2";
    TAGS = "SELECT tags, COUNT(*) FROM api_keys WHERE workspace_id = $1 AND deleted_at = 0 GROUP BY tags
        ORDER BY COUNT(*) DESC, tags LIMIT $2";
    CREATORS = "SELECT created_by, COUNT(*) FROM api_keys WHERE workspace_id = $1 AND deleted_at = 0 GROUP BY created_by
        ORDER BY COUNT(*) DESC, created_by LIMIT $2";
    PERMISSIONS = "SELECT permissions, COUNT(*) FROM api_keys WHERE workspace_id = $1 AND deleted_at = 0
        GROUP BY permissions ORDER BY COUNT(*) DESC, permissions LIMIT $2";
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: ApiKeyId,
    name: KeyName,
    name_key: String,
    masked: String,
    copyable: bool,
    all_agents: bool,
    permissions: String,
    created_at: Timestamp,
    created_by: String,
    expires_at: Timestamp,
    /// 0 if it was never used.
    last_used_at: Timestamp,
    value_created_at: Timestamp,
    old_masked: Option<String>,
    old_created_at: Option<Timestamp>,
    old_until: Option<Timestamp>,
    /// 0 if it is not paused.
    paused_at: Timestamp,
    paused_by: String,
    pause_reason: String,
    last_address: String,
    last_program: String,
    #[sqlx(flatten)]
    settings: SettingsRow,
}

#[derive(sqlx::FromRow)]
struct SettingsRow {
    owner: String,
    note: String,
    tags: String,
    networks: String,
    rate_calls: Option<i64>,
    rate_seconds: Option<i64>,
    burst: Option<i64>,
    quota: Option<i64>,
}

impl SettingsRow {
    fn read(self) -> KeySettings {
        let list = |text: &str| text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        KeySettings {
            tags: list(&self.tags),
            networks: list(&self.networks),
            owner: self.owner,
            note: self.note,
            rate: Rate::stored(self.rate_calls, self.rate_seconds, self.burst),
            quota: self.quota.and_then(|quota| quota.try_into().ok()),
        }
    }
}

impl KeyRow {
    /// The key, and its name in lower case.
    fn read(self, agents: Option<Vec<AgentName>>) -> Result<(ApiKey, String), DbError> {
        let old_value = match (self.old_masked, self.old_created_at, self.old_until) {
            (Some(masked), Some(created_at), Some(until)) => Some(OldValue { masked, created_at, until }),
            _ => None,
        };
        let last_client = LastClient { address: self.last_address, program: self.last_program };
        let pause = Pause { at: self.paused_at, by: self.paused_by, reason: self.pause_reason };
        let key = ApiKey {
            agents,
            permissions: stored_permissions(&self.permissions)?,
            id: self.id,
            name: self.name,
            masked: self.masked,
            copyable: self.copyable,
            created_at: self.created_at,
            created_by: self.created_by,
            expires_at: self.expires_at,
            last_used_at: Some(self.last_used_at).filter(|at| at.0 > 0),
            last_client: (!last_client.address.is_empty() || !last_client.program.is_empty()).then_some(last_client),
            value_created_at: self.value_created_at,
            old_value,
            pause: (pause.at.0 > 0).then_some(pause),
            settings: self.settings.read(),
        };
        Ok((key, self.name_key))
    }
}

/// A new key's row.
#[derive(Debug)]
pub struct NewKeyRow<'a> {
    pub id: &'a ApiKeyId,
    pub name: &'a KeyName,
    pub masked: &'a str,
    pub hash: &'a HashedKey,
    pub sealed: Option<&'a Sealed>,
    pub scope: &'a AgentScope,
    pub permissions: &'a Permissions,
    pub created_at: Timestamp,
    pub created_by: &'a str,
    pub expires_at: Timestamp,
    pub settings: &'a KeySettings,
}

/// The sort order of a page, and the value of that order's column at which the page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// Newest first, created before this instant.
    Newest(Timestamp),
    /// Oldest first, created after this instant.
    Oldest(Timestamp),
    /// By name, after this name in lower case.
    Name(String),
    /// By name in reverse order, before this name in lower case.
    NameBackwards(String),
    /// Earliest expiry first, after this instant.
    ExpiresFirst(Timestamp),
    /// Latest expiry first, before this instant.
    ExpiresLast(Timestamp),
    /// Most recently used first, last used before this instant. Keys that were never used come last.
    UsedLately(Timestamp),
    /// The reverse of `UsedLately`: last used after this instant.
    UsedLatelyBackwards(Timestamp),
}

/// The form of a name that is searched and sorted by: lower case.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// What became of the insertion of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    Done,
    /// The workspace has a key with this id. Nothing was inserted.
    IdTaken,
    /// A chosen agent does not belong to this workspace. The change must not be committed.
    UnknownAgent,
}

/// Inserts a key with the agents that it covers.
pub async fn insert(change: &mut Change, workspace: &WorkspaceId, row: &NewKeyRow<'_>) -> Result<Insertion, DbError> {
    let inserted = on_change!(change, |c| sqlx::query(INSERT)
        .bind(workspace)
        .bind(row.id)
        .bind(row.name)
        .bind(name_key(row.name.as_str()))
        .bind(row.masked)
        .bind(row.hash.as_bytes())
        .bind(row.sealed.map(|s| s.bytes.as_slice()))
        .bind(row.sealed.map(|s| s.master_key_id.as_str()))
        .bind(*row.scope == AgentScope::All)
        .bind(row.permissions.ids())
        .bind(row.created_at)
        .bind(row.created_by)
        .bind(row.expires_at)
        .bind(&row.settings.owner)
        .bind(&row.settings.note)
        .bind(row.settings.tags.join(","))
        .bind(row.settings.networks.join(","))
        .bind(row.settings.rate.map(|rate| i64::from(rate.calls)))
        .bind(row.settings.rate.map(|rate| i64::from(rate.seconds)))
        .bind(row.settings.rate.map(|rate| i64::from(rate.burst)))
        .bind(row.settings.quota.map(|quota| quota as i64))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if inserted == 0 {
        return Ok(Insertion::IdTaken);
    }
    if let AgentScope::Chosen(agents) = row.scope {
        for agent in agents {
            let inserted = on_change!(change, |c| sqlx::query(INSERT_AGENT)
                .bind(workspace)
                .bind(row.id)
                .bind(agent)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if inserted == 0 {
                return Ok(Insertion::UnknownAgent);
            }
        }
    }
    Ok(Insertion::Done)
}

pub async fn find(db: &Db, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<ApiKey>, DbError> {
    let row: Option<KeyRow> =
        on_db!(db, |pool| sqlx::query_as(FIND).bind(workspace).bind(id).fetch_optional(pool).await)?;
    Ok(with_agents(db, workspace, row.into_iter().collect()).await?.pop().map(|(key, _)| key))
}

/// The number of keys that were never used, and up to `limit` of them, oldest first.
pub async fn never_used(db: &Db, workspace: &WorkspaceId, limit: i64) -> Result<(u64, Vec<UnusedKey>), DbError> {
    let keys = on_db!(db, |pool| sqlx::query_as(NEVER_USED).bind(workspace).bind(limit).fetch_all(pool).await)?;
    let count: i64 = on_db!(db, |pool| sqlx::query_scalar(COUNT_NEVER_USED).bind(workspace).fetch_one(pool).await)?;
    Ok((count.max(0) as u64, keys))
}

/// Search and filter of a list. The search matches names and masked values.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'a> {
    pub search: &'a str,
    pub filter: &'a KeyFilter,
}

impl Selected<'_> {
    /// The pattern for names.
    fn name(self) -> String {
        containing(&name_key(self.search))
    }

    /// The pattern for masked values: only the beginning of a value, or a masked one, since other text would match by
    /// chance.
    fn masked(self) -> String {
        if self.search.starts_with(PREFIX) { containing(self.search) } else { String::new() }
    }

    fn permission(self) -> String {
        self.filter.permission.map(|permission| format!("%,{},%", permission.id())).unwrap_or_default()
    }

    fn tag(self) -> String {
        match self.filter.tag.as_str() {
            tag @ ("" | NONE) => tag.to_owned(),
            tag => format!(",{tag},"),
        }
    }

    fn network(self) -> String {
        match self.filter.network.as_str() {
            network @ ("" | NONE) => network.to_owned(),
            network => containing(&network.to_lowercase()),
        }
    }

    /// 0 for no filter, -1 for keys that were never used, else the instant after which they were not used.
    fn used_before(self, now: Timestamp) -> i64 {
        match self.filter.disuse {
            None => 0,
            Some(Disuse::Never) => -1,
            Some(Disuse::Days(days)) => now.plus_days(-i64::from(days)).0.max(1),
        }
    }
}

/// Binds the parameters of [`filtered`] from `$6` on.
macro_rules! bind_filter {
    ($query:expr, $selected:expr, $now:expr) => {
        $query
            .bind($selected.masked())
            .bind($now)
            .bind($selected.filter.state.map(KeyState::id).unwrap_or_default())
            .bind($now.plus_days(7))
            .bind($selected.filter.agent.as_ref().map(AgentId::as_str).unwrap_or_default())
            .bind($selected.permission())
            .bind(&$selected.filter.owner)
            .bind($selected.tag())
            .bind($selected.used_before($now))
            .bind($selected.network())
            .bind(&$selected.filter.created_by)
    };
}

/// The number of keys that search and filter let through, up to `limit`.
pub async fn count(db: &Db, workspace: &WorkspaceId, selected: Selected<'_>, limit: u64) -> Result<u64, DbError> {
    let (now, limit) = (db.now(), i64::try_from(limit).unwrap_or(i64::MAX));
    let count: i64 = on_db!(db, |pool| {
        let query = sqlx::query_scalar(COUNT).bind(workspace).bind(selected.name()).bind("").bind("").bind(limit);
        bind_filter!(query, selected, now).fetch_one(pool).await
    })?;
    Ok(count.max(0) as u64)
}

/// The ids of the keys that search and filter let through, at most `limit`.
pub async fn ids(
    db: &Db,
    workspace: &WorkspaceId,
    selected: Selected<'_>,
    limit: i64,
) -> Result<Vec<ApiKeyId>, DbError> {
    let now = db.now();
    Ok(on_db!(db, |pool| {
        let query = sqlx::query_scalar(IDS).bind(workspace).bind(selected.name()).bind("").bind("").bind(limit);
        bind_filter!(query, selected, now).fetch_all(pool).await
    })?)
}

/// Numbers of keys by what they can be filtered by.
pub async fn facets(db: &Db, workspace: &WorkspaceId) -> Result<KeyFacets, DbError> {
    let now = db.now();
    let (active, expiring, expired, paused, rotating, unused): (i64, i64, i64, i64, i64, i64) =
        on_db!(db, |pool| sqlx::query_as(COUNT_STATES)
            .bind(workspace)
            .bind(now)
            .bind(now.plus_days(7))
            .fetch_one(pool)
            .await)?;
    let grouped = async |sql: &'static str| -> Result<Vec<(String, i64)>, DbError> {
        Ok(on_db!(db, |pool| sqlx::query_as(sql).bind(workspace).bind(MAX_FACETS).fetch_all(pool).await)?)
    };
    Ok(KeyFacets {
        states: [
            (KeyState::Active, active),
            (KeyState::Expiring, expiring),
            (KeyState::Expired, expired),
            (KeyState::Paused, paused),
            (KeyState::Rotating, rotating),
        ],
        unused,
        owners: grouped(OWNERS).await?,
        tags: each_counted(grouped(TAGS).await?),
        creators: grouped(CREATORS).await?,
        permissions: each_counted(grouped(PERMISSIONS).await?),
    })
}

/// Counts the parts of lists that are separated by commas, the most frequent first. An empty list counts as one empty part.
fn each_counted(lists: Vec<(String, i64)>) -> Vec<(String, i64)> {
    let mut counts: HashMap<String, i64> = HashMap::new();
    for (list, count) in lists {
        for part in list.split(',') {
            *counts.entry(part.to_owned()).or_default() += count;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    counts
}

/// One page of keys that search and filter let through, each with its name in lower case. Returns one more than
/// [`PAGE_SIZE`] keys if there is another page.
pub async fn page(
    db: &Db,
    workspace: &WorkspaceId,
    selected: Selected<'_>,
    from: &PageStart,
    after_id: &str,
) -> Result<Vec<(ApiKey, String)>, DbError> {
    let limit = i64::try_from(PAGE_SIZE + 1).unwrap_or(i64::MAX);
    let now = db.now();
    let (sql, at) = match from {
        PageStart::Newest(at) => (NEWEST, Ok(*at)),
        PageStart::Oldest(at) => (OLDEST, Ok(*at)),
        PageStart::ExpiresFirst(at) => (EXPIRES_FIRST, Ok(*at)),
        PageStart::ExpiresLast(at) => (EXPIRES_LAST, Ok(*at)),
        PageStart::UsedLately(at) => (USED_LATELY, Ok(*at)),
        PageStart::UsedLatelyBackwards(at) => (USED_LATELY_BACKWARDS, Ok(*at)),
        PageStart::Name(name) => (BY_NAME, Err(name)),
        PageStart::NameBackwards(name) => (BY_NAME_BACKWARDS, Err(name)),
    };
    let rows: Vec<KeyRow> = on_db!(db, |pool| {
        let query = sqlx::query_as(sql).bind(workspace).bind(selected.name());
        let query = match at {
            Ok(time) => query.bind(time),
            Err(name) => query.bind(name),
        };
        bind_filter!(query.bind(after_id).bind(limit), selected, now).fetch_all(pool).await
    })?;
    with_agents(db, workspace, rows).await
}

async fn with_agents(db: &Db, workspace: &WorkspaceId, rows: Vec<KeyRow>) -> Result<Vec<(ApiKey, String)>, DbError> {
    let mut agents: HashMap<ApiKeyId, Vec<AgentName>> = HashMap::new();
    let scoped: Vec<&str> = rows.iter().filter(|r| !r.all_agents).map(|r| r.id.as_str()).collect();
    for ids in scoped.chunks(25) {
        let found: Vec<(ApiKeyId, AgentId, String)> = on_db!(db, |pool| {
            let mut query = sqlx::query_as(AGENTS_OF).bind(workspace);
            for at in 0..25 {
                query = query.bind(ids.get(at).copied().unwrap_or_default());
            }
            query.fetch_all(pool).await
        })?;
        for (key, id, name) in found {
            agents.entry(key).or_default().push(AgentName { id, name });
        }
    }
    rows.into_iter()
        .map(|row| {
            let scope = (!row.all_agents).then(|| agents.remove(&row.id).unwrap_or_default());
            row.read(scope)
        })
        .collect()
}

fn stored_permissions(ids: &str) -> Result<Permissions, DbError> {
    Permissions::parse(ids.split(',')).map_err(|_| {
        tracing::error!(permissions = ids, "a key's stored permissions are not readable");
        DbError::Failed
    })
}

/// Updates name and permissions of a key that [`lock`] has locked. `is_wider` says that a permission is added.
pub async fn update(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    name: &KeyName,
    (permissions, is_wider): (&Permissions, bool),
    now: Timestamp,
) -> Result<(), DbError> {
    on_change!(change, |c| sqlx::query(UPDATE)
        .bind(workspace)
        .bind(id)
        .bind(name)
        .bind(name_key(name.as_str()))
        .bind(permissions.ids())
        .bind(now)
        .bind(is_wider)
        .execute(c)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// A locked key, with what changes of it depend on.
#[derive(Debug)]
pub struct LockedKey {
    pub name: KeyName,
    pub masked: String,
    pub permissions: Permissions,
    pub all_agents: bool,
    pub expires_at: Timestamp,
    pub is_paused: bool,
    /// The value that the last rotation replaced; `None` if there was none.
    pub old_value: Option<LockedOldValue>,
}

impl LockedKey {
    /// The value that a rotation replaced, while it still opens.
    pub fn open_old_value(&self, now: Timestamp) -> Option<&LockedOldValue> {
        self.old_value.as_ref().filter(|old| now < old.until)
    }
}

/// A value that a rotation replaced.
#[derive(Debug)]
pub struct LockedOldValue {
    pub masked: String,
    pub until: Timestamp,
    /// The expiry that it had before the rotation.
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct LockedKeyRow {
    name: KeyName,
    masked: String,
    permissions: String,
    all_agents: bool,
    expires_at: Timestamp,
    is_paused: bool,
    old_masked: Option<String>,
    old_until: Option<Timestamp>,
    old_expires_at: Option<Timestamp>,
    old_created_at: Option<Timestamp>,
}

impl LockedKeyRow {
    fn read(self) -> Result<LockedKey, DbError> {
        let old_value = match (self.old_masked, self.old_until, self.old_expires_at, self.old_created_at) {
            (Some(masked), Some(until), Some(expires_at), Some(created_at)) => {
                Some(LockedOldValue { masked, until, expires_at, created_at })
            }
            _ => None,
        };
        Ok(LockedKey {
            name: self.name,
            masked: self.masked,
            permissions: stored_permissions(&self.permissions)?,
            all_agents: self.all_agents,
            expires_at: self.expires_at,
            is_paused: self.is_paused,
            old_value,
        })
    }
}

/// Locks a key until the transaction ends; `None` if it does not exist or was deleted.
pub async fn lock(change: &mut Change, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<Option<LockedKey>, DbError> {
    let row: Option<LockedKeyRow> =
        on_change!(change, |c| sqlx::query_as(LOCK).bind(workspace).bind(id).fetch_optional(c).await)?;
    row.map(LockedKeyRow::read).transpose()
}

/// A key's next value.
#[derive(Debug)]
pub struct NextValue<'a> {
    pub masked: &'a str,
    pub hash: &'a HashedKey,
    pub sealed: Option<&'a Sealed>,
    pub expires_at: Timestamp,
    /// Until when the value that it replaces still opens.
    pub old_until: Timestamp,
}

/// Gives a locked key another value. The one that it has becomes its old value.
pub async fn rotate(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    next: &NextValue<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(ROTATE)
        .bind(workspace)
        .bind(id)
        .bind(next.old_until)
        .bind(next.masked)
        .bind(next.hash.as_bytes())
        .bind(next.sealed.map(|s| s.bytes.as_slice()))
        .bind(next.sealed.map(|s| s.master_key_id.as_str()))
        .bind(now)
        .bind(next.expires_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Ends a locked key's old value.
pub async fn end_old_value(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(END_OLD_VALUE)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Gives a locked key its old value again, in place of the one that it has. It expires at `expires_at`.
pub async fn cancel_rotation(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(CANCEL_ROTATION)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .bind(expires_at)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Makes keys expire at the end of the longest lifetime, where that is earlier than their own expiry. `None` gives them
/// their own expiry again. What has expired stays expired. Returns the number of keys that were changed.
pub async fn bind_lifetimes(
    change: &mut Change,
    workspace: &WorkspaceId,
    max_lifetime_days: Option<i32>,
    now: Timestamp,
) -> Result<u64, DbError> {
    on_change!(change, |c| sqlx::query(ADOPT_EXPIRY).bind(workspace).execute(c).await.map(|_| ()))?;
    let changed = match max_lifetime_days {
        Some(days) => on_change!(change, |c| sqlx::query(BIND)
            .bind(workspace)
            .bind(Timestamp(0).plus_days(days.into()))
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?,
        None => on_change!(change, |c| sqlx::query(UNBIND)
            .bind(workspace)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?,
    };
    Ok(changed)
}

/// Number of keys that expire later than this longest lifetime allows.
pub async fn count_beyond(
    change: &mut Change,
    workspace: &WorkspaceId,
    max_lifetime_days: i32,
    now: Timestamp,
) -> Result<u64, DbError> {
    let longest = Timestamp(0).plus_days(max_lifetime_days.into());
    let count: i64 = on_change!(change, |c| sqlx::query_scalar(COUNT_BEYOND)
        .bind(workspace)
        .bind(longest)
        .bind(now)
        .fetch_one(c)
        .await)?;
    Ok(count.max(0) as u64)
}

/// The number of keys that expire later than this longest lifetime allows, and up to `limit` of them: first those that
/// would expire first.
pub async fn beyond(
    db: &Db,
    workspace: &WorkspaceId,
    max_lifetime_days: i32,
    limit: i64,
) -> Result<(u64, Vec<KeyBeyondPolicy>), DbError> {
    let (now, longest) = (db.now(), Timestamp(0).plus_days(max_lifetime_days.into()));
    let count: i64 = on_db!(db, |pool| sqlx::query_scalar(COUNT_BEYOND)
        .bind(workspace)
        .bind(longest)
        .bind(now)
        .fetch_one(pool)
        .await)?;
    let keys = on_db!(db, |pool| sqlx::query_as(BEYOND)
        .bind(workspace)
        .bind(longest)
        .bind(now)
        .bind(limit)
        .fetch_all(pool)
        .await)?;
    Ok((count.max(0) as u64, keys))
}

/// Pauses a locked key; `None` resumes it.
pub async fn set_pause(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    pause: Option<&Pause>,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(PAUSE)
        .bind(workspace)
        .bind(id)
        .bind(pause.map_or(Timestamp(0), |pause| pause.at))
        .bind(pause.map_or("", |pause| &pause.by))
        .bind(pause.map_or("", |pause| &pause.reason))
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Marks a locked key as deleted.
pub async fn mark_deleted(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    by: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(MARK_DELETED)
        .bind(workspace)
        .bind(id)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Restores a key that was deleted after `since`, and returns its name and masked value; `None` if there is none.
pub async fn restore(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    since: Timestamp,
) -> Result<Option<(KeyName, String)>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(RESTORE).bind(workspace).bind(id).bind(since).fetch_optional(c).await)?)
}

/// Up to `limit` keys that were deleted after `since`, the latest first.
pub async fn deleted(
    db: &Db,
    workspace: &WorkspaceId,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<DeletedKey>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(DELETED).bind(workspace).bind(since).bind(limit).fetch_all(pool).await)?)
}

/// Erases a key that is not marked as deleted; `false` if it does not exist.
pub async fn delete(change: &mut Change, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<bool, DbError> {
    let deleted = on_change!(change, |c| sqlx::query(DELETE)
        .bind(workspace)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Erases up to `limit` keys whose deletion can no longer be undone, and returns their number.
pub async fn erase(change: &mut Change, now: Timestamp, limit: i64) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(ERASE)
        .bind(now)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Erases the sealed old values that no longer open.
pub async fn forget_old_values(change: &mut Change, now: Timestamp) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(FORGET_OLD_VALUES).bind(now).execute(c).await.map(|_| ()))?)
}

/// A key's sealed value: `None` if there is no such key, `Some(None)` if its value is not stored.
pub async fn find_sealed(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
) -> Result<Option<Option<Sealed>>, DbError> {
    let row: Option<(Option<Vec<u8>>, Option<String>)> =
        on_change!(change, |c| sqlx::query_as(FIND_SEALED).bind(workspace).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(bytes, with)| Some(Sealed { bytes: bytes?, master_key_id: with? })))
}

/// The settings of a locked key.
pub async fn settings(change: &mut Change, workspace: &WorkspaceId, id: &ApiKeyId) -> Result<KeySettings, DbError> {
    let row: SettingsRow =
        on_change!(change, |c| sqlx::query_as(SETTINGS).bind(workspace).bind(id).fetch_one(c).await)?;
    Ok(row.read())
}

/// Replaces the settings of a locked key.
pub async fn set(
    change: &mut Change,
    workspace: &WorkspaceId,
    id: &ApiKeyId,
    settings: &KeySettings,
    now: Timestamp,
) -> Result<(), DbError> {
    Ok(on_change!(change, |c| sqlx::query(SET)
        .bind(workspace)
        .bind(id)
        .bind(&settings.owner)
        .bind(&settings.note)
        .bind(settings.tags.join(","))
        .bind(settings.networks.join(","))
        .bind(settings.rate.map(|rate| i64::from(rate.calls)))
        .bind(settings.rate.map(|rate| i64::from(rate.seconds)))
        .bind(settings.rate.map(|rate| i64::from(rate.burst)))
        .bind(settings.quota.map(|quota| quota as i64))
        .bind(now)
        .execute(c)
        .await
        .map(|_| ()))?)
}

/// Up to `limit` keys that a concern is about. `at` is the instant, or the hour since 1970, that it depends on.
pub async fn review(
    db: &Db,
    workspace: &WorkspaceId,
    concern: Concern,
    at: i64,
    limit: i64,
) -> Result<Vec<ReviewedKey>, DbError> {
    let sql = match concern {
        Concern::NeverUsed => NEVER_USED_SINCE,
        Concern::Idle => IDLE_SINCE,
        Concern::ExpiresSoon => EXPIRES_BEFORE,
        Concern::OldValue => VALUE_BEFORE,
        Concern::OftenRefused => OFTEN_REFUSED,
        Concern::OwnerGone => OWNER_GONE,
        Concern::NoOwner => NO_OWNER,
        Concern::NoNetwork => NO_NETWORK,
        Concern::OneAgent => ONE_AGENT,
        Concern::UnusedPermissions => UNUSED_PERMISSIONS,
        Concern::BeyondPolicy => BEYOND_POLICY,
    };
    let now = db.now();
    Ok(on_db!(db, |pool| sqlx::query_as(sql).bind(workspace).bind(now).bind(at).bind(limit).fetch_all(pool).await)?)
}

/// The key, deleted or not, that has this value or had it before its last rotation.
pub async fn by_hash(db: &Db, workspace: &WorkspaceId, hash: &HashedKey) -> Result<Option<ApiKeyId>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_scalar(BY_HASH).bind(workspace).bind(hash.as_bytes()).fetch_optional(pool).await)?)
}

/// Deletes every sealed value of a workspace and returns their number.
pub async fn destroy_sealed(change: &mut Change, workspace: &WorkspaceId) -> Result<u64, DbError> {
    Ok(on_change!(change, |c| sqlx::query(DESTROY_SEALED)
        .bind(workspace)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// A sealed value of a key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SealedValue {
    pub workspace_id: WorkspaceId,
    pub id: ApiKeyId,
    /// Whether the last rotation replaced it.
    is_old: bool,
    sealed: Vec<u8>,
    pub sealed_with: String,
}

impl SealedValue {
    pub fn sealed(&self) -> Sealed {
        Sealed { bytes: self.sealed.clone(), master_key_id: self.sealed_with.clone() }
    }
}

/// Sealed values of all workspaces: those of the first keys after this one, at least `limit` unless there are no more.
pub async fn sealed_values(
    db: &Db,
    after: Option<&(WorkspaceId, ApiKeyId)>,
    limit: i64,
) -> Result<Vec<SealedValue>, DbError> {
    let (workspace, id) = after.map_or(("", ""), |(workspace, id)| (workspace.as_str(), id.as_str()));
    let mut values: Vec<SealedValue> = on_db!(db, |pool| sqlx::query_as(SEALED_VALUES)
        .bind(workspace)
        .bind(id)
        .bind(limit + 1)
        .fetch_all(pool)
        .await)?;
    // The next page begins after a whole key: its two values stay together.
    if values.len() as i64 > limit {
        let last = values[values.len() - 1].id.clone();
        values.retain(|value| value.id != last);
    }
    Ok(values)
}

/// Replaces a sealed value unless it was changed meanwhile. Returns 1 if it was replaced.
pub async fn replace_sealed(change: &mut Change, value: &SealedValue, sealed: &Sealed) -> Result<u64, DbError> {
    let sql = if value.is_old { REPLACE_OLD_SEALED } else { REPLACE_SEALED };
    Ok(on_change!(change, |c| sqlx::query(sql)
        .bind(&value.workspace_id)
        .bind(&value.id)
        .bind(&sealed.bytes)
        .bind(&sealed.master_key_id)
        .bind(&value.sealed)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// Number of keys, in all workspaces, whose values are sealed under another master key than this one.
pub async fn foreign_seals(db: &Db, master_key_id: &str) -> Result<i64, DbError> {
    let (count,): (i64,) = on_db!(db, |pool| sqlx::query_as(FOREIGN_SEALS).bind(master_key_id).fetch_one(pool).await)?;
    Ok(count)
}
