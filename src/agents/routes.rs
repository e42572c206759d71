//! The Agents API's handlers.

use super::store;
use crate::conversations::document::format_instant;
use crate::gate;
use crate::server::state::App;
use crate::wire::{ApiError, json};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;

/// An item of the contract's `GetAgentsResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
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
    let listed = agents.iter().map(|agent| Listed {
        account_id: workspace.id.as_str(),
        agent_id: agent.id.as_str(),
        agent_name: &agent.name,
        created_at: format_instant(agent.created_at),
        updated_at: format_instant(agent.updated_at),
        branch_count: 0,
    });
    json(&listed.collect::<Vec<_>>())
}
