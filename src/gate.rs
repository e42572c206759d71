//! The one decision: may this key make this call? Header, key, expiry, workspace, permission, agent, in that order, and
//! one answer to each stranger: what is refused with 401 says nothing about why, what is refused with 403 says nothing
//! about what exists elsewhere.

/// The decision itself, without database and HTTP.
pub mod decision;

use crate::agents::{self, AgentName};
use crate::api_keys::secret::PlainKey;
use crate::api_keys::store::KeyRecord;
use crate::api_keys::{self, Permission, Status};
use crate::server::state::App;
use crate::wire::ApiError;
use crate::workspaces::{self, Workspace};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use decision::{Asked, Known, Refusal};

/// The header that the key travels in.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a call that the gate let through may touch.
#[derive(Clone, Debug)]
pub struct Pass {
    pub workspace: Workspace,
    pub agent: AgentName,
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
pub fn permit(known: &KeyRecord, permission: Permission) -> Result<(), ApiError> {
    match known.permissions.contain(permission) {
        true => Ok(()),
        false => Err(Refusal::LacksPermission(permission).into()),
    }
}

/// The workspace of a valid key, where it is the one that the call names.
pub async fn own_workspace(app: &App, known: &KeyRecord, account_id: &str) -> Result<Workspace, ApiError> {
    let workspace = workspaces::store::find(&app.db, account_id).await?;
    workspace.filter(|workspace| workspace.id == known.workspace).ok_or_else(|| Refusal::OtherWorkspace.into())
}

/// The key that a request presents, where it is valid at all.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<KeyRecord, ApiError> {
    let key = presented(headers).ok_or_else(unauthorised)?;
    let known = api_keys::store::by_hash(&app.db, &key.hashed()).await?.ok_or_else(unauthorised)?;
    match Status::of(known.expires_at, app.clock.now()) {
        Status::Expired => Err(Refusal::Expired.into()),
        _ => Ok(known),
    }
}

/// Decides what a valid key may do: the rest of [`admit`].
pub async fn authorise(
    app: &App,
    known: &KeyRecord,
    permission: Permission,
    account_id: &str,
    project_id: &str,
) -> Result<Pass, ApiError> {
    let workspace = workspaces::store::find(&app.db, account_id).await?;
    let agent = match &workspace {
        Some(workspace) if workspace.id == known.workspace => {
            agents::store::find(&app.db, &workspace.id, project_id).await?
        }
        _ => None,
    };
    let covered = match &agent {
        _ if known.all_agents => true,
        Some(agent) => api_keys::store::covers(&app.db, &known.workspace, &known.id, &agent.id).await?,
        None => false,
    };
    let asked = Asked {
        workspace: workspace.as_ref().map(|w| &w.id),
        agent: agent.as_ref().map(|a| &a.id),
        permission,
        now: app.clock.now(),
    };
    let known = Known {
        workspace: &known.workspace,
        permissions: &known.permissions,
        expires_at: known.expires_at,
        covers_asked_agent: covered,
    };
    match (decision::decide(&known, &asked), workspace, agent) {
        (Ok(()), Some(workspace), Some(agent)) => Ok(Pass { workspace, agent }),
        (Ok(()), ..) => Err(ApiError::internal()),
        (Err(refusal), ..) => {
            tracing::info!(?refusal, "call refused");
            Err(refusal.into())
        }
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
