//! Benchmark of pages by the size of the data, through the real router on both databases: the API Keys page with 10 and
//! with 100,000 keys, the first and the thousandth page of a million conversations, with each filter too, and the number
//! of concurrent conversations in a week of them. Prints ratios of medians from one run. An argument, `SQLite` or
//! `PostgreSQL`, measures one database only.

#[expect(dead_code, reason = "the other benchmarks use more of it")]
mod support;

use agent_studio::api_keys::secret::PlainKey;
use agent_studio::api_keys::store::{self, NewKeyRow};
use agent_studio::api_keys::{KeyName, KeySettings, Permissions, TypedSettings};
use agent_studio::base::actor::Actor;
use agent_studio::base::id::ApiKeyId;
use agent_studio::base::time::Timestamp;
use agent_studio::conversations::document::Document;
use agent_studio::conversations::import::Importer;
use agent_studio::db::Db;
use agent_studio::on_change;
use agent_studio::server::state::Services;
use agent_studio::usage::counts::hour_of;
use agent_studio::usage::ranking;
use agent_studio::workspaces::Workspace;
use axum::body::Body;
use axum::http::{Request, header};
use std::time::{Duration, Instant};
use support::ratio::print_ratio;
use support::{Outcome, Postgres, analyse, new_key, send, server, sign_in, time, workspace};

const KEYS: usize = 100_000;
/// Conversations of a week in the environment `live`.
const CONVERSATIONS: usize = 1_000_000;
/// Conversations in progress, in the environment `sandbox`.
const IN_PROGRESS: usize = 100_000;
/// Each filter of a list. It leaves at least 1,000 pages.
const FILTERS: [(&str, &str); 9] = [
    ("no filter", ""),
    ("channel", "&channel=WEBCHAT"),
    ("channel family", "&channel=voice"),
    ("variant_id", "&variant_id=v3"),
    ("variant_name", "&variant_name=Variant%203"),
    ("language", "&language=de-DE"),
    ("direction", "&direction=inbound"),
    ("tag", "&tag=t3"),
    ("in_progress", "&in_progress=true&client_env=sandbox"),
];
/// Each order, search and filter of the list of keys. A tenth of the keys fits each filter.
const KEY_LISTS: [(&str, &str); 16] = [
    ("newest", ""),
    ("oldest", "?sort=oldest"),
    ("name", "?sort=name"),
    ("expiry", "?sort=expiry"),
    ("last used", "?sort=last-used"),
    ("search", "?q=key%2099"),
    ("search, none", "?q=zzz"),
    ("active", "?status=active"),
    ("paused", "?status=paused"),
    ("permission", "?permission=agents"),
    ("owner", "?owner=Ada"),
    ("tag", "?tag=crm"),
    ("never used", "?idle=never"),
    ("network", "?network=10.1"),
    ("created by", "?created_by=ada@example.com"),
    ("several filters", "?status=paused&owner=Ada&tag=crm"),
];
const ROUNDS: usize = 200;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> Outcome<()> {
    // `cargo bench` adds options.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |engine: &str| only.as_deref().is_none_or(|only| only == engine);
    if wanted("SQLite") {
        let dir = tempfile::tempdir()?;
        measure("SQLite", support::sqlite(&dir.path().join("bench.db")).await?).await?;
    }
    if wanted("PostgreSQL") {
        let postgres = Postgres::start()?;
        measure("PostgreSQL", support::postgres(&postgres.url).await?).await?;
    }
    Ok(())
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
    for (name, query) in KEY_LISTS {
        let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            with_few.push(time(&router, page("few", &few_cookie, query)?).await?);
            with_many.push(time(&router, page("many", &many_cookie, query)?).await?);
        }
        let ratio =
            report(engine, &format!("API Keys page ({name}), {KEYS} keys : 10 keys"), &mut with_many, &mut with_few);
        print_ratio(&format!("API Keys page ({name}), {engine}"), ratio)?;
    }

    configuration_page(engine, &app, &router).await?;
    usage_page(engine, &app, &router, (&many, &many_cookie)).await?;

    let agent = app.agents.create(&many.id, &Actor::command_line(), "Agent", None).await?.0.id;
    let began = Instant::now();
    let mut importer = Importer::new(&app.db, &many.id, &agent);
    for n in 0..CONVERSATIONS + IN_PROGRESS {
        importer.push(Document::parse(conversation(n, &app).as_bytes())?).await?;
    }
    importer.flush().await?;
    println!(
        "{engine}: {:.0} conversations imported per second",
        (CONVERSATIONS + IN_PROGRESS) as f64 / began.elapsed().as_secs_f64()
    );
    analyse(&app).await?;
    let key = app.api_keys.create(&many.id, &Actor::command_line(), &new_key(&app)?).await?;
    let list = |cursor: &str| {
        Request::get(format!("/v3/{}/{agent}/conversations?limit=100{cursor}", many.id))
            .header("x-api-key", key.value.expose())
            .body(Body::empty())
    };
    for (name, filter) in FILTERS {
        let mut cursor = String::new();
        for _ in 1..1_000 {
            let body = send(&router, list(&format!("{filter}{cursor}"))?).await?;
            let at = body.rfind("\"cursor\":\"").ok_or("the last page came early")?;
            cursor = format!("&cursor={}", body[at + 10..].split('"').next().unwrap_or_default());
        }
        let (mut first, mut deep) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            first.push(time(&router, list(filter)?).await?);
            deep.push(time(&router, list(&format!("{filter}{cursor}"))?).await?);
        }
        let what = format!("conversations ({name}), page 1000 : page 1, {CONVERSATIONS} conversations");
        let ratio = report(engine, &what, &mut deep, &mut first);
        print_ratio(&format!("page 1,000 : page 1 ({name}), {engine}"), ratio)?;
    }

    let (start, end) = (app.clock.now().plus_days(-7).iso(), app.clock.now().iso());
    for (name, filter) in [("", ""), (" of a variant", "&variant_id=v3"), (" by variant", "&slice_by=variant")] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS / 20 {
            let path = format!("/v1/{}/{agent}/conversations/concurrency?start_time={start}&end_time={end}", many.id);
            let request = Request::get(format!("{path}{filter}")).header("x-api-key", key.value.expose());
            times.push(time(&router, request.body(Body::empty())?).await?);
        }
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1_000.0;
        println!("{engine}: concurrent conversations{name} in a week of {CONVERSATIONS}: {median:.0} ms");
    }
    Ok(())
}

