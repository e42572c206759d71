//! Tests of stopping and killing a server under load: acknowledged writes are stored, and requests in progress are
//! answered.

use crate::support::program::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
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

#[tokio::test]
async fn a_kill_leaves_each_write_whole_or_undone_on_sqlite() {
    a_kill_leaves_each_write_whole_or_undone(Place::on_sqlite()).await;
}

#[tokio::test]
async fn a_kill_leaves_each_write_whole_or_undone_on_postgres() {
    a_kill_leaves_each_write_whole_or_undone(Place::on_postgres().await).await;
}

/// Kills a server and a command (SIGKILL) during all kinds of writes, at a different time in each round. Acknowledged
/// writes are stored; the others are stored completely or not at all.
async fn a_kill_leaves_each_write_whole_or_undone(place: Place) {
    const ROUNDS: u64 = 8;
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let make = |line: &str| place.json(&words(line).iter().map(String::as_str).collect::<Vec<_>>());
    make("workspace create --name Acme --json");
    make("agent create --workspace acme --name Hotel --json");
    let key = make(
        "key create --workspace acme --name CRM --agents all --permissions conversations,handoff,external-events --json",
    );
    let token = make("runtime-token create --workspace acme --name platform --json");
    let key_header = format!("x-api-key: {}", key["key"].as_str().unwrap());
    let token_header = format!("authorization: Bearer {}", token["token"].as_str().unwrap());
    let with_transcripts =
        "INSERT INTO configurations (workspace_id, agent_id, all_metrics, metrics, transcript, updated_at)
        SELECT workspace_id, id, TRUE, '[]', TRUE, 0 FROM agents";
    place.execute(with_transcripts).await;
    let imported = place.dir.path().join("import.jsonl");
    let mut expected: Vec<Conversation> = Vec::new();
    let mut made_keys = BTreeSet::new();
    for round in 0..ROUNDS {
        let lines: String = (0..3_000).map(|n| crate::support::conversation(&format!("IM{round}-{n}"), n)).collect();
        std::fs::write(&imported, lines).unwrap();
        let mut server = place.serve();
        let (written, keys) = thread::scope(|threads| {
            let writers: Vec<_> = (0..3)
                .map(|writer| {
                    let (connection, token, key) = (Connection::open(&server.address), &token_header, &key_header);
                    threads.spawn(move || write_on(connection, &format!("CA{round}-{writer}"), token, key))
                })
                .collect();
            let commands = threads.spawn(|| {
                let mut keys = BTreeSet::new();
                let mut importing =
                    place.command(&["import", "--workspace", "acme", "--agent", "hotel", imported.to_str().unwrap()]);
                let mut importing = importing.stderr(std::process::Stdio::null()).spawn().unwrap();
                let create = words("key create --workspace acme --name Made --agents all --permissions handoff --json");
                for attempt in 0..4 {
                    let mut creating = place.command(&create.iter().map(String::as_str).collect::<Vec<_>>());
                    let mut creating = creating.stdout(std::process::Stdio::piped()).spawn().unwrap();
                    // The last command is not killed.
                    if attempt < 3 {
                        thread::sleep(Duration::from_millis(20 + 35 * round));
                        let _ = creating.kill();
                    }
                    let mut printed = String::new();
                    creating.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
                    creating.wait().unwrap();
                    if let Ok(printed) = serde_json::from_str::<Value>(&printed) {
                        keys.insert(printed["key"].as_str().unwrap().to_owned());
                    }
                }
                let _ = importing.kill();
                importing.wait().unwrap();
                keys
            });
            thread::sleep(Duration::from_millis(250 + 73 * round));
            server.child.kill().unwrap();
            let written: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
            (written, commands.join().unwrap())
        });
        server.child.wait().unwrap();
        assert!(!written.is_empty(), "round {round} wrote nothing");
        expected.extend(written);
        made_keys.extend(keys);
    }
    let server = place.serve();
    let mut connection = Connection::open(&server.address);
    for conversation in &expected {
        conversation.check(&mut connection, &token_header, &key_header);
    }
    for key in &made_keys {
        assert_eq!(
            server.status("/authz/nginx?account_id=acme&permission=handoff", key),
            200,
            "a key that was printed opens"
        );
    }
    assert!(made_keys.len() as u64 >= ROUNDS, "commands that were left to end did");
    drop(server);
    if place.is_sqlite() {
        assert_eq!(place.execute("PRAGMA integrity_check").await.as_deref(), Some("ok"));
    }
}

/// The acknowledged writes of a conversation before the server was killed.
#[derive(Default)]
struct Conversation {
    id: String,
    turns: usize,
    handoff: bool,
    events: usize,
    deleted: bool,
}

