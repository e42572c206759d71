//! The Agents API's handlers.

use super::operations::{self, Created};
use super::store;
use crate::api_keys::Permission;
use crate::api_keys::store::KeyRecord;
use crate::conversations::document::format_instant;
use crate::error::{Error, Problem};
use crate::gate;
use crate::id::AgentId;
use crate::server::state::{Actor, App};
use crate::sessions::guard::ClientAddress;
use crate::wire::{ApiError, json, read_json};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The contract's `CreateAgentResponse`, and an item of its `GetAgentsResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    account_id: &'a str,
    agent_id: &'a str,
    agent_name: &'a str,
    created_at: String,
    updated_at: String,
    /// Agents have no branches here.
    branch_count: u32,
}

/// `GET /v1/accounts/{accountId}/agents`: any valid key, limited to its agents.
pub async fn list(
    State(app): State<Arc<App>>,
    Path(account_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = gate::authenticate(&app, &headers).await?;
    let workspace = gate::own_workspace(&app, &key, &account_id).await?;
    let agents = store::covered(&app.db, &workspace.id, &key.id, key.all_agents).await?;
    let listed = agents.iter().map(|agent| Shown {
        account_id: workspace.id.as_str(),
        agent_id: agent.id.as_str(),
        agent_name: &agent.name,
        created_at: format_instant(agent.created_at),
        updated_at: format_instant(agent.updated_at),
        branch_count: 0,
    });
    json(&listed.collect::<Vec<_>>())
}

/// The contract's `CreateAgentBody`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAgent {
    #[serde(skip_serializing)]
    name: String,
    #[serde(skip_serializing)]
    agent_id: Option<String>,
    response_settings: ResponseSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_settings: Option<VoiceSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    llm_settings: Option<LlmSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experimental_config: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResponseSettings {
    greeting: String,
    #[serde(default = "british_english")]
    language_code: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VoiceSettings {
    voice_id: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LlmSettings {
    model_id: Option<String>,
}

fn british_english() -> String {
    "en-GB".to_owned()
}

/// The contract's `DuplicateAgentBody`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Duplicate {
    new_agent_id: Option<String>,
    new_agent_name: String,
}

/// `POST /v1/accounts/{accountId}/agents`
pub async fn create(
    State(app): State<Arc<App>>,
    Path(account_id): Path<String>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let key = gate::authenticate(&app, &headers).await?;
    let workspace = gate::own_workspace(&app, &key, &account_id).await?;
    gate::permit(&key, Permission::Agents)?;
    let new: NewAgent = read_json(&headers, &body)?;
    for (name, text) in
        [("greeting", &new.response_settings.greeting), ("languageCode", &new.response_settings.language_code)]
    {
        if text.is_empty() || text.contains('\0') {
            return Err(ApiError::parameter(name, text, "a text that is not empty"));
        }
    }
    let settings = serde_json::to_string(&new).map_err(|_| ApiError::internal())?;
    if settings.contains("\\u0000") {
        return Err(ApiError::parameter("experimentalConfig", "", "an object without NUL characters"));
    }
    let id = agent_id(&app, new.agent_id.as_deref())?;
    let actor = actor(&key, client);
    let made = operations::create_as(&app, &workspace.id, &actor, id, &new.name, None, &settings).await;
    answer(workspace.id.as_str(), &made.map_err(refused)?)
}

/// `DELETE /v1/agents/{agentId}`
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(agent_id): Path<String>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let key = gate::authenticate(&app, &headers).await?;
    let pass = gate::authorise(&app, &key, Permission::Agents, key.workspace.as_str(), &agent_id).await?;
    operations::delete(&app, &pass.workspace.id, &actor(&key, client), &pass.agent).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/agents/{agentId}/duplicate`: the settings are copied; what Configuration lets through is not, nor are
/// conversations.
pub async fn duplicate(
    State(app): State<Arc<App>>,
    Path(original): Path<String>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let key = gate::authenticate(&app, &headers).await?;
    let pass = gate::authorise(&app, &key, Permission::Agents, key.workspace.as_str(), &original).await?;
    let new: Duplicate = read_json(&headers, &body)?;
    let workspace = &pass.workspace.id;
    let settings = store::settings(&app.db, workspace, &pass.agent.id).await?.unwrap_or_else(|| "{}".to_owned());
    let id = agent_id(&app, new.new_agent_id.as_deref())?;
    let actor = actor(&key, client);
    let made = operations::create_as(&app, workspace, &actor, id, &new.new_agent_name, None, &settings).await;
    answer(workspace.as_str(), &made.map_err(refused)?)
}

/// The id that was asked for, or a new one.
fn agent_id(app: &App, wanted: Option<&str>) -> Result<AgentId, ApiError> {
    let Some(wanted) = wanted else { return Ok(AgentId::generate(&app.random)) };
    AgentId::parse(wanted)
        .filter(|_| !wanted.contains('_'))
        .ok_or_else(|| ApiError::parameter("agentId", wanted, "up to 64 letters, digits and hyphens"))
}

fn actor(key: &KeyRecord, ClientAddress(address): ClientAddress) -> Actor {
    Actor { id: None, name: format!("API key {}", key.id), address }
}

fn answer(account_id: &str, Created { agent, created_at, .. }: &Created) -> Result<Response, ApiError> {
    let now = format_instant(*created_at);
    json(&Shown {
        account_id,
        agent_id: agent.id.as_str(),
        agent_name: &agent.name,
        created_at: now.clone(),
        updated_at: now,
        branch_count: 0,
    })
}

fn refused(error: Error) -> ApiError {
    match error {
        Error::Invalid(problems) if problems.contains(&Problem::SlugTaken) => {
            ApiError::new(StatusCode::CONFLICT, "AGENT_ID_TAKEN", "An agent of this workspace has this agentId.")
        }
        Error::Invalid(_) => {
            ApiError::new(StatusCode::BAD_REQUEST, "CONVERSATIONS_VALIDATION_FAILED", error.to_string())
        }
        Error::NotFound => ApiError::new(StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND", "Project ID does not exist."),
        other => other.into(),
    }
}
