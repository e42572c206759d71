//! What operators ask a running server: alive, ready, and how it does.

use crate::gate::index::DecisionSource;
use crate::server::state::{AppState, Services};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;

/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether calls can be decided, and by what.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// `answers`, or why it does not.
    database: String,
    /// `possible`, or why nothing can be written.
    writes: String,
    /// What calls are decided by: `index`, `database`, `last-known` or `nothing`.
    gate: &'static str,
    keys: usize,
    /// Since the index was last known to be up to date; null before it ever was.
    index_age_ms: Option<u64>,
    /// Whether changes of the database are heard of.
    listener: &'static str,
}

/// Alive and ready.
pub fn routes() -> Router<AppState> {
    let elsewhere = || async { (StatusCode::NOT_FOUND, "Metrics have an address of their own (--metrics-listen).\n") };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        // Nor is it a workspace of this name.
        .route("/metrics", get(elsewhere))
}

/// Metrics, for the address of their own.
pub fn metrics_routes() -> Router<AppState> {
    Router::new().route("/metrics", get(metrics))
}

async fn ready(State(services): State<Services>) -> Response {
    // Anyone may ask this: never by the gate's connections.
    let unreachable = services.db.answers().await.err();
    let database = unreachable.is_none();
    let write_failure = services.db.write_failure();
    let basis = services.gate.basis();
    let ready = match basis {
        DecisionSource::Index | DecisionSource::LastKnown => true,
        DecisionSource::Database => database,
        DecisionSource::Nothing => false,
    } && write_failure.is_none();
    let answer = Readiness {
        ready,
        database: unreachable.map_or("answers".to_owned(), |why| why.to_string()),
        writes: write_failure.map_or("possible".to_owned(), |why| why.to_string()),
        gate: basis.id(),
        keys: services.gate.index().len(),
        index_age_ms: services.gate.age().map(|age| age.as_millis() as u64),
        listener: if basis == DecisionSource::Index { "follows" } else { "does not follow" },
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(answer)).into_response()
}

async fn metrics(State(services): State<Services>) -> Response {
    match services.metrics.text(&services.db, &services.gate, &services.usage) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
