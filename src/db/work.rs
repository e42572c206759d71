use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest wait of a request for its turn, and then for a connection.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// A kind of work on the database. Each kind has its own connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    /// Keeping the gate's index up to date: its listener, its heartbeat, and reading changes.
    Gate,
    /// Decisions that the gate makes by querying the database, while its index may be out of date.
    Decisions,
    /// Reads of the APIs, except lists of conversations.
    Api,
    /// Lists of up to 1,000 conversations.
    Bulk,
    /// Reads of pages and commands.
    Pages,
    /// Every write but those of background work.
    Writes,
    /// Usage counts, retention, housekeeping, and the listener for external events.
    Background,
}

impl WorkKind {
    pub const ALL: [Self; 7] =
        [Self::Gate, Self::Decisions, Self::Api, Self::Bulk, Self::Pages, Self::Writes, Self::Background];

    /// The name in metrics.
    pub fn id(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Decisions => "decisions",
            Self::Api => "api",
            Self::Bulk => "bulk",
            Self::Pages => "pages",
            Self::Writes => "writes",
            Self::Background => "background",
        }
    }

    /// Maximum number of connections to a SQLite file. It has one writer at a time, which background work uses too.
    pub fn on_sqlite(self) -> u32 {
        match self {
            Self::Gate | Self::Background => 2,
            Self::Decisions | Self::Api | Self::Bulk | Self::Pages => 4,
            Self::Writes => 1,
        }
    }

    /// Maximum number of connections to PostgreSQL: 29 in total. PostgreSQL allows 100 by default, for all its clients.
    pub fn on_postgres(self) -> u32 {
        match self {
            Self::Gate | Self::Decisions | Self::Api | Self::Bulk => 4,
            Self::Pages | Self::Writes => 5,
            Self::Background => 3,
        }
    }
}

/// Limit of concurrent work of one kind, with a first-in, first-out queue.
#[derive(Debug)]
pub struct WorkLimit {
    work: WorkKind,
    all: usize,
    free: Arc<Semaphore>,
    refused: AtomicU64,
}

/// The right to do one piece of work; released when dropped.
pub type WorkPermit = OwnedSemaphorePermit;

impl WorkLimit {
    pub(super) fn new(work: WorkKind, all: usize) -> Self {
        Self { work, all, free: Arc::new(Semaphore::new(all)), refused: AtomicU64::new(0) }
    }

    /// Waits for a permit. The error: none became free in time.
    pub(super) async fn take(&self, patience: Duration) -> Result<WorkPermit, sqlx::Error> {
        match timeout(patience, self.free.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(work = self.work.id(), "no turn in time");
                Err(sqlx::Error::PoolTimedOut)
            }
        }
    }

    pub fn work(&self) -> WorkKind {
        self.work
    }

    /// Number of permits in use.
    pub fn taken(&self) -> usize {
        self.all.saturating_sub(self.free.available_permits())
    }

    /// Number of waits that ended without a permit.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
