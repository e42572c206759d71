//! Traces that reach a collector by OTLP over HTTP.

use crate::support::program::{Place, Server};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn traces_on_sqlite() {
    traces(&Place::on_sqlite(), "sqlite");
}

#[tokio::test]
async fn traces_on_postgres() {
    traces(&Place::on_postgres().await, "postgresql");
}

/// Starts a collector, and returns its address and the spans that it gets.
fn collector() -> (String, mpsc::Receiver<Vec<Span>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, spans) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (sender, stream) = (sender.clone(), stream.unwrap());
            std::thread::spawn(move || receive(stream, &sender));
        }
    });
    (address, spans)
}

/// Reads the requests of one connection.
fn receive(stream: TcpStream, sender: &mpsc::Sender<Vec<Span>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            head += &std::mem::take(&mut line).to_lowercase();
        }
        if head.is_empty() {
            return;
        }
        assert!(
            head.starts_with("post /v1/traces ") && head.contains("content-type: application/x-protobuf"),
            "{head}"
        );
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.trim().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        let spans = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        sender.send(spans.flat_map(|scope| scope.spans).collect()).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    span.attributes.iter().map(|a| (a.key.clone(), text(a.value.clone().and_then(|value| value.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn get(server: &Server, path: &str, headers: &str) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

fn traces(place: &Place, system: &str) {
    let made = place.json(&["demo", "--json"]);
    let key = made["keys"][0].as_str().unwrap();
    let (address, received) = collector();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")).env("OTEL_BSP_SCHEDULE_DELAY", "200");
    let mut server = Server::start(&mut command);
    let workspace = made["workspace"].as_str().unwrap();
    let parent = format!(
        "x-api-key: {key}\r\nx-polyai-correlation-id: bob@example.com\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n"
    );
    get(&server, &format!("/v3/{workspace}/hotel-reservations/conversations?limit=1&from=+447700900001"), &parent);
    get(&server, "/sign-in?next=ann@example.com", "");
    // The last spans are sent at the end.
    Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    server.child.wait().unwrap();

    let mut spans = Vec::new();
    while let Ok(more) = received.recv_timeout(Duration::from_millis(500)) {
        spans.extend(more);
    }
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let call = named("GET /v3/{account_id}/{project_id}/conversations");
    assert_eq!((hex(&call.trace_id), hex(&call.parent_span_id)), (TRACE.to_owned(), "00f067aa0ba902b7".to_owned()));
    assert_eq!(call.kind, SpanKind::Server as i32);
    let expected = [
        ("http.request.method", "GET"),
        ("http.route", "/v3/{account_id}/{project_id}/conversations"),
        ("http.response.status_code", "200"),
    ];
    let found = attributes(call);
    for (name, value) in expected {
        assert_eq!(found.get(name).map(String::as_str), Some(value), "{found:?}");
    }
    assert!(call.end_time_unix_nano - call.start_time_unix_nano > 100_000, "it lasts as long as the request");
    let database: Vec<_> = spans.iter().filter(|span| span.parent_span_id == call.span_id).collect();
    assert!(!database.is_empty(), "{spans:?}");
    for span in database {
        assert!(call.start_time_unix_nano <= span.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= call.end_time_unix_nano);
        assert_eq!((span.name.as_str(), span.kind), (system, SpanKind::Client as i32));
        assert_eq!(attributes(span)["db.system.name"], system);
    }
    assert!(found.keys().all(|name| name.starts_with("http.") || name.ends_with("_ns")), "{found:?}");
    let parents: Vec<_> = spans.iter().map(|span| &span.span_id).collect();
    let is_of_a_request =
        |span: &&Span| span.kind == SpanKind::Server as i32 || parents.contains(&&span.parent_span_id);
    assert!(spans.iter().all(|span| is_of_a_request(&span)), "the server's own work is not traced: {spans:?}");
    assert_ne!(named("GET /sign-in").trace_id, call.trace_id);
    let everything = format!("{spans:?}");
    for private in [key, "ann@example.com", "bob@example.com", "447700900001"] {
        assert!(!everything.contains(private), "{private}");
    }
}
