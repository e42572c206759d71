//! Handlers of the Agents API for deployments.

use crate::api::agents::actor;
use crate::api::openapi::{BodyRefusals, Refusals};
use crate::api_keys::Permission;
use crate::base::time::format_instant;
use crate::deployments::service::Deployments;
use crate::deployments::{Deployment, DeploymentError, Environment};
use crate::gate::AuthorisedCall;
use crate::gate::caller::Caller;
use crate::http::client_address::ClientAddress;
use crate::http::envelope::{ApiError, Envelope, created, json, read_json};
use crate::http::parameters::Parameters;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most deployments that a list returns, and how many without a limit.
const MAX_LIMIT: u32 = 1_000;
const DEFAULT_LIMIT: u32 = 100;

/// A deployment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Deployment)]
pub struct DeploymentAnswer<'a> {
    id: &'a str,
    account_id: &'a str,
    agent_id: &'a str,
    environment: &'a str,
    artifact_version: &'a str,
    /// The same for deployments of the same content, in all environments.
    version: &'a str,
    /// Who made it: an e-mail address, or `API key` and the key's id.
    created_by: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    metadata: DeploymentMetadata<'a>,
}

/// What was said about a deployment.
#[derive(Serialize, ToSchema)]
pub struct DeploymentMetadata<'a> {
    deployment_message: &'a str,
}

/// An environment's deployments.
#[derive(Serialize, ToSchema)]
pub struct DeploymentList<'a> {
    deployments: Vec<DeploymentAnswer<'a>>,
}

/// The active deployment of each environment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveDeployments<'a> {
    active_deployments: ActiveByEnvironment<'a>,
}

/// A deployment for each environment; null where there is none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ActiveByEnvironment<'a> {
    #[schema(required)]
    sandbox: Option<DeploymentAnswer<'a>>,
    #[schema(required)]
    pre_release: Option<DeploymentAnswer<'a>>,
    #[schema(required)]
    live: Option<DeploymentAnswer<'a>>,
}

/// The deployment that a change resulted in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedDeployment<'a> {
    deployment: DeploymentAnswer<'a>,
    /// Always empty: this server runs no tests.
    test_run_ids: [&'a str; 0],
}

/// What to publish.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Publication {
    #[serde(default)]
    #[schema(max_length = 1000, default = "", example = "New greeting")]
    deployment_message: String,
    /// `sandbox` if it is missing.
    #[schema(value_type = Option<Environment>, nullable = false, inline)]
    environment: Option<String>,
}

/// Where to promote a deployment.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promotion {
    #[serde(default)]
    #[schema(max_length = 1000, default = "", example = "New greeting")]
    deployment_message: String,
    /// `pre-release` or `live`; the next environment if it is missing.
    #[schema(nullable = false, example = "pre-release", pattern = "^(pre-release|live)$")]
    target_environment: Option<String>,
}

/// Why a deployment becomes active again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    #[serde(default)]
    #[schema(max_length = 1000, default = "", example = "New greeting")]
    deployment_message: String,
}

/// List an environment's deployments
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/deployments",
    operation_id = "list_deployments",
    tag = "Agents",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        ("environment" = inline(Environment), Query, description = "The environment.", example = "live"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most deployments to return; 100 where it is left out."),
    ),
    responses((status = 200, description = "The deployments, newest first.", body = DeploymentList), Refusals),
)]
pub async fn list(
    State(deployments): State<Deployments>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
    caller: Caller,
) -> Result<Response, ApiError> {
    let call = caller.admit_to_agent(None, &agent_id).await?;
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    let environment = environment("environment", &given.required("environment")?)?;
    let limit = given.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let found = deployments.list(&call.workspace.id, &call.agent.id, environment, limit).await?;
    json(&DeploymentList { deployments: found.iter().map(|deployment| answer(&call, deployment)).collect() })
}

/// Get the active deployments
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/deployments/active",
    operation_id = "get_active_deployments",
    tag = "Agents",
    security(("key" = [])),
    params(("agent_id" = String, Path, description = "The agent's id or slug.")),
    responses((status = 200, description = "The active deployment of each environment.", body = ActiveDeployments), Refusals),
)]
pub async fn active(
    State(deployments): State<Deployments>,
    Path(agent_id): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let call = caller.admit_to_agent(None, &agent_id).await?;
    let active = async |environment| deployments.active(&call.workspace.id, &call.agent.id, environment).await;
    let sandbox = active(Environment::Sandbox).await?;
    let pre_release = active(Environment::PreRelease).await?;
    let live = active(Environment::Live).await?;
    json(&ActiveDeployments {
        active_deployments: ActiveByEnvironment {
            sandbox: sandbox.as_ref().map(|found| answer(&call, found)),
            pre_release: pre_release.as_ref().map(|found| answer(&call, found)),
            live: live.as_ref().map(|found| answer(&call, found)),
        },
    })
}

