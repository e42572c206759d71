//! The runtime side's handlers.

use crate::api::conversations_v3::no_such_conversation;
use crate::api::external_events::event_id::is_event_id;
use crate::api::openapi::{AgentPath, BodyRefusals, Refusals};
use crate::base::error::Error;
use crate::conversations::cursor::is_id;
use crate::conversations::document::{self, Document, Incoming, Turns};
use crate::conversations::service::{self, Appended};
use crate::conversations::store as conversations;
use crate::db::Work;
use crate::external_events::store::ReceivedEvent;
use crate::external_events::{arrivals, store as events};
use crate::handoff;
use crate::http::envelope::{ApiError, Envelope, expect_json, json, read_json, refused_body};
use crate::http::parameters::Parameters;
use crate::runtime_tokens::service::{Place, admit};
use crate::server::state::{App, AppState};
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, RawQuery};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

/// Longest that a call waits for an event, in seconds.
const MAX_WAIT: u32 = 30;
/// Most events in one answer.
const MAX_EVENTS: i64 = 100;
const MAX_SHARED_ID: usize = 200;

/// A call of the runtime side on one conversation, which may not exist yet: let in by its token, before its body is read.
pub struct Call {
    app: Arc<App>,
    place: Place,
    /// The conversation's id.
    id: String,
}

impl FromRequestParts<AppState> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let app = state.app.clone();
        let ids: Result<Path<(String, String, String)>, _> = Path::from_request_parts(parts, state).await;
        let Path((account_id, project_id, id)) = ids.map_err(|_| ApiError::unknown_path())?;
        let place = admit(&app, &parts.headers, &account_id, &project_id).await?;
        match is_id(&id) {
            true => Ok(Self { app, place, id }),
            false => Err(ApiError::parameter("id", &id, "1 to 200 visible ASCII characters")),
        }
    }
}

/// Create or replace a conversation
///
/// Replacing with the same document changes nothing.
#[utoipa::path(
    put,
    path = "/{account_id}/{project_id}/conversations/{id}",
    operation_id = "put_conversation",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    request_body = Incoming,
    responses((status = 204, description = "Stored."), Refusals, BodyRefusals),
)]
pub async fn put(Call { app, place, id }: Call, headers: HeaderMap, body: Bytes) -> Result<StatusCode, ApiError> {
    expect_json(&headers)?;
    let document = Document::parse_as(&id, &body).map_err(invalid)?;
    service::replace(&app, &place.workspace, &place.agent, &document).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Append turns to a conversation in progress
#[utoipa::path(
    post,
    path = "/{account_id}/{project_id}/conversations/{id}/turns",
    operation_id = "append_turns",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    request_body = Turns,
    responses(
        (status = 204, description = "Stored."),
        Refusals,
        BodyRefusals,
        (status = 409, description = "The conversation has ended.", body = Envelope),
    ),
)]
pub async fn append_turns(
    Call { app, place, id }: Call,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    expect_json(&headers)?;
    let turns = document::parse_turns(&body).map_err(invalid)?;
    match service::append(&app, &place.workspace, &place.agent, &id, turns).await? {
        Appended::Done => Ok(StatusCode::NO_CONTENT),
        Appended::NoSuchConversation => Err(no_such_conversation()),
        Appended::Ended => Err(ended()),
        Appended::TooLarge => {
            let message = "The conversation would become too large.";
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message))
        }
    }
}

/// Erase a conversation
///
/// With its turns, index entries, handoff state and events; 204, also where there is none.
#[utoipa::path(
    delete,
    path = "/{account_id}/{project_id}/conversations/{id}",
    operation_id = "erase_conversation",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    responses((status = 204, description = "Erased."), Refusals),
)]
pub async fn erase(Call { app, place, id }: Call) -> Result<StatusCode, ApiError> {
    service::erase(&app, &place.workspace, &place.agent, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A handoff state to be stored.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "shared_id": "desk-1", "data": { "reason": "billing" } }))]
pub struct NewHandoff<'a> {
    /// An id of the agent's own, to find the state by.
    #[schema(max_length = 200)]
    shared_id: Option<String>,
    /// Answered to the letter.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    data: &'a RawValue,
}

