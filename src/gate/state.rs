//! The gate: the index, and the state that says whether it may be trusted. Readers take no lock.

use crate::db::{CommitMark, Db, DbError};
use crate::gate::followers::Acknowledgements;
use crate::gate::index::Index;
use crate::gate::limits::Limiters;
use crate::gate::metrics::GateMetrics;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The data by which the gate decides at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionSource {
    /// The index, while it is up to date.
    Index,
    /// The database, queried for each call.
    Database,
    /// The index as it was when the database became unreachable. Only if the operator allows it.
    LastKnown,
    /// Nothing: the database is unreachable, and calls are refused.
    Nothing,
}

impl DecisionSource {
    pub const ALL: [Self; 4] = [Self::Index, Self::Database, Self::LastKnown, Self::Nothing];

    /// The name in health and metrics.
    pub fn id(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Database => "database",
            Self::LastKnown => "last-known",
            Self::Nothing => "nothing",
        }
    }
}

/// Where the data for one decision is read from.
pub enum View {
    /// From the index.
    Index(arc_swap::Guard<Arc<Index>>),
    /// From the database.
    Database,
}

/// Longer than a tick of the clock by which file systems note the time of a write.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// SQLite's last commit before a poll.
#[derive(Clone, Copy, Debug)]
struct PolledCommit {
    mark: CommitMark,
    /// When it was first read.
    since: Instant,
    /// Whether a poll more than a tick later found the same mark: a later commit has another one.
    settled: bool,
}

/// The gate: the index, and until when it may be trusted.
#[derive(Debug)]
pub struct Gate {
    db: Db,
    metrics: GateMetrics,
    index: ArcSwap<Index>,
    born: Instant,
    /// Microseconds since `born`; 0 while the index is not trusted.
    trusted_until: AtomicU64,
    /// When the index was last known to be up to date, in microseconds since `born`; 0 if it never was.
    known_at: AtomicU64,
    /// Whether the last probe of the database failed.
    gone: AtomicBool,
    /// How long the index is used after the database became unreachable.
    last_known: Duration,
    /// Number of the last change in SQLite that was applied; `None` while the index does not follow. Locked while
    /// changes are applied.
    pub(super) applied: tokio::sync::Mutex<Option<i64>>,
    polled: Mutex<Option<PolledCommit>>,
    server: String,
    /// Acknowledgements of this process's changes.
    pub(super) followers: Acknowledgements,
    pub(super) limiters: Limiters,
}

impl Gate {
    /// A gate with an empty index that is not trusted yet. If the database becomes unreachable, the gate continues to
    /// use the index for `last_known`.
    pub fn new(db: Db, metrics: GateMetrics, last_known: Duration) -> Self {
        let server = db.random().text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
        Self {
            db,
            metrics,
            index: ArcSwap::default(),
            born: Instant::now(),
            trusted_until: AtomicU64::new(0),
            known_at: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            last_known,
            applied: tokio::sync::Mutex::default(),
            polled: Mutex::default(),
            server,
            followers: Acknowledgements::default(),
            limiters: Limiters::default(),
        }
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn metrics(&self) -> &GateMetrics {
        &self.metrics
    }

    /// Random name of this server among the servers of the same database.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The data by which calls are decided now.
    pub fn decision_source(&self) -> DecisionSource {
        self.decision_source_at(Instant::now())
    }

    fn decision_source_at(&self, now: Instant) -> DecisionSource {
        let now = self.micros(now);
        if now < self.trusted_until.load(Ordering::Acquire) {
            return DecisionSource::Index;
        }
        if !self.gone.load(Ordering::Acquire) {
            return DecisionSource::Database;
        }
        match self.known_at.load(Ordering::Acquire) {
            0 => DecisionSource::Nothing,
            at if now < at + self.last_known.as_micros() as u64 => DecisionSource::LastKnown,
            _ => DecisionSource::Nothing,
        }
    }

    /// The data for deciding a call that began at this time. The error: the database is unreachable.
    pub fn view(&self, began: Instant) -> Result<View, DbError> {
        match self.decision_source_at(began) {
            DecisionSource::Index | DecisionSource::LastKnown => Ok(View::Index(self.index.load())),
            DecisionSource::Database => Ok(View::Database),
            DecisionSource::Nothing => Err(DbError::Unavailable),
        }
    }

    /// The index, whether or not it is up to date.
    pub fn index(&self) -> arc_swap::Guard<Arc<Index>> {
        self.index.load()
    }

    /// How long ago the index was last known to be up to date; `None` if it never was.
    pub fn age(&self) -> Option<Duration> {
        let at = Some(self.known_at.load(Ordering::Acquire)).filter(|at| *at > 0)?;
        Some(Duration::from_micros(self.micros(Instant::now()).saturating_sub(at)))
    }

    /// Whether the index was up to date at this instant or later.
    pub(super) fn is_known_since(&self, at: Instant) -> bool {
        self.known_at.load(Ordering::Acquire) > self.micros(at)
    }

    /// Records that the index has every change up to this commit to SQLite, whose mark was read at `at`.
    pub(super) fn set_polled(&self, mark: Option<CommitMark>, at: Instant) {
        let mut polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        *polled = mark.map(|mark| match &*polled {
            Some(known) if known.mark == mark => PolledCommit { settled: at > known.since + CLOCK_TICK, ..*known },
            _ => PolledCommit { mark, since: at, settled: false },
        });
    }

    /// Whether nothing was committed to SQLite since the last poll.
    pub(super) fn has_last_commit(&self) -> bool {
        let polled = *self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        polled.filter(|polled| polled.settled).is_some_and(|polled| self.db.commit_mark() == Some(polled.mark))
    }

    /// How long the index is used after the database became unreachable.
    pub fn last_known(&self) -> Duration {
        self.last_known
    }

    /// Replaces the index. The new one is not trusted yet.
    pub fn replace(&self, index: Index) {
        self.distrust();
        self.index.store(Arc::new(index));
    }

    /// Trusts the index, which was up to date at `since`, until `time` after that instant.
    pub fn trust(&self, since: Instant, time: Duration) {
        let since = self.micros(since).max(1);
        self.known_at.store(since, Ordering::Release);
        self.trusted_until.store(since + time.as_micros() as u64, Ordering::Release);
    }

    /// Stops trusting the index.
    pub fn distrust(&self) {
        self.trusted_until.store(0, Ordering::Release);
    }

    /// Records whether the database is unreachable.
    pub(super) fn set_gone(&self, gone: bool) {
        self.gone.store(gone, Ordering::Release);
    }

    fn micros(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.born).as_micros() as u64
    }
}
