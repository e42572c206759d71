//! Benchmark of pages by the size of the data, through the real router on both databases: the API Keys page with 10 and
//! with 100,000 keys, and the first and the thousandth page of a million conversations. Prints ratios of medians from
//! one run.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::api_keys::KeyName;
use agent_studio::api_keys::secret::PlainKey;
use agent_studio::api_keys::store::{self, NewKeyRow};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::ApiKeyId;
use agent_studio::conversations::document::Document;
use agent_studio::conversations::import::Importer;
use agent_studio::db::Db;
use agent_studio::server::state::Services;
use agent_studio::workspaces::Workspace;
use axum::body::Body;
use axum::http::{Request, header};
use std::time::{Duration, Instant};
use support::ratio::print_ratio;
use support::{Outcome, Postgres, analyse, new_key, send, server, sign_in, time, workspace};

const KEYS: usize = 100_000;
const CONVERSATIONS: usize = 1_000_000;
const ROUNDS: usize = 200;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> Outcome<()> {
    let postgres = Postgres::start()?;
    let dir = tempfile::tempdir()?;
    measure("SQLite", support::sqlite(&dir.path().join("bench.db")).await?).await?;
    measure("PostgreSQL", support::postgres(&postgres.url).await?).await
}

async fn measure(engine: &str, db: Db) -> Outcome<()> {
    let (app, router) = server(db)?;
    let (few, many) = (workspace(&app, "Few").await?, workspace(&app, "Many").await?);
    fill_keys(&app, &few, 10).await?;
    fill_keys(&app, &many, KEYS).await?;
    let (few_cookie, many_cookie) = (sign_in(&app, &router, &few).await?, sign_in(&app, &router, &many).await?);
    analyse(&app).await?;

    let page = |slug: &str, cookie: &str, query: &str| {
        Request::get(format!("/{slug}/api-keys{query}"))
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT, "text/html")
            .body(Body::empty())
    };
    for (name, query) in [("newest", ""), ("name", "?sort=name"), ("search", "?q=key%2099"), ("search, none", "?q=zzz")]
    {
        let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            with_few.push(time(&router, page("few", &few_cookie, query)?).await?);
            with_many.push(time(&router, page("many", &many_cookie, query)?).await?);
        }
        let ratio =
            report(engine, &format!("API Keys page ({name}), {KEYS} keys : 10 keys"), &mut with_many, &mut with_few);
        print_ratio(&format!("API Keys page ({name}), {engine}"), ratio)?;
    }

    let agent = app.agents.create(&many.id, &Actor::command_line(), "Agent", None).await?.0.id;
    let began = Instant::now();
    let mut importer = Importer::new(&app.db, &many.id, &agent);
    for n in 0..CONVERSATIONS {
        importer.push(Document::parse(conversation(n, &app).as_bytes())?).await?;
    }
    importer.flush().await?;
    println!("{engine}: {:.0} conversations imported per second", CONVERSATIONS as f64 / began.elapsed().as_secs_f64());
    analyse(&app).await?;
    let key = app.api_keys.create(&many.id, &Actor::command_line(), &new_key(&app)?).await?;
    let list = |cursor: &str| {
        Request::get(format!("/v3/{}/{agent}/conversations?limit=100{cursor}", many.id))
            .header("x-api-key", key.value.expose())
            .body(Body::empty())
    };
    let mut cursor = String::new();
    for _ in 1..1_000 {
        let body = send(&router, list(&cursor)?).await?;
        let at = body.rfind("\"cursor\":\"").ok_or("the last page came early")?;
        cursor = format!("&cursor={}", body[at + 10..].split('"').next().unwrap_or_default());
    }
    let (mut first, mut deep) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        first.push(time(&router, list("")?).await?);
        deep.push(time(&router, list(&cursor)?).await?);
    }
    let what = format!("conversations, page 1000 : page 1, {CONVERSATIONS} conversations");
    print_ratio(&format!("page 1,000 : page 1, {engine}"), report(engine, &what, &mut deep, &mut first))
}

async fn fill_keys(app: &Services, workspace: &Workspace, count: usize) -> Outcome<()> {
    let new = new_key(app)?;
    let now = app.clock.now();
    let mut change = app.db.begin_unattended().await?;
    for n in 0..count {
        let value = PlainKey::generate(app.db.random());
        let row = NewKeyRow {
            id: &ApiKeyId::generate(app.db.random()),
            name: &KeyName::parse(&format!("key {n}")).map_err(|p| p.message())?,
            masked: &value.masked(),
            hash: &value.hashed(),
            sealed: None,
            scope: &new.scope,
            permissions: &new.permissions,
            created_at: now.plus_seconds(-(n as i64)),
            created_by: "bench",
            expires_at: now.plus_days(1 + n as i64 % 90),
        };
        store::insert(&mut change, &workspace.id, &row).await?;
    }
    Ok(change.commit().await?)
}

fn conversation(n: usize, app: &Services) -> String {
    format!(
        r#"{{"id":"CA{n:08}","started_at":"{}","channel":"VOICE-SIP","metrics":{{"CALL_COMPLETED":"true"}},"turns":[{{"user_input":"a room for two please","agent_response":"for which night?"}}]}}"#,
        app.clock.now().plus_seconds(-(n as i64)).iso()
    )
}

/// Prints the medians, and returns their ratio.
fn report(engine: &str, what: &str, a: &mut [Duration], b: &mut [Duration]) -> f64 {
    let median = |times: &mut [Duration]| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1_000.0
    };
    let (a, b) = (median(a), median(b));
    println!("{engine}: {what}: {a:.2} ms : {b:.2} ms = {:.2}", a / b);
    a / b
}
