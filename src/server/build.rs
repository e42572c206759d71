//! Builds the services, for the server, the command line, tests and benchmarks.

use crate::agents::service::Agents;
use crate::api_keys::service::ApiKeys;
use crate::audit::AuditLog;
use crate::base::sealing::MasterKeys;
use crate::configuration::service::Configurations;
use crate::conversations::service::Conversations;
use crate::db::Db;
use crate::deployments::service::Deployments;
use crate::external_events::arrivals::Arrivals;
use crate::external_events::service::ExternalEvents;
use crate::gate::follower;
use crate::gate::metrics::GateMetrics;
use crate::gate::state::Gate;
use crate::handoff::service::Handoffs;
use crate::key_requests::service::KeyRequests;
use crate::recordings::service::Recordings;
use crate::recordings::storage::RecordingStorage;
use crate::runtime_tokens::service::RuntimeTokens;
use crate::server::metrics::ServerMetrics;
use crate::server::state::Services;
use crate::sessions::form_drafts::FormDrafts;
use crate::sessions::service::Sessions;
use crate::sessions::shown_once::ShownOnce;
use crate::sessions::throttle::SignInThrottle;
use crate::usage::metrics::CallMetrics;
use crate::usage::record::{RequestLogLimits, Usage};
use crate::usage::service::UsageReports;
use crate::users::password::Passwords;
use crate::users::service::Users;
use crate::variants::service::Variants;
use crate::web::services::PageServices;
use crate::workspaces::service::Workspaces;
use std::sync::Arc;
use std::time::Duration;

/// The inputs of [`build`]. Clock and randomness come from the database.
#[derive(Debug)]
pub struct ServiceSettings {
    pub db: Db,
    pub master_keys: MasterKeys,
    pub limits: RequestLogLimits,
    /// How long the gate uses its index after the database became unreachable.
    pub last_known: Duration,
    pub public_origin: Option<String>,
    pub secure_cookies: bool,
    pub behind_proxy: bool,
    pub forward_auth_apart: bool,
    /// Where the audio of recordings is.
    pub recordings: RecordingStorage,
}

/// Builds the services. The error is one sentence.
pub fn build(parts: ServiceSettings) -> Result<Services, String> {
    let ServiceSettings {
        db,
        master_keys,
        limits,
        last_known,
        public_origin,
        secure_cookies,
        behind_proxy,
        forward_auth_apart,
        recordings,
    } = parts;
    let sealing = Arc::new(master_keys);
    let passwords = Arc::new(Passwords::new(db.random()).map_err(|e| e.to_string())?);
    let gate_metrics = GateMetrics::new().map_err(|e| e.to_string())?;
    let call_metrics = CallMetrics::new().map_err(|e| e.to_string())?;
    let metrics = Arc::new(ServerMetrics::new(&gate_metrics, &call_metrics).map_err(|e| e.to_string())?);
    let gate = Arc::new(Gate::new(db.clone(), gate_metrics, last_known));
    follower::install(&gate);
    let arrivals = Arc::new(Arrivals::default());
    let recordings = Recordings::new(db.clone(), recordings);
    let conversations = Conversations::new(db.clone(), recordings.clone());
    let api_keys = ApiKeys::new(db.clone(), sealing.clone());
    let pages = PageServices {
        clock: db.clock().clone(),
        agents: Agents::new(db.clone(), conversations.clone()),
        key_requests: KeyRequests::new(db.clone(), api_keys.clone()),
        api_keys,
        audit: AuditLog::new(db.clone()),
        configurations: Configurations::new(db.clone()),
        conversations,
        deployments: Deployments::new(db.clone()),
        reports: UsageReports::new(db.clone(), limits),
        users: Users::new(db.clone(), passwords),
        variants: Variants::new(db.clone()),
        workspaces: Workspaces::new(db.clone()),
        throttle: SignInThrottle::new(db.clone()),
        shown_once: ShownOnce::new(db.clone(), sealing.clone()),
        form_drafts: FormDrafts::new(db.clone()),
        sealing,
        public_origin: public_origin.map(Arc::from),
        secure_cookies,
    };
    Ok(Services {
        pages: Arc::new(pages),
        external_events: ExternalEvents::new(db.clone(), arrivals.clone()),
        handoffs: Handoffs::new(db.clone()),
        recordings,
        runtime_tokens: RuntimeTokens::new(db.clone()),
        sessions: Sessions::new(db.clone()),
        usage: Arc::new(Usage::new(db.clone(), call_metrics, limits)),
        gate,
        arrivals,
        metrics,
        backup_status: Arc::default(),
        forwarded: Arc::default(),
        db,
        behind_proxy,
        forward_auth_apart,
    })
}
