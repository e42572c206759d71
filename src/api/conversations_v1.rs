//! Handlers below `/v1/agents/{agentId}/conversations`: the same conversations as in v3, with camelCase fields.

use crate::api::conversations_v3::{no_such_conversation, unreadable};
use crate::api::openapi::Refusals;
use crate::api_keys::Permission;
use crate::base::bulk;
use crate::base::time::format_instant;
use crate::configuration::Configuration;
use crate::conversations::cursor::is_id;
use crate::conversations::document::{self, StoredConversation, Turn};
use crate::conversations::query::ListQuery;
use crate::conversations::schema::FilterParameters;
use crate::conversations::service::{BATCH_SIZE, Conversations};
use crate::conversations::values::MetricValue;
use crate::gate::AuthorisedCall;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, json};
use crate::http::parameters::Parameters;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Default limit of the list.
const DEFAULT_LIMIT: u32 = 50;

/// The fields that do not depend on Configuration. Read from the stored JSON and written in camelCase.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all(serialize = "camelCase"))]
#[schema(rename_all = "camelCase")]
pub struct SummaryFields {
    #[serde(rename(serialize = "conversationId"))]
    #[schema(rename = "conversationId")]
    id: String,
    variant_id: String,
    variant_name: String,
    #[serde(rename(serialize = "clientEnv"))]
    #[schema(rename = "clientEnv")]
    environment: String,
    #[schema(format = DateTime)]
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

/// A conversation without its turns.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConversationSummary)]
pub struct Summary<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    basics: SummaryFields,
    account_id: &'a str,
    project_id: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    /// Missing while the conversation is in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    finished_at: Option<String>,
    /// In seconds.
    duration: u32,
    #[schema(value_type = String)]
    handoff_reason: Box<RawValue>,
    #[schema(value_type = String)]
    handoff_destination: Box<RawValue>,
    #[schema(value_type = std::collections::BTreeMap<String, MetricValue>)]
    metrics: Box<RawValue>,
}

/// A conversation with its turns. The fields of turns are in snake_case.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConversationDetail)]
pub struct Detail<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    summary: Summary<'a>,
    /// `[]` while Conversation transcript is off in Configuration.
    #[schema(value_type = Vec<Turn>)]
    turns: Box<RawValue>,
    function_events: Nothing,
}

/// Always `{}`: function events are not stored.
#[derive(Serialize, ToSchema)]
#[schema(as = FunctionEvents)]
pub struct Nothing {}

/// Which speakers a recording contains.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Combined,
    User,
    Agent,
}

/// A page of conversations, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationSummaryPage)]
pub struct Page<'a> {
    conversations: Vec<Summary<'a>>,
    /// Number of conversations on all pages.
    count: i64,
    limit: u32,
    offset: u32,
}

/// List conversations in camelCase
///
/// Newest first, without turns. `count` is the number of conversations on all pages.
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/conversations",
    operation_id = "list_agent_conversations",
    tag = "Conversations",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        FilterParameters,
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most conversations on the page; 50 where it is left out.", example = 100),
    ),
    responses((status = 200, description = "A page of conversations.", body = Page), Refusals),
)]
pub async fn list(
    State(conversations): State<Conversations>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit_to_agent(Permission::Conversations, &agent_id).await?;
    // This call has filters only. A search would require a check that Configuration allows transcripts.
    let query = ListQuery::filters(&Parameters::read(query.as_deref().unwrap_or_default())?, DEFAULT_LIMIT)?;
    bulk::run(page(conversations, pass, query)).await.ok_or_else(ApiError::internal)?
}

async fn page(conversations: Conversations, pass: AuthorisedCall, query: ListQuery) -> Result<Response, ApiError> {
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = pass.configuration.clone();
    let reader = conversations.list_reader().await?;
    let count = reader.count(workspace, agent, &query).await?;
    let mut places = reader.places(workspace, agent, &query).await?;
    places.truncate(query.limit as usize);
    let mut summaries = Vec::with_capacity(places.len());
    for places in places.chunks(BATCH_SIZE) {
        for stored in reader.batch(workspace, agent, places, false, false).await? {
            summaries.push(summary(&stored, &pass, &allowed).map_err(unreadable)?);
        }
    }
    json(&Page { conversations: summaries, count, limit: query.limit, offset: query.offset })
}

/// Get a conversation in camelCase
///
/// The fields of its turns are in snake_case.
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/conversations/{id}",
    operation_id = "get_agent_conversation",
    tag = "Conversations",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        ("id" = String, Path, description = "The conversation's id."),
    ),
    responses((status = 200, description = "The conversation.", body = Detail), Refusals),
)]
pub async fn find(
    State(conversations): State<Conversations>,
    Path((agent_id, id)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit_to_agent(Permission::Conversations, &agent_id).await?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = pass.configuration.clone();
    let found = match is_id(&id) {
        true => conversations.find(workspace, agent, &id, allowed.transcript, false).await?,
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

/// Get a conversation's recording
///
/// Recordings are not stored. The response is 404 with `CONVERSATIONS_RECORDING_NOT_FOUND`.
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/conversations/{id}/audio",
    operation_id = "get_recording",
    tag = "Conversations",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        ("id" = String, Path, description = "The conversation's id."),
        ("direction" = inline(Option<Direction>), Query, description = "Whose voice."),
        ("redacted" = Option<bool>, Query, description = "Without what was redacted."),
    ),
    responses(Refusals),
)]
pub async fn audio(
    State(conversations): State<Conversations>,
    Path((agent_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit_to_agent(Permission::Conversations, &agent_id).await?;
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    given.one_of("direction", &["combined", "user", "agent"])?;
    given.flag("redacted")?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let exists = is_id(&id) && conversations.in_progress(workspace, agent, &id).await?.is_some();
    let message = "No recording is kept for this conversation.";
    Err(match exists {
        true => ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_RECORDING_NOT_FOUND", message),
        false => no_such_conversation(),
    })
}

fn summary<'a>(
    stored: &StoredConversation,
    pass: &'a AuthorisedCall,
    allowed: &Configuration,
) -> Result<Summary<'a>, serde_json::Error> {
    let basics: SummaryFields = serde_json::from_str(&stored.document)?;
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
