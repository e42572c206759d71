//! Reading what was done.

use crate::audit::store;
use crate::base::error::Error;
use crate::base::id::WorkspaceId;
use crate::base::time::Timestamp;
use crate::db::Db;

/// The audit entries of workspaces.
#[derive(Clone, Debug)]
pub struct AuditLog {
    db: Db,
}

impl AuditLog {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// A page of entries, newest first, after this place.
    pub async fn list(
        &self,
        workspace: &WorkspaceId,
        filter: &ActivityFilter,
        after: Option<&(Timestamp, String)>,
        limit: i64,
    ) -> Result<Vec<Recorded>, Error> {
        store::list(&self.db, workspace, filter, after, limit).await
    }

    /// Everyone who has done something, by name.
    pub async fn people(&self, workspace: &WorkspaceId) -> Result<Vec<String>, Error> {
        store::people(&self.db, workspace).await
    }
}

pub use store::{ActivityFilter, Entry, Recorded, record, record_for_member};
