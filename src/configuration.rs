//! Configuration of each agent: which metrics the APIs return, and whether they return transcripts. It applies to every
//! key that can read the agent's conversations. By default neither is returned.

pub mod model;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod store;

pub use model::{
    AgentConfiguration, AllowedMetrics, CallerNumbers, Configuration, ConfigurationSummary, DOCUMENTED_METRICS,
};
