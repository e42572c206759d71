use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long work waits for its turn, and then for a connection.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A kind of work on the database. Each has connections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// What keeps the gate's index true: its listener, its heartbeat, and reading what has changed.
    Gate,
    /// Calls that the gate decides by the database, while its index is not to be trusted.
    Decisions,
    /// What the APIs read, but for lists of conversations.
    Api,
    /// Lists of conversations, of up to 1,000.
    Bulk,
    /// What pages and commands read.
    Pages,
    /// Every write but the background's.
    Writes,
    /// Usage, retention, housekeeping, and the listener for events.
    Background,
}

impl Work {
    /// Each of them.
    pub const ALL: [Self; 7] =
        [Self::Gate, Self::Decisions, Self::Api, Self::Bulk, Self::Pages, Self::Writes, Self::Background];

    /// As metrics name it.
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

    /// Most connections to a SQLite file. It has one writer at a time, the background's included.
    pub fn on_sqlite(self) -> u32 {
        match self {
            Self::Gate | Self::Background => 2,
            Self::Decisions | Self::Api | Self::Bulk | Self::Pages => 4,
            Self::Writes => 1,
        }
    }

    /// Most connections to PostgreSQL, 29 together; it takes 100 by default, for all its clients.
    pub fn on_postgres(self) -> u32 {
        match self {
            Self::Gate | Self::Decisions | Self::Api | Self::Bulk => 4,
            Self::Pages | Self::Writes => 5,
            Self::Background => 3,
        }
    }
}

/// How much work of one kind there may be at once. Who comes first is served first.
#[derive(Debug)]
pub struct Places {
    work: Work,
    all: usize,
    free: Arc<Semaphore>,
    refused: AtomicU64,
}

/// A place that is taken; given back when dropped.
pub type WorkPermit = OwnedSemaphorePermit;

impl Places {
    pub(super) fn new(work: Work, all: usize) -> Self {
        Self { work, all, free: Arc::new(Semaphore::new(all)), refused: AtomicU64::new(0) }
    }

    /// Waits for a place. The error: none became free in time.
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

    /// The kind of work.
    pub fn work(&self) -> Work {
        self.work
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.all.saturating_sub(self.free.available_permits())
    }

    /// How much work was refused because it had no turn in time.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
