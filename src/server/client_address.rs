//! Where a request comes from: the connection's other end, or what the proxy in front of us says.

use super::state::App;
use crate::sessions::guard::ClientAddress;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Puts the client's address into the request.
pub async fn determine(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(a)| a.ip());
    // Only the last entry was written by our own proxy; those before it are the client's word.
    let address = if app.behind_proxy { forwarded(request.headers()).or(connection) } else { connection };
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}
