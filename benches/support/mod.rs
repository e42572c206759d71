//! Shared by the benchmarks: a server without a listener on either database, and timing.

use agent_studio::api_keys::service::NewKey;
use agent_studio::api_keys::{AgentScope, Expiry, KeyName, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::base::clock::Clock;
use agent_studio::base::randomness::Random;
use agent_studio::base::sealing::MasterKeys;
use agent_studio::db::Db;
use agent_studio::http::listener::{self, ConnectionLimit, HttpVersions};
use agent_studio::on_change;
use agent_studio::recordings::storage::RecordingStorage;
use agent_studio::server::build::{ServiceSettings, build};
use agent_studio::server::front::Front;
use agent_studio::server::state::{AppState, Services};
use agent_studio::usage::record::RequestLogLimits;
use agent_studio::users::password::Password;
use agent_studio::users::{Email, Role};
use agent_studio::workspaces::Workspace;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

pub mod load;
pub mod ratio;

/// Password of those who sign in.
const PASSWORD: &str = "correct horse battery staple";

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// A temporary PostgreSQL, which ends with this process.
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
pub fn server(db: Db) -> Outcome<(Services, Router)> {
    let (services, front) = front(db)?;
    Ok((services, as_router(front)))
}

/// The application and what it serves on its main listener.
pub fn front(db: Db) -> Outcome<(Services, Front)> {
    let parts = ServiceSettings {
        db,
        master_keys: MasterKeys::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").ok_or("master key")?,
        limits: RequestLogLimits::default(),
        last_known: Duration::ZERO,
        public_origin: None,
        secure_cookies: false,
        behind_proxy: true,
        forward_auth_apart: false,
        recordings: RecordingStorage::folder(&std::env::temp_dir().join("agent-studio-benchmark-recordings"))?,
    };
    let services = build(parts)?;
    let front = Front::all(AppState { services: services.clone() });
    Ok((services, front))
}

/// Serves on a port of this machine.
pub async fn serve(front: Front) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(listener::serve(
        listener,
        front,
        HttpVersions::Http1,
        ConnectionLimit::Unlimited,
        CancellationToken::new(),
    ));
    Ok(address)
}

/// A whole listener as a router, to be asked without a connection.
pub fn as_router(front: Front) -> Router {
    Router::new().fallback(move |request: Request<Body>| async move {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        front.answer(peer.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 1))), request).await
    })
}

pub async fn sqlite(path: &std::path::Path) -> Outcome<Db> {
    Ok(Db::sqlite(path, Clock::System, Random::System).await?)
}

pub async fn postgres(url: &str) -> Outcome<Db> {
    Ok(Db::postgres(url, Clock::System, Random::System).await?)
}

pub async fn workspace(app: &Services, name: &str) -> Outcome<Workspace> {
    Ok(app.workspaces.create(&Actor::command_line(), name, None).await?)
}

/// A key as the form proposes it.
pub fn new_key(app: &Services) -> Outcome<NewKey> {
    Ok(NewKey {
        name: KeyName::parse("key").map_err(|p| p.message())?,
        scope: AgentScope::All,
        permissions: Permissions::parse(["conversations"]).map_err(|p| p.message())?,
        expires_at: app.clock.now().plus_days(Expiry::DEFAULT_DAYS.into()),
        settings: agent_studio::api_keys::KeySettings::default(),
    })
}

/// Updates PostgreSQL's statistics, which it otherwise does by itself after a while.
pub async fn analyse(app: &Services) -> Outcome<()> {
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

/// Inserts keys with random hashes in bulk.
pub async fn add_keys(app: &Services, workspace: &Workspace, count: usize) -> Outcome<()> {
    let mut change = app.db.begin_unattended().await?;
    let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $2)
        INSERT INTO api_keys (workspace_id, id, name, name_key, masked, hash, all_agents, permissions, created_at,
            created_by, updated_at, expires_at)
        SELECT $1, 'key-' || n, 'key', 'key', 'masked', randomblob(32), TRUE, 'conversations,handoff', 0, 'bench', 0,
            4102444800000000 FROM numbers";
    if count > 0 {
        on_change!(&mut change, |c| sqlx::query(sql)
            .bind(&workspace.id)
            .bind(count as i64)
            .execute(c)
            .await
            .map(|_| ()))?;
    }
    Ok(change.commit().await?)
}

/// Signs an admin of a workspace in, and returns the cookie.
pub async fn sign_in(app: &Services, router: &Router, workspace: &Workspace) -> Outcome<String> {
    let email = Email::parse(&format!("{}@example.com", workspace.slug)).map_err(|p| p.message())?;
    let password = Password::parse(PASSWORD.to_owned()).map_err(|p| p.message())?;
    app.users.create(&workspace.id, &Actor::command_line(), &email, Role::Admin, password).await?;
    let request = Request::post("/api/sign_in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::HOST, "localhost")
        .header(header::ORIGIN, "http://localhost")
        .body(Body::from(serde_html_form::to_string([("email", email.as_str()), ("password", PASSWORD)])?))?;
    let response = router.clone().oneshot(request).await?;
    let cookie = response.headers().get(header::SET_COOKIE).ok_or("no cookie")?.to_str()?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}
