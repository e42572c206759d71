//! Handler of the External Events API.

/// Extracting the event id from a request.
pub mod event_id;

use crate::api::external_events::event_id::{BodyKind, EventIdLocation, in_body, in_headers, is_event_id};
use crate::api::openapi::{BodyRefusals, Refusals};
use crate::api_keys::Permission;
use crate::external_events::service::ExternalEvents;
use crate::gate::caller::Caller;
use crate::http::envelope::ApiError;
use crate::http::parameters::Parameters;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};

/// Deliver an event
///
/// The response is 201 after the event is stored for the conversation that waits for it. A repeated event is stored
/// once. `event_id_location` and `event_id_path` say where the event's id is: under a name, or a dotted path in JSON
/// and XML.
#[utoipa::path(
    post,
    path = "/external-events/webhook",
    operation_id = "deliver_external_event",
    tag = "External events",
    security(("key" = [])),
    params(
        ("account_id" = String, Query, description = "The workspace's id or slug."),
        ("project_id" = String, Query, description = "The agent's id or slug."),
        ("event_id_location" = inline(EventIdLocation), Query, description = "Where the event's id is.", example = "payload"),
        ("event_id_path" = String, Query, description = "What it is called there.", max_length = 200, example = "payment.reference"),
    ),
    request_body(
        description = "The event, at most 1 MiB. XML without document type declarations; text as `key=value` pairs \
                       joined by `&` or line breaks.",
        content(
            (Object = "application/json", example = json!({ "payment": { "reference": "event-1" }, "amount": 1999 })),
            (Object = "application/x-www-form-urlencoded", example = json!({ "payment.reference": "event-1" })),
            (String = "application/xml", example = json!("<event><payment><reference>event-1</reference></payment></event>")),
            (String = "text/plain", example = json!("payment.reference=event-1&amount=1999")),
        ),
    ),
    responses((status = 201, description = "Stored."), Refusals, BodyRefusals),
)]
pub async fn webhook(
    State(events): State<ExternalEvents>,
    RawQuery(query): RawQuery,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let given = Parameters::read(query.as_deref().unwrap_or_default())?;
    let (account, project) = (given.required("account_id")?, given.required("project_id")?);
    let pass = caller.admit(Permission::ExternalEvents, &account, &project).await?;

    let location = given.one_of("event_id_location", &EventIdLocation::WORDS)?.and_then(EventIdLocation::parse);
    let location =
        location.ok_or_else(|| ApiError::parameter("event_id_location", "", &EventIdLocation::WORDS.join(", ")))?;
    let path = given.required("event_id_path")?;
    let kind = BodyKind::of(&headers).ok_or_else(|| {
        let message =
            "Send the event as application/json, application/x-www-form-urlencoded, application/xml or text/plain.";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    })?;
    let body = std::str::from_utf8(&body).ok().filter(|text| !text.contains('\0')).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "EXTERNAL_EVENT_NOT_READABLE", "The body is not UTF-8 text.")
    })?;
    // The body is always parsed, because a malformed body is refused even if the id is elsewhere.
    let in_body = if body.is_empty() { None } else { in_body(kind, body, &path)? };
    let id = match location {
        EventIdLocation::Headers => in_headers(&headers, &path)?,
        EventIdLocation::QueryString => given.one(&path)?.map(str::to_owned),
        EventIdLocation::Payload => in_body,
    };
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| refused("External event id not found in request"))?;
    let received =
        is_event_id(&id) && events.receive(&pass.workspace.id, &pass.agent.id, &id, kind.content_type(), body).await?;
    if received { Ok(StatusCode::CREATED) } else { Err(refused("External event id not valid")) }
}

fn refused(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "EXTERNAL_EVENT_REFUSED", message)
}
