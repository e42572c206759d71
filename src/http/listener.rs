//! Connections: accepted, timed, counted by address, and ended. A peer that is slow or goes silent ends; it holds nothing that
//! others wait for.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

/// How long a peer may take for the head of a request, and between two requests of one connection.
const HEAD: Duration = Duration::from_secs(30);
/// How long a peer may read nothing of an answer.
const READER_PROGRESS: Duration = Duration::from_secs(30);
/// How long nothing is accepted after there was no file descriptor left.
const PAUSE: Duration = Duration::from_millis(500);

/// How many connections one address may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerAddress {
    /// As many as it likes: a proxy speaks for everyone behind it.
    Unlimited,
    /// This many, loopback included.
    AtMost(usize),
    /// This many, but loopback as many as it likes: whoever is on this machine can do worse.
    AtMostFromElsewhere(usize),
}

impl PerAddress {
    fn limit(self, address: IpAddr) -> usize {
        match self {
            Self::AtMost(limit) => limit,
            Self::AtMostFromElsewhere(limit) if !address.to_canonical().is_loopback() => limit,
            _ => usize::MAX,
        }
    }
}

/// The connections that are open, by address: an IPv6 network of 64 bits counts as one.
#[derive(Clone, Debug, Default)]
struct Open(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that is counted; not any more once dropped.
#[derive(Debug)]
struct CountedConnection {
    open: Open,
    address: IpAddr,
}

impl Open {
    /// Counts one more, unless that is one too many.
    fn count(&self, address: IpAddr, limits: PerAddress) -> Option<CountedConnection> {
        let network = network(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= limits.limit(address) {
            return None;
        }
        *count += 1;
        Some(CountedConnection { open: self.clone(), address: network })
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

/// Serves until it is told to stop, and then what is under way.
pub async fn serve(listener: TcpListener, router: Router, limits: PerAddress, mut stop: watch::Receiver<bool>) {
    let (open, graceful) = (Open::default(), GracefulShutdown::new());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(counted) = open.count(address.ip(), limits) else { continue };
        let router = router.clone();
        let service = service_fn(move |request| answer(router.clone(), address, request));
        let connection = graceful.watch(http.serve_connection(TokioIo::new(timed(stream)), service));
        tokio::spawn(async move {
            let _counted = counted;
            // What went wrong is the peer's: it has gone, was too slow, or speaks no HTTP.
            let _ = connection.await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn timed(stream: TcpStream) -> Pin<Box<TimeoutStream<TcpStream>>> {
    // An answer is not held back until the one before it is acknowledged.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READER_PROGRESS));
    Box::pin(stream)
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request.map(Body::new)).await
}

/// A connection that was over before it was accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_network() {
        let open = Open::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let limits = PerAddress::AtMostFromElsewhere(2);
        let first = open.count(address("2001:db8::1"), limits).unwrap();
        let _second = open.count(address("2001:db8::2"), limits).unwrap();
        assert!(open.count(address("2001:db8::3"), limits).is_none());
        assert!(open.count(address("2001:db8:0:1::1"), limits).is_some());
        drop(first);
        assert!(open.count(address("2001:db8::3"), limits).is_some());
        let own: Vec<_> = (0..10).map(|_| open.count(address("127.0.0.1"), limits)).collect();
        assert!(own.iter().all(Option::is_some));
        assert!(open.count(address("::ffff:127.0.0.1"), PerAddress::AtMost(2)).is_none());
        drop((own, _second));
        assert!(open.0.lock().unwrap().is_empty());
    }
}
