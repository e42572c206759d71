//! Metrics of calls with keys.

use crate::usage::{Api, Outcome};
use prometheus::{IntCounter, IntCounterVec, Opts};

/// Counters of calls.
#[derive(Clone, Debug)]
pub struct CallMetrics {
    pub all: IntCounterVec,
    /// Counters by API and outcome, resolved once so that a call needs no lookup by label.
    requests: [[IntCounter; Outcome::ALL.len()]; Api::ALL.len()],
    pub left_out: IntCounter,
}

impl CallMetrics {
    pub fn new() -> Result<Self, prometheus::Error> {
        let all = IntCounterVec::new(
            Opts::new("requests_total", "Calls with API keys, by API and what became of them."),
            &["api", "outcome"],
        )?;
        let left_out = IntCounter::new("request_log_left_out_total", "Calls that were counted and not logged.")?;
        let of = |api: Api| Outcome::ALL.map(|outcome| all.with_label_values(&[api.id(), outcome.id()]));
        Ok(Self { requests: Api::ALL.map(of), all, left_out })
    }

    /// The counter of calls to an API with this outcome.
    pub fn requests(&self, api: Api, outcome: Outcome) -> &IntCounter {
        &self.requests[api as usize][outcome as usize]
    }

    /// The counter of calls that were not logged.
    pub fn left_out(&self) -> &IntCounter {
        &self.left_out
    }
}