/// Store a handoff state
#[utoipa::path(
    put,
    path = "/{account_id}/{project_id}/conversations/{id}/handoff",
    operation_id = "put_handoff_state",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    request_body = NewHandoff,
    responses((status = 204, description = "Stored."), Refusals, BodyRefusals),
)]
pub async fn put_handoff(
    Call { app, place, id }: Call,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let NewHandoff { shared_id, data } = read_json(&headers, &body)?;
    let data = data.get();
    if !data.starts_with('{') {
        return Err(invalid("`data` is not an object".to_owned()));
    }
    let shared_id = shared_id.as_deref().filter(|id| !id.is_empty());
    if shared_id.is_some_and(|id| id.len() > MAX_SHARED_ID) {
        return Err(invalid(format!("`shared_id` is longer than {MAX_SHARED_ID} bytes")));
    }
    let (workspace, agent) = (&place.workspace, &place.agent);
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    if !handoff::store::upsert(&mut tx, workspace, agent, &id, shared_id, data, now).await? {
        return Err(no_such_conversation());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a conversation waits for.
#[derive(Deserialize, ToSchema)]
pub struct NewWait {
    /// 1 to 256 bytes without control characters.
    #[schema(max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", example = "event-2")]
    event_id: String,
}

/// Wait for an event
///
/// The conversation, which is in progress, waits for the event of this id from now on.
#[utoipa::path(
    post,
    path = "/{account_id}/{project_id}/conversations/{id}/external-events",
    operation_id = "await_event",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    request_body = NewWait,
    responses(
        (status = 201, description = "It waits."),
        Refusals,
        BodyRefusals,
        (status = 409, description = "The conversation has ended, or another one in progress waits for this event.", body = Envelope),
    ),
)]
pub async fn await_event(
    Call { app, place, id }: Call,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let NewWait { event_id } = read_json(&headers, &body)?;
    if !is_event_id(&event_id) {
        return Err(invalid("`event_id` is not 1 to 256 bytes without control characters".to_owned()));
    }
    let (workspace, agent) = (&place.workspace, &place.agent);
    let mut tx = app.db.begin().await?;
    let now = events::hold(&mut tx, workspace, agent, &id).await?.ok_or_else(no_such_conversation)?;
    if !now.in_progress {
        return Err(ended());
    }
    // The other one is not held: two that want each other's events would wait for each other.
    if let Some(other) = events::awaited_by(&mut tx, workspace, agent, &event_id).await?
        && other != id
        && events::is_in_progress(&mut tx, workspace, agent, &other).await?
    {
        let message = "Another conversation in progress waits for this event_id.";
        return Err(ApiError::new(StatusCode::CONFLICT, "EXTERNAL_EVENT_ID_TAKEN", message));
    }
    events::set_awaited(&mut tx, workspace, agent, &event_id, &id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::CREATED)
}

/// An event that was received.
#[derive(Serialize, ToSchema)]
pub struct Event<'a> {
    /// Counted from 1 within the conversation.
    position: i64,
    event_id: &'a str,
    received_at: String,
    content_type: &'a str,
    /// As it was sent.
    body: &'a str,
}

/// Events, oldest first.
#[derive(Serialize, ToSchema)]
pub struct Events<'a> {
    events: Vec<Event<'a>>,
    /// To be sent as `after` next time.
    last: i64,
}

/// List a conversation's events
///
/// Those received after the position `after`, at most 100. `wait` holds the answer until one arrives.
#[utoipa::path(
    get,
    path = "/{account_id}/{project_id}/conversations/{id}/external-events",
    operation_id = "list_events",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(
        AgentPath,
        ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$"),
        ("after" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647, description = "The `last` of the answer before.", example = 0),
        ("wait" = Option<u32>, Query, minimum = 0, maximum = 30, description = "Most seconds until the answer.", example = 0),
    ),
    responses((status = 200, description = "The events.", body = Events), Refusals),
)]
pub async fn received_events(Call { app, place, id }: Call, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    let after = i64::from(given.number("after", 0, i32::MAX as u32)?.unwrap_or(0));
    let wait = given.number("wait", 0, MAX_WAIT)?.unwrap_or(0);
    let db = app.db.of(Work::Api);
    conversations::in_progress(&db, &place.workspace, &place.agent, &id).await?.ok_or_else(no_such_conversation)?;
    let events = wait_for_events(&app, &place, &id, after, Duration::from_secs(wait.into())).await?;
    let shown = events.iter().map(|event| Event {
        position: event.position,
        event_id: &event.event_id,
        received_at: document::format_instant(event.received_at),
        content_type: &event.content_type,
        body: &event.body,
    });
    json(&Events { events: shown.collect(), last: events.last().map_or(after, |event| event.position) })
}

/// Events after this position: at once where there are some, else as soon as one arrives or the time is over.
async fn wait_for_events(
    app: &App,
    place: &Place,
    conversation: &str,
    after: i64,
    wait: Duration,
) -> Result<Vec<ReceivedEvent>, Error> {
    let (workspace, agent) = (&place.workspace, &place.agent);
    let db = app.db.of(Work::Api);
    let until = Instant::now() + wait;
    let waiter = app.arrivals.waiter(arrivals::name(workspace, agent, conversation));
    loop {
        let mut woken = pin!(waiter.notify().notified());
        woken.as_mut().enable();
        let events = events::after(&db, workspace, agent, conversation, after, MAX_EVENTS).await?;
        let over = app.arrivals.is_closed() || Instant::now() >= until;
        if over || !events.is_empty() {
            return Ok(events);
        }
        // Over or woken: one more look either way.
        let _ = timeout_at(until, woken).await;
    }
}

fn ended() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "CONVERSATION_ENDED", "This conversation is no longer in progress.")
}

fn invalid(reason: String) -> ApiError {
    refused_body(&reason)
}
