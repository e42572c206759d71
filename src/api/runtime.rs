//! Handlers of the runtime side.

use crate::api::conversations_v3::no_such_conversation;
use crate::api::external_events::event_id::is_event_id;
use crate::api::openapi::{AgentPath, BodyRefusals, Refusals};
use crate::base::token::Token;
use crate::conversations::cursor::is_id;
use crate::conversations::document::{self, Document};
use crate::conversations::service::{AppendResult, Conversations};
use crate::conversations::values::{NewConversation, NewTurns};
use crate::external_events::service::{AwaitResult, ExternalEvents};
use crate::handoff::service::Handoffs;
use crate::http::envelope::{ApiError, Envelope, expect_json, json, read_json, refused_body};
use crate::http::parameters::Parameters;
use crate::runtime_tokens::service::{PREFIX, RuntimeScope, RuntimeTokens, TokenRefusal};
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use utoipa::ToSchema;

/// Longest wait of a call for an event, in seconds.
const MAX_WAIT: u32 = 30;
const MAX_SHARED_ID: usize = 200;
/// Longest token that is looked up, in bytes.
const MAX_LEN: usize = 100;

/// Extractor for a call on one conversation, which may not exist yet. Checks the token before the body is read.
pub struct RuntimeCall {
    pub(super) scope: RuntimeScope,
    /// The conversation's id.
    pub(super) id: String,
}

impl<S> FromRequestParts<S> for RuntimeCall
where
    S: Send + Sync,
    RuntimeTokens: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ids: Result<Path<(String, String, String)>, _> = Path::from_request_parts(parts, state).await;
        let Path((account_id, project_id, id)) = ids.map_err(|_| ApiError::unknown_path())?;
        let token = presented(&parts.headers).ok_or_else(unauthorised)?;
        let admitted = RuntimeTokens::from_ref(state).admit(&token, &account_id, &project_id).await;
        let scope = admitted.map_err(refuse)?;
        match is_id(&id) {
            true => Ok(Self { scope, id }),
            false => Err(ApiError::parameter("id", &id, "1 to 200 visible ASCII characters")),
        }
    }
}

/// Create or replace a conversation
///
/// Idempotent.
#[utoipa::path(
    put,
    path = "/{account_id}/{project_id}/conversations/{id}",
    operation_id = "put_conversation",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    request_body = NewConversation,
    responses((status = 204, description = "Stored."), Refusals, BodyRefusals),
)]
pub async fn put(
    State(conversations): State<Conversations>,
    RuntimeCall { scope, id }: RuntimeCall,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    expect_json(&headers)?;
    let document = Document::parse_as(&id, &body).map_err(invalid)?;
    conversations.replace(&scope.workspace, &scope.agent, &document).await?;
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
    request_body = NewTurns,
    responses(
        (status = 204, description = "Stored."),
        Refusals,
        BodyRefusals,
        (status = 409, description = "The conversation has ended.", body = Envelope),
    ),
)]
pub async fn append_turns(
    State(conversations): State<Conversations>,
    RuntimeCall { scope, id }: RuntimeCall,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    expect_json(&headers)?;
    let turns = document::parse_turns(&body).map_err(invalid)?;
    match conversations.append(&scope.workspace, &scope.agent, &id, &turns).await? {
        AppendResult::Done => Ok(StatusCode::NO_CONTENT),
        AppendResult::NoSuchConversation => Err(no_such_conversation()),
        AppendResult::Ended => Err(ended()),
        AppendResult::TooLarge => {
            let message = "The conversation would become too large.";
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message))
        }
    }
}

/// Erase a conversation
///
/// Deletes the conversation with its turns, index entries, handoff state, events and recordings. The response is 204 even if the
/// conversation does not exist.
#[utoipa::path(
    delete,
    path = "/{account_id}/{project_id}/conversations/{id}",
    operation_id = "erase_conversation",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    responses((status = 204, description = "Erased."), Refusals),
)]
pub async fn erase(
    State(conversations): State<Conversations>,
    RuntimeCall { scope, id }: RuntimeCall,
) -> Result<StatusCode, ApiError> {
    conversations.erase(&scope.workspace, &scope.agent, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A handoff state to store.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "shared_id": "desk-1", "data": { "reason": "billing" } }))]
pub struct NewHandoff<'a> {
    /// The agent's own id, by which the state can be found.
    #[schema(max_length = 200)]
    shared_id: Option<String>,
    /// Returned unchanged.
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
    State(handoffs): State<Handoffs>,
    RuntimeCall { scope, id }: RuntimeCall,
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
    match handoffs.put(&scope.workspace, &scope.agent, &id, shared_id, data).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_such_conversation()),
    }
}

