//! The External Events API's handler.

use super::arrivals::{self, CHANNEL};
use super::event_id::{Kind, Location, in_body, in_headers, is_event_id};
use super::store::{self, NewEvent};
use crate::api_keys::Permission;
use crate::error::Error;
use crate::gate::{self, Pass};
use crate::server::state::App;
use crate::wire::ApiError;
use crate::wire::parameters::Parameters;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// `POST /v1/external-events/webhook`
pub async fn webhook(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let key = gate::authenticate(&app, &headers).await?;
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    let (account, project) = (given.required("account_id")?, given.required("project_id")?);
    let pass = gate::authorise(&app, &key, Permission::ExternalEvents, &account, &project).await?;

    let location = given.one_of("event_id_location", &Location::WORDS)?.and_then(Location::parse);
    let location = location.ok_or_else(|| ApiError::parameter("event_id_location", "", &Location::WORDS.join(", ")))?;
    let path = given.required("event_id_path")?;
    let kind = Kind::of(&headers).ok_or_else(|| {
        let message =
            "Send the event as application/json, application/x-www-form-urlencoded, application/xml or text/plain.";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    })?;
    let body = std::str::from_utf8(&body).ok().filter(|text| !text.contains('\0')).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "EXTERNAL_EVENT_NOT_READABLE", "The body is not UTF-8 text.")
    })?;
    // Read in any case: what cannot be read is refused wherever its id is.
    let in_body = if body.is_empty() { None } else { in_body(kind, body, &path)? };
    let id = match location {
        Location::Headers => in_headers(&headers, &path),
        Location::QueryString => given.one(&path)?.map(str::to_owned),
        Location::Payload => in_body,
    };
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| refused("External event id not found in request"))?;
    let received = is_event_id(&id) && receive(&app, &pass, &id, kind, body).await?;
    if received { Ok(StatusCode::CREATED) } else { Err(refused("External event id not valid")) }
}

fn refused(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "EXTERNAL_EVENT_REFUSED", message)
}

/// Stores an event and wakes who waits for it; `false` where no active conversation does. The same event again is
/// stored once, also where its conversation has ended since.
async fn receive(app: &App, pass: &Pass, event_id: &str, kind: Kind, body: &str) -> Result<bool, Error> {
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let content_type = kind.content_type();
    let digest = Sha256::new().chain_update(content_type).chain_update([0]).chain_update(body).finalize().into();
    let event = NewEvent { event_id, content_type, body, digest, received_at: app.clock.now() };

    let mut tx = app.db.begin().await?;
    let Some(conversation) = store::awaited_by(&mut tx, workspace, agent, event_id).await? else { return Ok(false) };
    let Some(now) = store::hold(&mut tx, workspace, agent, &conversation).await? else { return Ok(false) };
    if store::is_stored(&mut tx, workspace, agent, &conversation, &event).await? {
        return Ok(true);
    }
    if !now.in_progress {
        return Ok(false);
    }
    store::insert(&mut tx, workspace, agent, &conversation, now.events_received + 1, &event).await?;
    let name = arrivals::name(workspace, agent, &conversation);
    store::notify(&mut tx, CHANNEL, &name).await?;
    tx.commit().await?;
    app.arrivals.wake(&name);
    Ok(true)
}
