//! Where a request comes from: the connection's other end, or what the proxy in front of us says.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};

/// The client's address, put into each request by [`determine`].
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub Option<IpAddr>);

/// Who is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The connection's other end.
    Connection,
    /// A proxy of ours, which writes the last entry of `X-Forwarded-For`.
    Proxy,
}

/// Puts the client's address into the request.
pub async fn determine(State(source): State<Source>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(a)| a.ip());
    // Only the last entry was written by our own proxy; those before it are the client's word.
    let address = match source {
        Source::Proxy => forwarded(request.headers()).or(connection),
        Source::Connection => connection,
    };
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}
