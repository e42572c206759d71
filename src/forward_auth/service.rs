//! Answers the auth requests of reverse proxies. Each proxy describes the client's request in its own way and passes
//! other statuses on.
//!
//! This is on the path of every call that a proxy protects, so it is not a router with middleware: it reads the head of
//! the request, asks the gate, and writes one response.

use crate::base::id::AgentId;
use crate::base::text::without_secrets;
use crate::forward_auth::location::ProtectedLocation;
use crate::gate::Denial;
use crate::gate::caller::{deny, deny_stranger};
use crate::gate::indexed::{Holder, IndexedKey};
use crate::gate::state::Gate;
use crate::http::client_address::AddressSource;
use crate::http::envelope::{ApiError, CorrelationId};
use crate::http::headers::{self, Https};
use crate::http::request_limits;
use crate::usage::record::{Client, Observed, Usage};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::net::IpAddr;
use std::sync::Arc;

const KEY_ID: HeaderName = HeaderName::from_static("x-key-id");
const KEY_NAME: HeaderName = HeaderName::from_static("x-key-name");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");
const AGENTS: HeaderName = HeaderName::from_static("x-agents");
const PERMISSIONS: HeaderName = HeaderName::from_static("x-permissions");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const DENIED_REASON: HeaderName = HeaderName::from_static("x-denied-reason");

/// What a name's header encodes besides what is not ASCII.
const NOT_IN_NAMES: &AsciiSet = &CONTROLS.add(b'%');

/// The path of all auth URLs.
const PREFIX: &str = "/authz";

/// Answers auth requests.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    gate: Arc<Gate>,
    usage: Arc<Usage>,
    client_address: AddressSource,
    /// The headers of every response, made once.
    headers: HeaderMap,
}

/// The proxy that an auth URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proxy<'a> {
    Nginx,
    TraefikOrCaddy,
    /// The requirements are path segments, because Envoy appends the client's own path.
    Envoy {
        segments: [&'a str; 3],
        original: &'a str,
    },
}

impl ForwardAuth {
    pub fn new(gate: Arc<Gate>, usage: Arc<Usage>, client_address: AddressSource, https: Https) -> Self {
        Self { gate, usage, client_address, headers: headers::of_api(https) }
    }

    /// Whether a path belongs to forward auth.
    pub fn serves(path: &str) -> bool {
        path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request with this head. Its body is not read.
    pub async fn answer(&self, peer: IpAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        let id = CorrelationId::sent(headers);
        if let Err(refused) = request_limits::check(uri, headers) {
            return self.refuse(method, refused.into(), id.as_ref());
        }
        let Some(proxy) = Proxy::of_path(uri.path()) else {
            tracing::warn!(path = without_secrets(uri.path()), "forward auth refused: no proxy has this auth URL");
            return self.refuse(method, forbidden(), id.as_ref());
        };
        if proxy == Proxy::Nginx && !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = self.refuse(method, ApiError::wrong_method(), id.as_ref());
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
            return response;
        }
        let original = proxy.original(method, headers).unwrap_or_else(|| (method.clone(), uri.clone()));
        let mut address = self.client_address.client(headers, Some(peer));
        // The peer is the proxy, never its client.
        address.is_own &= self.client_address == AddressSource::Proxy;
        let client = Client::new(Some(address), headers);
        let mut observed = Observed::of_proxy(&self.usage, original, id.clone(), client);
        let decided = self.decide(&observed, proxy, uri, headers).await;
        let mut response = match decided.and_then(|holder| self.allow(&holder.key, id.as_ref())) {
            Ok(response) => response,
            Err(error) => {
                let id = observed.call().correlation_id(self.usage.db().random());
                self.refuse(method, proxy.understood(error), Some(id))
            }
        };
        observed.answered(response.status());
        observed.call().describe(response.headers_mut());
        if proxy == Proxy::Nginx
            && let Some(reason) = observed.call().limited_by()
        {
            // nginx passes no 429 on, but a header.
            response.headers_mut().insert(DENIED_REASON, HeaderValue::from_static(reason));
        }
        response
    }

    async fn decide(
        &self,
        observed: &Observed,
        proxy: Proxy<'_>,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Holder, ApiError> {
        let (gate, call) = (&self.gate, observed.call());
        let location = proxy.location(uri).map_err(|reason| {
            // Envoy appends the client's own path to a prefix that is too short.
            let reason = without_secrets(&reason);
            tracing::warn!(reason, "forward auth refused: the auth URL in the proxy's configuration is wrong");
            call.denied(Denial::Failed);
            forbidden()
        })?;
        let holder = gate.identify(headers, call.began()).await;
        let holder = holder.map_err(|denied| deny_stranger(call, denied, headers, call.request().1))?;
        call.made_with(&holder.key);
        let (need, at) = (location.need(), call.at());
        need.permission.into_iter().for_each(|permission| call.needs(permission));
        let decided = holder.decide(gate, need, at, call.client_address(), |agent| call.names(agent)).await;
        decided.map_err(|denied| deny(call, denied))?;
        call.admit().map_err(|refusal| deny(call, refusal.into()))?;
        gate.metrics().decided(call.began());
        Ok(holder)
    }

    fn allow(&self, key: &IndexedKey, id: Option<&CorrelationId>) -> Result<Response, ApiError> {
        let headers = match key.forward_auth_headers.get() {
            Some(headers) => headers,
            None => {
                let mut headers = self.headers.clone();
                describe(key, &mut headers)?;
                key.forward_auth_headers.get_or_init(|| Box::new(headers))
            }
        };
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = HeaderMap::clone(headers);
        if let Some(id) = id {
            id.set(response.headers_mut());
        }
        Ok(response)
    }