/// Times the Configuration page with 500 agents, of which one has 2,000 metrics.
async fn configuration_page(engine: &str, app: &Services, router: &axum::Router) -> Outcome<()> {
    let workspace = workspace(app, "Configured").await?;
    let mut agent = None;
    for n in 0..500 {
        agent = Some(app.agents.create(&workspace.id, &Actor::command_line(), &format!("Agent {n}"), None).await?.0.id);
    }
    let agent = agent.ok_or("there are no agents")?;
    for part in 0..20 {
        let metrics: Vec<String> = (0..100).map(|n| format!(r#""METRIC_{}":"1""#, part * 100 + n)).collect();
        let text =
            format!(r#"{{"id":"c{part}","started_at":"2026-01-02T03:04:05Z","metrics":{{{}}}}}"#, metrics.join(","));
        app.conversations.replace(&workspace.id, &agent, &Document::parse(text.as_bytes())?).await?;
    }
    let cookie = sign_in(app, router, &workspace).await?;
    analyse(app).await?;
    for (name, query) in [
        ("the first card open", String::new()),
        ("the card with 2,000 metrics open", format!("?agent={agent}")),
        ("a search by metric", "?q=metric_19".to_owned()),
    ] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let request = Request::get(format!("/{}/api-keys/configuration{query}", workspace.slug))
                .header(header::COOKIE, &cookie)
                .header(header::ACCEPT, "text/html");
            times.push(time(router, request.body(Body::empty())?).await?);
        }
        times.sort_unstable();
        let p50 = times[ROUNDS / 2].as_secs_f64() * 1_000.0;
        println!("{engine}: Configuration page with 500 agents and 2,000 metrics, {name}: p50 {p50:.1} ms");
    }
    Ok(())
}

/// Times the Usage page of a workspace whose keys were all used on each of 90 days, and the ranking of the keys.
async fn usage_page(
    engine: &str,
    app: &Services,
    router: &axum::Router,
    (workspace, cookie): (&Workspace, &str),
) -> Outcome<()> {
    for n in 0..500 {
        app.agents.create(&workspace.id, &Actor::command_line(), &format!("Agent {n}"), None).await?;
    }
    let today = hour_of(app.clock.now()).div_euclid(24) * 24;
    for day in 0..90 {
        let hour = today - day * 24;
        for sql in [
            "INSERT INTO key_usage (workspace_id, key_id, hour, outcome, requests)
                SELECT workspace_id, id, $2, 'accepted', 1 + $2 % 7 FROM api_keys WHERE workspace_id = $1",
            "INSERT INTO agent_usage (workspace_id, agent_id, hour, outcome, requests)
                SELECT workspace_id, id, $2, outcome, 10 FROM agents, (SELECT 'accepted' AS outcome UNION ALL
                SELECT 'lacks-permission' UNION ALL SELECT 'agent-not-covered') AS o WHERE workspace_id = $1",
            "INSERT INTO api_usage (workspace_id, api, hour, outcome, requests)
                SELECT id, api, $2, outcome, 10 FROM workspaces, (SELECT 'conversations' AS api UNION ALL
                SELECT 'handoff' UNION ALL SELECT 'external-events' UNION ALL SELECT 'agents' UNION ALL
                SELECT 'forward-auth') AS a, (SELECT 'accepted' AS outcome UNION ALL SELECT 'lacks-permission' UNION ALL
                SELECT 'expired') AS o WHERE id = $1",
        ] {
            let mut change = app.db.begin_unattended().await?;
            on_change!(&mut change, |c| sqlx::query(sql).bind(&workspace.id).bind(hour).execute(c).await.map(|_| ()))?;
            change.commit().await?;
        }
    }
    analyse(app).await?;
    let began = Instant::now();
    ranking::rank(&app.usage).await?;
    println!("{engine}: {KEYS} keys with 90 days of counts ranked in {:.1} s", began.elapsed().as_secs_f64());
    for range in ["24h", "90d"] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let request = Request::get(format!("/{}/usage?range={range}", workspace.slug))
                .header(header::COOKIE, cookie)
                .header(header::ACCEPT, "text/html");
            times.push(time(router, request.body(Body::empty())?).await?);
        }
        times.sort_unstable();
        let (p50, p99) = (times[ROUNDS / 2].as_secs_f64() * 1_000.0, times[ROUNDS * 99 / 100].as_secs_f64() * 1_000.0);
        println!(
            "{engine}: Usage page with {KEYS} keys, 500 agents and 90 days, {range}: p50 {p50:.1} ms, p99 {p99:.1} ms"
        );
    }
    Ok(())
}

