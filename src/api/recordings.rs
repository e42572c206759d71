//! Handlers for recordings of conversations: storing them on the runtime side, and returning them to keys.

use crate::api::conversations_v3::no_such_conversation;
use crate::api::openapi::{AgentPath, BodyRefusals, Refusals};
use crate::api::runtime::RuntimeCall;
use crate::api_keys::Permission;
use crate::configuration::CallerNumbers;
use crate::conversations::cursor::is_id;
use crate::conversations::service::Conversations;
use crate::gate::caller::Caller;
use crate::http::envelope::{ApiError, refused_body};
use crate::http::parameters::Parameters;
use crate::recordings::service::{Recording, RecordingError, Recordings};
use crate::recordings::storage::StorageError;
use crate::recordings::{MAX_BYTES, RecordingKind, Side};
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use http_body_util::LengthLimitError;
use http_range_header::{StartPosition, parse_range_header};
use std::error::Error;
use std::ops::Range;
use utoipa::ToSchema;

/// Largest body of [`put`], in bytes. One byte more than is stored, so that the refusal says what the limit is.
pub const MAX_BODY: usize = MAX_BYTES as usize + 1;
/// The media type of recordings (IANA has none; this is the one that the contract names).
const WAV: &str = "audio/wav";
/// Other names of the same type that programs send.
const WAV_TYPES: [&str; 4] = [WAV, "audio/x-wav", "audio/wave", "audio/vnd.wave"];

/// Which speakers a recording contains.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Combined,
    User,
    Agent,
}

/// Reads `direction` and `redacted`.
fn kind(query: &str) -> Result<RecordingKind, ApiError> {
    let given = Parameters::read(query)?;
    let side = given.one_of("direction", &Side::ALL.map(Side::id))?;
    let redacted = given.flag("redacted")?.unwrap_or(false);
    Ok(RecordingKind { side: side.and_then(Side::parse).unwrap_or(Side::Combined), redacted })
}

/// Get a conversation's recording
///
/// A WAV file. Needs Conversation transcript to be on in Configuration, because a recording says what a transcript says.
/// Unless Configuration shows caller numbers, only the redacted recording is returned, whatever `redacted` is.
/// One byte range can be asked for (RFC 9110).
#[utoipa::path(
    get,
    path = "/agents/{agent_id}/conversations/{id}/audio",
    operation_id = "get_recording",
    tag = "Conversations",
    security(("key" = [])),
    params(
        ("agent_id" = String, Path, description = "The agent's id or slug."),
        ("id" = String, Path, description = "The conversation's id."),
        ("direction" = inline(Option<Direction>), Query, description = "Whose voice. The default is `combined`."),
        ("redacted" = Option<bool>, Query, description = "The recording in which personal data is silent."),
    ),
    responses(
        (status = 200, description = "The recording.", content_type = "audio/wav", body = Vec<u8>),
        (status = 206, description = "The range that the call asked for.", content_type = "audio/wav", body = Vec<u8>),
        (status = 416, description = "The recording has no such range.", body = crate::http::envelope::Envelope),
        Refusals,
    ),
)]
pub async fn find(
    State(conversations): State<Conversations>,
    State(recordings): State<Recordings>,
    Path((agent_id, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, ApiError> {
    let pass = caller.admit_to_agent(Permission::Conversations, &agent_id).await?;
    let mut kind = kind(query.as_deref().unwrap_or_default())?;
    kind.redacted |= pass.configuration.caller_numbers != CallerNumbers::Shown;
    let (workspace, agent) = (&pass.workspace.id, &pass.agent.id);
    let exists = is_id(&id) && conversations.in_progress(workspace, agent, &id).await?.is_some();
    if !exists {
        return Err(no_such_conversation());
    }
    caller.may_read_transcripts(&pass)?;
    let recording = recordings.find(workspace, agent, &id, kind).await?.ok_or_else(|| no_recording(kind))?;
    send(recording, &headers, kind).await
}

/// Store a conversation's recording
///
/// A WAV file of at most 100 MiB. Replaces an earlier recording of the same kind.
#[utoipa::path(
    put,
    path = "/{account_id}/{project_id}/conversations/{id}/audio",
    operation_id = "put_recording",
    tag = "Runtime",
    security(("runtime_token" = [])),
    params(
        AgentPath,
        ("id" = String, Path, description = "The conversation's id.", pattern = "^[!-~]{1,200}$"),
        ("direction" = inline(Option<Direction>), Query, description = "Whose voice it has. The default is `combined`."),
        ("redacted" = Option<bool>, Query, description = "Whether personal data was made silent."),
    ),
    request_body(content = Vec<u8>, content_type = "audio/wav"),
    responses((status = 204, description = "Stored."), Refusals, BodyRefusals),
)]
pub async fn put(
    State(conversations): State<Conversations>,
    State(recordings): State<Recordings>,
    RuntimeCall { scope, id }: RuntimeCall,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let kind = kind(query.as_deref().unwrap_or_default())?;
    expect_wav(&headers)?;
    // Asked before the body is read, and again when the recording is stored.
    let found = conversations.in_progress(&scope.workspace, &scope.agent, &id).await?;
    found.ok_or_else(no_such_conversation)?;
    let body = body.into_data_stream().map_err(|error| interrupted(&error));
    recordings.store(&scope.workspace, &scope.agent, &id, kind, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a body ended too early.
fn interrupted(error: &axum::Error) -> RecordingError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return RecordingError::TooLarge;
        }
        cause = error.source();
    }
    RecordingError::Interrupted
}

