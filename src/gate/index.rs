//! All keys in memory, found by their hash. Readers take no lock.

use crate::api_keys::secret::HashedKey;
use crate::base::id::WorkspaceId;
use crate::db::{Db, DbError};
use crate::gate::indexed::{Holder, IndexedKey, IndexedWorkspace};
use crate::gate::limits::Limiters;
use crate::gate::store;
use papaya::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A change of data that the gate decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateChange {
    /// The key with this hash was created, edited or deleted, or one of its agents was deleted.
    Key(HashedKey),
    /// A workspace, its agents or their configuration changed.
    Workspace(WorkspaceId),
}

impl GateChange {
    /// Reads a change as the databases' triggers write it: its kind, and a hash in hexadecimal or a workspace's id.
    pub fn parse(kind: &str, what: &str) -> Option<Self> {
        match kind {
            "key" => HashedKey::from_hex(what).map(Self::Key),
            "workspace" => WorkspaceId::parse(what).map(Self::Workspace),
            _ => None,
        }
    }
}

/// Hasher that uses the first 8 bytes of a key's SHA-256. An attacker cannot choose values with colliding SHA-256
/// prefixes cheaply, so no other hash is needed.
#[derive(Debug, Default)]
struct PrefixHasher(u64);

impl Hasher for PrefixHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Reads how much of this month's quota a key has used, by the calls of all servers.
pub async fn read_quota(db: &Db, key: &IndexedKey) -> Result<(), DbError> {
    store::read_quota(db, key).await
}

/// All keys and workspaces, as of the last applied change.
#[derive(Debug, Default)]
pub struct Index {
    keys: HashMap<HashedKey, Arc<IndexedKey>, BuildHasherDefault<PrefixHasher>>,
    workspaces: HashMap<WorkspaceId, Arc<IndexedWorkspace>>,
}

impl Index {
    /// Reads all keys and workspaces from the database.
    pub async fn load(db: &Db, limiters: &Limiters) -> Result<Self, DbError> {
        let index = Self::default();
        for workspace in store::every_workspace(db).await? {
            index.workspaces.pin().insert(workspace.workspace.id.clone(), Arc::new(workspace));
        }
        store::every_key(db, limiters, |hash, key| {
            index.keys.pin().insert(hash, Arc::new(key));
        })
        .await?;
        Ok(index)
    }

    /// Applies a change by reading its key or workspace again. So changes can be applied in any order.
    pub async fn apply(&self, db: &Db, limiters: &Limiters, change: &GateChange) -> Result<(), DbError> {
        match change {
            GateChange::Key(hash) => match store::key(db, limiters, hash).await? {
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

    /// The key with this hash, and its workspace. The lookup need not take constant time, because a client cannot
    /// choose a value by its hash.
    pub fn holder(&self, hash: &HashedKey) -> Option<Holder> {
        let key = self.keys.pin().get(hash)?.clone();
        let workspace = self.workspaces.pin().get(&key.workspace)?.clone();
        Some(Holder::known(key, workspace))
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
