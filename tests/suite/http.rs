//! Tests of requests and connections in general: limits, timeouts, redirects, encodings.

use crate::support::program::{Place, Server};
use crate::support::{TestApp, conversation, on_both_engines, setting};
use agent_studio::http::listener::{self, Answer, ConnectionLimit, HttpVersions};
use axum::body::Body;
use axum::http::{Request, Version, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

on_both_engines! {
    every_refusal_under_an_api_has_its_envelope,
    who_does_not_ask_for_a_page_gets_none,
    a_page_that_leads_on_redirects_every_client,
    encoded_bodies_are_decoded_within_the_limit,
    metrics_are_not_at_the_servers_address,
}

async fn every_refusal_under_an_api_has_its_envelope(test: TestApp) {
    let setting = setting(&test).await;
    let list = format!("/v3/{}/{}/conversations", setting.workspace.id, setting.agent);
    let long = "x".repeat(50_000);
    for (status, code, request) in [
        (404, "PATH_NOT_FOUND", Request::get("/v3/nothing")),
        (404, "PATH_NOT_FOUND", Request::get("/runtime/v1")),
        (405, "METHOD_NOT_ALLOWED", Request::delete(&list)),
        (405, "METHOD_NOT_ALLOWED", Request::builder().method("TRACE").uri(&list)),
        (414, "URI_TOO_LONG", Request::get(format!("{list}?variant_id={long}"))),
        (431, "HEADERS_TOO_LARGE", Request::get(&list).header("x-a", &long).header("x-b", &long)),
        (400, "BAD_REQUEST", Request::get(format!("{list}?variant_id=%ff"))),
    ] {
        let answer = test.browser().send(request.header("x-api-key", &setting.key), Body::empty()).await;
        assert_eq!(answer.status, status, "{code}: {}", answer.body);
        let json = answer.json();
        assert_eq!((&json["error_code"], &json["success"]), (&code.into(), &false.into()), "{}", answer.body);
        assert_eq!(json["error_id"], answer.header("x-polyai-correlation-id"));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.headers.contains_key(header::ALLOW), status == 405);
    }
}

async fn who_does_not_ask_for_a_page_gets_none(test: TestApp) {
    for path in ["//v3//acme/hotel/conversations", "/V3/acme/hotel/conversations", "/v9/x/y/z", "/nothing/at/all/here"]
    {
        for accept in [None, Some("*/*"), Some("application/json")] {
            let mut request = Request::get(path);
            if let Some(accept) = accept {
                request = request.header(header::ACCEPT, accept);
            }
            let answer = test.browser().send(request, Body::empty()).await;
            assert_eq!((answer.status, answer.json()["error_code"].as_str()), (404, Some("PATH_NOT_FOUND")), "{path}");
        }
    }
    assert!(test.browser().get("/nothing/at/all/here").await.body.contains("<!DOCTYPE html>"));
    let misspelt = test.browser().get("/V3/acme/hotel/conversations").await;
    assert_eq!(
        (misspelt.status, misspelt.json()["success"].as_bool()),
        (404, Some(false)),
        "an API's, for a browser too"
    );
}

