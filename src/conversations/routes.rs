//! The Conversations API's handlers.

use super::cursor::{Cursor, is_id};
use super::query::{ListQuery, Mode, include_latency};
use super::{document, store};
use crate::api_keys::Permission;
use crate::configuration;
use crate::gate;
use crate::server::state::App;
use crate::wire::{ApiError, json_text};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use std::fmt::Write as _;
use std::sync::Arc;

/// `GET /v3/{account_id}/{project_id}/conversations`
pub async fn list(
    State(app): State<Arc<App>>,
    Path((account_id, project_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pass = gate::admit(&app, &headers, Permission::Conversations, &account_id, &project_id).await?;
    let query = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = configuration::store::find(&app.db, workspace, agent).await?;
    if matches!(query.mode, Mode::Transcript(_)) && !allowed.transcript {
        let message = "Conversation transcript is off for this project_id in Configuration: it cannot be searched.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", message));
    }
    let mut page = store::list(&app.db, workspace, agent, &query, allowed.transcript).await?;

    let limit = query.limit as usize;
    let more = page.len() > limit;
    page.truncate(limit);
    let mut body = String::from("{\"conversations\":[");
    for (at, stored) in page.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        document::write(&mut body, stored, workspace, agent, &allowed).map_err(unreadable)?;
    }
    body.push(']');
    match page.last().filter(|_| more) {
        Some(last) => {
            let cursor = Cursor { started_at: last.started_at, id: last.id.clone() };
            if query.cursor.is_none() {
                let _ = write!(body, ",\"next_offset\":{}", query.offset as usize + page.len());
            }
            let _ = write!(body, ",\"cursor\":\"{}\"}}", cursor.encode());
        }
        None => body.push_str(",\"cursor\":null}"),
    }
    Ok(json_text(body))
}

/// `GET /v3/{account_id}/{project_id}/conversations/{id}`
pub async fn find(
    State(app): State<Arc<App>>,
    Path((account_id, project_id, id)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pass = gate::admit(&app, &headers, Permission::Conversations, &account_id, &project_id).await?;
    let with_latency = include_latency(query.as_deref().unwrap_or_default())?;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let allowed = configuration::store::find(&app.db, workspace, agent).await?;
    let found = match is_id(&id) {
        true => store::find(&app.db, workspace, agent, &id, allowed.transcript, with_latency).await?,
        false => None,
    };
    let stored = found.ok_or_else(no_such_conversation)?;
    let mut body = String::new();
    document::write(&mut body, &stored, workspace, agent, &allowed).map_err(unreadable)?;
    Ok(json_text(body))
}

/// The same calls on retired versions, whose routers are nested: 410, with the path to move to.
pub async fn retired(uri: Uri) -> ApiError {
    let message = format!("This version of the Conversations API is retired. Move to v3: /v3{}", uri.path());
    ApiError::new(StatusCode::GONE, "API_VERSION_RETIRED", message)
}

/// 404, inside the key's reach.
pub fn no_such_conversation() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_NOT_FOUND", "Conversation ID does not exist.")
}

/// 500: what was stored cannot be read.
pub fn unreadable(error: serde_json::Error) -> ApiError {
    tracing::error!(%error, "a stored conversation is not readable");
    ApiError::internal()
}
