//! Benchmark of the Conversations API on both databases: import, a page of 100 conversations with turns compared with
//! the bare query and serialisation, transcript search over 100,000 conversations, random samples. Ratios are from one
//! run.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::base::actor::Actor;
use agent_studio::configuration::AllowedMetrics;
use agent_studio::configuration::service::NewConfiguration;
use agent_studio::conversations::document::Document;
use agent_studio::conversations::import::Importer;
use agent_studio::db::Db;
use agent_studio::on_db;
use agent_studio::server::state::Services;
use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::ratio::print_ratio;
use support::{Outcome, Postgres, analyse, new_key, send, server, time, workspace};
use tower::ServiceExt as _;

/// Environment variable for the process that only imports: the database.
const IMPORT_INTO: &str = "BENCH_IMPORT_INTO";
const CONVERSATIONS: usize = 100_000;
const TURNS: usize = 6;
const ROUNDS: usize = 400;
/// Number of different words. The n-th word occurs about 1/n as often as the first.
const VOCABULARY: usize = 5_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> Outcome<()> {
    if let Ok(place) = std::env::var(IMPORT_INTO) {
        return import_large(&place).await;
    }
    let cluster = Postgres::start()?;
    let dir = tempfile::tempdir()?;
    let sqlite = support::sqlite(&dir.path().join("bench.db")).await?;
    let postgres = support::postgres(&cluster.url).await?;
    // Memory is measured first, while the process has no freed memory to reuse. Another process imports the
    // conversations.
    memory("SQLite", sqlite.clone(), &dir.path().join("bench.db").to_string_lossy()).await?;
    memory("PostgreSQL", postgres.clone(), &cluster.url).await?;
    measure("SQLite", sqlite).await?;
    measure("PostgreSQL", postgres).await
}

async fn measure(engine: &str, db: Db) -> Outcome<()> {
    let (app, router) = server(db)?;
    let workspace = workspace(&app, "Acme").await?;
    let agent = app.agents.create(&workspace.id, &Actor::command_line(), "Agent", None).await?.0.id;
    let all = NewConfiguration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: None };
    app.configurations.set(&workspace.id, &Actor::command_line(), agent.as_str(), &all).await?;
    let mut words = Words(1);
    let lines: Vec<String> = (0..CONVERSATIONS).map(|n| conversation(n, &app, &mut words)).collect();
    let began = Instant::now();
    let mut importer = Importer::new(&app.db, &workspace.id, &agent);
    for line in &lines {
        importer.push(Document::parse(line.as_bytes())?).await?;
    }
    importer.flush().await?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{engine}: {:.0} conversations of {TURNS} turns imported per second", CONVERSATIONS as f64 / seconds);
    analyse(&app).await?;

    let key = app.api_keys.create(&workspace.id, &Actor::command_line(), &new_key(&app)?).await?;
    let list = |query: &str| {
        Request::get(format!("/v3/{}/{agent}/conversations?{query}", workspace.id))
            .header("x-api-key", key.value.expose())
            .body(Body::empty())
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(&router, list("limit=100")?).await?);
        let began = Instant::now();
        let length = select_and_serialise(&app, workspace.id.as_str(), agent.as_str()).await?;
        bare.push(began.elapsed());
        assert!(length > 100_000, "{length} bytes are no page with turns");
    }
    let ((ours, ours_p99), (bare, bare_p99)) = (percentiles(&mut ours), percentiles(&mut bare));
    println!(
        "{engine}: page of 100 with turns: {:.0} per second, p99 {ours_p99:.2} ms; SELECT and serialise alone {:.0}, \
         p99 {bare_p99:.2} ms; {:.2} of it",
        1_000.0 / ours,
        1_000.0 / bare,
        bare / ours
    );
    print_ratio(&format!("page of 100 with turns, {engine}"), bare / ours)?;

    let range = "limit=50&start_time=2000-01-01T00:00:00Z&end_time=2100-01-01T00:00:00Z";
    for (name, query) in [
        ("a rare word", "w4999"),
        ("a common word", "w3"),
        ("three words", "w20%20w90%20w400"),
        ("a phrase", "%22w1%20w7%22"),
        ("nothing", "absent"),
    ] {
        let mut times = Vec::new();
        let query = list(&format!("query_type=transcript&{range}&query={query}"))?;
        let uri = query.uri().clone();
        for _ in 0..ROUNDS / 4 {
            let again = Request::get(uri.clone()).header("x-api-key", key.value.expose()).body(Body::empty())?;
            times.push(time(&router, again).await?);
        }
        let (p50, p99) = percentiles(&mut times);
        println!("{engine}: transcript search for {name} in {CONVERSATIONS}: p50 {p50:.1} ms, p99 {p99:.1} ms");
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS / 10 {
        times.push(time(&router, list(&format!("sample=random&{range}"))?).await?);
    }
    let (p50, p99) = percentiles(&mut times);
    println!("{engine}: a sample of 50 of {CONVERSATIONS}: p50 {p50:.1} ms, p99 {p99:.1} ms");
    let body: Value = serde_json::from_str(&send(&router, list("limit=1")?).await?)?;
    assert_eq!(body["conversations"][0]["turns"].as_array().map(Vec::len), Some(TURNS));
    Ok(())
}

