//! Reading and changing the configuration of agents.

use crate::agents;
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{AgentId, WorkspaceId};
use crate::configuration::{
    AgentConfiguration, AllowedMetrics, CallerNumbers, Configuration, DOCUMENTED_METRICS, store,
};
use crate::db::{Change, Db, DbError};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of metrics chosen by name, and the longest name in characters.
const MAX_METRICS: usize = 200;
const MAX_METRIC_CHARS: usize = 200;

/// Why an agent's configuration could not be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    #[error("There is no such agent.")]
    NoSuchAgent,
    #[error(transparent)]
    Invalid(#[from] Problem),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The configuration of an agent that this change has locked.
pub async fn locked(change: &mut Change, workspace: &WorkspaceId, agent: &AgentId) -> Result<Configuration, DbError> {
    store::locked(change, workspace, agent).await
}

/// What an agent's configuration becomes.
#[derive(Clone, Debug)]
pub struct NewConfiguration {
    pub metrics: AllowedMetrics,
    pub transcript: bool,
    /// `None` leaves them as they are.
    pub caller_numbers: Option<CallerNumbers>,
}

/// Service for the configuration of agents.
#[derive(Clone, Debug)]
pub struct Configurations {
    db: Db,
}

impl Configurations {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The configuration of every agent, in the order of names.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<AgentConfiguration>, DbError> {
        let mut seen: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (agent, name) in store::metric_names(&self.db, workspace).await? {
            seen.entry(agent).or_default().push(name);
        }
        let cards = store::list(&self.db, workspace).await?.into_iter().map(|(agent, configuration)| {
            let chosen = match &configuration.metrics {
                AllowedMetrics::All => BTreeSet::new(),
                AllowedMetrics::Only(names) => names.clone(),
            };
            let others = seen.remove(&agent.id).unwrap_or_default().into_iter().chain(chosen).collect::<BTreeSet<_>>();
            let documented = DOCUMENTED_METRICS.map(str::to_owned).into_iter();
            let rest = others.into_iter().filter(|name| !DOCUMENTED_METRICS.contains(&name.as_str()));
            AgentConfiguration { agent, configuration, offered: documented.chain(rest).collect() }
        });
        Ok(cards.collect())
    }

    /// Replaces the configuration of the agent with this id or slug. Without `caller_numbers` theirs stays.
    pub async fn set(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &str,
        new: &NewConfiguration,
    ) -> Result<(), ConfigurationError> {
        if let AllowedMetrics::Only(names) = &new.metrics
            && (names.len() > MAX_METRICS || names.iter().any(|n| n.is_empty() || n.chars().count() > MAX_METRIC_CHARS))
        {
            return Err(Problem::MetricsTooMany.into());
        }
        let agent = agents::service::find(&self.db, workspace, agent).await?.ok_or(ConfigurationError::NoSuchAgent)?;
        let before = store::find(&self.db, workspace, &agent.id).await?;
        let configuration = Configuration {
            metrics: new.metrics.clone(),
            transcript: new.transcript,
            caller_numbers: new.caller_numbers.unwrap_or(before.caller_numbers),
        };
        if before == configuration {
            return Ok(());
        }
        let mut change = self.db.begin(actor).await?;
        store::upsert(&mut change, workspace, &agent.id, &configuration, self.db.now()).await?;
        let entry = NewAuditEntry {
            action: Action::ConfigurationChanged,
            subject_id: agent.id.as_str(),
            subject: &agent.name,
            details: json!({ "from": before, "to": configuration }),
        };
        audit::record(&mut change, workspace, entry).await?;
        Ok(change.commit().await?)
    }
}
