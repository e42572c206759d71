//! SQL for configurations.

use crate::agents::AgentName;
use crate::base::id::{AgentId, WorkspaceId};
use crate::base::text::containing;
use crate::base::time::Timestamp;
use crate::configuration::{AllowedMetrics, CallerNumbers, Configuration, ConfigurationSummary};
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};

statements! {
    FIND = "SELECT all_metrics, metrics, transcript, caller_numbers FROM configurations
        WHERE workspace_id = $1 AND agent_id = $2";
    // `$2` is empty or a pattern for names of metrics in lower case.
    LIST = "SELECT a.id, a.name, COALESCE(c.all_metrics, FALSE) AS all_metrics,
            COALESCE(c.metrics, '[]') <> '[]' AS some_metrics, COALESCE(c.transcript, FALSE) AS transcript,
            COALESCE(c.caller_numbers, 'shown') AS caller_numbers,
            $2 <> '' AND (lower(COALESCE(c.metrics, '')) LIKE $2 ESCAPE '\\' OR a.id IN
                (SELECT m.agent_id FROM metric_names m
                WHERE m.workspace_id = $1 AND lower(m.name) LIKE $2 ESCAPE '\\')) AS has_metric
        FROM agents a LEFT JOIN configurations c ON c.workspace_id = a.workspace_id AND c.agent_id = a.id
        WHERE a.workspace_id = $1 AND a.deleted_at = 0 ORDER BY a.name, a.id";
    METRIC_NAMES = "SELECT name FROM metric_names WHERE workspace_id = $1 AND agent_id = $2 ORDER BY name";
    OTHERS = "SELECT id, name FROM agents WHERE workspace_id = $1 AND id <> $2 AND deleted_at = 0 ORDER BY id";
    UPSERT = "INSERT INTO configurations (workspace_id, agent_id, all_metrics, metrics, transcript, updated_at,
            caller_numbers)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (workspace_id, agent_id) DO UPDATE SET all_metrics = excluded.all_metrics,
            metrics = excluded.metrics, transcript = excluded.transcript, updated_at = excluded.updated_at,
            caller_numbers = excluded.caller_numbers";
}

#[derive(sqlx::FromRow)]
struct ConfigurationRow {
    all_metrics: bool,
    metrics: String,
    transcript: bool,
    caller_numbers: String,
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    #[sqlx(flatten)]
    agent: AgentName,
    all_metrics: bool,
    some_metrics: bool,
    transcript: bool,
    caller_numbers: String,
    has_metric: bool,
}

impl ConfigurationRow {
    fn read(self) -> Result<Configuration, DbError> {
        let names = serde_json::from_str(&self.metrics).map_err(|_| DbError::Failed)?;
        let metrics = if self.all_metrics { AllowedMetrics::All } else { AllowedMetrics::Only(names) };
        let caller_numbers = CallerNumbers::parse(&self.caller_numbers).ok_or(DbError::Failed)?;
        Ok(Configuration { metrics, transcript: self.transcript, caller_numbers })
    }
}

/// An agent's configuration; the default if none is stored.
pub async fn find(db: &Db, workspace: &WorkspaceId, agent: &AgentId) -> Result<Configuration, DbError> {
    let row: Option<ConfigurationRow> =
        on_db!(db, |pool| sqlx::query_as(FIND).bind(workspace).bind(agent).fetch_optional(pool).await)?;
    row.map_or_else(|| Ok(Configuration::default()), ConfigurationRow::read)
}

/// The same within a change.
pub async fn find_in(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId) -> Result<Configuration, DbError> {
    let row: Option<ConfigurationRow> =
        on_change!(change, |c| sqlx::query_as(FIND).bind(workspace).bind(agent).fetch_optional(c).await)?;
    row.map_or_else(|| Ok(Configuration::default()), ConfigurationRow::read)
}

/// Every agent with a summary of its configuration, in the order of names, and whether one of its metrics has a name that
/// contains this text. Letters' case does not matter.
pub async fn list(
    db: &Db,
    workspace: &WorkspaceId,
    metric: &str,
) -> Result<Vec<(ConfigurationSummary, bool)>, DbError> {
    let pattern = if metric.is_empty() { String::new() } else { containing(&metric.to_lowercase()) };
    let rows: Vec<SummaryRow> =
        on_db!(db, |pool| sqlx::query_as(LIST).bind(workspace).bind(&pattern).fetch_all(pool).await)?;
    let summary = |row: SummaryRow| {
        let SummaryRow { agent, all_metrics, some_metrics, transcript, caller_numbers, has_metric } = row;
        let caller_numbers = CallerNumbers::parse(&caller_numbers).ok_or(DbError::Failed)?;
        Ok((ConfigurationSummary { agent, all_metrics, some_metrics, transcript, caller_numbers }, has_metric))
    };
    rows.into_iter().map(summary).collect()
}

/// The names of metrics that occurred in an agent's conversations, in order.
pub async fn metric_names(db: &Db, workspace: &WorkspaceId, agent: &AgentId) -> Result<Vec<String>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_scalar(METRIC_NAMES).bind(workspace).bind(agent).fetch_all(pool).await)?)
}

/// The workspace's agents but this one.
pub async fn others(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId) -> Result<Vec<AgentName>, DbError> {
    Ok(on_change!(change, |c| sqlx::query_as(OTHERS).bind(workspace).bind(agent).fetch_all(c).await)?)
}

/// Stores an agent's configuration.
pub async fn upsert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<(), DbError> {
    let names = match &configuration.metrics {
        AllowedMetrics::All => "[]".to_owned(),
        AllowedMetrics::Only(names) => serde_json::to_string(names).map_err(|_| DbError::Failed)?,
    };
    Ok(on_change!(change, |c| sqlx::query(UPSERT)
        .bind(workspace)
        .bind(agent)
        .bind(configuration.metrics == AllowedMetrics::All)
        .bind(names)
        .bind(configuration.transcript)
        .bind(now)
        .bind(configuration.caller_numbers.id())
        .execute(c)
        .await
        .map(|_| ()))?)
}