/// The agent whose conversations are large.
const TALKER: &str = "talker";

/// Imports 1,000 conversations of about 50 KB each. Runs in a separate process.
async fn import_large(place: &str) -> Outcome<()> {
    let db = if place.starts_with("postgres") {
        support::postgres(place).await?
    } else {
        support::sqlite(place.as_ref()).await?
    };
    let (app, _) = server(db)?;
    let workspace = workspace(&app, "Talkative").await?;
    let actor = Actor::command_line();
    let agent = app.agents.create(&workspace.id, &actor, "Talker", Some(TALKER)).await?.0.id;
    let all = NewConfiguration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: None };
    app.configurations.set(&workspace.id, &actor, agent.as_str(), &all).await?;
    let said = "word ".repeat(100);
    let turns: Vec<Value> = (0..50).map(|_| json!({ "user_input": said, "agent_response": said })).collect();
    let mut importer = Importer::new(&app.db, &workspace.id, &agent);
    for n in 0..1_000 {
        let started_at = app.clock.now().plus_seconds(-n).iso();
        let line = json!({ "id": format!("CA{n}"), "started_at": started_at, "turns": turns }).to_string();
        importer.push(Document::parse(line.as_bytes())?).await?;
    }
    Ok(importer.flush().await?)
}

/// Peak memory of the process while it reads pages of 1,000 large conversations, compared with pages of 10.
async fn memory(engine: &str, db: Db, place: &str) -> Outcome<()> {
    let imported = std::process::Command::new(std::env::current_exe()?).env(IMPORT_INTO, place).status()?;
    assert!(imported.success(), "the import failed");
    let (app, router) = server(db)?;
    let app = &app;
    let workspace = app.workspaces.find("talkative").await?.ok_or("no workspace")?;
    let agent = TALKER;
    let key = app.api_keys.create(&workspace.id, &Actor::command_line(), &new_key(app)?).await?;
    let mut peaks = Vec::new();
    for (limit, least) in [(10, 500_000), (1_000, 50_000_000)] {
        std::fs::write("/proc/self/clear_refs", "5")?;
        for _ in 0..10 {
            let request = Request::get(format!("/v3/{}/{agent}/conversations?limit={limit}", workspace.id))
                .header("x-api-key", key.value.expose())
                .body(Body::empty())?;
            let mut chunks = router.clone().oneshot(request).await?.into_body().into_data_stream();
            let mut length = 0;
            while let Some(chunk) = chunks.next().await {
                length += chunk?.len();
            }
            assert!(length > least, "{length} bytes are no page of {limit} with turns");
        }
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        peaks.push(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0);
    }
    let (ten, thousand) = (peaks[0], peaks[1]);
    println!(
        "{engine}: peak memory, pages of 1,000 (50 MB each) : pages of 10: {thousand:.0} MiB : {ten:.0} MiB = {:.2}",
        thousand / ten
    );
    print_ratio(&format!("memory of pages of 1,000, {engine}"), thousand / ten)?;
    Ok(())
}

/// The minimal work for a page: one query, and its rows as JSON.
async fn select_and_serialise(app: &Services, workspace: &str, agent: &str) -> Outcome<usize> {
    let rows: Vec<(String, String, String)> = on_db!(&app.db, |pool| sqlx::query_as(
        "SELECT document, metrics, turns FROM conversations
            WHERE workspace_id = $1 AND agent_id = $2 AND environment = 'live'
            ORDER BY started_at DESC, id DESC LIMIT 100"
    )
    .bind(workspace)
    .bind(agent)
    .fetch_all(pool)
    .await)?;
    let mut page = Vec::new();
    for (document, metrics, turns) in &rows {
        let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned());
        page.push(json!({ "document": raw(document)?, "metrics": raw(metrics)?, "turns": raw(turns)? }).to_string());
    }
    Ok(page.iter().map(String::len).sum())
}

fn percentiles(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000.0;
    (at(0.5), at(0.99))
}

/// Generates words with the distribution of a language: few common ones, many rare ones. The same in each run.
struct Words(u64);

impl Words {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let even = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        (VOCABULARY as f64).powf(even) as usize
    }

    fn say(&mut self, count: usize) -> String {
        (0..count).map(|_| format!("w{}", self.next())).collect::<Vec<_>>().join(" ")
    }
}

fn conversation(n: usize, app: &Services, words: &mut Words) -> String {
    let turns: Vec<Value> =
        (0..TURNS).map(|_| json!({ "user_input": words.say(12), "agent_response": words.say(20) })).collect();
    let started_at = app.clock.now().plus_seconds(-(n as i64)).iso();
    json!({ "id": format!("CA{n:08}"), "started_at": started_at, "channel": "VOICE-SIP", "turns": turns }).to_string()
}
