//! Every live key in memory, looked up by hash, and whether it may be decided by. Readers take no lock.

use super::known::{KnownKey, KnownWorkspace};
use super::store;
use crate::api_keys::secret::HashedKey;
use crate::error::Error;
use crate::id::WorkspaceId;
use crate::server::db::Db;
use arc_swap::ArcSwap;
use papaya::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Something that the gate decides by has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key, by its hash: made, edited, deleted, or one of its agents is gone.
    Key(HashedKey),
    /// A workspace, its agents, or what they let through.
    Workspace(WorkspaceId),
}

impl Change {
    /// Reads a change as the databases' triggers write it: its kind, and a hash in hexadecimal or an id.
    pub fn parse(kind: &str, what: &str) -> Option<Self> {
        match kind {
            "key" => HashedKey::from_hex(what).map(Self::Key),
            "workspace" => WorkspaceId::parse(what).map(Self::Workspace),
            _ => None,
        }
    }
}

/// The keys and workspaces as they were when the last change was applied.
#[derive(Debug, Default)]
pub struct Index {
    keys: HashMap<HashedKey, Arc<KnownKey>>,
    workspaces: HashMap<WorkspaceId, Arc<KnownWorkspace>>,
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
    pub async fn apply(&self, db: &Db, change: &Change) -> Result<(), Error> {
        match change {
            Change::Key(hash) => match store::key(db, hash).await? {
                Some(key) => drop(self.keys.pin().insert(hash.clone(), Arc::new(key))),
                None => drop(self.keys.pin().remove(hash)),
            },
            Change::Workspace(id) => match store::workspace_with_agents(db, id).await? {
                Some(workspace) => drop(self.workspaces.pin().insert(id.clone(), Arc::new(workspace))),
                None => drop(self.workspaces.pin().remove(id)),
            },
        }
        Ok(())
    }

    /// The key with this hash. A lookup whose time depends on the hash tells nothing: nobody can choose a key by its
    /// hash.
    pub fn key(&self, hash: &HashedKey) -> Option<Arc<KnownKey>> {
        self.keys.pin().get(hash).cloned()
    }

    /// A workspace.
    pub fn workspace(&self, id: &WorkspaceId) -> Option<Arc<KnownWorkspace>> {
        self.workspaces.pin().get(id).cloned()
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

/// The index, and until when it is known to be up to date.
#[derive(Debug)]
pub struct Gate {
    index: ArcSwap<Index>,
    born: Instant,
    /// Microseconds since `born`; 0 while the index is not to be trusted.
    trusted_until: AtomicU64,
    /// The last change of SQLite that the index has, where it follows at all; held while changes are applied.
    pub(super) applied: tokio::sync::Mutex<Option<i64>>,
    server: String,
}

impl Default for Gate {
    /// Knows nothing, and decides by the database.
    fn default() -> Self {
        Self {
            index: ArcSwap::default(),
            born: Instant::now(),
            trusted_until: AtomicU64::new(0),
            applied: tokio::sync::Mutex::default(),
            server: uuid::Uuid::new_v4().to_string(),
        }
    }
}

impl Gate {
    /// This server's name among those of the same database.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The index, where it is up to date.
    pub fn trusted(&self) -> Option<arc_swap::Guard<Arc<Index>>> {
        let now = self.born.elapsed().as_micros() as u64;
        (now < self.trusted_until.load(Ordering::Acquire)).then(|| self.index.load())
    }

    /// The index, up to date or not.
    pub fn index(&self) -> arc_swap::Guard<Arc<Index>> {
        self.index.load()
    }

    /// Puts another index in place of this one; it is not trusted yet.
    pub fn replace(&self, index: Index) {
        self.distrust();
        self.index.store(Arc::new(index));
    }

    /// Trusts the index until then.
    pub fn trust(&self, since: Instant, time: Duration) {
        let until = since.duration_since(self.born) + time;
        self.trusted_until.store(until.as_micros() as u64, Ordering::Release);
    }

    /// Decides by the database from now on.
    pub fn distrust(&self) {
        self.trusted_until.store(0, Ordering::Release);
    }
}
