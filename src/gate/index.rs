//! Every live key in memory, looked up by hash, and whether it may be decided by. Readers take no lock.

use crate::api_keys::secret::HashedKey;
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::db::Db;
use crate::gate::followers::Followers;
use crate::gate::indexed::{Holder, IndexedKey, IndexedWorkspace};
use crate::gate::metrics::GateMetrics;
use crate::gate::store;
use arc_swap::ArcSwap;
use papaya::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Something that the gate decides by has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateChange {
    /// A key, by its hash: made, edited, deleted, or one of its agents is gone.
    Key(HashedKey),
    /// A workspace, its agents, or what they let through.
    Workspace(WorkspaceId),
}

impl GateChange {
    /// Reads a change as the databases' triggers write it: its kind, and a hash in hexadecimal or an id.
    pub fn parse(kind: &str, what: &str) -> Option<Self> {
        match kind {
            "key" => HashedKey::from_hex(what).map(Self::Key),
            "workspace" => WorkspaceId::parse(what).map(Self::Workspace),
            _ => None,
        }
    }
}

/// Takes a key's SHA-256 as the hash that it is: nobody can choose what keys' hashes are.
#[derive(Debug, Default)]
struct HashAsKey(u64);

impl Hasher for HashAsKey {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The keys and workspaces as they were when the last change was applied.
#[derive(Debug, Default)]
pub struct Index {
    keys: HashMap<HashedKey, Arc<IndexedKey>, BuildHasherDefault<HashAsKey>>,
    workspaces: HashMap<WorkspaceId, Arc<IndexedWorkspace>>,
}

impl Index {
    /// Reads everything.
    pub async fn load(db: &Db) -> Result<Self, Error> {
        let index = Self::default();
        for workspace in store::every_workspace(db).await? {
            index.workspaces.pin().insert(workspace.workspace.id.clone(), Arc::new(workspace));
        }
        store::every_key(db, |hash, key| {
            index.keys.pin().insert(hash, Arc::new(key));
        })
        .await?;
        Ok(index)
    }

    /// Reads anew what has changed. Whatever order changes come in, the last one reads what is there.
    pub async fn apply(&self, db: &Db, change: &GateChange) -> Result<(), Error> {
        match change {
            GateChange::Key(hash) => match store::key(db, hash).await? {
                Some(key) => drop(self.keys.pin().insert(hash.clone(), Arc::new(key))),
                None => drop(self.keys.pin().remove(hash)),
            },
            GateChange::Workspace(id) => match store::workspace_with_agents(db, id).await? {
                Some(workspace) => drop(self.workspaces.pin().insert(id.clone(), Arc::new(workspace))),
                None => drop(self.workspaces.pin().remove(id)),
            },
        }
        Ok(())
    }

    /// The key with this hash, and its workspace. A lookup whose time depends on the hash tells nothing: nobody can
    /// choose a key by its hash.
    pub fn holder(&self, hash: &HashedKey) -> Option<Holder> {
        let key = self.keys.pin().get(hash)?.clone();
        let workspace = self.workspaces.pin().get(&key.workspace)?.clone();
        Some(Holder::known(key, workspace))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// What calls are decided by at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionSource {
    /// The index, which is up to date.
    Index,
    /// The database, asked for each call.
    Database,
    /// The index as it was when the database went away, as the operator has allowed.
    LastKnown,
    /// Nothing: the database is gone, and calls are refused.
    Nothing,
}

impl DecisionSource {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Database, Self::LastKnown, Self::Nothing];

    /// As health and metrics name it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Database => "database",
            Self::LastKnown => "last-known",
            Self::Nothing => "nothing",
        }
    }
}

/// Where a call finds what it is decided by.
pub enum View {
    /// In memory.
    Index(arc_swap::Guard<Arc<Index>>),
    /// In the database.
    Database,
}

/// The index, and until when it is known to be up to date.
#[derive(Debug)]
pub struct Gate {
    db: Db,
    metrics: GateMetrics,
    index: ArcSwap<Index>,
    born: Instant,
    /// Microseconds since `born`; 0 while the index is not to be trusted.
    trusted_until: AtomicU64,
    /// Microseconds since `born`: when the index was last known to be up to date; 0 before it ever was.
    known_at: AtomicU64,
    /// Whether the database did not answer when it was last asked.
    gone: AtomicBool,
    /// For how long the index is used after the database has gone.
    last_known: Duration,
    /// The last change of SQLite that the index has, where it follows at all; held while changes are applied.
    pub(super) applied: tokio::sync::Mutex<Option<i64>>,
    server: String,
    /// Who follows this program's changes.
    pub(super) followers: Followers,
}

impl Gate {
    /// Knows nothing yet. Without its database it decides by what it knew last for so long.
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
            server,
            followers: Followers::default(),
        }
    }

    /// Its database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// What is measured of it.
    pub fn metrics(&self) -> &GateMetrics {
        &self.metrics
    }

    /// This server's name among those of the same database.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What calls are decided by now.
    pub fn basis(&self) -> DecisionSource {
        self.basis_at(Instant::now())
    }

    fn basis_at(&self, now: Instant) -> DecisionSource {
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

    /// Where a call that began then finds what it is decided by.
    pub fn view(&self, began: Instant) -> Result<View, Error> {
        match self.basis_at(began) {
            DecisionSource::Index | DecisionSource::LastKnown => Ok(View::Index(self.index.load())),
            DecisionSource::Database => Ok(View::Database),
            DecisionSource::Nothing => Err(Error::Unavailable),
        }
    }

    /// The index, up to date or not.
    pub fn index(&self) -> arc_swap::Guard<Arc<Index>> {
        self.index.load()
    }

    /// How long ago the index was last known to be up to date; `None` where it never was.
    pub fn age(&self) -> Option<Duration> {
        let at = Some(self.known_at.load(Ordering::Acquire)).filter(|at| *at > 0)?;
        Some(Duration::from_micros(self.micros(Instant::now()).saturating_sub(at)))
    }

    /// Whether the index was up to date at that instant or later.
    pub(super) fn is_known_since(&self, at: Instant) -> bool {
        self.known_at.load(Ordering::Acquire) > self.micros(at)
    }

    /// For how long the index is used after the database has gone.
    pub fn last_known(&self) -> Duration {
        self.last_known
    }

    /// Puts another index in place of this one; it is not trusted yet.
    pub fn replace(&self, index: Index) {
        self.distrust();
        self.index.store(Arc::new(index));
    }

    /// Trusts the index, which was up to date at that instant, for so long after it.
    pub fn trust(&self, since: Instant, time: Duration) {
        let since = self.micros(since).max(1);
        self.known_at.store(since, Ordering::Release);
        self.trusted_until.store(since + time.as_micros() as u64, Ordering::Release);
    }

    /// Decides by the database from now on.
    pub fn distrust(&self) {
        self.trusted_until.store(0, Ordering::Release);
    }

    /// Whether the database answers.
    pub(super) fn set_gone(&self, gone: bool) {
        self.gone.store(gone, Ordering::Release);
    }

    fn micros(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.born).as_micros() as u64
    }
}
