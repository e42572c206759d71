//! Accepts connections and serves HTTP on them, with timeouts for slow peers and a limit of connections per address.

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// Longest time for the head of a request, and between two requests on one connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time in which a peer reads nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after an accept failed, for example because no file descriptor was left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(500);

/// How long the last connections have for their first request when the server stops.
const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// Pause before looking again whether more of the first bytes has arrived.
const PEEK_DELAY: Duration = Duration::from_millis(10);
/// Time without any frame after which an HTTP/2 peer is asked whether it is still there, and time for its answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 1_000;
/// Largest head of an HTTP/2 request, in bytes.
const MAX_HEAD: u32 = 64 * 1024;

/// Versions of HTTP that a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersions {
    Http1,
    /// HTTP/2 too, without TLS and by prior knowledge (RFC 9113, section 3.3). For a listener with short answers that only
    /// a reverse proxy reaches: a client could keep an HTTP/2 answer open by never asking for more of it.
    Http1And2,
}

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
pub async fn serve(
    listener: TcpListener,
    answer: impl Answer,
    versions: HttpVersions,
    limits: ConnectionLimit,
    stop: CancellationToken,
) {
    let (open, graceful) = (ConnectionCounts::default(), GracefulShutdown::new());
    let (http1, http2) = (http1_builder(), http2_builder());
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
        let (answer, http1, http2, watcher) = (answer.clone(), http1.clone(), http2.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _counted = counted;
            let speaks_http2 = match versions {
                HttpVersions::Http1 => false,
                HttpVersions::Http1And2 => match timeout(HEAD_TIMEOUT, begins_http2(&stream)).await {
                    Ok(Ok(begins)) => begins,
                    _ => return,
                },
            };
            let service = service_fn(move |request| {
                let answer = answer.clone();
                async move { Ok::<_, Infallible>(answer.answer(address, request).await) }
            });
            let stream = TokioIo::new(timed(stream));
            // An error here is caused by the peer: it disconnected, was too slow, or does not speak HTTP.
            let _ = if speaks_http2 {
                watcher.watch(http2.serve_connection(stream, service)).await
            } else {
                watcher.watch(http1.serve_connection(stream, service)).await
            };
        });
    }
    drop(listener);
    // hyper closes connections without a request at once, also those whose first request is on its way.
    tokio::time::sleep(FIRST_REQUEST).await;
    graceful.shutdown().await;
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD);
    builder
}

/// Whether the peer begins with HTTP/2's preface (RFC 9113, section 3.4), judged by its first three bytes, with which no
/// HTTP/1 method begins.
async fn begins_http2(stream: &TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8; 3] = b"PRI";
    let mut first = [0; PREFACE.len()];
    loop {
        let read = stream.peek(&mut first).await?;
        let undecided = (1..PREFACE.len()).contains(&read) && PREFACE.starts_with(&first[..read]);
        if !undecided {
            return Ok(first == *PREFACE);
        }
        tokio::time::sleep(PEEK_DELAY).await;
    }
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
