//! SQL for the gate: loading the index, applying changes to it, and deciding by the database.

use crate::agents::AgentName;
use crate::api_keys::secret::HashedKey;
use crate::api_keys::{Permissions, Rate};
use crate::base::id::{AgentId, ApiKeyId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::configuration::{AllowedMetrics, CallerNumbers, Configuration};
use crate::db::{Db, DbError};
use crate::gate::indexed::{IndexedAgent, IndexedKey, IndexedWorkspace};
use crate::gate::limits::{KeyLimiter, Limiters};
use crate::usage::counts::hour_of;
use crate::workspaces::Workspace;
use crate::{on_db, statements};
use futures_util::TryStreamExt as _;
use ipnet::IpNet;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Both values of every key that is not deleted: the current one, and the one that a rotation replaced, whose expiry is
/// its end.
macro_rules! keys {
    ($and_current:literal, $and_old:literal) => {
        concat!(
            "SELECT workspace_id, id, name, hash, all_agents, permissions, expires_at, paused_at,
                networks, rate_calls, rate_seconds, burst, quota, FALSE AS is_old_value
            FROM api_keys WHERE deleted_at = 0",
            $and_current,
            " UNION ALL
            SELECT workspace_id, id, name, old_hash, all_agents, permissions, old_until, paused_at,
                networks, rate_calls, rate_seconds, burst, quota, TRUE
            FROM api_keys WHERE deleted_at = 0 AND old_hash IS NOT NULL",
            $and_old
        )
    };
}
macro_rules! agents {
    () => {
        "SELECT a.workspace_id, a.id, a.slug, a.name, COALESCE(c.all_metrics, FALSE) AS all_metrics,
            COALESCE(c.metrics, '[]') AS metrics, COALESCE(c.transcript, FALSE) AS transcript,
            COALESCE(c.caller_numbers, 'shown') AS caller_numbers
        FROM agents a LEFT JOIN configurations c ON c.workspace_id = a.workspace_id AND c.agent_id = a.id
        WHERE a.deleted_at = 0"
    };
}
macro_rules! workspaces {
    () => {
        "SELECT id, slug, name, keys_copyable, retention_days, undo_days, members_may_request FROM workspaces"
    };
}

statements! {
    // These cover all workspaces, for the index.
    KEYS = keys!("", "");
    CHOSEN = "SELECT workspace_id, key_id, agent_id FROM api_key_agents";
    WORKSPACES = workspaces!();
    AGENTS = agents!();
    // Searches all workspaces, because the hash alone authenticates.
    KEY = keys!(" AND hash = $1", " AND old_hash = $1");
    USED_SINCE = "SELECT COALESCE(CAST(SUM(requests) AS BIGINT), 0) FROM key_usage
        WHERE workspace_id = $1 AND key_id = $2 AND hour >= $3 AND outcome = 'accepted'";
    ALL_USED_SINCE = "SELECT u.workspace_id, u.key_id, CAST(SUM(u.requests) AS BIGINT)
        FROM api_keys k JOIN key_usage u ON u.workspace_id = k.workspace_id AND u.key_id = k.id
        WHERE k.quota IS NOT NULL AND u.hour >= $1 AND u.outcome = 'accepted' GROUP BY u.workspace_id, u.key_id";
    CHOSEN_OF = "SELECT agent_id FROM api_key_agents WHERE workspace_id = $1 AND key_id = $2";
    WORKSPACE = concat!(workspaces!(), " WHERE id = $1");
    AGENTS_OF = concat!(agents!(), " AND a.workspace_id = $1");
    AGENT = concat!(agents!(), " AND a.workspace_id = $1 AND (a.id = $2 OR a.slug = $2)");
}

#[derive(sqlx::FromRow)]
struct IndexedKeyRow {
    workspace_id: WorkspaceId,
    id: ApiKeyId,
    name: String,
    hash: Vec<u8>,
    all_agents: bool,
    permissions: String,
    expires_at: Timestamp,
    /// 0 if it is not paused.
    paused_at: Timestamp,
    networks: String,
    rate_calls: Option<i64>,
    rate_seconds: Option<i64>,
    burst: Option<i64>,
    quota: Option<i64>,
    is_old_value: bool,
}

impl IndexedKeyRow {
    /// The key, and whether the use of its quota must still be read.
    fn read(self, mut agents: Vec<AgentId>, limiters: &Limiters) -> Result<(HashedKey, IndexedKey, bool), DbError> {
        agents.sort_unstable();
        let networks = self.networks.split(',').filter(|network| !network.is_empty());
        let networks = networks.map(|network| network.parse().map_err(|_| DbError::Failed));
        let networks = networks.collect::<Result<Box<[IpNet]>, _>>()?;
        let rate = Rate::stored(self.rate_calls, self.rate_seconds, self.burst);
        let quota = self.quota.and_then(|quota| u64::try_from(quota).ok());
        let limiter = limiters.of(&self.workspace_id, &self.id, rate, quota);
        let unread = limiter.as_ref().is_some_and(|limiter| limiter.has_quota() && !limiter.is_read());
        let key = IndexedKey {
            workspace: self.workspace_id,
            id: self.id,
            name: self.name.into_boxed_str(),
            agents: (!self.all_agents).then(|| agents.into_boxed_slice()),
            permissions: Permissions::parse(self.permissions.split(',')).map_err(|_| DbError::Failed)?,
            expires_at: self.expires_at,
            is_paused: self.paused_at.0 > 0,
            is_old_value: self.is_old_value,
            networks: (!networks.is_empty()).then_some(networks),
            limiter,
            sunset: OnceLock::new(),
            counts: OnceLock::new(),
            forward_auth_headers: OnceLock::new(),
        };
        Ok((HashedKey::from_bytes(&self.hash).ok_or(DbError::Failed)?, key, unread))
    }
}

#[derive(sqlx::FromRow)]
struct IndexedAgentRow {
    workspace_id: WorkspaceId,
    id: AgentId,
    slug: String,
    name: String,
    all_metrics: bool,
    metrics: String,
    transcript: bool,
    caller_numbers: String,
}

impl IndexedAgentRow {
    fn read(self) -> Result<IndexedAgent, DbError> {
        let names = serde_json::from_str(&self.metrics).map_err(|_| DbError::Failed)?;
        let metrics = if self.all_metrics { AllowedMetrics::All } else { AllowedMetrics::Only(names) };
        let caller_numbers = CallerNumbers::parse(&self.caller_numbers).ok_or(DbError::Failed)?;
        Ok(IndexedAgent {
            agent: Arc::new(AgentName { id: self.id, name: self.name }),
            configuration: Arc::new(Configuration { metrics, transcript: self.transcript, caller_numbers }),
        })
    }

    fn join(self, workspace: &mut IndexedWorkspace) -> Result<(), DbError> {
        let names = [self.slug.clone(), self.id.to_string()];
        let agent = self.read()?;
        for name in names {
            workspace.agents.insert(name.into_boxed_str(), agent.clone());
        }
        Ok(())
    }
}

pub async fn key(db: &Db, limiters: &Limiters, hash: &HashedKey) -> Result<Option<IndexedKey>, DbError> {
    let row: Option<IndexedKeyRow> =
        on_db!(db, |pool| sqlx::query_as(KEY).bind(hash.as_bytes()).fetch_optional(pool).await)?;
    let Some(row) = row else { return Ok(None) };
    let chosen: Vec<(AgentId,)> = match row.all_agents {
        true => Vec::new(),
        false => {
            on_db!(db, |pool| sqlx::query_as(CHOSEN_OF).bind(&row.workspace_id).bind(&row.id).fetch_all(pool).await)?
        }
    };
    let (_, key, unread) = row.read(chosen.into_iter().map(|(agent,)| agent).collect(), limiters)?;
    if unread {
        read_quota(db, &key).await?;
    }
    Ok(Some(key))
}

/// Reads how much of this month's quota a key has used, by all servers' calls.
pub async fn read_quota(db: &Db, key: &IndexedKey) -> Result<(), DbError> {
    let Some(limiter) = &key.limiter else { return Ok(()) };
    let now = db.now();
    let since = hour_of(now.begin_of_month());
    let used: i64 = on_db!(db, |pool| sqlx::query_scalar(USED_SINCE)
        .bind(&key.workspace)
        .bind(&key.id)
        .bind(since)
        .fetch_one(pool)
        .await)?;
    limiter.set_recorded(used.max(0) as u64, now);
    Ok(())
}

/// Reads how much of this month's quota each key has used.
async fn read_quotas(db: &Db, unread: &HashMap<(WorkspaceId, ApiKeyId), Arc<KeyLimiter>>) -> Result<(), DbError> {
    if unread.is_empty() {
        return Ok(());
    }
    let now = db.now();
    let since = hour_of(now.begin_of_month());
    let used: Vec<(WorkspaceId, ApiKeyId, i64)> =
        on_db!(db, |pool| sqlx::query_as(ALL_USED_SINCE).bind(since).fetch_all(pool).await)?;
    let used: HashMap<_, _> = used.into_iter().map(|(workspace, key, used)| ((workspace, key), used)).collect();
    for (key, limiter) in unread {
        limiter.set_recorded(used.get(key).map_or(0, |used| (*used).max(0) as u64), now);
    }
    Ok(())
}

pub async fn workspace(db: &Db, id: &WorkspaceId) -> Result<Option<Workspace>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(WORKSPACE).bind(id).fetch_optional(pool).await)?)
}

