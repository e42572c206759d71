//! The OpenAPI document, generated from the router's paths and the Rust types. `/openapi.json` serves it, `agent-studio
//! openapi` prints it, `/docs` shows it.

use crate::http::envelope::Envelope;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

/// The document without its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Agent Studio",
        description = "What API keys open: conversations, handoff states, external events and agents; and the runtime \
                       side, which feeds them.\n\n\
                       An API key goes into the header `x-api-key`; which permission a call needs, its section's name \
                       says. Any key lists the agents that it covers. The runtime side takes a runtime token. Errors \
                       have one envelope on every path, and every answer carries `X-PolyAI-Correlation-Id`.",
    ),
    components(schemas(Envelope)),
    modifiers(&Schemes),
    tags(
        (name = "Conversations"),
        (name = "Handoff"),
        (name = "External events"),
        (name = "Agents"),
        (name = "Runtime"),
        (name = "Retired"),
    ),
)]
struct Head;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        let key = ApiKeyValue::with_description("x-api-key", "An API key, `ask_…`, made in the dashboard.");
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A runtime token, `ast_…`, made by `agent-studio runtime-token create`."))
            .build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        components.add_security_scheme("runtime_token", SecurityScheme::Http(token));
    }
}

/// Builds the document from routes that are nested below these prefixes.
pub fn document(nested: impl IntoIterator<Item = (&'static str, Document)>) -> Document {
    let mut document = Head::openapi();
    for (prefix, mut routes) in nested {
        // One handler can serve several versions, but operation ids must be unique.
        let version = prefix.trim_start_matches('/').replace('/', "_");
        for path in routes.paths.paths.values_mut() {
            let methods = [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete];
            for operation in methods.into_iter().flatten() {
                operation.operation_id = operation.operation_id.take().map(|id| format!("{version}_{id}"));
            }
        }
        document = document.nest(prefix, routes);
    }
    document
}

/// A workspace and one of its agents, in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AgentPath {
    /// The workspace's id or slug.
    pub account_id: String,
    /// The agent's id or slug.
    pub project_id: String,
}

/// Error responses of all calls.
#[derive(IntoResponses)]
pub enum Refusals {
    /// A parameter does not parse, is out of range or contradicts another. The message names it.
    #[response(status = 400)]
    Invalid(Envelope<'static>),
    /// The key or token is missing, sent twice, malformed, unknown, expired, paused or deleted.
    #[response(status = 401)]
    Unauthorised(Envelope<'static>),
    /// The key or token may not make this call. The message names what is missing.
    #[response(status = 403)]
    Forbidden(Envelope<'static>),
    /// The object does not exist.
    #[response(status = 404)]
    NotFound(Envelope<'static>),
    /// The request took longer than a minute.
    #[response(status = 408)]
    TimedOut(Envelope<'static>),
    /// The key is over its limits. `Retry-After` says when to try again.
    #[response(status = 429)]
    TooMany(Envelope<'static>),
    /// A fault of the server.
    #[response(status = 500)]
    Internal(Envelope<'static>),
    /// The database is busy or cannot be reached. Try again later.
    #[response(status = 503)]
    Unavailable(Envelope<'static>),
}

/// Further error responses of calls with a body.
#[derive(IntoResponses)]
pub enum BodyRefusals {
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(Envelope<'static>),
    /// The body's type is not accepted.
    #[response(status = 415)]
    WrongType(Envelope<'static>),
}
