//! Settings; building, running and stopping the application; metrics and health. The command line and the tests share
//! `build`.

/// Building the services.
pub mod build;
/// Forward auth and health checks, which stand before the router.
pub mod front;
/// Endpoints for health and metrics.
pub mod health;
/// The log, and traces.
pub mod log;
/// Metrics for Prometheus.
pub mod metrics;
/// All routes but those of single pages.
pub mod router;
/// Starting, serving and stopping.
pub mod serve;
/// Flags, environment variables and the settings file.
pub mod settings;
/// Application state shared by all handlers.
pub mod state;

pub use router::openapi;
pub use state::{AppState, Services};
