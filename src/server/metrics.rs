//! Metrics for Prometheus. No label names a key, a person or a workspace.

use crate::gate::index::Basis;
use crate::server::state::App;
use crate::usage::{Api, Outcome};
use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};
use std::time::Instant;

/// What is measured while the server runs.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By API and outcome: found once, so that a call looks nothing up.
    requests: [[IntCounter; Outcome::ALL.len()]; Api::ALL.len()],
    left_out: IntCounter,
    decisions: Histogram,
    changes: Histogram,
    keys: Gauge,
    index_age: Gauge,
    basis: GaugeVec,
    connections: GaugeVec,
    waiting: Gauge,
    busy: GaugeVec,
    no_turn: IntCounterVec,
    writable: Gauge,
}

impl Metrics {
    /// Nothing measured yet.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("agent_studio".to_owned()), None)?;
        let requests = IntCounterVec::new(
            Opts::new("requests_total", "Calls with API keys, by API and what became of them."),
            &["api", "outcome"],
        )?;
        let left_out = IntCounter::new("request_log_left_out_total", "Calls that were counted and not logged.")?;
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
        let keys = Gauge::new("gate_keys", "Keys in memory.")?;
        let index_age = Gauge::new(
            "gate_index_age_seconds",
            "Since the keys in memory were last known to be up to date; NaN before they ever were.",
        )?;
        let basis = GaugeVec::new(Opts::new("gate_basis", "1 for what calls are decided by now."), &["basis"])?;
        let connections = GaugeVec::new(
            Opts::new("database_connections", "Open connections, by pool and state."),
            &["pool", "state"],
        )?;
        let waiting = Gauge::new("request_log_waiting", "Rows of the request log that wait to be written.")?;
        let busy = GaugeVec::new(Opts::new("database_work", "Work on the database under way, by kind."), &["work"])?;
        let no_turn = IntCounterVec::new(
            Opts::new(
                "database_refused_total",
                "Work on the database that had no turn in time, by kind: answered 503.",
            ),
            &["work"],
        )?;
        let writable =
            Gauge::new("database_writable", "1 unless the last write failed because nothing can be written.")?;
        registry.register(Box::new(busy.clone()))?;
        registry.register(Box::new(no_turn.clone()))?;
        registry.register(Box::new(writable.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(left_out.clone()))?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(changes.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        registry.register(Box::new(index_age.clone()))?;
        registry.register(Box::new(basis.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        let of = |api: Api| Outcome::ALL.map(|outcome| requests.with_label_values(&[api.id(), outcome.id()]));
        let requests = Api::ALL.map(of);
        Ok(Self {
            registry,
            requests,
            left_out,
            decisions,
            changes,
            keys,
            index_age,
            basis,
            connections,
            waiting,
            busy,
            no_turn,
            writable,
        })
    }

    /// Calls to an API, by what became of them.
    pub fn requests(&self, api: Api, outcome: Outcome) -> &IntCounter {
        &self.requests[api as usize][outcome as usize]
    }

    /// Calls that were not logged.
    pub fn left_out(&self) -> &IntCounter {
        &self.left_out
    }

    /// The gate has let a call in that began then.
    pub fn decided(&self, began: Instant) {
        self.decisions.observe(began.elapsed().as_secs_f64());
    }

    /// A change that was committed then holds everywhere.
    pub fn changed(&self, committed: Instant) {
        self.changes.observe(committed.elapsed().as_secs_f64());
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self, app: &App) -> Result<String, prometheus::Error> {
        self.keys.set(app.gate.index().len() as f64);
        self.index_age.set(app.gate.age().map_or(f64::NAN, |age| age.as_secs_f64()));
        let now = app.gate.basis();
        for basis in Basis::ALL {
            self.basis.with_label_values(&[basis.id()]).set(f64::from(u8::from(basis == now)));
        }
        self.waiting.set(app.usage.queued() as f64);
        let pool = |name: &str, open: u32, idle: usize| {
            let busy = f64::from(open) - idle as f64;
            self.connections.with_label_values(&[name, "idle"]).set(idle as f64);
            self.connections.with_label_values(&[name, "busy"]).set(busy.max(0.0));
        };
        for places in app.db.places() {
            let work = places.work();
            let (open, idle) = app.db.connections(work);
            pool(work.id(), open, idle);
            self.busy.with_label_values(&[work.id()]).set(places.taken() as f64);
            let refused = self.no_turn.with_label_values(&[work.id()]);
            refused.inc_by(places.refused().saturating_sub(refused.get()));
        }
        self.writable.set(f64::from(u8::from(app.db.write_failure().is_none())));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the names and buckets above are constants, and a test makes them")]
        Self::new().expect("metrics are well-formed")
    }
}
