//! Handlers of the Agents API.

use crate::agents::service::{self, AgentError, Agents, CreatedAgent};
use crate::api::openapi::{BodyRefusals, Refusals};
use crate::api_keys::Permission;
use crate::base::actor::Actor;
use crate::base::error::Problem;
use crate::base::id::AgentId;
use crate::base::time::format_instant;
use crate::gate::caller::Caller;
use crate::gate::indexed::IndexedKey;
use crate::http::client_address::ClientAddress;
use crate::http::envelope::{ApiError, Envelope, json, read_json};
use crate::http::object::{json_object, object, objects, optional_object};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An agent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Agent)]
pub struct AgentAnswer<'a> {
    account_id: &'a str,
    agent_id: &'a str,
    agent_name: &'a str,
    created_at: String,
    updated_at: String,
    /// Always 0: agents have no branches in this implementation.
    branch_count: u32,
}

/// List agents
///
/// The agents that the key covers, whatever its permissions.
#[utoipa::path(
    get,
    path = "/accounts/{account_id}/agents",
    operation_id = "list_agents",
    tag = "Agents",
    security(("key" = [])),
    params(("account_id" = String, Path, description = "The workspace's id or slug.")),
    responses((status = 200, description = "The agents, oldest first.", body = Vec<AgentAnswer>), Refusals),
)]
pub async fn list(
    State(agents): State<Agents>,
    Path(account_id): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let workspace = caller.admit_to_workspace(None, &account_id).await?;
    let key = caller.key();
    let covered = agents.covered(&workspace.id, &key.id, key.agents.is_none()).await?;
    let listed = covered.iter().map(|agent| AgentAnswer {
        account_id: workspace.id.as_str(),
        agent_id: agent.id.as_str(),
        agent_name: &agent.name,
        created_at: format_instant(agent.created_at),
        updated_at: format_instant(agent.updated_at),
        branch_count: 0,
    });
    json(&listed.collect::<Vec<_>>())
}

/// An agent to create.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAgent {
    #[schema(max_length = 100, pattern = r"[^\s\x00-\x1f\x7f-\x9f]", example = "Concierge")]
    name: String,
    /// Generated if it is missing.
    #[schema(pattern = "^[a-zA-Z0-9-]+$", max_length = 64)]
    agent_id: Option<String>,
    #[serde(deserialize_with = "object")]
    response_settings: ResponseSettings,
    #[serde(default, deserialize_with = "optional_object")]
    voice_settings: Option<VoiceSettings>,
    #[serde(default, deserialize_with = "optional_object")]
    llm_settings: Option<LlmSettings>,
    #[serde(default, deserialize_with = "optional_object")]
    experimental_config: Option<ExperimentalConfig>,
}

/// The stored settings of an agent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgentSettings<'a> {
    response_settings: &'a ResponseSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_settings: &'a Option<VoiceSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    llm_settings: &'a Option<LlmSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experimental_config: &'a Option<ExperimentalConfig>,
}

/// How an agent speaks.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseSettings {
    #[schema(value_type = String, min_length = 1, example = "Hello, how can I help?")]
    greeting: NonEmptyText,
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, default = "en-GB")]
    language_code: LanguageCode,
}

/// An agent's voice.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VoiceSettings {
    #[schema(value_type = String, min_length = 1)]
    voice_id: NonEmptyText,
}

/// An agent's language model.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LlmSettings {
    model_id: Option<String>,
}

/// Experiments with an agent.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExperimentalConfig {
    #[serde(deserialize_with = "objects")]
    configs: Vec<Experiment>,
}

/// One experiment.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Experiment {
    id: String,
    #[serde(deserialize_with = "json_object")]
    #[schema(value_type = Object)]
    features: Box<RawValue>,
    created_at: String,
    created_by: String,
    updated_at: String,
    updated_by: String,
    active: bool,
}

/// A non-empty text.
#[derive(Deserialize, Serialize)]
#[serde(try_from = "String")]
struct NonEmptyText(String);

impl TryFrom<String> for NonEmptyText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_empty() { Err("a text is empty") } else { Ok(Self(text)) }
    }
}

/// A language code; British English by default.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct LanguageCode(NonEmptyText);

impl Default for LanguageCode {
    fn default() -> Self {
        Self(NonEmptyText("en-GB".to_owned()))
    }
}

/// Id and name of a duplicate.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Duplicate)]
pub struct DuplicateAgent {
    /// Generated if it is missing.
    #[schema(pattern = "^[a-zA-Z0-9-]+$", max_length = 64)]
    new_agent_id: Option<String>,
    #[schema(max_length = 100, pattern = r"[^\s\x00-\x1f\x7f-\x9f]", example = "Concierge, night shift")]
    new_agent_name: String,
}

