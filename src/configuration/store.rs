//! SQL for configurations.

use crate::agents::AgentName;
use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::configuration::{AllowedMetrics, CallerNumbers, Configuration};
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};

statements! {
    FIND = "SELECT all_metrics, metrics, transcript, caller_numbers FROM configurations
        WHERE workspace_id = $1 AND agent_id = $2";
    LIST = "SELECT a.id, a.name, COALESCE(c.all_metrics, FALSE) AS all_metrics, COALESCE(c.metrics, '[]') AS metrics,
            COALESCE(c.transcript, FALSE) AS transcript, COALESCE(c.caller_numbers, 'shown') AS caller_numbers
        FROM agents a LEFT JOIN configurations c ON c.workspace_id = a.workspace_id AND c.agent_id = a.id
        WHERE a.workspace_id = $1 ORDER BY a.name, a.id";
    METRIC_NAMES = "SELECT agent_id, name FROM metric_names WHERE workspace_id = $1 ORDER BY agent_id, name";
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
struct AgentRow {
    #[sqlx(flatten)]
    agent: AgentName,
    #[sqlx(flatten)]
    row: ConfigurationRow,
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
pub async fn locked(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId) -> Result<Configuration, DbError> {
    let row: Option<ConfigurationRow> =
        on_change!(change, |c| sqlx::query_as(FIND).bind(workspace).bind(agent).fetch_optional(c).await)?;
    row.map_or_else(|| Ok(Configuration::default()), ConfigurationRow::read)
}

/// Every agent with its configuration, in the order of names.
pub async fn list(db: &Db, workspace: &WorkspaceId) -> Result<Vec<(AgentName, Configuration)>, DbError> {
    let rows: Vec<AgentRow> = on_db!(db, |pool| sqlx::query_as(LIST).bind(workspace).fetch_all(pool).await)?;
    rows.into_iter().map(|row| Ok((row.agent, row.row.read()?))).collect()
}

/// All metric names that occurred in conversations, with their agents.
pub async fn metric_names(db: &Db, workspace: &WorkspaceId) -> Result<Vec<(AgentId, String)>, DbError> {
    Ok(on_db!(db, |pool| sqlx::query_as(METRIC_NAMES).bind(workspace).fetch_all(pool).await)?)
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
