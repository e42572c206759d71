//! What both benchmarks need: a server without its socket on either database, and a stopwatch.

use agent_studio::api_keys::service::NewKey;
use agent_studio::api_keys::{AgentScope, KeyName, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::base::clock::Clock;
use agent_studio::base::randomness::Random;
use agent_studio::base::sealing::MasterKey;
use agent_studio::db::Db;
use agent_studio::on_tx;
use agent_studio::server::state::{App, AppState};
use agent_studio::users::password::Passwords;
use agent_studio::workspaces::{self, Workspace};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use leptos::config::LeptosOptions;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

pub mod load;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// A PostgreSQL of the benchmark's own; gone when this process ends.
pub struct Postgres {
    pub url: String,
    _keeper: Child,
}

impl Postgres {
    pub fn start() -> Outcome<Self> {
        let mut keeper =
            Command::new("scripts/temporary-postgres.sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        BufReader::new(keeper.stdout.take().ok_or("no output")?).read_line(&mut url)?;
        Ok(Self { url: url.trim().to_owned(), _keeper: keeper })
    }
}

/// The application and its routes.
pub fn server(db: Db) -> Outcome<(Arc<App>, Router)> {
    let random = Random::System;
    let app = Arc::new(App {
        db,
        clock: Clock::System,
        master_key: MasterKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").ok_or("master key")?,
        passwords: Passwords::new(&random)?,
        random,
        arrivals: Default::default(),
        gate: Default::default(),
        usage: Default::default(),
        metrics: Default::default(),
        public_origin: None,
        behind_proxy: true,
        secure_cookies: false,
        forward_auth_apart: false,
    });
    let leptos = LeptosOptions::builder().output_name("agent-studio").build();
    let router = agent_studio::server::build(AppState { app: app.clone(), leptos });
    Ok((app, router))
}

pub async fn workspace(app: &App, name: &str) -> Outcome<Workspace> {
    let mut tx = app.db.begin().await?;
    let made = workspaces::service::create(&mut tx, app, &Actor::command_line(), name, None).await?;
    tx.commit().await?;
    Ok(made)
}

pub fn new_key(app: &App) -> Outcome<NewKey> {
    Ok(NewKey {
        name: KeyName::parse("key").map_err(|p| p.message())?,
        scope: AgentScope::All,
        permissions: Permissions::parse(["conversations"]).map_err(|p| p.message())?,
        expires_at: app.clock.now().plus_days(30),
    })
}

/// What PostgreSQL does by itself after a while.
pub async fn analyse(app: &App) -> Outcome<()> {
    if let Some(pool) = app.db.postgres_pool() {
        sqlx::query("ANALYZE").execute(pool).await?;
    }
    Ok(())
}

pub async fn send(router: &Router, request: Request<Body>) -> Outcome<String> {
    let response = router.clone().oneshot(request).await?;
    let status = response.status();
    let body = String::from_utf8(to_bytes(response.into_body(), 64 << 20).await?.to_vec())?;
    if status == 200 { Ok(body) } else { Err(format!("{status}: {body}").into()) }
}

pub async fn time(router: &Router, request: Request<Body>) -> Outcome<Duration> {
    let began = Instant::now();
    send(router, request).await?;
    Ok(began.elapsed())
}

/// Keys that nobody has the values of, written as fast as may be.
pub async fn add_keys(app: &App, workspace: &Workspace, count: usize) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $2)
        INSERT INTO api_keys (workspace_id, id, name, name_key, masked, hash, all_agents, permissions, created_at,
            created_by, updated_at, expires_at)
        SELECT $1, 'key-' || n, 'key', 'key', 'masked', randomblob(32), TRUE, 'conversations,handoff', 0, 'bench', 0,
            4102444800000000 FROM numbers";
    if count > 0 {
        on_tx!(&mut tx, |c| sqlx::query(sql).bind(&workspace.id).bind(count as i64).execute(c).await.map(|_| ()))?;
    }
    Ok(tx.commit().await?)
}
