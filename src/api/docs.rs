//! Endpoints of the OpenAPI document and of Swagger UI, whose files are built into the program.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Path of the document.
const DOCUMENT: &str = "/openapi.json";
/// Content-Security-Policy of Swagger UI: it needs inline styles, and icons as `data:` URLs in its styles.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Routes of the document, and of Swagger UI below `/docs`.
pub fn routes<S: Clone + Send + Sync + 'static>(document: OpenApi) -> Router<S> {
    let json = serde_json::to_string(&document).unwrap_or_default();
    let config = Config::from(DOCUMENT).use_base_layout().display_request_duration(true);
    Router::from(SwaggerUi::new("/docs").config(config))
        .layer(map_response(with_policy))
        .route(DOCUMENT, get(|| async move { ([(header::CONTENT_TYPE, "application/json")], json) }))
}

async fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}
