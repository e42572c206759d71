//! Reading and changing the configuration of agents.

use crate::agents::{self, AgentName};
use crate::audit::{self, Action, NewAuditEntry};
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::{AgentId, WorkspaceId};
use crate::configuration::{
    AgentConfiguration, AllowedMetrics, CallerNumbers, Configuration, ConfigurationSummary, DOCUMENTED_METRICS, store,
};
use crate::db::{Change, Db, DbError};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Maximum number of metrics chosen by name, and the longest name in characters.
const MAX_METRICS: usize = 2_000;
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
    store::find_in(change, workspace, agent).await
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

    /// A summary for every agent whose name, or one of whose metrics, contains `search`, in the order of names.
    pub async fn list(&self, workspace: &WorkspaceId, search: &str) -> Result<Vec<ConfigurationSummary>, DbError> {
        let wanted = search.to_lowercase();
        let rows = store::list(&self.db, workspace, search).await?;
        let fits = |(summary, has_metric): &(ConfigurationSummary, bool)| {
            *has_metric || summary.agent.name.to_lowercase().contains(&wanted)
        };
        Ok(rows.into_iter().filter(fits).map(|(summary, _)| summary).collect())
    }

    /// The configuration of the agent with this id or slug, with the metrics that it may have.
    pub async fn find(&self, workspace: &WorkspaceId, agent: &str) -> Result<AgentConfiguration, ConfigurationError> {
        let agent = agents::service::find(&self.db, workspace, agent).await?.ok_or(ConfigurationError::NoSuchAgent)?;
        let configuration = store::find(&self.db, workspace, &agent.id).await?;
        let seen = store::metric_names(&self.db, workspace, &agent.id).await?;
        let chosen = match &configuration.metrics {
            AllowedMetrics::All => BTreeSet::new(),
            AllowedMetrics::Only(names) => names.clone(),
        };
        let others: BTreeSet<String> = seen.into_iter().chain(chosen).collect();
        let documented = DOCUMENTED_METRICS.map(str::to_owned).into_iter();
        let rest = others.into_iter().filter(|name| !DOCUMENTED_METRICS.contains(&name.as_str()));
        Ok(AgentConfiguration { agent, configuration, offered: documented.chain(rest).collect() })
    }

    /// The configuration that the page shows whole: that of `agent` or, without it, of the first in the list for `search`.
    pub async fn open(
        &self,
        workspace: &WorkspaceId,
        search: &str,
        agent: Option<&str>,
    ) -> Result<Option<AgentConfiguration>, DbError> {
        let first = match agent {
            Some(_) => None,
            None => self.list(workspace, search).await?.into_iter().next().map(|first| first.agent.id),
        };
        let Some(agent) = agent.or(first.as_ref().map(AgentId::as_str)) else { return Ok(None) };
        match self.find(workspace, agent).await {
            Ok(found) => Ok(Some(found)),
            Err(ConfigurationError::Db(error)) => Err(error),
            Err(ConfigurationError::NoSuchAgent | ConfigurationError::Invalid(_)) => Ok(None),
        }
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
        let mut change = self.db.begin(actor).await?;
        if !agents::service::lock(&mut change, workspace, &agent.id).await? {
            return Err(ConfigurationError::NoSuchAgent);
        }
        let before = store::find_in(&mut change, workspace, &agent.id).await?;
        let configuration = Configuration {
            metrics: new.metrics.clone(),
            transcript: new.transcript,
            caller_numbers: new.caller_numbers.unwrap_or(before.caller_numbers),
        };
        if before == configuration {
            return Ok(());
        }
        replace(&mut change, workspace, &agent, &before, &configuration).await?;
        Ok(change.commit().await?)
    }

    /// Gives an agent the configuration that another has.
    pub async fn copy(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &str,
        from: &str,
    ) -> Result<(), ConfigurationError> {
        let Configuration { metrics, transcript, caller_numbers } = self.find(workspace, from).await?.configuration;
        let new = NewConfiguration { metrics, transcript, caller_numbers: Some(caller_numbers) };
        self.set(workspace, actor, agent, &new).await
    }

    /// Gives all other agents the configuration of this one, in one change.
    pub async fn apply_to_all(
        &self,
        workspace: &WorkspaceId,
        actor: &Actor,
        agent: &str,
    ) -> Result<(), ConfigurationError> {
        let agent = agents::service::find(&self.db, workspace, agent).await?.ok_or(ConfigurationError::NoSuchAgent)?;
        let mut change = self.db.begin(actor).await?;
        let configuration = store::find_in(&mut change, workspace, &agent.id).await?;
        // In the order of ids, so that two such changes do not wait for each other.
        for other in store::others(&mut change, workspace, &agent.id).await? {
            if !agents::service::lock(&mut change, workspace, &other.id).await? {
                // It was deleted in the meantime.
                continue;
            }
            let before = store::find_in(&mut change, workspace, &other.id).await?;
            if before != configuration {
                replace(&mut change, workspace, &other, &before, &configuration).await?;
            }
        }
        Ok(change.commit().await?)
    }
}

/// Stores an agent's configuration and its audit entry.
async fn replace(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentName,
    before: &Configuration,
    configuration: &Configuration,
) -> Result<(), DbError> {
    let now = change.now();
    store::upsert(change, workspace, &agent.id, configuration, now).await?;
    let entry = NewAuditEntry {
        action: Action::ConfigurationChanged,
        subject_id: agent.id.as_str(),
        subject: &agent.name,
        details: difference(before, configuration),
    };
    audit::record(change, workspace, entry).await
}

/// What changed, as the audit log has it. Of two lists of metrics only the difference: each may have thousands.
fn difference(before: &Configuration, after: &Configuration) -> Value {
    let mut changed = Map::new();
    if before.metrics != after.metrics {
        let metrics = match (&before.metrics, &after.metrics) {
            (AllowedMetrics::Only(from), AllowedMetrics::Only(to)) => json!({
                "added": to.difference(from).collect::<Vec<_>>(),
                "removed": from.difference(to).collect::<Vec<_>>(),
            }),
            (from, to) => json!({ "from": from, "to": to }),
        };
        changed.insert("metrics".to_owned(), metrics);
    }
    if before.transcript != after.transcript {
        changed.insert("transcript".to_owned(), json!({ "from": before.transcript, "to": after.transcript }));
    }
    if before.caller_numbers != after.caller_numbers {
        let numbers = json!({ "from": before.caller_numbers, "to": after.caller_numbers });
        changed.insert("caller_numbers".to_owned(), numbers);
    }
    Value::Object(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_has_what_changed() {
        let only = |names: &[&str]| AllowedMetrics::Only(names.iter().map(|&name| name.to_owned()).collect());
        let before = Configuration { metrics: only(&["A", "B"]), ..Configuration::default() };
        let after = Configuration { metrics: only(&["B", "C"]), transcript: true, ..Configuration::default() };
        assert_eq!(
            difference(&before, &after),
            json!({
                "transcript": { "from": false, "to": true },
                "metrics": { "added": ["C"], "removed": ["A"] },
            })
        );
        let all = Configuration { metrics: AllowedMetrics::All, ..before.clone() };
        assert_eq!(difference(&all, &before), json!({ "metrics": { "from": "All", "to": { "Only": ["A", "B"] } } }));
        assert_eq!(difference(&all, &all), json!({}));
    }
}
