//! The one decision: may this key make this call? Header, key, expiry, workspace, permission, agent, in that order, and
//! one answer to each stranger: what is refused with 401 says nothing about why, what is refused with 403 says nothing
//! about what exists elsewhere.

/// The decision itself, without database and HTTP.
pub mod decision;
/// Keeping the index in step with the database.
pub mod follow;
/// Every live key in memory.
pub mod index;
/// What the gate knows of keys, workspaces and agents.
pub mod known;
/// The SQL.
pub mod store;

use crate::agents::AgentName;
use crate::api_keys::secret::PlainKey;
use crate::api_keys::{Permission, Status};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::server::state::App;
use crate::wire::ApiError;
use crate::workspaces::Workspace;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use decision::{Asked, Known, Refusal};
use known::{KnownAgent, KnownKey};
use std::sync::Arc;

/// The header that the key travels in.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a call that the gate let through may touch.
#[derive(Clone, Debug)]
pub struct Pass {
    pub workspace: Arc<Workspace>,
    pub agent: Arc<AgentName>,
    /// What the agent lets through.
    pub configuration: Arc<Configuration>,
}

/// Decides on a call to an agent's data in a workspace, both given by id or slug.
pub async fn admit(
    app: &App,
    headers: &HeaderMap,
    permission: Permission,
    account_id: &str,
    project_id: &str,
) -> Result<Pass, ApiError> {
    let known = authenticate(app, headers).await?;
    authorise(app, &known, permission, account_id, project_id).await
}

/// Decides on a call that names an agent only: the workspace is the key's own.
pub async fn admit_to_agent(
    app: &App,
    headers: &HeaderMap,
    permission: Permission,
    agent_id: &str,
) -> Result<Pass, ApiError> {
    let known = authenticate(app, headers).await?;
    authorise(app, &known, permission, known.workspace.as_str(), agent_id).await
}

/// Whether a valid key has a permission that is about the workspace as a whole.
pub fn permit(known: &KnownKey, permission: Permission) -> Result<(), ApiError> {
    match known.permissions.contain(permission) {
        true => Ok(()),
        false => Err(Refusal::LacksPermission(permission).into()),
    }
}

/// The workspace of a valid key, where it is the one that the call names.
pub async fn own_workspace(app: &App, known: &KnownKey, account_id: &str) -> Result<Arc<Workspace>, ApiError> {
    named(app, known, account_id).await?.ok_or_else(|| Refusal::OtherWorkspace.into())
}

/// The key that a request presents, where it is valid at all.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Arc<KnownKey>, ApiError> {
    let hash = presented(headers).ok_or_else(unauthorised)?.hashed();
    let found = match app.gate.trusted().map(|index| index.key(&hash)) {
        Some(Some(found)) => Some(found),
        Some(None) => {
            // It may have been made by the command line just now.
            follow::catch_up(app).await?;
            app.gate.index().key(&hash)
        }
        None => store::key(&app.db, &hash).await?.map(Arc::new),
    };
    let known = found.ok_or_else(unauthorised)?;
    match Status::of(known.expires_at, app.clock.now()) {
        Status::Expired => Err(Refusal::Expired.into()),
        _ => Ok(known),
    }
}

/// Decides what a valid key may do: the rest of [`admit`].
pub async fn authorise(
    app: &App,
    known: &KnownKey,
    permission: Permission,
    account_id: &str,
    project_id: &str,
) -> Result<Pass, ApiError> {
    let workspace = named(app, known, account_id).await?;
    let agent = match &workspace {
        Some(_) => agent(app, known, project_id).await?,
        None => None,
    };
    let asked = Asked {
        workspace: workspace.as_ref().map(|w| &w.id),
        agent: agent.as_ref().map(|a| &a.agent.id),
        permission,
        now: app.clock.now(),
    };
    let known = Known {
        workspace: &known.workspace,
        permissions: &known.permissions,
        expires_at: known.expires_at,
        covers_asked_agent: agent.as_ref().map_or(known.agents.is_none(), |a| known.covers(&a.agent.id)),
    };
    match (decision::decide(&known, &asked), workspace, agent) {
        (Ok(()), Some(workspace), Some(KnownAgent { agent, configuration })) => {
            Ok(Pass { workspace, agent, configuration })
        }
        (Ok(()), ..) => Err(ApiError::internal()),
        (Err(refusal), ..) => {
            tracing::info!(?refusal, "call refused");
            Err(refusal.into())
        }
    }
}

/// The key's own workspace, where that is the one of this id or slug.
async fn named(app: &App, known: &KnownKey, account_id: &str) -> Result<Option<Arc<Workspace>>, Error> {
    let own = match app.gate.trusted().map(|index| index.workspace(&known.workspace)) {
        Some(found) => found.map(|found| found.workspace.clone()),
        None => store::workspace(&app.db, &known.workspace).await?.map(Arc::new),
    };
    Ok(own.filter(|own| own.id.as_str() == account_id || own.slug == account_id))
}

/// The agent of this id or slug in the key's workspace.
async fn agent(app: &App, known: &KnownKey, project_id: &str) -> Result<Option<KnownAgent>, Error> {
    match app.gate.trusted().map(|index| index.workspace(&known.workspace)) {
        Some(found) => Ok(found.and_then(|workspace| workspace.agents.get(project_id).cloned())),
        None => store::agent(&app.db, &known.workspace, project_id).await,
    }
}

/// The key that a request presents: one header, well-formed.
fn presented(headers: &HeaderMap) -> Option<PlainKey> {
    let mut values = headers.get_all(API_KEY).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => PlainKey::parse(value.to_str().ok()?),
        _ => None,
    }
}

/// 401, always the same.
fn unauthorised() -> ApiError {
    let message = "The API key is missing or not valid. Send a valid key in the x-api-key header.";
    ApiError::new(StatusCode::UNAUTHORIZED, "AUTH_USER_INVALID_TOKEN", message)
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let forbidden = |message: String| Self::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", message);
        match refusal {
            Refusal::Expired => unauthorised(),
            Refusal::OtherWorkspace => forbidden("This key does not belong to this account_id.".to_owned()),
            Refusal::LacksPermission(permission) => {
                forbidden(format!("This key lacks the permission `{}`.", permission.label()))
            }
            Refusal::AgentNotCovered => forbidden("This key does not cover this project_id.".to_owned()),
            Refusal::NoSuchAgent => Self::new(StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND", "Project ID does not exist."),
        }
    }
}
