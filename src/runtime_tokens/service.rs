//! Runtime tokens: `Authorization: Bearer ast_…`. They belong to a workspace and are no API keys: neither works in the
//! other's place.

use crate::audit::{self, Action, Entry};
use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::base::id::{AgentId, RuntimeTokenId, WorkspaceId};
use crate::base::text::single_line;
use crate::base::token::Token;
use crate::db::Work;
use crate::http::envelope::ApiError;
use crate::runtime_tokens::store::{self, RuntimeToken};
use crate::server::state::App;
use crate::{agents, workspaces};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::json;

const PREFIX: &str = "ast_";
/// Longest token that is looked up at all, in bytes.
const MAX_LEN: usize = 100;

/// Makes a token: the one time that its value is known.
pub async fn create(
    app: &App,
    workspace: &WorkspaceId,
    actor: &Actor,
    name: &str,
) -> Result<(RuntimeToken, Token), Error> {
    let name = single_line(name, 100)?;
    let token = Token::generate(PREFIX, &app.random);
    let made = RuntimeToken { id: RuntimeTokenId::generate(&app.random), name, created_at: app.clock.now() };
    let mut tx = app.db.begin().await?;
    store::insert(&mut tx, workspace, &made, &token.hash()).await?;
    let entry = Entry {
        action: Action::RuntimeTokenCreated,
        subject_id: made.id.as_str(),
        subject: &made.name,
        details: json!({}),
    };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    tx.commit().await?;
    Ok((made, token))
}

/// Ends a token: refused by every call that starts after this returned.
pub async fn revoke(app: &App, workspace: &WorkspaceId, actor: &Actor, id: &RuntimeTokenId) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    let name = store::delete(&mut tx, workspace, id).await?.ok_or(Error::NotFound)?;
    let entry =
        Entry { action: Action::RuntimeTokenRevoked, subject_id: id.as_str(), subject: &name, details: json!({}) };
    audit::record(&mut tx, app, workspace, actor, entry).await?;
    tx.commit().await
}

/// Where a call of the runtime side may write and read.
#[derive(Clone, Debug)]
pub struct Place {
    pub workspace: WorkspaceId,
    pub agent: AgentId,
}

/// Decides on a call of the runtime side to an agent in a workspace, both given by id or slug.
pub async fn admit(app: &App, headers: &HeaderMap, account_id: &str, project_id: &str) -> Result<Place, ApiError> {
    let token = presented(headers).ok_or_else(unauthorised)?;
    let db = app.db.of(Work::Api).in_turn().await?;
    let own = store::workspace_of(&db, &token.hash()).await?.ok_or_else(unauthorised)?;
    let workspace = workspaces::store::find(&db, account_id).await?.filter(|w| w.id == own).ok_or_else(|| {
        let message = "This token does not belong to this account_id.";
        ApiError::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", message)
    })?;
    let agent = agents::store::find(&db, &workspace.id, project_id)
        .await?
        .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND", "Project ID does not exist."))?;
    Ok(Place { workspace: workspace.id, agent: agent.id })
}

/// The token that a request presents: one header, in the form of RFC 6750.
fn presented(headers: &HeaderMap) -> Option<Token> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let well_formed = scheme.eq_ignore_ascii_case("bearer") && token.starts_with(PREFIX) && token.len() <= MAX_LEN;
    well_formed.then(|| Token::sent(token))
}

/// 401, always the same.
fn unauthorised() -> ApiError {
    let message = "The runtime token is missing or not valid. Send a valid one as `Authorization: Bearer …`.";
    ApiError::new(StatusCode::UNAUTHORIZED, "AUTH_USER_INVALID_TOKEN", message)
}