/// Create an agent
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/agents",
    operation_id = "create_agent",
    tag = "Agents",
    security(("key" = [])),
    params(("account_id" = String, Path, description = "The workspace's id or slug.")),
    request_body = NewAgent,
    responses(
        (status = 200, description = "Made.", body = AgentAnswer),
        Refusals,
        BodyRefusals,
        (status = 409, description = "Another agent of the workspace has this id.", body = Envelope),
    ),
)]
pub async fn create(
    State(agents): State<Agents>,
    Path(account_id): Path<String>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let workspace = caller.admit_to_workspace(Some(Permission::Agents), &account_id).await?;
    let new: NewAgent = read_json(&headers, &body)?;
    let kept = AgentSettings {
        response_settings: &new.response_settings,
        voice_settings: &new.voice_settings,
        llm_settings: &new.llm_settings,
        experimental_config: &new.experimental_config,
    };
    let settings = serde_json::to_string(&kept).map_err(|_| ApiError::internal())?;
    let name = agent_name(&new.name)?;
    let id = agent_id(&agents, new.agent_id.as_deref())?;
    let actor = actor(caller.key(), client);
    let made = agents.create_as(&workspace.id, &actor, id, name, None, &settings).await;
    answer(workspace.id.as_str(), &made.map_err(refused)?)
}

/// Delete an agent
///
/// Its conversations are deleted too. Keys that cover only this agent remain, but grant access to nothing.
#[utoipa::path(
    delete,
    path = "/agents/{agent_id}",
    operation_id = "delete_agent",
    tag = "Agents",
    security(("key" = [])),
    params(("agent_id" = String, Path, description = "The agent's id or slug.")),
    responses((status = 204, description = "Deleted."), Refusals),
)]
pub async fn delete(
    State(agents): State<Agents>,
    Path(agent_id): Path<String>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let pass = caller.admit_to_agent(Permission::Agents, &agent_id).await?;
    agents.delete(&pass.workspace.id, &actor(caller.key(), client), &pass.agent).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Duplicate an agent
///
/// Copies the agent's settings, but neither its Configuration nor its conversations.
#[utoipa::path(
    post,
    path = "/agents/{agent_id}/duplicate",
    operation_id = "duplicate_agent",
    tag = "Agents",
    security(("key" = [])),
    params(("agent_id" = String, Path, description = "The original's id or slug.")),
    request_body = DuplicateAgent,
    responses(
        (status = 200, description = "Made.", body = AgentAnswer),
        Refusals,
        BodyRefusals,
        (status = 409, description = "Another agent of the workspace has this id.", body = Envelope),
    ),
)]
pub async fn duplicate(
    State(agents): State<Agents>,
    Path(original): Path<String>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let pass = caller.admit_to_agent(Permission::Agents, &original).await?;
    let new: DuplicateAgent = read_json(&headers, &body)?;
    let workspace = &pass.workspace.id;
    let settings = agents.settings(workspace, &pass.agent.id).await?.unwrap_or_else(|| "{}".to_owned());
    let name = agent_name(&new.new_agent_name)?;
    let id = agent_id(&agents, new.new_agent_id.as_deref())?;
    let actor = actor(caller.key(), client);
    let made = agents.create_as(workspace, &actor, id, name, None, &settings).await;
    answer(workspace.as_str(), &made.map_err(refused)?)
}

/// The requested id, or a new one.
fn agent_id(agents: &Agents, wanted: Option<&str>) -> Result<AgentId, ApiError> {
    let Some(wanted) = wanted else { return Ok(agents.new_id()) };
    AgentId::parse(wanted)
        .filter(|_| !wanted.contains('_'))
        .ok_or_else(|| ApiError::parameter("agentId", wanted, "up to 64 letters, digits and hyphens"))
}

/// Checks a name against the contract's length limit, which applies before whitespace and control characters are
/// removed.
fn agent_name(name: &str) -> Result<&str, ApiError> {
    match name.chars().count() <= service::MAX_NAME_CHARS {
        true => Ok(name),
        false => Err(refused(Problem::NameTooLong.into())),
    }
}

/// The actor of changes made with a key.
pub fn actor(key: &IndexedKey, ClientAddress { address, .. }: ClientAddress) -> Actor {
    Actor { id: None, name: format!("API key {}", key.id), address }
}

fn answer(account_id: &str, CreatedAgent { agent, created_at, .. }: &CreatedAgent) -> Result<Response, ApiError> {
    let now = format_instant(*created_at);
    json(&AgentAnswer {
        account_id,
        agent_id: agent.id.as_str(),
        agent_name: &agent.name,
        created_at: now.clone(),
        updated_at: now,
        branch_count: 0,
    })
}

fn refused(error: AgentError) -> ApiError {
    match error {
        AgentError::Invalid(Problem::SlugTaken) => ApiError::new(
            StatusCode::CONFLICT,
            "AGENT_ID_TAKEN",
            "An agent of this workspace has this agentId, or one that was deleted and can still be restored.",
        ),
        AgentError::Invalid(problem) => {
            ApiError::new(StatusCode::BAD_REQUEST, "CONVERSATIONS_VALIDATION_FAILED", problem.to_string())
        }
        AgentError::NotFound => ApiError::new(StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND", "Project ID does not exist."),
        AgentError::Db(error) => error.into(),
    }
}