/// Writes conversations with turns, events and handoff states until the server is gone.
fn write_on(mut connection: Connection, prefix: &str, token: &str, key: &str) -> Vec<Conversation> {
    let mut written = Vec::new();
    for number in 0.. {
        let id = format!("{prefix}-{number}");
        let path = format!("/runtime/v1/acme/hotel/conversations/{id}");
        let mut ask = |method: &str, path: &str, credential: &str, body: &str| -> Option<()> {
            let (status, answer) = connection.ask(method, path, credential, body)?;
            assert!(status < 300, "{method} {path}: {status} {answer}");
            Some(())
        };
        let started =
            r#"{"started_at":"2026-01-15T08:00:00Z","in_progress":true,"environment":"live","channel":"CHAT"}"#;
        if ask("PUT", &path, token, started).is_none() {
            return written;
        }
        written.push(Conversation { id: id.clone(), ..Conversation::default() });
        let done = written.last_mut().unwrap();
        let event = format!(
            "/v1/external-events/webhook?account_id=acme&project_id=hotel&event_id_location=querystring\
             &event_id_path=id&id={id}"
        );
        let mut all = || {
            for turn in 1..=3 {
                ask(
                    "POST",
                    &format!("{path}/turns"),
                    token,
                    r#"{"turns":[{"user_input":"one"},{"user_input":"two"}]}"#,
                )?;
                done.turns = 2 * turn;
            }
            ask("PUT", &format!("{path}/handoff"), token, r#"{"data":{"a":1}}"#)?;
            done.handoff = true;
            ask("POST", &format!("{path}/external-events"), token, &format!(r#"{{"event_id":"{id}"}}"#))?;
            for event_number in 1..=2 {
                ask("POST", &event, key, &format!(r#"{{"number":{event_number}}}"#))?;
                done.events = event_number;
            }
            if number % 3 == 0 {
                ask("DELETE", &path, token, "")?;
                done.deleted = true;
            }
            Some(())
        };
        if all().is_none() {
            return written;
        }
    }
    written
}

impl Conversation {
    fn check(&self, connection: &mut Connection, token: &str, key: &str) {
        let Self { id, .. } = self;
        let (status, read) = connection.ask("GET", &format!("/v3/acme/hotel/conversations/{id}"), key, "").unwrap();
        // A deletion without a response may have been committed.
        if self.deleted || (status == 404 && self.events == 2) {
            assert_eq!(status, 404, "{id} was deleted: {read}");
            return;
        }
        assert_eq!(status, 200, "{id}: {read}");
        let page = format!("/runtime/v1/acme/hotel/conversations/{id}/external-events?after=0");
        let (status, events) = connection.ask("GET", &page, token, "").unwrap();
        assert_eq!(status, 200, "{events}");
        let events: Value = serde_json::from_str(&events).unwrap();
        assert!(events["events"].as_array().unwrap().len() >= self.events, "{id}: {events}");
        if self.handoff {
            let state = format!("/v1/acme/hotel/handoff_state?id={id}");
            let (status, state) = connection.ask("GET", &state, key, "").unwrap();
            assert_eq!(status, 200, "{id}: {state}");
        }
        let read: Value = serde_json::from_str(&read).unwrap();
        let turns = read["turns"].as_array().map_or(0, Vec::len);
        assert!(turns >= self.turns && turns.is_multiple_of(2), "{id}: {turns} turns, {} answered", self.turns);
    }
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
        // Sends one half of a request before the stop and the other half after it.
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

/// Reads until the server is gone, and counts the responses.
fn read_on(mut connection: Connection, key: &str, read: &AtomicU64) {
    while let Some((status, body)) = connection.ask("GET", "/v3/acme/hotel/conversations", key, "") {
        assert_eq!(status, 200, "{body}");
        read.fetch_add(1, Ordering::SeqCst);
    }
}

/// Delivers events until the server is gone. Returns those that were accepted.
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

/// A keep-alive connection.
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
        // An error because the server closed the connection is detected when the response is read.
        let _ = self.stream.get_mut().write_all(text.as_bytes());
    }

    fn ask(&mut self, method: &str, path: &str, credential: &str, body: &str) -> Option<(u16, String)> {
        let request = head(method, path, credential, body.len()) + body;
        self.send(&request);
        self.answer()
    }

    /// Status and body of a response; `None` if the server closed the connection without a response. A partial response
    /// fails the test.
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

#[test]
fn a_restart_refuses_no_call_on_sqlite() {
    a_restart_refuses_no_call(&Place::on_sqlite());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_refuses_no_call_on_postgres() {
    a_restart_refuses_no_call(&Place::on_postgres().await);
}

/// Restarts a server under load three times. The socket stays open meanwhile, as with a socket unit of systemd.
fn a_restart_refuses_no_call(place: &Place) {
    let made = place.json(&["demo", "--json"]);
    let (workspace, key) = (made["workspace"].as_str().unwrap(), made["keys"][0].as_str().unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/service_manager.py");
    let program = place.command(&[]);
    let mut manager = Command::new("python3");
    manager.arg(script).arg(program.get_program()).args(["serve", "--metrics-listen", "127.0.0.1:0"]);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => manager.env(name, value),
            None => manager.env_remove(name),
        };
    }
    let mut manager = manager.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(manager.stdout.take().unwrap()).lines();
    let address = format!("127.0.0.1:{}", lines.next().unwrap().unwrap());

    let is_over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (is_over, address) = (is_over.clone(), address.clone());
            let request = format!(
                "GET /v3/{workspace}/hotel-reservations/conversations?limit=1 HTTP/1.1\r\nhost: a\r\n\
                 x-api-key: {key}\r\nconnection: close\r\n\r\n"
            );
            thread::spawn(move || {
                let mut calls = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let mut stream = TcpStream::connect(&address).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer).unwrap();
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(700));
        writeln!(manager.stdin.as_ref().unwrap()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "restarted");
    }
    thread::sleep(Duration::from_secs(1));
    is_over.store(true, Ordering::Relaxed);
    let calls: Vec<u32> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    drop(manager.stdin.take());
    manager.wait().unwrap();
    assert!(calls.iter().all(|calls| *calls > 10), "{calls:?}");
}
