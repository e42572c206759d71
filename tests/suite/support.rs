//! A complete application on either database, with a fixed clock and seeded randomness.

mod browser;
mod following;
pub mod postgres;
pub mod program;
pub mod proxy;
pub mod s3;
mod setting;

pub use browser::{Answer, Browser};
pub use following::{follow, trusted};
pub use setting::{Headers, Setting, setting};

use agent_studio::api_keys::service::{CreatedKey, NewKey};
use agent_studio::api_keys::{AgentScope, KeyName, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::base::clock::Clock;
use agent_studio::base::id::AgentId;
use agent_studio::base::randomness::Random;
use agent_studio::base::sealing::MasterKeys;
use agent_studio::base::time::Timestamp;
use agent_studio::configuration::service::NewConfiguration;
use agent_studio::configuration::{AllowedMetrics, CallerNumbers};
use agent_studio::conversations::import::ImportSummary;
use agent_studio::db::Db;
use agent_studio::recordings::storage::RecordingStorage;
use agent_studio::server::build::{ServiceSettings, build};
use agent_studio::server::front::Front;
use agent_studio::server::state::{AppState, Services};
use agent_studio::usage::record::RequestLogLimits;
use agent_studio::users::password::Password;
use agent_studio::users::{self, Email, Role};
use agent_studio::workspaces::Workspace;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// 2027-01-15T08:00:00Z
pub const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const PASSWORD: &str = "correct horse battery staple";

/// Defines two tests for each of these functions: one on SQLite, one on PostgreSQL.
macro_rules! on_both_engines {
    ($($name:ident,)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::TestApp::on_sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::TestApp::on_postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// A server without a listener.
pub struct TestApp {
    pub app: Services,
    pub router: Router,
    _dir: Option<TempDir>,
}

/// A whole listener as a router, to be asked without a connection.
pub fn as_router(front: Front) -> Router {
    Router::new().fallback(move |request: Request| async move {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        front.answer(peer.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 1))), request).await
    })
}

impl TestApp {
    pub async fn on_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&dir.path().join("test.db"), Clock::fixed(NOW), Random::seeded(7)).await.unwrap();
        Self::with(db, Some(dir))
    }

    pub async fn on_postgres() -> Self {
        Self::on_postgres_at(&postgres::new_database().await).await
    }

    /// A new server on this database, which other servers may use too.
    pub async fn on_postgres_at(url: &str) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(8);
        let random = Random::seeded(SEED.fetch_add(1, Ordering::SeqCst));
        Self::with(Db::postgres(url, Clock::fixed(NOW), random).await.unwrap(), None)
    }

    /// A server on this database.
    pub fn with(db: Db, dir: Option<TempDir>) -> Self {
        let app = build(Self::parts(db)).unwrap();
        let router = Self::router(&app);
        Self { app, router, _dir: dir }
    }

    fn parts(db: Db) -> ServiceSettings {
        ServiceSettings {
            db,
            master_keys: MasterKeys::from_base64(MASTER_KEY).unwrap(),
            limits: RequestLogLimits::default(),
            last_known: Duration::ZERO,
            public_origin: None,
            secure_cookies: false,
            behind_proxy: true,
            forward_auth_apart: false,
            // See `store_recordings`.
            recordings: RecordingStorage::folder(Path::new("/nowhere")).unwrap(),
        }
    }

    fn router(app: &Services) -> Router {
        as_router(Front::all(AppState { services: app.clone() }))
    }

    /// Rebuilds the server on the same database with other settings.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut ServiceSettings)) {
        let mut parts = Self::parts(self.app.db.clone());
        change(&mut parts);
        self.app = build(parts).unwrap();
        self.router = Self::router(&self.app);
    }

    /// Lets the server store recordings, in a folder that ends with the returned value.
    pub fn store_recordings(&mut self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        // Neither folder is there yet.
        let storage = RecordingStorage::folder(&dir.path().join("recordings/of tests")).unwrap();
        self.reconfigure(|parts| parts.recordings = storage);
        dir
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    pub async fn workspace(&self, name: &str) -> Workspace {
        self.app.workspaces.create(&Actor::command_line(), name, None).await.unwrap()
    }

    pub async fn agent(&self, workspace: &Workspace, name: &str) -> AgentId {
        self.app.agents.create(&workspace.id, &Actor::command_line(), name, None).await.unwrap().0.id
    }

    pub async fn user(&self, workspace: &Workspace, email: &str, role: Role) -> users::Email {
        let email = Email::parse(email).unwrap();
        let password = Password::parse(PASSWORD.to_owned()).unwrap();
        self.app.users.create(&workspace.id, &Actor::command_line(), &email, role, password).await.unwrap();
        email
    }

    /// Creates a user in the workspace and returns a browser in which they are signed in.
    pub async fn signed_in(&self, workspace: &Workspace, email: &str, role: Role) -> Browser {
        self.user(workspace, email, role).await;
        let mut browser = self.browser();
        let answer = browser.call("sign_in", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        browser
    }

    pub async fn key(&self, workspace: &Workspace, new: NewKey) -> CreatedKey {
        self.app.api_keys.create(&workspace.id, &Actor::command_line(), &new).await.unwrap()
    }

    pub async fn configure(&self, workspace: &Workspace, agent: &AgentId, metrics: AllowedMetrics, transcript: bool) {
        let configuration = NewConfiguration { metrics, transcript, caller_numbers: None };
        let actor = Actor::command_line();
        self.app.configurations.set(&workspace.id, &actor, agent.as_str(), &configuration).await.unwrap();
    }

    /// Lets everything through but the callers' numbers, which appear as said.
    pub async fn configure_caller_numbers(&self, workspace: &Workspace, agent: &AgentId, numbers: CallerNumbers) {
        let configuration =
            NewConfiguration { metrics: AllowedMetrics::All, transcript: true, caller_numbers: Some(numbers) };
        let actor = Actor::command_line();
        self.app.configurations.set(&workspace.id, &actor, agent.as_str(), &configuration).await.unwrap();
    }

    pub async fn import(&self, workspace: &Workspace, agent: &AgentId, lines: &str) -> ImportSummary {
        let file = std::io::Cursor::new(lines.to_owned());
        let rejected = |place, reason: &_| panic!("{place}: {reason}");
        self.app.conversations.import(&workspace.id, agent, file, rejected).await.unwrap()
    }
}

/// A new key for all agents with all permissions but Agents, valid for 30 days.
pub fn new_key(name: &str) -> NewKey {
    NewKey {
        name: KeyName::parse(name).unwrap(),
        scope: AgentScope::All,
        permissions: Permissions::parse(["conversations", "handoff", "external-events"]).unwrap(),
        expires_at: NOW.plus_days(30),
        settings: agent_studio::api_keys::KeySettings::default(),
    }
}

/// A conversation that began `seconds_ago` before [`NOW`], as a line of JSON.
pub fn conversation(id: &str, seconds_ago: i64) -> String {
    format!(
        concat!(
            r#"{{"id":"{}","started_at":"{}","environment":"live","channel":"VOICE-SIP","from_number":"+447700900001","#,
            r#""handoff":true,"handoff_reason":"billing","handoff_destination":"desk","#,
            r#""metrics":{{"CALL_COMPLETED":"true","HANDOFF_REASON":"billing","HANDOFF_TO":"desk","NIGHTS":"3"}},"#,
            r#""turns":[{{"agent_response":"Hello","latency":0.5}},{{"user_input":"A room please"}}]}}"#,
            "\n"
        ),
        id,
        NOW.plus_seconds(-seconds_ago).iso()
    )
}