async fn a_page_that_leads_on_redirects_every_client(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ada@example.com", agent_studio::users::Role::Admin).await;
    for path in ["/", "/acme/api-keys", "/set-up"] {
        for accept in [None, Some("*/*"), Some("text/html")] {
            for method in ["GET", "HEAD"] {
                let mut request = Request::builder().method(method).uri(path);
                if let Some(accept) = accept {
                    request = request.header(header::ACCEPT, accept);
                }
                let answer = test.browser().send(request, Body::empty()).await;
                assert_eq!(answer.status, 302, "{method} {path} {accept:?}");
                assert!(answer.location().starts_with("/sign-in"), "{}", answer.location());
                assert!(!answer.headers.contains_key("serverfnredirect"));
                assert!(method == "GET" || answer.body.is_empty());
            }
        }
    }
    // The page's own script gets the redirect in a header.
    let told = test.browser().call("go_home", &[("workspace", "")]).await;
    assert!(told.headers.contains_key("serverfnredirect") && told.location().starts_with("/sign-in"));
    let head = test.browser().send(Request::head("/sign-in").header("accept", "text/html"), Body::empty()).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

async fn encoded_bodies_are_decoded_within_the_limit(test: TestApp) {
    let setting = setting(&test).await;
    let path = format!("/runtime/v1/{}/{}/conversations/CA1", setting.workspace.slug, setting.agent);
    let put = async |encoding: &str, body: Vec<u8>| {
        let request = Request::put(&path)
            .header("authorization", format!("Bearer {}", setting.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, encoding);
        test.browser().send(request, Body::from(body)).await
    };
    assert_eq!(put("gzip", gzip(conversation("CA1", 1).as_bytes())).await.status, 204);
    let read = setting.get(&test, &format!("/v3/{}/{}/conversations/CA1", setting.workspace.id, setting.agent)).await;
    assert_eq!(read.json()["id"], "CA1");
    let broken = put("gzip", b"no gzip".to_vec()).await;
    assert_eq!((broken.status, broken.json()["success"].as_bool()), (400, Some(false)), "{}", broken.body);
    // A small body that decompresses to a large one.
    let bomb = put("gzip", gzip(&vec![b' '; 20 * 1024 * 1024])).await;
    assert_eq!((bomb.status, bomb.json()["error_code"].as_str()), (413, Some("BODY_TOO_LARGE")), "{}", bomb.body);
    let unknown = put("br", b"x".to_vec()).await;
    assert_eq!((unknown.status, unknown.json()["error_code"].as_str()), (415, Some("UNSUPPORTED_MEDIA_TYPE")));
    assert!(unknown.header("accept-encoding").contains("gzip"), "{:?}", unknown.headers);
}

/// Compresses with the program `gzip` (RFC 1952).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::process::{Command, Stdio};
    let mut child = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    output.stdout
}

async fn metrics_are_not_at_the_servers_address(test: TestApp) {
    for headers in [None, Some(("host", "127.0.0.1")), Some(("x-forwarded-for", "127.0.0.1"))] {
        let mut request = Request::get("/metrics");
        if let Some((name, value)) = headers {
            request = request.header(name, value);
        }
        let answer = test.browser().send(request, Body::empty()).await;
        assert_eq!(answer.status, 404);
        assert!(!answer.body.contains("agent_studio_"));
    }
}

fn open(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream
}

/// Whether the peer has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1024]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// Connections with slow heads, without any data or with stalled bodies are closed. Other clients do not wait
/// meanwhile.
#[test]
fn slow_peers_end() {
    let place = Place::on_sqlite();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--connections-per-address", "2000"]);
    let server = Server::start(&mut command);
    let mut slow: Vec<_> = (0..50).map(|_| open(&server)).collect();
    let mut idle: Vec<_> = (0..1_000).map(|_| open(&server)).collect();
    let mut stalled: Vec<_> = (0..20).map(|_| open(&server)).collect();
    for stream in &mut stalled {
        write!(stream, "POST /runtime/v1/a/b/conversations/c/turns HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ast_0123\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"tu").unwrap();
    }
    let mut kept = open(&server);
    write!(kept, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let began = Instant::now();
    let head =
        b"GET /healthz HTTP/1.1\r\nx-slow: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    for second in 0.. {
        for stream in &mut slow {
            let _ = stream.write_all(&head[second..=second]);
        }
        assert_eq!(server.status("/healthz", "x"), 200, "others are answered");
        if began.elapsed() > Duration::from_secs(36) {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(slow.iter_mut().all(is_closed), "heads that come a byte a second");
    assert!(idle.iter_mut().all(is_closed), "connections that say nothing");
    for stream in &mut stalled {
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(is_closed(stream), "bodies that stall");
    }
    let mut answer = [0; 4_096];
    let read = kept.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    assert!(is_closed(&mut kept), "connections that are kept for nothing");
}

/// Answers with the HTTP version of the request.
#[derive(Clone)]
struct VersionAnswer;

impl Answer for VersionAnswer {
    async fn answer(&self, _: SocketAddr, request: hyper::Request<Incoming>) -> Response {
        format!("{:?}", request.version()).into_response()
    }
}

async fn listen(versions: HttpVersions) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(listener::serve(listener, VersionAnswer, versions, ConnectionLimit::Unlimited, stop));
    address
}

/// Sends these bytes one after the other, and reads until the peer closes.
async fn exchange(address: SocketAddr, parts: &[&[u8]]) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    for part in parts {
        stream.write_all(part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let mut answer = Vec::new();
    // A peer that closes with unread bytes resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_proxys_listener_speaks_http_2_and_http_1() {
    let address = listen(HttpVersions::Http1And2).await;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let answers = (0..20).map(|_| {
        let mut sender = sender.clone();
        async move {
            let request = hyper::Request::get(format!("http://{address}/")).body(Body::empty()).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            (answer.version(), answer.into_body().collect().await.unwrap().to_bytes())
        }
    });
    for (version, body) in futures_util::future::join_all(answers).await {
        assert_eq!((version, &*body), (Version::HTTP_2, b"HTTP/2.0".as_slice()));
    }
    let end = b"host: x\r\nconnection: close\r\n\r\n".as_slice();
    for parts in [
        [b"GET / HTTP/1.1\r\n".as_slice(), end].as_slice(),
        &[b"P", b"OST / HTTP/1.1\r\n", end],
        &[b"PR", b"OPFIND / HTTP/1.1\r\n", end],
    ] {
        let answer = exchange(address, parts).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("HTTP/1.1"), "{parts:?}: {answer}");
    }
    let preface = [b"P".as_slice(), b"RI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    assert_eq!(exchange(listen(HttpVersions::Http1).await, &preface).await, "", "closed without an answer");
}

/// The clock stands still but while everything waits, so that the timeouts are over at once.
#[tokio::test(start_paused = true)]
async fn slow_peers_of_the_proxys_listener_end() {
    let address = listen(HttpVersions::Http1And2).await;
    let settings_frame = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    for parts in [vec![], vec![b"P".as_slice()], vec![b"GET / HTT"], vec![settings_frame]] {
        let began = tokio::time::Instant::now();
        let _ = tokio::time::timeout(Duration::from_secs(120), exchange(address, &parts)).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(29), "{parts:?}: {:?}", began.elapsed());
    }
}

/// Connections beyond the limit of an address are closed at once. The others continue.
#[test]
fn an_address_has_a_bounded_number_of_connections() {
    let place = Place::on_sqlite();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--connections-per-address", "20"]);
    let server = Server::start(&mut command);
    let mut open: Vec<_> = (0..60).map(|_| open(&server)).collect();
    std::thread::sleep(Duration::from_millis(300));
    let closed = open.iter_mut().filter_map(|stream| is_closed(stream).then_some(())).count();
    assert_eq!(closed, 40);
    drop(open);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.status("/healthz", "x"), 200);
}

/// A client that reads nothing of a long response is disconnected. Other clients do not wait meanwhile.
#[test]
fn a_reader_that_never_reads_ends() {
    let place = Place::on_sqlite();
    place.json(&["workspace", "create", "--name", "Acme", "--json"]);
    place.json(&["agent", "create", "--workspace", "acme", "--name", "Hotel", "--slug", "hotel", "--json"]);
    let create = ["key", "create", "--workspace", "acme", "--name", "CRM", "--agents", "all"];
    let rest = ["--permissions", "conversations", "--expires-in", "90d", "--json"];
    let key = place.json(&[create.as_slice(), rest.as_slice()].concat());
    let key = key["key"].as_str().unwrap();
    let file = place.dir.path().join("conversations.jsonl");
    let state = "y".repeat(20_000);
    let lines: String = (0..1_000)
        .map(|n| conversation(&format!("CA{n}"), n).replacen('{', &format!("{{\"state\":{{\"x\":\"{state}\"}},"), 1))
        .collect();
    std::fs::write(&file, lines).unwrap();
    place.json(&["import", "--workspace", "acme", "--agent", "hotel", "--json", file.to_str().unwrap()]);
    let server = place.serve();
    let path = "/v3/acme/hotel/conversations?limit=1000&start_time=2020-01-01T00:00:00Z&end_time=2030-01-01T00:00:00Z";
    let mut unread: Vec<_> = (0..12).map(|_| open(&server)).collect();
    for stream in &mut unread {
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n").unwrap();
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(34) {
        assert_eq!(server.status(&path.replace("1000", "1"), key), 200);
        std::thread::sleep(Duration::from_secs(2));
    }
    for stream in &mut unread {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = Vec::new();
        // The client gets the buffered beginning of the response, but not its end.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.len() < 20_000_000, "{} bytes", answer.len());
    }
}
