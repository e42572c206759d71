//! How keys are used: every call is counted, and most are logged for a while. The path of a call costs a few atomic
//! counts; a worker writes them down.

/// What is counted of a key until it is written down.
#[cfg(feature = "ssr")]
pub mod counts;
/// What is measured.
#[cfg(feature = "ssr")]
pub mod metrics;
/// Types and rules.
pub mod model;
/// Counts and the queue of the log: what a call touches.
#[cfg(feature = "ssr")]
pub mod record;
/// Counts and log, as they are shown.
#[cfg(feature = "ssr")]
pub mod service;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;
/// The worker that writes down what was counted, and forgets what is old.
#[cfg(feature = "ssr")]
pub mod writer;

pub use model::{Api, Outcome};
