//! What stands around the features: settings, database, the router with every route, and the layers that every
//! request passes. [`build`] is shared by the command line and the tests.

/// The OpenAPI document and the pages to browse it by.
pub mod api_docs;
/// Where a request comes from.
pub mod client_address;
/// The clock, passed in so that tests know every second.
pub mod clock;
/// Plain form posts without JavaScript: what was typed survives a refusal.
pub mod form_drafts;
/// The security headers.
pub mod headers;
/// Alive, ready, and metrics.
pub mod health;
/// The key that seals what has to be read again.
pub mod master_key;
/// Metrics for Prometheus.
pub mod metrics;
/// One Origin check for every unsafe method.
pub mod origin_check;
/// What holds for pages alone.
pub mod pages_only;
/// Randomness, passed in so that tests know every id.
pub mod randomness;
/// Every route on one page.
pub mod router;
/// Start, serve, stop.
pub mod serve;
/// What a failed server function answers.
pub mod server_functions;
/// Flags, environment variables and the settings file.
pub mod settings;
/// The HTML document around every page.
pub mod shell;
/// What every handler needs.
pub mod state;
/// Tokens that are looked up by their hash.
pub mod token;

pub use router::{build, openapi};
pub use state::{App, AppState};
