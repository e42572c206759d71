//! Shared by all APIs: the error envelope of every path, the correlation id of every response, and reading and writing
//! JSON bodies. `docs/api.md` has the contract.

use crate::base::randomness::Random;
use crate::db::DbError;
use crate::http::object::Object;
use crate::http::request_limits::HeadRefusal;
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

/// Names of query parameters that a call passed over, separated by commas and percent-encoded.
pub const IGNORED_PARAMETERS: HeaderName = HeaderName::from_static("x-ignored-parameters");
/// Headers of error responses that are kept: the methods and the encodings that a path accepts, the size of what has no
/// such range, ignored parameters, and what is told about the key.
const KEPT_HEADERS: [HeaderName; 8] = [
    header::ALLOW,
    header::ACCEPT_ENCODING,
    header::CONTENT_RANGE,
    IGNORED_PARAMETERS,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("sunset"),
];

pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-polyai-correlation-id");
/// Longest correlation id that is accepted from a request, in bytes.
const MAX_CORRELATION_ID: usize = 128;

/// A request's correlation id: the one that the client sent if it is valid, else a new UUID.
#[derive(Clone, Debug, Default)]
pub struct CorrelationId(pub Arc<str>);

/// The body of every error response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct Envelope<'a> {
    /// Always false.
    success: bool,
    /// The same as `error_message`.
    error: &'a str,
    /// The correlation id. Name it when you report the error to the operator of the server.
    error_id: &'a str,
    /// Error code in `UPPER_SNAKE_CASE`, for programs.
    #[schema(example = "AUTH_USER_INVALID_TOKEN")]
    error_code: &'a str,
    /// One sentence for people.
    error_message: &'a str,
    /// Always null.
    #[schema(required, schema_with = null)]
    data: Option<()>,
}

/// OpenAPI schema of a field that is always null.
fn null() -> utoipa::openapi::schema::Object {
    utoipa::openapi::schema::Object::with_type(utoipa::openapi::schema::Type::Null)
}

/// An error of an API. As a response it is an empty body and an extension, from which [`envelope`] makes the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    /// Error code in `UPPER_SNAKE_CASE`, for programs.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// 400. The message names the parameter, its value (cut to 80 characters) and the accepted values.
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

    /// 405: the path exists, but not with this method.
    pub fn wrong_method() -> Self {
        let message = "This path does not take this method; the `Allow` header names those that it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// 500: a fault of the server.
    pub fn internal() -> Self {
        let message = "Something went wrong on our side. Try again; if it stays so, tell support this error_id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable => {
                let message = "The database is not available just now. Try again in a moment.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
            }
            DbError::Failed => Self::internal(),
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
    /// The id that the request itself has, if it is a sane one.
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let sent = headers.get(CORRELATION_ID).and_then(|v| v.to_str().ok()).filter(|id| is_sane(id));
        sent.map(|id| Self(id.into()))
    }

    /// Adds the id to a response.
    pub fn set(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            headers.insert(CORRELATION_ID, value);
        }
    }

    /// Makes a UUID of version 4.
    pub fn generate(random: &Random) -> Self {
        Self(uuid::Builder::from_random_bytes(random.public_bytes()).into_uuid().to_string().into())
    }
}

/// Middleware around all APIs. It checks the request's limits, sets the correlation id of request and response, and
/// gives every error the envelope, including the framework's own errors.
pub async fn envelope(State(random): State<Random>, request: Request, next: Next) -> Response {
    let refused = request_limits::check(request.uri(), request.headers()).err();
    let (mut request, stalled) = request_limits::end_stalled_body(request);
    let id = CorrelationId::sent(request.headers()).unwrap_or_else(|| CorrelationId::generate(&random));
    request.extensions_mut().insert(id.clone());
    let mut response = match refused {
        Some(refused) => ApiError::from(refused).into_response(),
        None => next.run(request).await,
    };
    if stalled.is_set() && response.status().is_client_error() {
        response = StatusCode::REQUEST_TIMEOUT.into_response();
    }
    let status = response.status();
    let refusal = response.extensions_mut().remove::<ApiError>();
    if let Some(error) = refusal.or_else(|| from_framework(status)) {
        let kept = KEPT_HEADERS.map(|name| response.headers_mut().remove(&name).map(|value| (name, value)));
        response = (status, axum::Json(error.body(&id.0))).into_response();
        response.headers_mut().extend(kept.into_iter().flatten());
    }
    id.set(response.headers_mut());
    response
}

impl From<HeadRefusal> for ApiError {
    fn from(refused: HeadRefusal) -> Self {
        Self::new(refused.status(), refused.code(), refused.message())
    }
}

impl ApiError {
    /// The complete response, for code that does not pass the middleware [`envelope`].
    pub fn into_envelope(self, id: &CorrelationId) -> Response {
        let mut response = (self.status, axum::Json(self.body(&id.0))).into_response();
        id.set(response.headers_mut());
        response
    }

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

/// A JSON response that must not be cached.
pub fn json(answer: &impl Serialize) -> Result<Response, ApiError> {
    match serde_json::to_string(answer) {
        Ok(body) => Ok(json_body(Body::from(body))),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Err(ApiError::internal())
        }
    }
}

/// The same with the status 201.
pub fn created(answer: &impl Serialize) -> Result<Response, ApiError> {
    let mut response = json(answer)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// A response that must not be cached, with a body that is already JSON.
pub fn json_body(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Reads a body that is a JSON object. Errors: 415 if its `Content-Type` is not JSON, 400 if it does not parse as `T`.
pub fn read_json<'a, T: Deserialize<'a>>(headers: &HeaderMap, body: &'a [u8]) -> Result<T, ApiError> {
    expect_json(headers)?;
    strict_json::check(body).map_err(|error| refused_body(&error))?;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string());
    read.and_then(|Object(read)| reader.end().map(|()| read).map_err(|error| error.to_string()))
        .map_err(|error| refused_body(&error))
}

/// 400. The reason says what is wrong with the body, and where.
pub fn refused_body(reason: &str) -> ApiError {
    let message = format!("The body is refused: {reason}.");
    ApiError::new(StatusCode::BAD_REQUEST, "CONVERSATIONS_VALIDATION_FAILED", message)
}

/// 415 if a body's `Content-Type` is not JSON. A missing `Content-Type` is accepted.
pub fn expect_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let stated = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    if stated.is_some_and(|stated| stated.split(';').next().map(str::trim) != Some("application/json")) {
        let message = "Send the body as application/json.";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    Ok(())
}

/// The envelope's error for a status that the framework set itself.
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
