//! All routes: the APIs, forward auth, health, and the dashboard with its server functions. `web/app.rs` has the routes
//! of single pages.

use crate::api::adk;
use crate::api::agents;
use crate::api::concurrency;
use crate::api::conversations_v1 as v1;
use crate::api::conversations_v3 as conversations;
use crate::api::deployments;
use crate::api::docs as api_docs;
use crate::api::external_events;
use crate::api::handoff;
use crate::api::ignored_parameters::{self, KnownParameters};
use crate::api::openapi;
use crate::api::recordings;
use crate::api::runtime;
use crate::api::variants;
use crate::conversations::document::MAX_BYTES;
use crate::http::client_address::{AddressSource, ForwardedCounts};
use crate::http::envelope as wire;
use crate::http::envelope::ApiError;
use crate::http::headers::{Https, PageNonce};
use crate::http::origin_check::PublicOrigin;
use crate::http::request_span;
use crate::http::{client_address, headers, origin_check};
use crate::server::health;
use crate::server::state::{AppState, Services};
use crate::sessions::service::Sessions;
use crate::sessions::shown_once::ShownOnce;
use crate::usage::Api;
use crate::usage::record::{Observe, Usage};
use crate::web::activity;
use crate::web::api_keys;
use crate::web::chunks::ChunkHint;
use crate::web::components::draft::Draft;
use crate::web::download::members_only;
use crate::web::form_drafts::{self, MAX_FORM};
use crate::web::services::PageServices;
use crate::web::shell::shell;
use crate::web::shown_once;
use crate::web::site;
use crate::web::transport::load::PageStatus;
use crate::web::usage::workspace;
use crate::web::{compression, pages_only, server_functions};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef as _, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use leptos::nonce::use_nonce;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{
    AxumRouteListing, LeptosRoutes, ResponseOptions, generate_route_list, render_app_async_with_context,
};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_sessions::SessionManagerLayer;
use tower_sessions::cookie::SameSite;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Maximum duration of a request.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Largest body that the APIs accept, in bytes; the runtime side has its own limits.
const MAX_API_BODY: usize = 1024 * 1024;

/// Keeps search engines out (RFC 9309): nothing here is for the public.
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// The routes of all pages. Generated once, before anything is served: while leptos generates them, no page of the
/// process loads its data, and a page that is being rendered waits for ever (leptos-rs/leptos#4773).
static PAGES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(crate::web::app::App));

/// The router of the main listener.
pub fn all(state: AppState) -> Router {
    let source = if state.services.behind_proxy { AddressSource::Proxy } else { AddressSource::Connection };
    let apis = apis(state.clone()).merge(health::metrics_elsewhere().with_state(state.clone()));
    let counts = state.services.forwarded.clone();
    around(&state.clone(), (source, counts), apis.merge(dashboard(state)))
}

/// The router of the listener for metrics. They have their own listener because, behind a proxy, local requests cannot
/// be told from others.
pub fn metrics(state: &AppState) -> Router {
    around(state, (AddressSource::Connection, Arc::default()), health::metrics_routes().with_state(state.clone()))
}

/// A router without routes.
pub fn empty(state: &AppState) -> Router {
    around(state, (AddressSource::Connection, Arc::default()), Router::new())
}

/// Adds the layers that every request passes.
fn around(state: &AppState, addresses: (AddressSource, Arc<ForwardedCounts>), router: Router) -> Router {
    router
        .layer(from_fn_with_state(Https::from_ref(state), headers::set))
        .layer(from_fn_with_state(ShownOnce::from_ref(state), shown_once::deliver))
        .layer(compression::layer())
        .layer(from_fn_with_state(addresses, client_address::determine))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIMEOUT))
}

