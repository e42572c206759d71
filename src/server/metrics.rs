//! Metrics for Prometheus. No label contains a key, a person or a workspace.

use crate::backups::schedule::BackupStatus;
use crate::db::Db;
use crate::gate::metrics::GateMetrics;
use crate::gate::state::DecisionSource;
use crate::gate::state::Gate;
use crate::http::client_address::ForwardedCounts;
use crate::usage::metrics::CallMetrics;
use crate::usage::record::Usage;
use prometheus::{Encoder as _, Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

/// What the metrics are read from.
#[derive(Clone, Copy, Debug)]
pub struct MetricSources<'a> {
    pub db: &'a Db,
    pub gate: &'a Gate,
    pub usage: &'a Usage,
    pub backups: &'a BackupStatus,
    pub forwarded: &'a ForwardedCounts,
}

/// All metrics of the server.
#[derive(Debug)]
pub struct ServerMetrics {
    registry: Registry,
    keys: Gauge,
    index_age: Gauge,
    basis: GaugeVec,
    connections: GaugeVec,
    waiting: Gauge,
    busy: GaugeVec,
    no_turn: IntCounterVec,
    writable: Gauge,
    backup_age: Gauge,
    backup_failures: IntCounter,
    forwarded: IntCounterVec,
}

impl ServerMetrics {
    pub fn new(gate: &GateMetrics, calls: &CallMetrics) -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("agent_studio".to_owned()), None)?;
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
        let backup_age = Gauge::new(
            "backup_age_seconds",
            "Age of the newest backup in the folder of --backup-to; NaN if there is none.",
        )?;
        let backup_failures =
            IntCounter::new("backup_failures_total", "Backups of --backup-to that could not be made.")?;
        let forwarded = IntCounterVec::new(
            Opts::new("forwarded_requests_total", "Requests by whether a proxy sent X-Forwarded-For."),
            &["header"],
        )?;
        let build = GaugeVec::new(Opts::new("build_info", "1 for the program's version."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        registry.register(Box::new(build))?;
        registry.register(Box::new(forwarded.clone()))?;
        registry.register(Box::new(backup_age.clone()))?;
        registry.register(Box::new(backup_failures.clone()))?;
        registry.register(Box::new(busy.clone()))?;
        registry.register(Box::new(no_turn.clone()))?;
        registry.register(Box::new(writable.clone()))?;
        registry.register(Box::new(calls.all.clone()))?;
        registry.register(Box::new(calls.left_out.clone()))?;
        registry.register(Box::new(gate.decisions.clone()))?;
        registry.register(Box::new(gate.changes.clone()))?;
        registry.register(Box::new(keys.clone()))?;
        registry.register(Box::new(index_age.clone()))?;
        registry.register(Box::new(basis.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        Ok(Self {
            registry,
            keys,
            index_age,
            basis,
            connections,
            waiting,
            busy,
            no_turn,
            writable,
            backup_age,
            backup_failures,
            forwarded,
        })
    }

    /// All metrics in Prometheus's text format.
    pub fn text(&self, sources: MetricSources<'_>) -> Result<String, prometheus::Error> {
        let MetricSources { db, gate, usage, backups, forwarded } = sources;
        let (with, without) = forwarded.get();
        for (header, count) in [("present", with), ("absent", without)] {
            let counted = self.forwarded.with_label_values(&[header]);
            counted.inc_by(count.saturating_sub(counted.get()));
        }
        self.backup_age.set(backups.age(db.now()).map_or(f64::NAN, |age| age.as_secs_f64()));
        self.backup_failures.inc_by(backups.failures().saturating_sub(self.backup_failures.get()));
        self.keys.set(gate.index().len() as f64);
        self.index_age.set(gate.age().map_or(f64::NAN, |age| age.as_secs_f64()));
        let now = gate.decision_source();
        for basis in DecisionSource::ALL {
            self.basis.with_label_values(&[basis.id()]).set(f64::from(u8::from(basis == now)));
        }
        self.waiting.set(usage.queued() as f64);
        let pool = |name: &str, open: u32, idle: usize| {
            let busy = f64::from(open) - idle as f64;
            self.connections.with_label_values(&[name, "idle"]).set(idle as f64);
            self.connections.with_label_values(&[name, "busy"]).set(busy.max(0.0));
        };
        for places in db.places() {
            let work = places.work();
            let (open, idle) = db.connections(work);
            pool(work.id(), open, idle);
            self.busy.with_label_values(&[work.id()]).set(places.taken() as f64);
            let refused = self.no_turn.with_label_values(&[work.id()]);
            refused.inc_by(places.refused().saturating_sub(refused.get()));
        }
        self.writable.set(f64::from(u8::from(db.write_failure().is_none())));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}
