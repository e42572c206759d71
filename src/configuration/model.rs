//! Types and rules for Configuration.

use crate::agents::AgentName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The metrics that every agent can report.
pub const DOCUMENTED_METRICS: [&str; 4] = ["CALL_IN_PROGRESS", "CALL_COMPLETED", "HANDOFF_REASON", "HANDOFF_TO"];

/// Which metrics appear in API responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowedMetrics {
    /// Every one, those that come later too.
    All,
    /// These and no others.
    Only(BTreeSet<String>),
}

impl AllowedMetrics {
    /// Whether this metric appears.
    pub fn allow(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// What one agent lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub metrics: AllowedMetrics,
    pub transcript: bool,
}

impl Default for Configuration {
    /// Nothing.
    fn default() -> Self {
        Self { metrics: AllowedMetrics::Only(BTreeSet::new()), transcript: false }
    }
}

/// One agent's card on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfiguration {
    pub agent: AgentName,
    pub configuration: Configuration,
    /// Every metric name that can be chosen: the documented ones and those seen in its conversations.
    pub offered: Vec<String>,
}
