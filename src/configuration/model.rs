//! Types for Configuration.

use crate::agents::AgentName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The metrics that the contract documents and every agent can report.
pub const DOCUMENTED_METRICS: [&str; 4] = ["CALL_IN_PROGRESS", "CALL_COMPLETED", "HANDOFF_REASON", "HANDOFF_TO"];

/// The metrics that appear in API responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowedMetrics {
    /// All metrics, including those added later.
    All,
    /// Only the metrics with these names.
    Only(BTreeSet<String>),
}

impl AllowedMetrics {
    pub fn allow(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Configuration of one agent: what API responses contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub metrics: AllowedMetrics,
    pub transcript: bool,
}

impl Default for Configuration {
    /// No metrics and no transcript.
    fn default() -> Self {
        Self { metrics: AllowedMetrics::Only(BTreeSet::new()), transcript: false }
    }
}

/// An agent's configuration with the choices that the page offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfiguration {
    pub agent: AgentName,
    pub configuration: Configuration,
    /// All metric names to choose from: the documented ones, and those that occurred in the agent's conversations.
    pub offered: Vec<String>,
}
