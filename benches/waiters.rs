//! Benchmark of waiting for external events: 5,000 clients wait on one server over real connections, while events
//! arrive there and, on PostgreSQL, at another server of the same database.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::api_keys::Permissions;
use agent_studio::api_keys::service::NewKey;
use agent_studio::base::actor::Actor;
use agent_studio::conversations::document::Document;
use agent_studio::conversations::import::Importer;
use agent_studio::db::Db;
use agent_studio::external_events::{arrivals, store as events};
use agent_studio::server::state::Services;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::{Outcome, Postgres, new_key, server, workspace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

const WAITERS: usize = 5_000;
const EVENTS: usize = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    measure("SQLite", vec![support::sqlite(&dir.path().join("bench.db")).await?]).await?;
    let cluster = Postgres::start()?;
    let (one, other) = (support::postgres(&cluster.url).await?, support::postgres(&cluster.url).await?);
    measure("PostgreSQL", vec![one, other]).await
}

/// Clients wait on the server of the first database handle. Events arrive at each server.
async fn measure(engine: &str, dbs: Vec<Db>) -> Outcome<()> {
    let mut servers = Vec::new();
    for db in dbs {
        let (app, router) = server(db)?;
        tokio::spawn(arrivals::listen(app.arrivals.clone(), app.db.clone()));
        servers.push((app, router));
    }
    let (app, router) = &servers[0];
    let workspace = workspace(app, "Acme").await?;
    let actor = Actor::command_line();
    let agent = app.agents.create(&workspace.id, &actor, "Agent", None).await?.0.id;
    let permissions = Permissions::parse(["external-events"]).map_err(|p| p.message())?;
    let key = app.api_keys.create(&workspace.id, &actor, &NewKey { permissions, ..new_key(app)? }).await?;
    let (_, token) = app.runtime_tokens.create(&workspace.id, &actor, "platform").await?;
    let mut importer = Importer::new(&app.db, &workspace.id, &agent);
    for n in 0..WAITERS {
        let line = json!({ "id": format!("CA{n}"), "started_at": app.clock.now().iso(), "in_progress": true });
        importer.push(Document::parse(line.to_string().as_bytes())?).await?;
    }
    importer.flush().await?;
    let mut change = app.db.begin_unattended().await?;
    for n in 0..WAITERS {
        let (event, conversation) = (format!("event-{n}"), format!("CA{n}"));
        events::set_awaited(&mut change, &workspace.id, &agent, &event, &conversation, app.clock.now()).await?;
    }
    change.commit().await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let (threads_before, memory_before) = process()?;
    let (heard, mut hears) = mpsc::unbounded_channel();
    for n in 0..WAITERS {
        let path = format!("/runtime/v1/{}/{agent}/conversations/CA{n}/external-events?wait=30", workspace.id);
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n", token.expose());
        tokio::spawn(wait(address, request, n, heard.clone()));
    }
    while app.arrivals.count() < WAITERS {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (threads, memory) = process()?;
    println!(
        "{engine}: {WAITERS} callers wait: {} threads more, {:.1} KiB each for both ends of the connection",
        threads.saturating_sub(threads_before),
        memory.saturating_sub(memory_before) as f64 / WAITERS as f64
    );
    let busy = busy_connections(app, Duration::from_secs(3)).await?;
    println!("{engine}: database connections that did anything in 3 seconds of waiting: {busy}");

    for (at, (_, router)) in servers.iter().enumerate() {
        let place = if at == 0 { "the same server" } else { "another server" };
        let mut times = Vec::new();
        for n in 0..EVENTS {
            // Every fifth client; different ones for each server.
            let n = (n * 5 + at) % WAITERS;
            deliver(router, &workspace.id.to_string(), agent.as_str(), n, key.value.expose()).await?;
            let answered = Instant::now();
            let (who, at) = hears.recv().await.ok_or("nobody waits")?;
            assert_eq!(who, n, "the wrong caller heard");
            times.push(at.saturating_duration_since(answered));
        }
        times.sort_unstable();
        let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000.0;
        println!(
            "{engine}: an event that arrived at {place} is with its caller after the 201: p50 {:.2} ms, p99 {:.2} ms",
            of(0.5),
            of(0.99)
        );
    }
    Ok(())
}

/// Polls until an event arrives, as the platform does. Reports which client received it and when.
async fn wait(
    address: SocketAddr,
    request: String,
    number: usize,
    heard: mpsc::UnboundedSender<(usize, Instant)>,
) -> Result<(), std::io::Error> {
    let mut connection = TcpStream::connect(address).await?;
    let mut answer = vec![0; 4_096];
    loop {
        connection.write_all(request.as_bytes()).await?;
        let length = connection.read(&mut answer).await?;
        let at = Instant::now();
        let text = String::from_utf8_lossy(&answer[..length]);
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        if text.contains("\"position\":1") {
            let _ = heard.send((number, at));
            return Ok(());
        }
    }
}

async fn deliver(router: &Router, workspace: &str, agent: &str, number: usize, key: &str) -> Outcome<()> {
    let query = format!("account_id={workspace}&project_id={agent}&event_id_location=payload&event_id_path=id");
    let request = Request::post(format!("/v1/external-events/webhook?{query}"))
        .header("x-api-key", key)
        .header("content-type", "application/json")
        .body(Body::from(json!({ "id": format!("event-{number}") }).to_string()))?;
    let status = router.clone().oneshot(request).await?.status();
    if status == 201 { Ok(()) } else { Err(format!("answered {status}").into()) }
}

/// Number of connections that ran a statement during this time. Only PostgreSQL can report this.
async fn busy_connections(app: &Services, time: Duration) -> Outcome<String> {
    let Some(pool) = app.db.postgres_pool() else { return Ok("not told by SQLite".to_owned()) };
    // Waits until the last clients are waiting.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (began,): (String,) = sqlx::query_as("SELECT (clock_timestamp() + '100 ms')::text").fetch_one(pool).await?;
    tokio::time::sleep(time).await;
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND state_change > $1::timestamptz";
    Ok(sqlx::query_as::<_, (i64,)>(sql).bind(began).fetch_one(pool).await?.0.to_string())
}

/// Number of threads of this process, and its memory in KiB.
fn process() -> Outcome<(usize, usize)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let number = |name: &str| -> Outcome<usize> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    Ok((number("Threads:")?, number("VmRSS:")?))
}
