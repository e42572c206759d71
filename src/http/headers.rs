//! Security and caching headers of every response.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::{Arc, LazyLock, OnceLock};

/// Whether browsers reach this server by HTTPS only. If so, responses have `Strict-Transport-Security`.
#[derive(Clone, Copy, Debug)]
pub struct Https(pub bool);

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// The Content-Security-Policy of a page whose scripts have this nonce.
/// Whether the server was started by `cargo leptos watch`, in development. Styles change then while it runs.
static IS_WATCHED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("LEPTOS_WATCH").is_some());

fn page_policy(nonce: &str) -> String {
    // Live reload uses a WebSocket on another port.
    let also_connect_to = if *IS_WATCHED { " ws://127.0.0.1:3001 ws://localhost:3001" } else { "" };
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self'; font-src 'self'; connect-src 'self'{also_connect_to}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

/// The nonce of a page's scripts, which rendering passes to the layer that sets the policy. Headers that rendering sets
/// through leptos are not used for it, because they can reach another response that is rendered at the same time.
#[derive(Clone, Debug, Default)]
pub struct PageNonce(Arc<OnceLock<String>>);

impl PageNonce {
    pub fn set(&self, nonce: &str) {
        let _ = self.0.set(nonce.to_owned());
    }

    fn policy(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&page_policy(self.0.get()?)).ok()
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    content_type.is_some_and(|kind| kind.starts_with("text/html"))
}

/// Middleware that sets the headers of every response.
pub async fn set(State(https): State<Https>, mut request: Request, next: Next) -> Response {
    let nonce = PageNonce::default();
    request.extensions_mut().insert(nonce.clone());
    let path = request.uri().path();
    let unchanging = (path.starts_with("/pkg/") && !*IS_WATCHED) || path.starts_with("/fonts/");
    let asset = unchanging || path.starts_with("/icons");
    let mut response = next.run(request).await;
    let is_found = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    let headers = response.headers_mut();
    if let Some(policy) = nonce.policy().filter(|_| is_page(headers)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let cache = match (is_found, unchanging, asset) {
        // These paths contain a hash or a version of the content.
        (true, true, _) => "public, max-age=31536000, immutable",
        (true, false, true) => "public, max-age=3600",
        _ => "no-store",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    set_security(headers, https);
    response
}

/// Sets the security headers. A Content-Security-Policy that is set already is kept.
fn set_security(headers: &mut HeaderMap, https: Https) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: without JavaScript, a refused form redirects back to the page named by `Referer`.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=()"));
    set_default(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if https.0 {
        set_default(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
}

/// The headers of a response that is neither a page nor a file. Made once: [`set`] gives others the same.
pub fn of_api(https: Https) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_security(&mut headers, https);
    headers
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
