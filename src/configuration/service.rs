//! What the Configuration page does.

use crate::agents;
use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::{Error, Problem};
use crate::base::id::WorkspaceId;
use crate::configuration::{AgentConfiguration, Configuration, DOCUMENTED_METRICS, Metrics, store};
use crate::gate;
use crate::server::state::App;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Most metrics that are chosen by name, and most characters of a name.
const MAX_METRICS: usize = 200;
const MAX_METRIC_CHARS: usize = 200;

/// Every agent's card, by name.
pub async fn list(app: &App, workspace: &WorkspaceId) -> Result<Vec<AgentConfiguration>, Error> {
    let mut seen: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (agent, name) in store::metric_names(&app.db, workspace).await? {
        seen.entry(agent).or_default().push(name);
    }
    let cards = store::list(&app.db, workspace).await?.into_iter().map(|(agent, configuration)| {
        let chosen = match &configuration.metrics {
            Metrics::All => BTreeSet::new(),
            Metrics::Only(names) => names.clone(),
        };
        let others = seen.remove(&agent.id).unwrap_or_default().into_iter().chain(chosen).collect::<BTreeSet<_>>();
        let documented = DOCUMENTED_METRICS.map(str::to_owned).into_iter();
        let rest = others.into_iter().filter(|name| !DOCUMENTED_METRICS.contains(&name.as_str()));
        AgentConfiguration { agent, configuration, offered: documented.chain(rest).collect() }
    });
    Ok(cards.collect())
}

/// Sets what an agent lets through.
pub async fn set(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    agent: &str,
    configuration: &Configuration,
) -> Result<(), Error> {
    if let Metrics::Only(names) = &configuration.metrics
        && (names.len() > MAX_METRICS || names.iter().any(|n| n.is_empty() || n.chars().count() > MAX_METRIC_CHARS))
    {
        return Err(Problem::MetricsTooMany.into());
    }
    let agent = agents::store::find(&app.db, workspace, agent).await?.ok_or(Error::NotFound)?;
    let before = store::find(&app.db, workspace, &agent.id).await?;
    if before == *configuration {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    store::upsert(&mut tx, workspace, &agent.id, configuration, app.clock.now()).await?;
    let entry = Entry {
        action: Action::ConfigurationChanged,
        subject_id: agent.id.as_str(),
        subject: &agent.name,
        details: json!({ "from": before, "to": configuration }),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    gate::follower::commit(app, tx).await
}
