//! A whole application on either database, with a clock that stands still and randomness that repeats.

mod browser;
mod following;
pub mod postgres;
pub mod program;
mod setting;

pub use browser::{Answer, Browser};
pub use following::{follow, trusted};
pub use setting::{Headers, Setting, setting};

use agent_studio::agents::service::create as create_agent;
use agent_studio::api_keys::service::{Created, NewKey, create as create_key};
use agent_studio::api_keys::{AgentScope, KeyName, Permissions};
use agent_studio::base::actor::Actor;
use agent_studio::base::clock::Clock;
use agent_studio::base::id::AgentId;
use agent_studio::base::randomness::Random;
use agent_studio::base::sealing::MasterKey;
use agent_studio::base::time::Timestamp;
use agent_studio::configuration::{self, Configuration, Metrics};
use agent_studio::conversations::import::{Imported, import};
use agent_studio::db::Db;
use agent_studio::server::state::{App, AppState};
use agent_studio::users::password::{Password, Passwords};
use agent_studio::users::{self, Email, Role};
use agent_studio::workspaces::{self, Workspace};
use axum::Router;
use leptos::config::LeptosOptions;
use std::sync::Arc;
use tempfile::TempDir;

/// 2027-01-15T08:00:00Z
pub const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const PASSWORD: &str = "correct horse battery staple";

/// Runs each of these functions as a test on SQLite and as a test on PostgreSQL.
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

/// A server without its socket.
pub struct TestApp {
    pub app: Arc<App>,
    pub router: Router,
    _dir: Option<TempDir>,
}

impl TestApp {
    pub async fn on_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&dir.path().join("test.db")).await.unwrap();
        Self::with(db, Some(dir))
    }

    pub async fn on_postgres() -> Self {
        Self::with(Db::postgres(&postgres::new_database().await).await.unwrap(), None)
    }

    /// The server on this database.
    pub fn with(db: Db, dir: Option<TempDir>) -> Self {
        let random = Random::seeded(7);
        let app = Arc::new(App {
            db,
            clock: Clock::fixed(NOW),
            master_key: MasterKey::from_base64(MASTER_KEY).unwrap(),
            passwords: Passwords::new(&random).unwrap(),
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
        Self { app, router, _dir: dir }
    }

    /// The same server, set up differently.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut App)) {
        // The router holds the application too, and is built anew.
        self.router = Router::new();
        change(Arc::get_mut(&mut self.app).unwrap());
        let leptos = LeptosOptions::builder().output_name("agent-studio").build();
        self.router = agent_studio::server::build(AppState { app: self.app.clone(), leptos });
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    pub async fn workspace(&self, name: &str) -> Workspace {
        let mut tx = self.app.db.begin().await.unwrap();
        let made = workspaces::service::create(&mut tx, &self.app, &Actor::command_line(), name, None).await.unwrap();
        tx.commit().await.unwrap();
        made
    }

    pub async fn agent(&self, workspace: &Workspace, name: &str) -> AgentId {
        create_agent(&self.app, &workspace.id, &Actor::command_line(), name, None).await.unwrap().0.id
    }

    pub async fn user(&self, workspace: &Workspace, email: &str, role: Role) -> users::Email {
        let email = Email::parse(email).unwrap();
        let password = Password::parse(PASSWORD.to_owned()).unwrap();
        users::service::create(&self.app, &workspace.id, &Actor::command_line(), &email, role, password).await.unwrap();
        email
    }

    /// A browser in which this person, new in the workspace, is signed in.
    pub async fn signed_in(&self, workspace: &Workspace, email: &str, role: Role) -> Browser {
        self.user(workspace, email, role).await;
        let mut browser = self.browser();
        let answer = browser.call("sign_in", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        browser
    }

    pub async fn key(&self, workspace: &Workspace, new: NewKey) -> Created {
        create_key(&self.app, &workspace.id, &Actor::command_line(), &new).await.unwrap()
    }

    pub async fn configure(&self, workspace: &Workspace, agent: &AgentId, metrics: Metrics, transcript: bool) {
        let configuration = Configuration { metrics, transcript };
        let actor = Actor::command_line();
        configuration::service::set(&self.app, &workspace.id, &actor, agent.as_str(), &configuration).await.unwrap();
    }

    pub async fn import(&self, workspace: &Workspace, agent: &AgentId, lines: &str) -> Imported {
        let reader = std::io::BufReader::new(lines.as_bytes());
        import(&self.app, &workspace.id, agent, reader, |_| (), |n, reason| panic!("line {n}: {reason}")).await.unwrap()
    }
}

/// A key for everything, good for 30 days.
pub fn new_key(name: &str) -> NewKey {
    NewKey {
        name: KeyName::parse(name).unwrap(),
        scope: AgentScope::All,
        permissions: Permissions::parse(["conversations", "handoff", "external-events"]).unwrap(),
        expires_at: NOW.plus_days(30),
    }
}

/// A conversation that began so many seconds before [`NOW`], as a line of JSON.
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