/// The APIs: prefix, routes and largest body (in bytes) of each version.
fn versions(usage: Option<&Arc<Usage>>) -> [(&'static str, OpenApiRouter<AppState>, usize); 5] {
    // Records calls with keys.
    let of = |api: Api, routes: OpenApiRouter<AppState>| match usage {
        Some(usage) => routes.route_layer(Observe::new(usage.clone(), api)),
        None => routes,
    };
    let routes = OpenApiRouter::default;
    let v3 = of(Api::Conversations, routes().routes(routes!(conversations::list)).routes(routes!(conversations::find)));
    let v1_conversations = routes()
        .routes(routes!(v1::list))
        .routes(routes!(v1::find))
        .routes(routes!(recordings::find))
        .routes(routes!(concurrency::count));
    let v1_agents = routes()
        .routes(routes!(agents::list, agents::create))
        .routes(routes!(agents::delete))
        .routes(routes!(agents::duplicate))
        .routes(routes!(variants::attributes, variants::create_attribute))
        .routes(routes!(variants::rename_attribute, variants::delete_attribute))
        .routes(routes!(variants::list, variants::create))
        .routes(routes!(variants::edit, variants::delete))
        .routes(routes!(deployments::list))
        .routes(routes!(deployments::active))
        .routes(routes!(deployments::publish))
        .routes(routes!(deployments::promote))
        .routes(routes!(deployments::roll_back));
    let v1 = retired()
        .merge(of(Api::Conversations, v1_conversations))
        .merge(of(Api::Handoff, routes().routes(routes!(handoff::find))))
        .merge(of(Api::ExternalEvents, routes().routes(routes!(external_events::webhook))))
        .merge(of(Api::Agents, v1_agents));
    let runtime = routes()
        .routes(routes!(runtime::put, runtime::erase))
        .routes(routes!(runtime::append_turns))
        .routes(routes!(runtime::put_handoff))
        .routes(routes!(runtime::received_events, runtime::await_event))
        .route_layer(RequestBodyLimitLayer::new(MAX_BYTES))
        .routes(routes!(recordings::put));
    [
        ("/v3", v3, MAX_API_BODY),
        ("/v2", retired(), MAX_API_BODY),
        ("/v1", v1, MAX_API_BODY),
        (
            "/adk/v1",
            of(Api::Agents, routes().routes(routes!(adk::accounts)).routes(routes!(adk::projects))),
            MAX_API_BODY,
        ),
        ("/runtime/v1", runtime, recordings::MAX_BODY),
    ]
}

/// Routes of the retired versions of the Conversations API, which answer with the new path.
#[expect(deprecated, reason = "the OpenAPI document says so of them too")]
fn retired() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(conversations::retired_list)).routes(routes!(conversations::retired_find))
}

/// The paths of all routes of the APIs.
pub fn api_paths() -> Vec<String> {
    let paths = |(prefix, routes, _): (&str, OpenApiRouter<AppState>, usize)| {
        let paths = routes.into_openapi().paths.paths.into_keys();
        paths.map(|path| format!("{prefix}{path}")).collect::<Vec<_>>()
    };
    versions(None).into_iter().flat_map(paths).collect()
}

/// The OpenAPI document.
pub fn openapi() -> OpenApi {
    openapi::document(versions(None).map(|(prefix, routes, _)| (prefix, routes.into_openapi())))
}

/// Routes of the APIs and of their documentation.
fn apis(state: AppState) -> Router {
    let envelope = from_fn_with_state(state.services.db.random().clone(), wire::envelope);
    // `nest` does not match the prefixes themselves.
    let bare = [
        "/v1",
        "/v1/",
        "/v2",
        "/v2/",
        "/v3",
        "/v3/",
        "/runtime",
        "/runtime/",
        "/runtime/v1",
        "/runtime/v1/",
        "/adk",
        "/adk/",
        "/adk/v1",
        "/adk/v1/",
    ]
    .into_iter()
    .fold(Router::new(), |router, path| router.route(path, any(|| async { ApiError::unknown_path() })));
    let document = openapi();
    let known = KnownParameters::of(&document);
    versions(Some(&state.services.usage))
        .into_iter()
        .fold(bare.layer(envelope.clone()), |router, (prefix, routes, max_body)| {
            let routes = Router::from(routes).route_layer(from_fn_with_state(known.clone(), ignored_parameters::note));
            router.nest(prefix, version(routes, max_body).layer(envelope.clone()))
        })
        .merge(api_docs::routes(document))
        .with_state(state)
}

