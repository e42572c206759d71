//! What of calls with keys is measured.

use crate::usage::{Api, Outcome};
use prometheus::{IntCounter, IntCounterVec, Opts};

/// Calls, by API and outcome.
#[derive(Clone, Debug)]
pub struct CallMetrics {
    pub all: IntCounterVec,
    /// Found once, so that a call looks nothing up.
    requests: [[IntCounter; Outcome::ALL.len()]; Api::ALL.len()],
    pub left_out: IntCounter,
}

impl CallMetrics {
    /// Nothing measured yet.
    pub fn new() -> Result<Self, prometheus::Error> {
        let all = IntCounterVec::new(
            Opts::new("requests_total", "Calls with API keys, by API and what became of them."),
            &["api", "outcome"],
        )?;
        let left_out = IntCounter::new("request_log_left_out_total", "Calls that were counted and not logged.")?;
        let of = |api: Api| Outcome::ALL.map(|outcome| all.with_label_values(&[api.id(), outcome.id()]));
        Ok(Self { requests: Api::ALL.map(of), all, left_out })
    }

    /// Calls to an API, by what became of them.
    pub fn requests(&self, api: Api, outcome: Outcome) -> &IntCounter {
        &self.requests[api as usize][outcome as usize]
    }

    /// Calls that were not logged.
    pub fn left_out(&self) -> &IntCounter {
        &self.left_out
    }
}
