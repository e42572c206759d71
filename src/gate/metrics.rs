//! Metrics of the gate.

use prometheus::{Histogram, HistogramOpts};
use std::time::Instant;

/// Durations of decisions and of the propagation of changes.
#[derive(Clone, Debug)]
pub struct GateMetrics {
    pub decisions: Histogram,
    pub changes: Histogram,
}

impl GateMetrics {
    pub fn new() -> Result<Self, prometheus::Error> {
        let decisions = HistogramOpts::new("gate_seconds", "From a call's beginning until the gate let it in.");
        let decisions = Histogram::with_opts(
            decisions.buckets(vec![1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]),
        )?;
        let changes = HistogramOpts::new(
            "gate_change_seconds",
            "From the commit of a change until no server decides without it: the revocation lag.",
        );
        let changes = Histogram::with_opts(
            changes.buckets(vec![1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 5e-1, 1.0, 2.0, 5.0]),
        )?;
        Ok(Self { decisions, changes })
    }

    /// Records the decision on a call that began at this time and was let in.
    pub fn decided(&self, began: Instant) {
        self.decisions.observe(began.elapsed().as_secs_f64());
    }

    /// Records that all servers have applied a change that was committed at this time.
    pub fn changed(&self, committed: Instant) {
        self.changes.observe(committed.elapsed().as_secs_f64());
    }
}
