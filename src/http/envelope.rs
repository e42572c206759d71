//! What all APIs behind the keys answer alike. The contract is `docs/api.md`'s: one error envelope on every path, and a
//! correlation id on every answer.

use crate::base::error::Error;
use crate::base::randomness::Random;
use crate::http::object::Object;
use crate::http::{request_limits, strict_json};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use utoipa::ToSchema;

/// What the framework says beside a status: which methods and which encodings a path takes.
const KEPT_HEADERS: [HeaderName; 2] = [header::ALLOW, header::ACCEPT_ENCODING];

/// The header of the correlation id.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-polyai-correlation-id");
/// Longest correlation id that is taken over from a request.
const MAX_CORRELATION_ID: usize = 128;

/// A request's correlation id: its own where it sent a sane one, else a fresh UUID.
#[derive(Clone, Debug, Default)]
pub struct CorrelationId(pub Arc<str>);

/// Why a call was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct Envelope<'a> {
    /// Always false.
    success: bool,
    /// The same as `error_message`.
    error: &'a str,
    /// The correlation id: what to tell whoever runs the server.
    error_id: &'a str,
    /// `UPPER_SNAKE_CASE`, for machines.
    #[schema(example = "AUTH_USER_INVALID_TOKEN")]
    error_code: &'a str,
    /// One sentence, for people.
    error_message: &'a str,
    /// Always null.
    #[schema(required, schema_with = null)]
    data: Option<()>,
}

/// The schema of what is always null.
fn null() -> utoipa::openapi::schema::Object {
    utoipa::openapi::schema::Object::with_type(utoipa::openapi::schema::Type::Null)
}

/// A refusal on the way to being answered; [`envelope`] gives it its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// `UPPER_SNAKE_CASE`, for machines.
    pub code: &'static str,
    /// One sentence, for people.
    pub message: String,
}

impl ApiError {
    /// An error with a message of its own.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// 400: names the parameter, the value and what is accepted.
    pub fn parameter(name: &str, value: &str, accepted: &str) -> Self {
        let shown: String = value.chars().take(80).collect();
        let more = if shown.len() < value.len() { "…" } else { "" };
        Self::new(
            StatusCode::BAD_REQUEST,
            "CONVERSATIONS_VALIDATION_FAILED",
            format!("The parameter `{name}` is `{shown}{more}`; accepted is {accepted}."),
        )
    }

    /// 404: no such path.
    pub fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "PATH_NOT_FOUND", "There is no such path in this API.")
    }

    /// 405: a path of ours with another method.
    pub fn wrong_method() -> Self {
        let message = "This path does not take this method; the `Allow` header names those that it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// 500: our fault.
    pub fn internal() -> Self {
        let message = "Something went wrong on our side. Try again; if it stays so, tell support this error_id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable => {
                let message = "The database is not available just now. Try again in a moment.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
            }
            _ => Self::internal(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl CorrelationId {
    /// A UUID of version 4.
    pub fn generate(random: &Random) -> Self {
        Self(uuid::Builder::from_random_bytes(random.bytes()).into_uuid().to_string().into())
    }
}

/// The layer around all APIs: the correlation id goes in and out, and every error gets the envelope, those of the
/// framework too.
pub async fn envelope(State(random): State<Random>, request: Request, next: Next) -> Response {
    let refused = request_limits::check(request.uri(), request.headers()).err();
    let (mut request, stalled) = request_limits::end_stalled_body(request);
    let sent = request.headers().get(CORRELATION_ID).and_then(|v| v.to_str().ok()).filter(|id| is_sane(id));
    let id: Arc<str> = sent.map_or_else(|| CorrelationId::generate(&random).0, Arc::from);
    request.extensions_mut().insert(CorrelationId(id.clone()));
    let mut response = match refused {
        Some(refused) => ApiError::new(refused.status(), refused.code(), refused.message()).into_response(),
        None => next.run(request).await,
    };
    if stalled.is_set() && response.status().is_client_error() {
        response = StatusCode::REQUEST_TIMEOUT.into_response();
    }
    let status = response.status();
    let refusal = response.extensions_mut().remove::<ApiError>();
    if let Some(error) = refusal.or_else(|| from_framework(status)) {
        let kept = KEPT_HEADERS.map(|name| response.headers_mut().remove(&name).map(|value| (name, value)));
        response = (status, axum::Json(error.body(&id))).into_response();
        response.headers_mut().extend(kept.into_iter().flatten());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
}

impl ApiError {
    fn body<'a>(&'a self, id: &'a str) -> impl Serialize + use<'a> {
        Envelope {
            success: false,
            error: &self.message,
            error_id: id,
            error_code: self.code,
            error_message: &self.message,
            data: None,
        }
    }
}

/// An answer in JSON, not to be kept by anyone on the way.
pub fn json(answer: &impl Serialize) -> Result<Response, ApiError> {
    match serde_json::to_string(answer) {
        Ok(body) => Ok(json_body(Body::from(body))),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Err(ApiError::internal())
        }
    }
}

/// The same, of an answer that is JSON already.
pub fn json_body(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Reads a body that is a JSON object: 415 where it says that it is something else, 400 where it is not what is wanted.
pub fn read_json<'a, T: Deserialize<'a>>(headers: &HeaderMap, body: &'a [u8]) -> Result<T, ApiError> {
    expect_json(headers)?;
    strict_json::check(body).map_err(|error| refused_body(&error))?;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string());
    read.and_then(|Object(read)| reader.end().map(|()| read).map_err(|error| error.to_string()))
        .map_err(|error| refused_body(&error))
}

/// 400: what is wrong with a body, and where.
pub fn refused_body(reason: &str) -> ApiError {
    let message = format!("The body is refused: {reason}.");
    ApiError::new(StatusCode::BAD_REQUEST, "CONVERSATIONS_VALIDATION_FAILED", message)
}

/// 415 where a body says that it is something else than JSON.
pub fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let stated = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    if stated.is_some_and(|stated| stated.split(';').next().map(str::trim) != Some("application/json")) {
        let message = "Send the body as application/json.";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    Ok(())
}

/// What the framework refused without asking us.
fn from_framework(status: StatusCode) -> Option<ApiError> {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => return Some(ApiError::unknown_path()),
        StatusCode::METHOD_NOT_ALLOWED => return Some(ApiError::wrong_method()),
        StatusCode::PAYLOAD_TOO_LARGE => ("BODY_TOO_LARGE", "The body is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("UNSUPPORTED_MEDIA_TYPE", "This type or encoding of a body is not accepted here.")
        }
        StatusCode::REQUEST_TIMEOUT => {
            ("REQUEST_TIMEOUT", "The request took too long. Send it faster, or ask for less at once.")
        }
        s if s.is_server_error() => return Some(ApiError::internal()),
        s if s.is_client_error() => ("BAD_REQUEST", "The request is not well-formed."),
        _ => return None,
    };
    Some(ApiError::new(status, code, message))
}

fn is_sane(id: &str) -> bool {
    (1..=MAX_CORRELATION_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}
