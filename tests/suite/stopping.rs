//! A server that is told to stop under load: what was answered was done, and what was begun is answered.

use crate::support::program::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[tokio::test]
async fn nothing_is_lost_on_sqlite() {
    nothing_is_lost(Place::on_sqlite());
}

#[tokio::test]
async fn nothing_is_lost_on_postgres() {
    nothing_is_lost(Place::on_postgres().await);
}

const CONVERSATION: &str = "/runtime/v1/acme/hotel/conversations/CA1";
const EVENTS: &str = "/v1/external-events/webhook?account_id=acme&project_id=hotel&event_id_location=querystring\
                      &event_id_path=id&id=mine";

fn nothing_is_lost(place: Place) {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let make = |line: &str| place.json(&words(line).iter().map(String::as_str).collect::<Vec<_>>());
    make("workspace create --name Acme --json");
    make("agent create --workspace acme --name Hotel --json");
    let key =
        make("key create --workspace acme --name CRM --agents all --permissions conversations,external-events --json");
    let token = make("runtime-token create --workspace acme --name platform --json");
    let key_header = format!("x-api-key: {}", key["key"].as_str().unwrap());
    let token_header = format!("authorization: Bearer {}", token["token"].as_str().unwrap());

    let mut server = place.serve();
    let connect = || Connection::open(&server.address);
    let mut platform = connect();
    let started = r#"{"started_at":"2026-01-15T08:00:00Z","in_progress":true,"environment":"live","channel":"CHAT"}"#;
    let begun = platform.ask("PUT", CONVERSATION, &token_header, started).unwrap();
    assert!(begun.0 < 300, "{begun:?}");
    let waits =
        platform.ask("POST", &format!("{CONVERSATION}/external-events"), &token_header, r#"{"event_id":"mine"}"#);
    assert_eq!(waits.unwrap().0, 201);

    let (stopping, read, taken) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (read, delivered) = thread::scope(|threads| {
        let readers: Vec<_> = (0..3).map(|_| threads.spawn(|| read_on(connect(), &key_header, &read))).collect();
        let deliverer = threads.spawn(|| deliver_on(connect(), &key_header, &taken));
        let waiter = threads.spawn(|| {
            let path = format!("{CONVERSATION}/external-events?after=1000000&wait=30");
            let answer = connect().ask("GET", &path, &token_header, "");
            assert!(stopping.load(Ordering::SeqCst), "answered before the stop: {answer:?}");
            answer
        });
        // Half of a request is sent before the stop, half after.
        let mut slow = connect();
        let body = r#"{"number":"slow"}"#;
        slow.send(&head("POST", EVENTS, &key_header, body.len()));
        slow.send(&body[..5]);
        let since = Instant::now();
        while read.load(Ordering::SeqCst) < 100 || taken.load(Ordering::SeqCst) < 20 {
            assert!(since.elapsed() < Duration::from_secs(30), "hardly anything is answered");
            thread::sleep(Duration::from_millis(10));
        }
        stopping.store(true, Ordering::SeqCst);
        assert!(Command::new("kill").arg(server.child.id().to_string()).status().unwrap().success());
        thread::sleep(Duration::from_millis(300));
        slow.send(&body[5..]);
        assert_eq!(slow.answer().unwrap().0, 201, "what was under way");

        assert_eq!(waiter.join().unwrap().unwrap().0, 200, "who waited is told that there is nothing yet");
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        let mut delivered = deliverer.join().unwrap();
        delivered.insert(body.to_owned());
        (read.load(Ordering::SeqCst), delivered)
    });
    assert!(server.child.wait().unwrap().success());

    let shown = place.json(&["key", "show", "--workspace", "acme", key["id"].as_str().unwrap(), "--json"]);
    assert_eq!(shown["requests"]["30_days"]["accepted"], read + delivered.len() as u64, "each is counted");
    assert_eq!(shown["requests"]["30_days"]["refused"], 0);
    assert!(shown["last_used_at"].is_string());

    let server = place.serve();
    let mut platform = Connection::open(&server.address);
    let mut stored = BTreeSet::new();
    loop {
        let path = format!("{CONVERSATION}/external-events?after={}", stored.len());
        let (status, page) = platform.ask("GET", &path, &token_header, "").unwrap();
        assert_eq!(status, 200, "{page}");
        let page: Value = serde_json::from_str(&page).unwrap();
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            break;
        }
        stored.extend(events.iter().map(|event| event["body"].as_str().unwrap().to_owned()));
    }
    assert_eq!(stored, delivered, "each event is there");
}

/// Reads until the server is gone, and counts the answers.
fn read_on(mut connection: Connection, key: &str, read: &AtomicU64) {
    while let Some((status, body)) = connection.ask("GET", "/v3/acme/hotel/conversations", key, "") {
        assert_eq!(status, 200, "{body}");
        read.fetch_add(1, Ordering::SeqCst);
    }
}

/// Delivers events until the server is gone; those that were taken.
fn deliver_on(mut connection: Connection, key: &str, taken: &AtomicU64) -> BTreeSet<String> {
    let mut delivered = BTreeSet::new();
    for number in 0.. {
        let body = format!(r#"{{"number":{number}}}"#);
        let Some((status, answer)) = connection.ask("POST", EVENTS, key, &body) else { break };
        assert_eq!(status, 201, "{answer}");
        delivered.insert(body);
        taken.fetch_add(1, Ordering::SeqCst);
    }
    delivered
}

fn head(method: &str, path: &str, credential: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: acme\r\n{credential}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// A connection that is used again and again.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, text: &str) {
        // A server that has closed the connection is heard of when its answer is read.
        let _ = self.stream.get_mut().write_all(text.as_bytes());
    }

    fn ask(&mut self, method: &str, path: &str, credential: &str, body: &str) -> Option<(u16, String)> {
        let request = head(method, path, credential, body.len()) + body;
        self.send(&request);
        self.answer()
    }

    /// A status and a body; `None` where the server closed the connection without a word. An answer that breaks off fails
    /// the test.
    fn answer(&mut self) -> Option<(u16, String)> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut length, mut in_chunks) = (0, false);
        while let Some((name, value)) = self.line().split_once(": ") {
            match name {
                "content-length" => length = value.parse().unwrap(),
                "transfer-encoding" => in_chunks = true,
                _ => {}
            }
        }
        if !in_chunks {
            return Some((status, self.text(length)));
        }
        let mut body = String::new();
        loop {
            let length = usize::from_str_radix(&self.line(), 16).unwrap();
            body += &self.text(length);
            assert_eq!(self.line(), "");
            if length == 0 {
                return Some((status, body));
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("an answer that breaks off: {line}")).to_owned()
    }

    fn text(&mut self, length: usize) -> String {
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}
