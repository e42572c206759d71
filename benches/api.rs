//! Benchmark of the Conversations API over real connections, on both databases: a list and a detail, with 1, 16 and 256
//! clients. Also the API Keys page with 100 keys, without a connection. Server and clients run on one core each.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::base::actor::Actor;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::configuration::service::NewConfiguration;
use agent_studio::conversations::document::Document;
use agent_studio::conversations::import::Importer;
use agent_studio::db::Db;
use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use support::load::{Ask, Pace, answer_if_asked, ask};
use support::{Outcome, Postgres, analyse, front, new_key, serve, sign_in, workspace};

/// Environment variable for the process that serves: the database.
const SERVE: &str = "BENCH_SERVE";
const CONVERSATIONS: usize = 10_000;
const TURNS: usize = 6;
const KEYS: usize = 100;
const ROUND: Duration = Duration::from_secs(3);

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    if answer_if_asked(&runtime)? {
        return Ok(());
    }
    if let Ok(place) = std::env::var(SERVE) {
        return runtime.block_on(measure(&place));
    }
    let dir = tempfile::tempdir()?;
    let cluster = Postgres::start()?;
    for place in [dir.path().join("bench.db").to_string_lossy().into_owned(), cluster.url.clone()] {
        let done =
            Command::new("taskset").args(["-c", "0"]).arg(std::env::current_exe()?).env(SERVE, place).status()?;
        assert!(done.success());
    }
    Ok(())
}

async fn open(place: &str) -> Outcome<(&'static str, Db)> {
    Ok(match place.starts_with("postgres") {
        true => ("PostgreSQL", support::postgres(place).await?),
        false => ("SQLite", support::sqlite(place.as_ref()).await?),
    })
}

async fn measure(place: &str) -> Outcome<()> {
    let (engine, db) = open(place).await?;
    let (app, front) = front(db)?;
    let workspace = workspace(&app, "Acme").await?;
    let actor = Actor::command_line();
    let agent = app.agents.create(&workspace.id, &actor, "Agent", None).await?.0.id;
    let all = NewConfiguration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: None };
    app.configurations.set(&workspace.id, &actor, agent.as_str(), &all).await?;
    let mut importer = Importer::new(&app.db, &workspace.id, &agent);
    let now = app.clock.now();
    for number in 0..CONVERSATIONS {
        let turns: Vec<Value> = (0..TURNS)
            .map(|turn| json!({ "user_input": "some words ".repeat(6), "agent_response": format!("{turn} ").repeat(20) }))
            .collect();
        let started_at = now.plus_seconds(-(number as i64)).iso();
        let document = json!({ "id": format!("CA{number}"), "started_at": started_at, "turns": turns });
        importer.push(Document::parse(document.to_string().as_bytes())?).await?;
    }
    importer.flush().await?;
    let mut key = None;
    for _ in 0..KEYS {
        key = Some(app.api_keys.create(&workspace.id, &actor, &new_key(&app)?).await?.value);
    }
    let key = key.ok_or("no key")?;
    analyse(&app).await?;

    let router = support::as_router(front.clone());
    let cookie = sign_in(&app, &router, &workspace).await?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let page = Request::get(format!("/{}/api-keys", workspace.slug)).header(header::COOKIE, &cookie);
        times.push(support::time(&router, page.header(header::ACCEPT, "text/html").body(Body::empty())?).await?);
    }
    times.sort_unstable();
    println!("{engine}: API Keys page with {KEYS} keys: p50 {:.2} ms", times[100].as_secs_f64() * 1_000.0);

    let address = serve(front).await?;
    for (what, path) in [("list of 100 with turns", "?limit=100"), ("detail", "/CA7")] {
        for connections in [1, 16, 256] {
            let path = format!("/v3/{}/{agent}/conversations{path}", workspace.id);
            let asked = Ask { connections, ..Ask::new(address, path, key.expose(), 200) };
            let found = ask(&asked, Pace::Closed(ROUND)).await?;
            println!(
                "{engine}: {what}, {connections} clients: {:.0} per second, p50 {:.2} ms, p99 {:.2} ms",
                found.rate,
                found.percentile(0.5),
                found.percentile(0.99)
            );
        }
    }
    Ok(())
}
