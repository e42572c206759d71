//! Handlers below `/adk/v1`: what the vendor's command-line client asks first, which workspace and which agents a key
//! opens.

use crate::agents::service::Agents;
use crate::api::openapi::Refusals;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, json};
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

/// A workspace or an agent.
#[derive(Serialize, ToSchema)]
pub struct NamedItem<'a> {
    id: &'a str,
    name: &'a str,
}

/// The agents of a workspace.
#[derive(Serialize, ToSchema)]
pub struct ProjectList<'a> {
    projects: Vec<NamedItem<'a>>,
}

/// List workspaces
///
/// The key's workspace. Any valid key may ask.
#[utoipa::path(
    get,
    path = "/accounts",
    operation_id = "list_accounts",
    tag = "Agents",
    security(("key" = [])),
    responses((status = 200, description = "The key's workspace.", body = Vec<NamedItem>), Refusals),
)]
pub async fn accounts(caller: Caller) -> Result<Response, ApiError> {
    let workspace = caller.own_workspace().await?;
    json(&[NamedItem { id: workspace.id.as_str(), name: &workspace.name }])
}

/// List a workspace's agents
///
/// The agents that the key covers, whatever its permissions.
#[utoipa::path(
    get,
    path = "/accounts/{account_id}/projects",
    operation_id = "list_projects",
    tag = "Agents",
    security(("key" = [])),
    params(("account_id" = String, Path, description = "The workspace's id or slug.")),
    responses((status = 200, description = "The agents, oldest first.", body = ProjectList), Refusals),
)]
pub async fn projects(
    State(agents): State<Agents>,
    Path(account_id): Path<String>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let workspace = caller.admit_to_workspace(None, &account_id).await?;
    let key = caller.key();
    let covered = agents.covered(&workspace.id, &key.id, key.agents.is_none()).await?;
    let projects = covered.iter().map(|agent| NamedItem { id: agent.id.as_str(), name: &agent.name }).collect();
    json(&ProjectList { projects })
}
