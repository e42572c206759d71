//! Handler of the Handoff API.

use crate::api::openapi::{AgentPath, Refusals};
use crate::api_keys::Permission;
use crate::gate::caller::Caller;
use crate::handoff::service::Handoffs;
use crate::handoff::service::{HandoffKey, HandoffState};
use crate::http::envelope::{ApiError, json};
use crate::http::parameters::Parameters;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The state that an agent stored when it transferred a call.
#[derive(Serialize, ToSchema)]
#[schema(as = HandoffState)]
pub struct HandoffAnswer<'a> {
    /// The conversation's id.
    id: &'a str,
    /// The agent's own id for the state, if it set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    shared_id: Option<&'a str>,
    /// The stored object, unchanged.
    #[schema(value_type = Object)]
    data: &'a RawValue,
}

/// Get a handoff state
///
/// By the conversation's `id` or by `shared_id`, which takes precedence. If several conversations have the same
/// `shared_id`, the latest state is returned.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/handoff_state",
    operation_id = "get_handoff_state",
    tag = "Handoff",
    security(("key" = [])),
    params(
        AgentPath,
        ("id" = Option<String>, Query, description = "The conversation's id.", max_length = 200),
        ("shared_id" = Option<String>, Query, description = "The id that the agent stored.", max_length = 200),
    ),
    responses((status = 200, description = "The state.", body = HandoffAnswer), Refusals),
)]
pub async fn find(
    State(handoffs): State<Handoffs>,
    Path((account_id, project_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit(Permission::Handoff, &account_id, &project_id).await?;
    let key = key(query.as_deref().unwrap_or_default())?;
    let found = handoffs.find(&pass.workspace.id, &pass.agent.id, &key).await?;
    let HandoffState { conversation_id, shared_id, data } = found.ok_or_else(|| {
        let message = "No handoff state is stored under this id.";
        ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_NOT_FOUND", message)
    })?;
    let data = serde_json::from_str(&data).map_err(|_| ApiError::internal())?;
    json(&HandoffAnswer { id: &conversation_id, shared_id: shared_id.as_deref(), data })
}

/// Reads the query string. `shared_id` takes precedence over `id`.
fn key(query: &str) -> Result<HandoffKey, ApiError> {
    let given = Parameters::read(query)?;
    match (given.text("shared_id")?, given.text("id")?) {
        (Some(shared_id), _) => Ok(HandoffKey::Shared(shared_id)),
        (None, Some(id)) => Ok(HandoffKey::Conversation(id)),
        (None, None) => Err(ApiError::parameter("id", "", "the conversation's id, or `shared_id` in its place")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_id_wins() {
        assert_eq!(key("id=a"), Ok(HandoffKey::Conversation("a".to_owned())));
        assert_eq!(key("id=a&shared_id=b"), Ok(HandoffKey::Shared("b".to_owned())));
        assert_eq!(key("id=a&shared_id="), Ok(HandoffKey::Conversation("a".to_owned())));
        for nothing in ["", "id=", "other=1"] {
            assert_eq!(key(nothing).unwrap_err().status, 400, "{nothing}");
        }
    }
}