/// Publish an agent
///
/// Makes a deployment of the agent's configuration and variants as they are, and activates it.
#[utoipa::path(
    post,
    path = "/agents/{agent_id}/deployments/publish",
    operation_id = "publish_deployment",
    tag = "Agents",
    security(("key" = [])),
    params(("agent_id" = String, Path, description = "The agent's id or slug.")),
    request_body = Publication,
    responses((status = 201, description = "Published.", body = ChangedDeployment), Refusals, BodyRefusals),
)]
pub async fn publish(
    State(deployments): State<Deployments>,
    Path(agent_id): Path<String>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = caller.admit_to_agent(Permission::Agents, &agent_id).await?;
    let new: Publication = optional_body(&headers, &body)?;
    let target = new.environment.as_deref().map(|text| environment("environment", text)).transpose()?;
    let (actor, target) = (actor(caller.key(), client), target.unwrap_or(Environment::Sandbox));
    let made = deployments.publish(&call.workspace.id, &actor, &call.agent, target, &new.deployment_message).await;
    created(&changed(&call, &made.map_err(refused)?))
}

/// Promote a deployment
///
/// From sandbox to pre-release, and from there to live.
#[utoipa::path(
    post,
    path = "/agents/{agent_id}/deployments/{deployment_id}/promote",
    operation_id = "promote_deployment",
    tag = "Agents",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        ("deployment_id" = String, Path, description = "The deployment's id."),
    ),
    request_body = Promotion,
    responses(
        (status = 200, description = "The deployment in the environment further ahead.", body = ChangedDeployment),
        Refusals,
        BodyRefusals,
        (status = 409, description = "The environment is not further ahead.", body = Envelope),
    ),
)]
pub async fn promote(
    State(deployments): State<Deployments>,
    Path((agent_id, id)): Path<(String, String)>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = caller.admit_to_agent(Permission::Agents, &agent_id).await?;
    let new: Promotion = optional_body(&headers, &body)?;
    let target = new.target_environment.as_deref().map(|text| environment("targetEnvironment", text)).transpose()?;
    let (actor, message) = (actor(caller.key(), client), new.deployment_message.as_str());
    let made = deployments.promote(&call.workspace.id, &actor, &call.agent, &id, target, message).await;
    json(&changed(&call, &made.map_err(refused)?))
}

/// Roll back to a deployment
///
/// Makes an earlier deployment the active one of its environment again.
#[utoipa::path(
    post,
    path = "/agents/{agent_id}/deployments/{deployment_id}/rollback",
    operation_id = "roll_back_deployment",
    tag = "Agents",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        ("deployment_id" = String, Path, description = "The deployment's id."),
    ),
    request_body = Rollback,
    responses((status = 200, description = "The active deployment.", body = ChangedDeployment), Refusals, BodyRefusals),
)]
pub async fn roll_back(
    State(deployments): State<Deployments>,
    Path((agent_id, id)): Path<(String, String)>,
    Extension(client): Extension<ClientAddress>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let call = caller.admit_to_agent(Permission::Agents, &agent_id).await?;
    let new: Rollback = optional_body(&headers, &body)?;
    let actor = actor(caller.key(), client);
    let made = deployments.roll_back(&call.workspace.id, &actor, &call.agent, &id, &new.deployment_message).await;
    json(&changed(&call, &made.map_err(refused)?))
}

/// A body whose fields are all optional may be missing as a whole.
fn optional_body<'a, T: Deserialize<'a> + Default>(headers: &HeaderMap, body: &'a [u8]) -> Result<T, ApiError> {
    if body.is_empty() { Ok(T::default()) } else { read_json(headers, body) }
}

fn environment(name: &str, text: &str) -> Result<Environment, ApiError> {
    let accepted = "`sandbox`, `pre-release` or `live`";
    Environment::parse(text).ok_or_else(|| ApiError::parameter(name, text, accepted))
}

fn answer<'a>(call: &'a AuthorisedCall, deployment: &'a Deployment) -> DeploymentAnswer<'a> {
    DeploymentAnswer {
        id: deployment.id.as_str(),
        account_id: call.workspace.id.as_str(),
        agent_id: call.agent.id.as_str(),
        environment: &deployment.environment,
        artifact_version: &deployment.artifact_version,
        version: &deployment.version,
        created_by: &deployment.created_by,
        created_at: format_instant(deployment.created_at),
        metadata: DeploymentMetadata { deployment_message: &deployment.message },
    }
}

fn changed<'a>(call: &'a AuthorisedCall, deployment: &'a Deployment) -> ChangedDeployment<'a> {
    ChangedDeployment { deployment: answer(call, deployment), test_run_ids: [] }
}

fn refused(error: DeploymentError) -> ApiError {
    let message = error.to_string();
    match error {
        DeploymentError::NotFound => {
            ApiError::new(StatusCode::NOT_FOUND, "DEPLOYMENT_NOT_FOUND", "Deployment ID does not exist.")
        }
        DeploymentError::NotAhead => ApiError::new(StatusCode::CONFLICT, "DEPLOYMENT_NOT_AHEAD", message),
        DeploymentError::MessageTooLong(_) => {
            ApiError::new(StatusCode::BAD_REQUEST, "CONVERSATIONS_VALIDATION_FAILED", message)
        }
        DeploymentError::Db(error) => error.into(),
    }
}