async fn fill_keys(app: &Services, workspace: &Workspace, count: usize) -> Outcome<()> {
    let new = new_key(app)?;
    let now = app.clock.now();
    let mut change = app.db.begin_unattended().await?;
    for n in 0..count {
        let value = PlainKey::generate(app.db.random());
        let tenth = n % 10 == 3;
        let typed = TypedSettings { owner: "Ada", tags: "crm, test", networks: "10.1.0.0/16", ..Default::default() };
        let settings = if tenth { KeySettings::parse(&typed).map_err(|_| "settings")? } else { KeySettings::default() };
        let permissions = Permissions::parse([if tenth { "agents" } else { "handoff" }]).map_err(|p| p.message())?;
        let row = NewKeyRow {
            id: &ApiKeyId::generate(app.db.random()),
            name: &KeyName::parse(&format!("key {n}")).map_err(|p| p.message())?,
            masked: &value.masked(),
            hash: &value.hashed(),
            sealed: None,
            scope: &new.scope,
            permissions: &permissions,
            created_at: now.plus_seconds(-(n as i64)),
            created_by: if tenth { "ada@example.com" } else { "bench" },
            expires_at: now.plus_days(1 + n as i64 % 90),
            settings: &settings,
        };
        store::insert(&mut change, &workspace.id, &row).await?;
    }
    on_change!(&mut change, |c| sqlx::query(
        "UPDATE api_keys SET paused_at = CASE WHEN owner = 'Ada' THEN created_at ELSE 0 END,
            last_used_at = CASE WHEN owner = 'Ada' THEN 0 ELSE created_at END WHERE workspace_id = $1"
    )
    .bind(&workspace.id)
    .execute(c)
    .await
    .map(|_| ()))?;
    Ok(change.commit().await?)
}

fn conversation(n: usize, app: &Services) -> String {
    let started_at = Timestamp(app.clock.now().0 - n as i64 % CONVERSATIONS as i64 * 600_000).iso();
    let channel = if n.is_multiple_of(10) { "WEBCHAT" } else { "VOICE-SIP" };
    let language = ["en-GB", "de-DE", "fr-FR", "es-ES"][n % 4];
    let direction = if n.is_multiple_of(3) { "outbound" } else { "inbound" };
    let environment = if n < CONVERSATIONS { "live" } else { "sandbox" };
    let (in_progress, seconds, some) = (n >= CONVERSATIONS, 60 + n % 240, n % 7);
    format!(
        concat!(
            r#"{{"id":"CA{:08}","started_at":"{}","channel":"{}","language":"{}","direction":"{}","environment":"{}","#,
            r#""in_progress":{},"total_duration":{},"variant_id":"v{}","variant_name":"Variant {}","tags":["t{}"],"#,
            r#""metrics":{{"CALL_COMPLETED":"true"}},"#,
            r#""turns":[{{"user_input":"a room for two please","agent_response":"for which night?"}}]}}"#
        ),
        n, started_at, channel, language, direction, environment, in_progress, seconds, some, some, some
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