/// Adds the layers of one version of the APIs. Every error below its prefix gets the APIs' envelope.
fn version(routes: Router<AppState>, max_body: usize) -> Router<AppState> {
    routes
        .fallback(|| async { ApiError::unknown_path() })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        // axum's default limit is lower.
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(max_body))
        // Outside the limit, so that the limit applies to the decompressed body.
        .layer(RequestDecompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(from_fn(request_span::of_call))
}

/// Routes of files that members of a workspace can download.
fn downloads(services: Arc<PageServices>) -> Router<AppState> {
    Router::new()
        .route("/{workspace}/api-keys/export", get(api_keys::export::download))
        .route("/{workspace}/activity/export", get(activity::export::download))
        .route("/{workspace}/usage/export", get(workspace::export::download))
        .route_layer(from_fn_with_state(services, members_only))
}

/// Routes of the pages and their server functions.
fn dashboard(state: AppState) -> Router {
    let services = state.services.pages.clone();
    let context = {
        let services = services.clone();
        move || provide(&services)
    };
    Router::new()
        // Files are not served by leptos, whose handler can take the headers of a page that is being rendered.
        .route("/pkg/{version}/{*file}", get(site::serve_build))
        .route("/fonts/{*file}", get(site::serve))
        .route("/icons/{*file}", get(site::serve))
        .route("/robots.txt", get(|| async { ROBOTS }))
        .route("/api/{*function}", post(run_server_function))
        .merge(downloads(services.clone()))
        .leptos_routes_with_context(&state, PAGES.clone(), context.clone(), shell)
        .fallback(not_found)
        .layer(from_fn(pages_only::redirect))
        .layer(from_fn_with_state(services.clone(), form_drafts::keep))
        .layer(sessions(&state.services))
        .layer(from_fn_with_state(PublicOrigin::from_ref(&state), origin_check::check))
        .layer(from_fn(server_functions::status))
        .layer(RequestBodyLimitLayer::new(MAX_FORM))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(pages_only::limit_head))
        .layer(from_fn_with_state(state.services.db.random().clone(), request_span::of_page))
        .with_state(state)
}

/// Fallback: the "not found" page for browsers, the APIs' error for other clients.
async fn not_found(State(state): State<AppState>, request: Request) -> Response {
    if !pages_only::is_for_a_browser(&request) {
        let envelope = from_fn_with_state(state.services.db.random().clone(), wire::envelope);
        let unknown = Router::new().fallback(|| async { ApiError::unknown_path() }).layer(envelope);
        return unknown.oneshot(request).await.into_response();
    }
    let services = state.services.pages;
    let mut response = render_app_async_with_context(move || provide(&services), shell)(request).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

async fn run_server_function(State(services): State<Arc<PageServices>>, request: Request) -> impl IntoResponse {
    leptos_axum::handle_server_fns_with_context(move || provide(&services), request).await
}

/// Provides the leptos context of pages and server functions.
fn provide(services: &Arc<PageServices>) {
    provide_context(services.clone());
    let parts = use_context::<Parts>();
    let draft = parts.as_ref().and_then(|parts| parts.extensions.get::<Draft>().cloned());
    provide_context(draft.unwrap_or_default());
    let policy = parts.as_ref().and_then(|parts| parts.extensions.get::<PageNonce>());
    if let (Some(policy), Some(nonce)) = (policy, use_nonce()) {
        policy.set(&nonce);
    }
    provide_context(PageStatus(|status| {
        if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
            response.set_status(status);
        }
    }));
    provide_context(ChunkHint(site::hint_chunk));
}

/// The session cookie. It is limited to this host and to HTTPS, unless the server's address is plain HTTP on loopback.
fn sessions(services: &Services) -> SessionManagerLayer<Sessions> {
    let name = if services.secure_cookies { "__Host-agent-studio" } else { "agent-studio" };
    SessionManagerLayer::new(services.sessions.clone())
        .with_name(name)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(services.secure_cookies)
        .with_path("/")
}
