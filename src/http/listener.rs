//! Accepts connections and serves HTTP/1 on them, with timeouts for slow peers and a limit of connections per address.

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// Longest time for the head of a request, and between two requests on one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time in which a peer reads nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after an accept failed, for example because no file descriptor was left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Maximum number of connections of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLimit {
    /// No limit, for a reverse proxy, whose address stands for all its clients.
    Unlimited,
    /// This many, also for loopback addresses.
    AtMost(usize),
    /// This many, but no limit for loopback addresses: a process on this machine has more direct ways to do harm.
    AtMostFromElsewhere(usize),
}

impl ConnectionLimit {
    fn limit(self, address: IpAddr) -> usize {
        match self {
            Self::AtMost(limit) => limit,
            Self::AtMostFromElsewhere(limit) if !address.to_canonical().is_loopback() => limit,
            _ => usize::MAX,
        }
    }
}

/// Number of open connections by address. All addresses of an IPv6 /64 network count as one.
#[derive(Clone, Debug, Default)]
struct ConnectionCounts(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A counted connection. Dropping it decreases the count.
#[derive(Debug)]
struct CountedConnection {
    open: ConnectionCounts,
    address: IpAddr,
}

impl ConnectionCounts {
    /// Counts one more connection; `None` if the address has reached its limit.
    fn count(&self, address: IpAddr, limits: ConnectionLimit) -> Option<CountedConnection> {
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

/// Answers requests. Not a `tower::Service`, whose future would have to be boxed.
pub trait Answer: Clone + Send + Sync + 'static {
    fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

/// Serves connections until `stop` is cancelled, then waits for the requests in progress to end.
pub async fn serve(listener: TcpListener, answer: impl Answer, limits: ConnectionLimit, stop: CancellationToken) {
    let (open, graceful) = (ConnectionCounts::default(), GracefulShutdown::new());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        let Some(counted) = open.count(address.ip(), limits) else { continue };
        let (answer, http, watcher) = (answer.clone(), http.clone(), graceful.watcher());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer.clone();
                async move { Ok::<_, Infallible>(answer.answer(address, request).await) }
            });
            let _counted = counted;
            // An error here is caused by the peer: it disconnected, was too slow, or does not speak HTTP.
            let _ = watcher.watch(http.serve_connection(TokioIo::new(timed(stream)), service)).await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn timed(stream: TcpStream) -> Pin<Box<TimeoutStream<TcpStream>>> {
    // Without Nagle's algorithm: a response is not delayed until the previous one is acknowledged.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    Box::pin(stream)
}

/// Whether an accept failed because one connection ended before it was accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_network() {
        let open = ConnectionCounts::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let limits = ConnectionLimit::AtMostFromElsewhere(2);
        let first = open.count(address("2001:db8::1"), limits).unwrap();
        let _second = open.count(address("2001:db8::2"), limits).unwrap();
        assert!(open.count(address("2001:db8::3"), limits).is_none());
        assert!(open.count(address("2001:db8:0:1::1"), limits).is_some());
        drop(first);
        assert!(open.count(address("2001:db8::3"), limits).is_some());
        let own: Vec<_> = (0..10).map(|_| open.count(address("127.0.0.1"), limits)).collect();
        assert!(own.iter().all(Option::is_some));
        assert!(open.count(address("::ffff:127.0.0.1"), ConnectionLimit::AtMost(2)).is_none());
        drop((own, _second));
        assert!(open.0.lock().unwrap().is_empty());
    }
}