    fn refuse(&self, method: &Method, error: ApiError, id: Option<&CorrelationId>) -> Response {
        let generated = id.is_none().then(|| CorrelationId::generate(self.usage.db().random()));
        let status = error.status;
        let mut response = error.into_envelope(id.or(generated.as_ref()).unwrap_or(&CorrelationId::default()));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.headers_mut().extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        response
    }
}

impl<'a> Proxy<'a> {
    fn of_path(path: &'a str) -> Option<Self> {
        match path.strip_prefix(PREFIX)?.strip_prefix('/')? {
            "nginx" => Some(Self::Nginx),
            "traefik" | "caddy" => Some(Self::TraefikOrCaddy),
            rest => {
                let mut parts = rest.strip_prefix("envoy/")?.splitn(4, '/');
                let segments = [parts.next()?, parts.next()?, parts.next()?];
                let original = parts.next().map_or("/", |rest| &path[path.len() - rest.len() - 1..]);
                segments.iter().all(|segment| !segment.is_empty()).then_some(Self::Envoy { segments, original })
            }
        }
    }

    /// The access that the auth URL requires.
    fn location(self, uri: &'a Uri) -> Result<ProtectedLocation<'a>, String> {
        match self {
            Self::Envoy { segments: [account, project, permission], .. } => {
                ProtectedLocation::from_path(account, project, permission)
            }
            Self::Nginx | Self::TraefikOrCaddy => ProtectedLocation::from_query(uri.query().unwrap_or_default()),
        }
    }

    /// The client's own method and URI, for the log; `None` if the proxy does not send them.
    fn original(self, method: &Method, headers: &HeaderMap) -> Option<(Method, Uri)> {
        let sent = |method: &HeaderName, uri: &HeaderName| {
            let header = |name| headers.get(name).map(HeaderValue::as_bytes);
            Some((Method::from_bytes(header(method)?).ok()?, Uri::try_from(header(uri)?).ok()?))
        };
        match self {
            Self::Nginx => sent(&ORIGINAL_METHOD, &ORIGINAL_URI),
            Self::TraefikOrCaddy => sent(&FORWARDED_METHOD, &FORWARDED_URI),
            Self::Envoy { original, .. } => Some((method.clone(), original.parse().ok()?)),
        }
    }

    /// The error in a status that the proxy understands. nginx treats all but 401 and 403 as its own failure.
    fn understood(self, error: ApiError) -> ApiError {
        match self {
            Self::Nginx if error.status != StatusCode::UNAUTHORIZED => {
                ApiError { status: StatusCode::FORBIDDEN, ..error }
            }
            _ => error,
        }
    }
}

/// Adds the headers that describe a key to the protected service.
fn describe(key: &IndexedKey, headers: &mut HeaderMap) -> Result<(), ApiError> {
    let agents = match key.agents.as_deref() {
        None => "all".to_owned(),
        // Never empty: some proxies pass a client's own header on if ours is empty.
        Some([]) => "none".to_owned(),
        Some(agents) => list(agents.iter().map(AgentId::as_str)),
    };
    for (name, value) in [
        (KEY_ID, key.id.as_str().to_owned()),
        (KEY_NAME, encoded(&key.name)),
        (WORKSPACE_ID, key.workspace.as_str().to_owned()),
        (AGENTS, agents),
        (PERMISSIONS, list(key.permissions.iter().map(|permission| permission.id()))),
    ] {
        // Ids, encoded names and permissions are visible ASCII, so this does not fail.
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| ApiError::internal())?);
    }
    Ok(())
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(",")
}

/// A name as a header value can contain it: visible ASCII unchanged except for `%`, the rest as percent-encoded UTF-8
/// (RFC 3986).
fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NOT_IN_NAMES).to_string()
}

fn forbidden() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "USER_ACCESS_FORBIDDEN", "This is not allowed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_headers() {
        for (name, header) in [("CRM, EU (50%)", "CRM, EU (50%25)"), ("Zoë\u{1F511}", "Zo%C3%AB%F0%9F%94%91")] {
            assert_eq!(encoded(name), header);
        }
    }

    #[test]
    fn paths() {
        assert!(["/authz", "/authz/", "/authz/x"].into_iter().all(ForwardAuth::serves));
        assert!(!["/auth", "/authzx", "/", "/acme/authz"].into_iter().any(ForwardAuth::serves));
        assert_eq!(Proxy::of_path("/authz/nginx"), Some(Proxy::Nginx));
        assert_eq!(Proxy::of_path("/authz/caddy"), Some(Proxy::TraefikOrCaddy));
        for (path, original) in [("a/b/c", "/"), ("a/b/c/", "/"), ("a/b/c//d", "//d"), ("a/b/c/d/e?", "/d/e?")] {
            let envoy = Proxy::Envoy { segments: ["a", "b", "c"], original };
            assert_eq!(Proxy::of_path(&format!("/authz/envoy/{path}")), Some(envoy), "{path}");
        }
        for path in ["", "/", "/nginx/", "/nginx/x", "/envoy/a/b", "/envoy/a//c", "/other"] {
            assert_eq!(Proxy::of_path(&format!("/authz{path}")), None, "{path}");
        }
    }
}
