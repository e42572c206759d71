//! What every handler needs, made once at start.

use crate::base::clock::Clock;
use crate::base::error::Error;
use crate::base::randomness::Random;
use crate::base::sealing::MasterKey;
use crate::db::Db;
use crate::external_events::arrivals::Arrivals;
use crate::gate::index::Gate;
use crate::server::metrics::Metrics;
use crate::usage::record::Usage;
use crate::users::password::Passwords;
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
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
