//! Application state shared by all handlers.

use crate::agents::service::Agents;
use crate::backups::schedule::BackupStatus;
use crate::conversations::service::Conversations;
use crate::db::Db;
use crate::deployments::service::Deployments;
use crate::external_events::arrivals::Arrivals;
use crate::external_events::service::ExternalEvents;
use crate::gate::state::Gate;
use crate::handoff::service::Handoffs;
use crate::http::client_address::ForwardedCounts;
use crate::http::headers::Https;
use crate::http::origin_check::PublicOrigin;
use crate::recordings::service::Recordings;
use crate::runtime_tokens::service::RuntimeTokens;
use crate::server::metrics::{MetricSources, ServerMetrics};
use crate::sessions::service::Sessions;
use crate::sessions::shown_once::ShownOnce;
use crate::usage::record::Usage;
use crate::variants::service::Variants;
use crate::web::services::PageServices;
use crate::web::site;
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use std::ops::Deref;
use std::sync::Arc;

/// All services, made by [`build`](super::build::build). Handlers take the ones that they need.
#[derive(Clone, Debug)]
pub struct Services {
    pub db: Db,
    /// The services of the pages. The APIs and the command line use them too.
    pub pages: Arc<PageServices>,
    pub external_events: ExternalEvents,
    pub handoffs: Handoffs,
    pub recordings: Recordings,
    pub runtime_tokens: RuntimeTokens,
    pub sessions: Sessions,
    pub gate: Arc<Gate>,
    pub usage: Arc<Usage>,
    pub arrivals: Arc<Arrivals>,
    pub metrics: Arc<ServerMetrics>,
    pub backup_status: Arc<BackupStatus>,
    pub forwarded: Arc<ForwardedCounts>,
    /// Trust the last address in `X-Forwarded-For` (set when a reverse proxy is in front).
    pub behind_proxy: bool,
    /// Whether forward auth has its own listener.
    pub forward_auth_apart: bool,
}

impl Services {
    /// What the metrics are read from.
    pub fn metric_sources(&self) -> MetricSources<'_> {
        MetricSources {
            db: &self.db,
            gate: &self.gate,
            usage: &self.usage,
            backups: &self.backup_status,
            forwarded: &self.forwarded,
        }
    }
}

impl Deref for Services {
    type Target = PageServices;

    fn deref(&self) -> &PageServices {
        &self.pages
    }
}

/// State of the axum router.
#[derive(Clone, Debug)]
pub struct AppState {
    pub services: Services,
}

/// Implements `FromRef` for the parts of the state that handlers take.
macro_rules! parts {
    ($($part:ty: |$state:ident| $value:expr;)*) => {$(
        impl FromRef<AppState> for $part {
            fn from_ref($state: &AppState) -> Self {
                $value
            }
        }
    )*};
}

parts! {
    LeptosOptions: |_state| site::LEPTOS.clone();
    Services: |state| state.services.clone();
    Arc<PageServices>: |state| state.services.pages.clone();
    Arc<Gate>: |state| state.services.gate.clone();
    Agents: |state| state.services.agents.clone();
    Conversations: |state| state.services.conversations.clone();
    Deployments: |state| state.services.deployments.clone();
    Variants: |state| state.services.variants.clone();
    ExternalEvents: |state| state.services.external_events.clone();
    Recordings: |state| state.services.recordings.clone();
    Handoffs: |state| state.services.handoffs.clone();
    RuntimeTokens: |state| state.services.runtime_tokens.clone();
    ShownOnce: |state| state.services.shown_once.clone();
    Https: |state| Https(state.services.secure_cookies);
    PublicOrigin: |state| PublicOrigin(state.services.public_origin.clone());
}