/// The agent with this id or slug.
pub async fn agent(db: &Db, workspace: &WorkspaceId, id_or_slug: &str) -> Result<Option<IndexedAgent>, DbError> {
    // Slugs have the characters of ids. Other text matches no agent, and PostgreSQL may not accept it (NUL).
    if AgentId::parse(id_or_slug).is_none() {
        return Ok(None);
    }
    let row: Option<IndexedAgentRow> =
        on_db!(db, |pool| sqlx::query_as(AGENT).bind(workspace).bind(id_or_slug).fetch_optional(pool).await)?;
    row.map(IndexedAgentRow::read).transpose()
}

pub async fn workspace_with_agents(db: &Db, id: &WorkspaceId) -> Result<Option<IndexedWorkspace>, DbError> {
    let Some(workspace) = workspace(db, id).await? else { return Ok(None) };
    let mut known = IndexedWorkspace { workspace: Arc::new(workspace), agents: HashMap::new() };
    let rows: Vec<IndexedAgentRow> = on_db!(db, |pool| sqlx::query_as(AGENTS_OF).bind(id).fetch_all(pool).await)?;
    for row in rows {
        row.join(&mut known)?;
    }
    Ok(Some(known))
}

/// Calls `take` with every key of all workspaces.
pub async fn every_key(
    db: &Db,
    limiters: &Limiters,
    mut take: impl FnMut(HashedKey, IndexedKey),
) -> Result<(), DbError> {
    let mut unread = HashMap::new();
    let mut chosen: HashMap<(WorkspaceId, ApiKeyId), Vec<AgentId>> = HashMap::new();
    on_db!(db, |pool| {
        let mut rows = sqlx::query_as::<_, (WorkspaceId, ApiKeyId, AgentId)>(CHOSEN).fetch(pool);
        while let Some((workspace, key, agent)) = rows.try_next().await? {
            chosen.entry((workspace, key)).or_default().push(agent);
        }
        Ok::<_, sqlx::Error>(())
    })?;
    on_db!(db, |pool| {
        let mut rows = sqlx::query_as::<_, IndexedKeyRow>(KEYS).fetch(pool);
        while let Some(row) = rows.try_next().await? {
            let agents = match row.all_agents {
                true => Vec::new(),
                // A key may have two values.
                false => chosen.get(&(row.workspace_id.clone(), row.id.clone())).cloned().unwrap_or_default(),
            };
            let (hash, key, is_unread) = row.read(agents, limiters)?;
            if is_unread && let Some(limiter) = &key.limiter {
                unread.insert((key.workspace.clone(), key.id.clone()), limiter.clone());
            }
            take(hash, key);
        }
        Ok::<_, sqlx::Error>(())
    })?;
    read_quotas(db, &unread).await
}

/// All workspaces with their agents.
pub async fn every_workspace(db: &Db) -> Result<Vec<IndexedWorkspace>, DbError> {
    let rows: Vec<Workspace> = on_db!(db, |pool| sqlx::query_as(WORKSPACES).fetch_all(pool).await)?;
    let known = rows
        .into_iter()
        .map(|row| (row.id.clone(), IndexedWorkspace { workspace: Arc::new(row), agents: HashMap::new() }));
    let mut known: HashMap<WorkspaceId, IndexedWorkspace> = known.collect();
    let rows: Vec<IndexedAgentRow> = on_db!(db, |pool| sqlx::query_as(AGENTS).fetch_all(pool).await)?;
    for row in rows {
        if let Some(workspace) = known.get_mut(&row.workspace_id) {
            row.join(workspace)?;
        }
    }
    Ok(known.into_values().collect())
}