fn expect_wav(headers: &HeaderMap) -> Result<(), ApiError> {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(WAV);
    let stated = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if WAV_TYPES.contains(&stated.as_str()) {
        return Ok(());
    }
    let message = "Send the recording as audio/wav.";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message))
}

/// The part of a recording that a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestedRange {
    Whole,
    Part(Range<u64>),
    /// No byte of it exists.
    Nothing,
}

impl RequestedRange {
    /// Reads `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14.2). Several ranges, other units and malformed
    /// ranges are passed over, as the RFC allows.
    fn read(headers: &HeaderMap, size: u64, etag: &str) -> Self {
        let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Self::Whole };
        let condition = headers.get(header::IF_RANGE);
        if condition.is_some_and(|condition| condition.as_bytes() != etag.as_bytes()) {
            return Self::Whole;
        }
        let Ok(mut parsed) = parse_range_header(range) else { return Self::Whole };
        let [range] = parsed.ranges.as_mut_slice() else { return Self::Whole };
        // The last bytes of a recording that has fewer of them are all of it; the library calls that unsatisfiable.
        if let StartPosition::FromLast(count) = &mut range.start {
            *count = size.min(*count);
        }
        match parsed.validate(size).as_deref() {
            Ok([range]) => Self::Part(*range.start()..*range.end() + 1),
            _ => Self::Nothing,
        }
    }
}

/// Sends the part of a recording that a call asks for.
async fn send(recording: Recording, headers: &HeaderMap, kind: RecordingKind) -> Result<Response, ApiError> {
    let size = recording.size;
    let etag = format!("\"{}\"", recording.version());
    let (status, range) = match RequestedRange::read(headers, size, &etag) {
        RequestedRange::Whole => (StatusCode::OK, 0..size),
        RequestedRange::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        RequestedRange::Nothing => {
            let message = format!("The recording has {size} bytes, and none of them is in the range asked for.");
            let refused = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", message);
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], refused).into_response());
        }
    };
    // Read before the response begins, so that a recording that is gone is an error.
    let first = recording.read(range.clone()).await.map_err(|error| match error {
        StorageError::NoSuchObject => {
            tracing::warn!("a recording's audio is not in the storage");
            no_recording(kind)
        }
        StorageError::Failed => storage_failed(),
    })?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, WAV.to_owned());
    set(header::CACHE_CONTROL, "no-store".to_owned());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, etag);
    set(header::CONTENT_LENGTH, (range.end - range.start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        set(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    *response.body_mut() = Body::from_stream(recording.rest(first, range));
    Ok(response)
}

fn no_recording(kind: RecordingKind) -> ApiError {
    let redacted = if kind.redacted { "redacted " } else { "" };
    let message = format!("This conversation has no {redacted}recording for this direction.");
    ApiError::new(StatusCode::NOT_FOUND, "CONVERSATIONS_RECORDING_NOT_FOUND", message)
}

fn storage_failed() -> ApiError {
    let message = "The storage for recordings is not available just now. Try again in a moment.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
}

impl From<RecordingError> for ApiError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::NoSuchConversation => no_such_conversation(),
            RecordingError::NotWav => refused_body("it is not a WAV file"),
            RecordingError::TooLarge => {
                let message = "A recording has at most 100 MiB.";
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
            }
            RecordingError::Interrupted => refused_body("it did not arrive whole"),
            RecordingError::Busy => {
                let message = "Too many recordings are being stored just now. Try again in a moment.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
            }
            RecordingError::Storage => storage_failed(),
            RecordingError::Failed(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let wanted = |range: &str, condition: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            if let Some(condition) = condition {
                headers.insert(header::IF_RANGE, condition.parse().unwrap());
            }
            RequestedRange::read(&headers, 1_000, "\"v1\"")
        };
        for (range, expected) in [
            ("bytes=0-99", RequestedRange::Part(0..100)),
            ("bytes=900-", RequestedRange::Part(900..1_000)),
            ("bytes=900-5000", RequestedRange::Part(900..1_000)),
            ("bytes=-10", RequestedRange::Part(990..1_000)),
            ("bytes=-5000", RequestedRange::Part(0..1_000)),
            ("bytes=-0", RequestedRange::Whole),
            ("bytes=1000-", RequestedRange::Nothing),
            ("bytes=0-1,5-6", RequestedRange::Whole),
            ("items=0-1", RequestedRange::Whole),
            ("bytes=x", RequestedRange::Whole),
        ] {
            assert_eq!(wanted(range, None), expected, "{range}");
        }
        assert_eq!(wanted("bytes=0-0", Some("\"v1\"")), RequestedRange::Part(0..1));
        assert_eq!(wanted("bytes=0-0", Some("\"v0\"")), RequestedRange::Whole);
        assert_eq!(RequestedRange::read(&HeaderMap::new(), 1_000, ""), RequestedRange::Whole);
    }
}
