//! The handlers. Each proxy has one of its own, since each tells of the client's request in its own way, and passes other
//! answers on.

use crate::base::text::without_secrets;
use crate::forward_auth::location::ProtectedLocation;
use crate::gate::Denied;
use crate::gate::caller::{deny, deny_stranger};
use crate::gate::index::Gate;
use crate::http::envelope as wire;
use crate::http::envelope::ApiError;
use crate::usage::Api;
use crate::usage::record::{Observe, ObservedCall, Usage};
use axum::Router;
use axum::extract::{FromRef, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use std::sync::Arc;

const KEY_ID: HeaderName = HeaderName::from_static("x-key-id");
const KEY_NAME: HeaderName = HeaderName::from_static("x-key-name");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");
const AGENTS: HeaderName = HeaderName::from_static("x-agents");
const PERMISSIONS: HeaderName = HeaderName::from_static("x-permissions");

/// Every route, below `/authz`.
pub fn routes<S>(usage: &Arc<Usage>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Gate>: FromRef<S>,
{
    Router::new()
        .route("/authz/nginx", get(nginx))
        .route("/authz/traefik", any(traefik_or_caddy))
        .route("/authz/caddy", any(traefik_or_caddy))
        .route("/authz/envoy/{account_id}/{project_id}/{permission}", any(envoy))
        .route("/authz/envoy/{account_id}/{project_id}/{permission}/", any(envoy))
        .route("/authz/envoy/{account_id}/{project_id}/{permission}/{*original}", any(envoy))
        .route_layer(Observe::new(usage.clone(), Api::ForwardAuth))
        .route("/authz", any(misdirected))
        .route("/authz/", any(misdirected))
        .route("/authz/{*other}", any(misdirected))
        .layer(from_fn_with_state(usage.db().random().clone(), wire::envelope))
}

/// nginx's `auth_request` knows yes, 401 and 403; anything else is an error to it.
async fn nginx(State(gate): State<Arc<Gate>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asked_for = original(&headers, "x-original-method", "x-original-uri");
    let answer =
        decide(&gate, &headers, asked_for, ProtectedLocation::from_query(query.as_deref().unwrap_or_default())).await;
    match answer {
        Ok(yes) => yes,
        Err(error) if error.status == StatusCode::UNAUTHORIZED => error.into_response(),
        Err(error) => ApiError { status: StatusCode::FORBIDDEN, ..error }.into_response(),
    }
}

/// Both send the original in `X-Forwarded-Method` and `X-Forwarded-Uri`.
async fn traefik_or_caddy(
    State(gate): State<Arc<Gate>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked_for = original(&headers, "x-forwarded-method", "x-forwarded-uri");
    decide(&gate, &headers, asked_for, ProtectedLocation::from_query(query.as_deref().unwrap_or_default())).await
}

/// Envoy's `ext_authz` over HTTP sends the original's method and path, below the configured prefix.
async fn envoy(
    State(gate): State<Arc<Gate>>,
    Path(segments): Path<Vec<(String, String)>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // The prefix has five segments; what follows is the client's own, as it was sent.
    let original = uri.path().match_indices('/').nth(5).map_or("/", |(at, _)| &uri.path()[at..]);
    let asked_for = original.parse().ok().map(|uri| (method, uri));
    let segment = |name: &str| segments.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let location = ProtectedLocation::from_path(segment("account_id"), segment("project_id"), segment("permission"));
    decide(&gate, &headers, asked_for, location).await
}

/// An address that is none of a proxy's: refused, as everything that is not understood.
async fn misdirected(uri: Uri) -> ApiError {
    tracing::warn!(path = without_secrets(uri.path()), "forward auth refused: no proxy has this auth URL");
    forbidden()
}

async fn decide(
    gate: &Gate,
    headers: &HeaderMap,
    asked_for: Option<(Method, Uri)>,
    location: Result<ProtectedLocation, String>,
) -> Result<Response, ApiError> {
    let call = ObservedCall::current()?;
    let original = asked_for.as_ref().map(|(_, uri)| uri.clone()).unwrap_or_default();
    call.asked_for(asked_for);
    let location = location.map_err(|reason| {
        // Envoy puts the client's own path behind a prefix that is too short.
        tracing::warn!(
            reason = without_secrets(&reason),
            "forward auth refused: the auth URL in the proxy's configuration is wrong"
        );
        call.denied(Denied::Failed);
        forbidden()
    })?;
    let holder = gate.identify(headers, call.began()).await;
    let holder = holder.map_err(|denied| deny_stranger(&call, denied, headers, &original))?;
    call.made_with(&holder.key);
    let decided = holder.decide(gate, location.need(), call.at()).await;
    let (workspace, _) = decided.map_err(|denied| deny(&call, denied))?;
    gate.metrics().decided(call.began());
    let key = &holder.key;
    let agents = match &key.agents {
        None => "all".to_owned(),
        // Never empty: some proxies pass a client's own header on where ours is.
        Some(agents) if agents.is_empty() => "none".to_owned(),
        Some(agents) => agents.iter().map(|agent| agent.as_str()).collect::<Vec<_>>().join(","),
    };
    let values = [
        (KEY_ID, key.id.to_string()),
        (KEY_NAME, encoded(&key.name)),
        (WORKSPACE_ID, workspace.id.to_string()),
        (AGENTS, agents),
        (PERMISSIONS, key.permissions.ids()),
    ];
    let mut yes = StatusCode::OK.into_response();
    for (name, value) in values {
        yes.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(|_| ApiError::internal())?);
    }
    Ok(yes)
}

/// A name as a header can carry it: visible ASCII as it is, but for `%`; the rest percent-encoded UTF-8 (RFC 3986).
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b' ' | b'!'..=b'$' | b'&'..=b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// The client's own method and address, for the log; a proxy that does not tell leaves ours there.
fn original(headers: &HeaderMap, method: &'static str, uri: &'static str) -> Option<(Method, Uri)> {
    let header = |name| headers.get(name).map(HeaderValue::as_bytes);
    Some((Method::from_bytes(header(method)?).ok()?, Uri::try_from(header(uri)?).ok()?))
}

fn forbidden() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", "This is not allowed.")
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn names_become_headers() {
        assert_eq!(encoded("CRM, EU (50%)"), "CRM, EU (50%25)");
        assert_eq!(encoded("Zoë\u{1F511}"), "Zo%C3%AB%F0%9F%94%91");
    }
}
