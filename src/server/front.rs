//! What stands before the router: forward auth and health checks are answered at once, everything else by the router.
//! They are asked far more often than anything else, and need no session, no routing and no middleware.

use crate::forward_auth::service::ForwardAuth;
use crate::http::client_address::AddressSource;
use crate::http::headers::{self, Https};
use crate::http::listener::Answer;
use crate::server::health::Probe;
use crate::server::router::{self, TIMEOUT};
use crate::server::state::{AppState, Services};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, FromRef as _};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::poll_immediate;
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use tokio::time::timeout;
use tower::{BoxError, ServiceExt as _};

/// Answers every request of one listener.
#[derive(Clone, Debug)]
pub struct Front(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    forward_auth: Option<ForwardAuth>,
    /// For health checks; `None` on a listener without them.
    services: Option<Services>,
    headers: HeaderMap,
    router: Router,
}

impl Front {
    /// The whole server. Forward auth is part of it unless it has its own listener.
    pub fn all(state: AppState) -> Self {
        let source = if state.services.behind_proxy { AddressSource::Proxy } else { AddressSource::Connection };
        let forward_auth = (!state.services.forward_auth_apart).then(|| forward_auth(&state, source));
        Self::new(forward_auth, Some(state.services.clone()), &state, router::all(state.clone()))
    }

    /// Forward auth alone, for a listener that only the reverse proxy reaches.
    pub fn forward_auth(state: &AppState) -> Self {
        Self::new(Some(forward_auth(state, AddressSource::Proxy)), None, state, router::empty(state))
    }

    /// Metrics alone, on a listener of their own: behind a proxy, the requests of this machine cannot be told from
    /// others.
    pub fn metrics(state: &AppState) -> Self {
        Self::new(None, None, state, router::metrics(state))
    }

    fn new(forward_auth: Option<ForwardAuth>, services: Option<Services>, state: &AppState, router: Router) -> Self {
        let headers = headers::of_api(Https::from_ref(state));
        Self(Arc::new(Parts { forward_auth, services, headers, router }))
    }

    /// Answers a request from this peer.
    pub async fn answer<B>(&self, peer: SocketAddr, mut request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Parts { forward_auth, services, .. } = &*self.0;
        let path = request.uri().path();
        if let Some(forward_auth) = forward_auth.as_ref().filter(|_| ForwardAuth::serves(path)) {
            let answer = forward_auth.answer(peer.ip(), request.method(), request.uri(), request.headers());
            return self.in_time(pin!(answer)).await;
        }
        if let Some((probe, services)) = Probe::of_path(path).zip(services.as_ref()) {
            let mut response = self.in_time(pin!(probe.answer(services, request.method()))).await;
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            }
            self.add_headers(&mut response);
            return response;
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        // Boxed, so that the calls above are small: a future is moved several times.
        Box::pin(self.0.router.clone().oneshot(request.map(Body::new))).await.into_response()
    }

    /// The answer, or a response that says that it took too long. Most answers are there at once and start no timer.
    async fn in_time(&self, mut answer: Pin<&mut impl Future<Output = Response>>) -> Response {
        match poll_immediate(&mut answer).await {
            Some(response) => response,
            None => timeout(TIMEOUT, answer).await.unwrap_or_else(|_| self.timed_out()),
        }
    }

    fn timed_out(&self) -> Response {
        let mut response = StatusCode::REQUEST_TIMEOUT.into_response();
        self.add_headers(&mut response);
        response
    }

    fn add_headers(&self, response: &mut Response) {
        response.headers_mut().extend(self.0.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

impl Answer for Front {
    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Response {
        Self::answer(self, peer, request).await
    }
}

fn forward_auth(state: &AppState, source: AddressSource) -> ForwardAuth {
    ForwardAuth::new(state.services.gate.clone(), state.services.usage.clone(), source, Https::from_ref(state))
}
