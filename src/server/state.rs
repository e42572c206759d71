//! What every handler needs, made once at start.

use super::clock::Clock;
use super::master_key::MasterKey;
use super::metrics::Metrics;
use super::randomness::Random;
use crate::db::Db;
use crate::error::Error;
use crate::external_events::arrivals::Arrivals;
use crate::gate::index::Gate;
use crate::usage::record::Usage;
use crate::users::password::Passwords;
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use std::net::IpAddr;
use std::sync::Arc;

/// The application without its web server: what the command line uses too.
#[derive(Debug)]
pub struct App {
    /// Where everything is kept.
    pub db: Db,
    /// The present.
    pub clock: Clock,
    /// Ids, keys, tokens.
    pub random: Random,
    /// Seals key values that can be copied later.
    pub master_key: MasterKey,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// What calls with keys are decided by.
    pub gate: Gate,
    /// How keys are used.
    pub usage: Usage,
    /// What is measured for operators.
    pub metrics: Metrics,
    /// Who waits for external events.
    pub arrivals: Arrivals,
    /// `https://keys.example.com`, where it is known; else each request's own host is trusted to be ours.
    pub public_origin: Option<String>,
    /// Whether the last address of `X-Forwarded-For` is the client's.
    pub behind_proxy: bool,
    /// Whether cookies go over HTTPS only.
    pub secure_cookies: bool,
    /// Whether forward auth has an address of its own.
    pub forward_auth_apart: bool,
}

/// What axum hands to each handler.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The application.
    pub app: Arc<App>,
    /// Where Leptos finds its files.
    pub leptos: LeptosOptions,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

impl FromRef<AppState> for Arc<App> {
    fn from_ref(state: &AppState) -> Self {
        state.app.clone()
    }
}

/// The application, inside a server function.
pub fn app() -> Result<Arc<App>, Error> {
    leptos::prelude::use_context().ok_or(Error::Internal)
}

/// Who is behind an action, for the audit entries.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's id; `None` for the command line.
    pub id: Option<crate::id::UserId>,
    /// The user's e-mail, or `command line`.
    pub name: String,
    /// The client's address; `None` for the command line.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// Somebody with a shell on the server.
    pub fn command_line() -> Self {
        Self { id: None, name: "command line".to_owned(), address: None }
    }
}
