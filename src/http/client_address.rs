//! Determining a client's address: from the connection, or from `X-Forwarded-For` behind a reverse proxy.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Request extension with the client's address, set by [`determine`].
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress {
    pub address: Option<IpAddr>,
    /// Whether it is the client's own: not the one of a proxy that did not say for whom it called.
    pub is_own: bool,
}

/// Where the client's address is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The peer address of the connection.
    Connection,
    /// The last entry of `X-Forwarded-For`, which our own reverse proxy writes; the peer address if there is none.
    Proxy,
}

/// How many requests had an `X-Forwarded-For`. Tells whether the setting for a reverse proxy fits what arrives.
#[derive(Debug, Default)]
pub struct ForwardedCounts {
    with: AtomicU64,
    without: AtomicU64,
}

impl ForwardedCounts {
    /// Number of requests with the header, and without.
    pub fn get(&self) -> (u64, u64) {
        (self.with.load(Ordering::Relaxed), self.without.load(Ordering::Relaxed))
    }

    fn count(&self, headers: &HeaderMap) {
        let count = if headers.contains_key(&FORWARDED_FOR) { &self.with } else { &self.without };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Middleware that sets [`ClientAddress`].
pub async fn determine(
    State((source, counts)): State<(AddressSource, Arc<ForwardedCounts>)>,
    mut request: Request,
    next: Next,
) -> Response {
    counts.count(request.headers());
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(a)| a.ip());
    let client = source.client(request.headers(), connection);
    request.extensions_mut().insert(client);
    next.run(request).await
}

impl AddressSource {
    /// The client of a request with these headers and this peer address.
    pub fn client(self, headers: &HeaderMap, connection: Option<IpAddr>) -> ClientAddress {
        let own = match self {
            // Our own proxy wrote only the last entry. The client can forge those before it.
            Self::Proxy => forwarded(headers),
            Self::Connection => connection,
        };
        ClientAddress { address: own.or(connection), is_own: own.is_some() }
    }

    /// The client's address, from the request's headers and the connection's peer address.
    pub fn address(self, headers: &HeaderMap, connection: Option<IpAddr>) -> Option<IpAddr> {
        self.client(headers, connection).address
    }
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(&FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}
