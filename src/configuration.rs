//! What each agent lets through to every key that may read its conversations: which response metrics, and whether
//! transcripts. A fresh agent lets nothing through.

/// Types and rules.
pub mod model;
/// What one can do, in one transaction each.
#[cfg(feature = "ssr")]
pub mod service;
/// The SQL.
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{AgentConfiguration, AllowedMetrics, Configuration, DOCUMENTED_METRICS};
