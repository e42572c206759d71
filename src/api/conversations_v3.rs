//! Handlers of the Conversations API: version 3, and the retired versions before it.

use crate::api::conversation_page::{self, PageForm, unreadable};
use crate::api::openapi::{AgentPath, Refusals};
use crate::api_keys::Permission;
use crate::conversations::cursor::is_id;
use crate::conversations::document;
use crate::conversations::query::{ListMode, ListQuery, include_latency};
use crate::conversations::schema::{Conversation, ConversationPage, FilterParameters, PageParameters};
use crate::conversations::service::Conversations;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, Envelope, json_body};
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

/// List conversations
///
/// Newest first. The response is streamed.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations",
    operation_id = "list_conversations",
    tag = "Conversations",
    security(("key" = [])),
    params(AgentPath, FilterParameters, PageParameters),
    responses(
        (status = 200, description = "A page of conversations.", body = ConversationPage),
        Refusals,
        (status = 501, description = "`query_type=semantic` does not exist yet.", body = Envelope),
    ),
)]
pub async fn list(
    State(conversations): State<Conversations>,
    Path((account_id, project_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit(Permission::Conversations, &account_id, &project_id).await?;
    let query = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    if matches!(query.mode, ListMode::Transcript(_)) {
        caller.may_read_transcripts(&pass)?;
    }
    conversation_page::stream(conversations, pass, query, PageForm::V3).await
}

/// Get a conversation
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations/{id}",
    operation_id = "get_conversation",
    tag = "Conversations",
    security(("key" = [])),
    params(
        AgentPath,
        ("id" = String, Path, description = "The conversation's id."),
        ("include_latency" = Option<bool>, Query, description = "Adds each turn's latency in seconds."),
    ),
    responses((status = 200, description = "The conversation.", body = Conversation), Refusals),
)]
pub async fn find(
    State(conversations): State<Conversations>,
    Path((account_id, project_id, id)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit(Permission::Conversations, &account_id, &project_id).await?;
    let with_latency = include_latency(query.as_deref().unwrap_or_default())?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = pass.configuration.clone();
    let found = match is_id(&id) {
        true => conversations.find(workspace, agent, &id, allowed.transcript, with_latency).await?,
        false => None,
    };
    let stored = found.ok_or_else(no_such_conversation)?;
    let mut body = String::new();
    document::write(&mut body, &stored, workspace, agent, &allowed).map_err(unreadable)?;
    Ok(json_body(Body::from(body)))
}

/// List conversations: retired
///
/// The response is 410 and names the new path in v3.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations",
    tag = "Retired",
    security(()),
    params(AgentPath),
    responses((status = 410, description = "Moved to v3.", body = Envelope)),
)]
#[deprecated]
pub async fn retired_list(uri: Uri) -> ApiError {
    retired(&uri)
}

/// Get a conversation: retired
///
/// The response is 410 and names the new path in v3.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations/{id}",
    tag = "Retired",
    security(()),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.")),
    responses((status = 410, description = "Moved to v3.", body = Envelope)),
)]
#[deprecated]
pub async fn retired_find(uri: Uri) -> ApiError {
    retired(&uri)
}

/// 410 with the new path. `uri` has no version prefix, because the routers of retired versions are nested.
fn retired(uri: &Uri) -> ApiError {
    let message = format!("This version of the Conversations API is retired. Move to v3: /v3{}", uri.path());
    ApiError::new(StatusCode::GONE, "API_VERSION_RETIRED", message)
}

/// 404 for an agent that the key covers.
pub fn no_such_conversation() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_NOT_FOUND", "Conversation ID does not exist.")
}
