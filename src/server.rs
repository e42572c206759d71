//! Settings, and building, running and stopping the application. `build` is shared by the command line and the tests.

/// Composes the services.
pub mod build;
/// Alive, ready, and metrics.
pub mod health;
/// Metrics for Prometheus.
pub mod metrics;
/// Every route but the pages'.
pub mod router;
/// Start, serve, stop.
pub mod serve;
/// Flags, environment variables and the settings file.
pub mod settings;
/// Application state shared by all handlers.
pub mod state;

pub use router::openapi;
pub use state::{AppState, Services};
