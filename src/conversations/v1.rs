//! The calls of the family `/v1/agents/{agentId}/conversations`: the same conversations, named in camelCase.

use super::cursor::is_id;
use super::document::{self, Stored, format_instant};
use super::query::ListQuery;
use super::routes::{no_such_conversation, unreadable};
use super::store;
use crate::api_keys::Permission;
use crate::configuration::{self, Configuration};
use crate::gate::{self, Pass};
use crate::server::state::App;
use crate::wire::parameters::Parameters;
use crate::wire::{ApiError, json};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// How many conversations are listed where no limit is asked for.
const DEFAULT_LIMIT: u32 = 50;

/// What every caller with the permission sees: read as it is stored, written in camelCase.
#[derive(Deserialize, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
struct Basics {
    #[serde(rename(serialize = "conversationId"))]
    id: String,
    variant_id: String,
    variant_name: String,
    #[serde(rename(serialize = "clientEnv"))]
    environment: String,
    started_at: String,
    channel: String,
    from_number: String,
    to_number: String,
    in_progress: bool,
    num_turns: u32,
    total_duration: u32,
    polyai_duration: u32,
    handoff: bool,
    num_silences: u32,
    num_ood: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    #[serde(flatten)]
    basics: Basics,
    account_id: &'a str,
    project_id: &'a str,
    created_at: String,
    /// Left out while the conversation is in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// In seconds.
    duration: u32,
    handoff_reason: Box<RawValue>,
    handoff_destination: Box<RawValue>,
    metrics: Box<RawValue>,
}

/// The contract's `ConversationDetailResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    /// Turns keep their names in snake_case.
    turns: Box<RawValue>,
    function_events: Nothing,
}

/// `{}`: function events are not kept.
#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Page<'a> {
    conversations: Vec<Summary<'a>>,
    /// How many there are on all pages together.
    count: i64,
    limit: u32,
    offset: u32,
}

/// `GET /v1/agents/{agentId}/conversations`
pub async fn list(
    State(app): State<Arc<App>>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pass = gate::admit_to_agent(&app, &headers, Permission::Conversations, &agent_id).await?;
    // Filters only: a search would have to be allowed first, and this call has none.
    let query = ListQuery::filters(&Parameters::read(query.as_deref().unwrap_or_default())?, DEFAULT_LIMIT)?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = configuration::store::find(&app.db, workspace, agent).await?;
    let count = store::count(&app.db, workspace, agent, &query).await?;
    let mut places = store::places(&app.db, workspace, agent, &query).await?;
    places.truncate(query.limit as usize);
    let mut conversations = Vec::with_capacity(places.len());
    for places in places.chunks(store::BATCH_SIZE) {
        for stored in store::batch(&app.db, workspace, agent, places, false, false).await? {
            conversations.push(summary(&stored, &pass, &allowed).map_err(unreadable)?);
        }
    }
    json(&Page { conversations, count, limit: query.limit, offset: query.offset })
}

/// `GET /v1/agents/{agentId}/conversations/{conversationId}`
pub async fn find(
    State(app): State<Arc<App>>,
    Path((agent_id, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pass = gate::admit_to_agent(&app, &headers, Permission::Conversations, &agent_id).await?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = configuration::store::find(&app.db, workspace, agent).await?;
    let found = match is_id(&id) {
        true => store::find(&app.db, workspace, agent, &id, allowed.transcript, false).await?,
        false => None,
    };
    let stored = found.ok_or_else(no_such_conversation)?;
    let turns = if allowed.transcript { stored.turns.clone() } else { "[]".to_owned() };
    let detail = || {
        let summary = summary(&stored, &pass, &allowed)?;
        Ok(Detail { summary, turns: RawValue::from_string(turns)?, function_events: Nothing {} })
    };
    json(&detail().map_err(unreadable)?)
}

/// `GET /v1/agents/{agentId}/conversations/{conversationId}/audio`: recordings are not kept.
pub async fn audio(
    State(app): State<Arc<App>>,
    Path((agent_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pass = gate::admit_to_agent(&app, &headers, Permission::Conversations, &agent_id).await?;
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    given.one_of("direction", &["combined", "user", "agent"])?;
    given.flag("redacted")?;
    let exists = is_id(&id) && store::in_progress(&app.db, &pass.workspace.id, &pass.agent.id, &id).await?.is_some();
    let message = "No recording is kept for this conversation.";
    Err(match exists {
        true => ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_RECORDING_NOT_FOUND", message),
        false => no_such_conversation(),
    })
}

fn summary<'a>(stored: &Stored, pass: &'a Pass, allowed: &Configuration) -> Result<Summary<'a>, serde_json::Error> {
    let basics: Basics = serde_json::from_str(&stored.document)?;
    let ended_at = stored.started_at.plus_seconds(i64::from(basics.total_duration));
    let text = |metric, value: &str| {
        RawValue::from_string(if allowed.metrics.allow(metric) { value.to_owned() } else { "\"\"".to_owned() })
    };
    let mut metrics = String::new();
    document::write_metrics(&mut metrics, &stored.metrics, &allowed.metrics)?;
    Ok(Summary {
        account_id: pass.workspace.id.as_str(),
        project_id: pass.agent.id.as_str(),
        created_at: basics.started_at.clone(),
        finished_at: (!basics.in_progress).then(|| format_instant(ended_at)),
        duration: basics.total_duration,
        handoff_reason: text("HANDOFF_REASON", &stored.handoff_reason)?,
        handoff_destination: text("HANDOFF_TO", &stored.handoff_destination)?,
        metrics: RawValue::from_string(metrics)?,
        basics,
    })
}