/// The event that a conversation waits for.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWait)]
pub struct AwaitedEvent {
    /// 1 to 256 bytes without control characters.
    #[schema(max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", example = "event-2")]
    event_id: String,
}

/// Wait for an event
///
/// Registers that a conversation in progress waits for the event with this id.
#[utoipa::path(
    post,
    path = "/{account_id}/{project_id}/conversations/{id}/external-events",
    operation_id = "await_event",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(AgentPath, ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$")),
    request_body = AwaitedEvent,
    responses(
        (status = 201, description = "It waits."),
        Refusals,
        BodyRefusals,
        (status = 409, description = "The conversation has ended, or another one in progress waits for this event.", body = Envelope),
    ),
)]
pub async fn await_event(
    State(external_events): State<ExternalEvents>,
    RuntimeCall { scope, id }: RuntimeCall,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let AwaitedEvent { event_id } = read_json(&headers, &body)?;
    if !is_event_id(&event_id) {
        return Err(invalid("`event_id` is not 1 to 256 bytes without control characters".to_owned()));
    }
    match external_events.wait_for(&scope.workspace, &scope.agent, &id, &event_id).await? {
        AwaitResult::Done => Ok(StatusCode::CREATED),
        AwaitResult::NoSuchConversation => Err(no_such_conversation()),
        AwaitResult::Ended => Err(ended()),
        AwaitResult::Taken => {
            let message = "Another conversation in progress waits for this event_id.";
            Err(ApiError::new(StatusCode::CONFLICT, "EXTERNAL_EVENT_ID_TAKEN", message))
        }
    }
}

/// A received event.
#[derive(Serialize, ToSchema)]
pub struct Event<'a> {
    /// Counted from 1 within the conversation.
    position: i64,
    event_id: &'a str,
    received_at: String,
    content_type: &'a str,
    /// The body as it was sent.
    body: &'a str,
}

/// Events, oldest first.
#[derive(Serialize, ToSchema)]
pub struct Events<'a> {
    events: Vec<Event<'a>>,
    /// Send this as `after` in the next call.
    last: i64,
}

/// List a conversation's events
///
/// The events after the position `after`, at most 100. If there are none, the response waits up to `wait` seconds for
/// one.
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
pub async fn received_events(
    State(conversations): State<Conversations>,
    State(external_events): State<ExternalEvents>,
    RuntimeCall { scope, id }: RuntimeCall,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    let after = i64::from(given.number("after", 0, i32::MAX as u32)?.unwrap_or(0));
    let wait = given.number("wait", 0, MAX_WAIT)?.unwrap_or(0);
    let found = conversations.in_progress(&scope.workspace, &scope.agent, &id).await?;
    found.ok_or_else(no_such_conversation)?;
    let wait = Duration::from_secs(wait.into());
    let events = external_events.after(&scope.workspace, &scope.agent, &id, after, wait).await?;
    let shown = events.iter().map(|event| Event {
        position: event.position,
        event_id: &event.event_id,
        received_at: crate::base::time::format_instant(event.received_at),
        content_type: &event.content_type,
        body: &event.body,
    });
    json(&Events { events: shown.collect(), last: events.last().map_or(after, |event| event.position) })
}

/// Reads the token from the `Authorization` header (RFC 6750). Exactly one header is accepted.
fn presented(headers: &HeaderMap) -> Option<Token> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let well_formed = scheme.eq_ignore_ascii_case("bearer") && token.starts_with(PREFIX) && token.len() <= MAX_LEN;
    well_formed.then(|| Token::sent(token))
}

/// 401, the same for every reason.
fn unauthorised() -> ApiError {
    let message = "The runtime token is missing or not valid. Send a valid one as `Authorization: Bearer …`.";
    ApiError::new(StatusCode::UNAUTHORIZED, "AUTH_USER_INVALID_TOKEN", message)
}

fn refuse(refusal: TokenRefusal) -> ApiError {
    match refusal {
        TokenRefusal::UnknownToken => unauthorised(),
        TokenRefusal::OtherWorkspace => {
            let message = "This token does not belong to this account_id.";
            ApiError::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", message)
        }
        TokenRefusal::NoSuchAgent => {
            ApiError::new(StatusCode::NOT_FOUND, "PROJECT_NOT_FOUND", "Project ID does not exist.")
        }
        TokenRefusal::Failed(error) => error.into(),
    }
}

fn ended() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "CONVERSATION_ENDED", "This conversation is no longer in progress.")
}

fn invalid(reason: impl std::fmt::Display) -> ApiError {
    refused_body(&reason.to_string())
}
