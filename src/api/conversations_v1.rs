//! Handlers below `/v1/agents/{agentId}/conversations`: the same conversations as in v3, with camelCase fields.

use crate::api::conversation_page::{self, PageForm, unreadable};
use crate::api::conversations_v3::no_such_conversation;
use crate::api::openapi::Refusals;
use crate::api_keys::Permission;
use crate::conversations::cursor::is_id;
use crate::conversations::live_form;
use crate::conversations::query::ListQuery;
use crate::conversations::schema::FilterParameters;
use crate::conversations::service::Conversations;
use crate::conversations::values::MetricEntry;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, json_body};
use crate::http::parameters::Parameters;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Default limit of the list.
const DEFAULT_LIMIT: u32 = 50;

/// A conversation without its turns. Fields that came in beyond these are returned too.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConversationSummary)]
pub struct Summary {
    pub account_id: String,
    pub project_id: String,
    pub conversation_id: String,
    pub channel: String,
    pub client_env: String,
    /// Such as `inbound`.
    #[schema(required)]
    pub direction: Option<String>,
    #[schema(required)]
    pub language: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub started_at: String,
    /// Null while the conversation is in progress.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
    /// In seconds.
    pub duration: f64,
    pub total_duration: f64,
    pub polyai_duration: f64,
    pub in_progress: bool,
    pub from_number: String,
    pub to_number: String,
    pub handoff: bool,
    /// Null unless the metric `HANDOFF_TO` is enabled in Configuration.
    #[schema(required)]
    pub handoff_destination: Option<String>,
    /// Null unless the metric `HANDOFF_REASON` is enabled in Configuration.
    #[schema(required)]
    pub handoff_reason: Option<String>,
    #[schema(required)]
    pub variant_id: Option<String>,
    #[schema(required)]
    pub variant_name: Option<String>,
    #[schema(required)]
    pub deployment_id: Option<String>,
    #[schema(required)]
    pub audio_url: Option<String>,
    #[schema(required)]
    pub note: Option<String>,
    #[schema(required)]
    pub poly_score: Option<f64>,
    pub tags: Vec<String>,
    /// As it came in: `{heading, content}`, a text, or null.
    #[schema(value_type = Value)]
    pub short_summary: (),
    pub num_turns: u32,
    pub num_silences: u32,
    pub num_ood: u32,
    /// Only the metrics that are enabled in Configuration. A value that came in without a time has that of the
    /// conversation's end, or of its start while it is in progress.
    pub metrics: BTreeMap<String, Vec<MetricEntry>>,
}

/// A conversation with its turns. The fields of turns are in snake_case.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConversationDetail)]
pub struct Detail {
    #[serde(flatten)]
    #[schema(inline)]
    pub summary: Summary,
    /// `[]` while Conversation transcript is off in Configuration. Each turn has the fields with which it came in.
    #[schema(value_type = Vec<Object>)]
    pub turns: (),
    /// Lists of events by turn. `{}` while Conversation transcript is off in Configuration: events repeat what was said.
    #[schema(value_type = Object)]
    pub function_events: (),
}

/// A page of conversations, newest first.
#[derive(ToSchema)]
#[schema(as = ConversationSummaryPage)]
pub struct Page {
    pub conversations: Vec<Summary>,
    /// Number of conversations on all pages.
    pub count: i64,
    pub limit: u32,
    pub offset: u32,
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
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "Most conversations on the page; 50 where it is left out.", example = 100),
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
    conversation_page::stream(conversations, pass, query, PageForm::Live).await
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
        true => conversations.find_live(workspace, agent, &id, allowed.transcript).await?,
        false => None,
    };
    let stored = found.ok_or_else(no_such_conversation)?;
    let mut body = String::new();
    live_form::write_detail(&mut body, &stored, workspace, agent, &allowed).map_err(unreadable)?;
    Ok(json_body(Body::from(body)))
}
