//! Usage of keys: counts, request log, reports. Every call is counted and most calls are logged. A call only increments
//! atomic counters and puts a row into a queue; a background worker writes both to the database.

/// Counters of one key.
#[cfg(feature = "ssr")]
pub mod counts;
/// Metrics.
#[cfg(feature = "ssr")]
pub mod metrics;
pub mod model;
/// Ranking keys by their calls.
#[cfg(feature = "ssr")]
pub mod ranking;
/// Recording calls: middleware, counters and the queue of the request log.
#[cfg(feature = "ssr")]
pub mod record;
/// Reports for pages and command line.
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod store;
/// Background worker that writes usage to the database and deletes old rows.
#[cfg(feature = "ssr")]
pub mod writer;

pub use model::{Api, Outcome, Period, Tally};
