//! Endpoints for operators: liveness, readiness and metrics.

use crate::gate::state::DecisionSource;
use crate::server::state::{AppState, Services};
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;

/// Content type of Prometheus's text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The response of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// `answers`, or why the database does not answer.
    database: String,
    /// `possible`, or why nothing can be written.
    writes: String,
    /// The data by which calls are decided: `index`, `database`, `last-known` or `nothing`.
    gate: &'static str,
    keys: usize,
    /// Milliseconds since the index was last known to be up to date; null if it never was.
    index_age_ms: Option<u64>,
    /// `follows` while the index follows the database, else `does not follow`.
    listener: &'static str,
    /// Seconds since the newest backup of `--backup-to` was made; null if there is none.
    backup_age_s: Option<u64>,
}

/// A health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `/healthz`: the process answers.
    Live,
    /// `/readyz`: calls can be decided and changes written.
    Ready,
}

impl Probe {
    /// The health check with this path.
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    pub async fn answer(self, services: &Services, method: &Method) -> Response {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response();
        }
        match self {
            Self::Live => "ok\n".into_response(),
            Self::Ready => Box::pin(ready(services)).await,
        }
    }
}

/// Says where the metrics are. Without this route, the path would be taken for a workspace's page.
pub fn metrics_elsewhere() -> Router<AppState> {
    let elsewhere = || async { (StatusCode::NOT_FOUND, "Metrics have an address of their own (--metrics-listen).\n") };
    Router::new().route("/metrics", get(elsewhere))
}

/// Route of the metrics, for their own listener.
pub fn metrics_routes() -> Router<AppState> {
    Router::new().route("/metrics", get(metrics))
}

async fn ready(services: &Services) -> Response {
    // Anyone can call this, so it does not use the gate's connections.
    let unreachable = services.db.answers().await.err();
    let database = unreachable.is_none();
    let write_failure = services.db.write_failure();
    let source = services.gate.decision_source();
    let ready = match source {
        DecisionSource::Index | DecisionSource::LastKnown => true,
        DecisionSource::Database => database,
        DecisionSource::Nothing => false,
    } && write_failure.is_none();
    let answer = Readiness {
        ready,
        database: unreachable.map_or("answers".to_owned(), |why| why.to_string()),
        writes: write_failure.map_or("possible".to_owned(), |why| why.to_string()),
        gate: source.id(),
        keys: services.gate.index().len(),
        index_age_ms: services.gate.age().map(|age| age.as_millis() as u64),
        listener: if source == DecisionSource::Index { "follows" } else { "does not follow" },
        backup_age_s: services.backup_status.age(services.db.now()).map(|age| age.as_secs()),
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(answer)).into_response()
}

async fn metrics(State(services): State<Services>) -> Response {
    match services.metrics.text(services.metric_sources()) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
