//! Reading and recording audit entries.

use crate::audit::store;
use crate::base::id::WorkspaceId;
use crate::base::time::Timestamp;
use crate::db::{Db, DbError};

/// Service that reads the audit entries of workspaces.
#[derive(Clone, Debug)]
pub struct AuditLog {
    db: Db,
}

impl AuditLog {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// A page of entries, newest first, after the entry with this time and id.
    pub async fn list(
        &self,
        workspace: &WorkspaceId,
        filter: &ActivityFilter,
        after: Option<&(Timestamp, String)>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, DbError> {
        store::list(&self.db, workspace, filter, after, limit).await
    }

    /// Stops collecting entries for delivery when no server has delivered any for a week.
    pub async fn forget_unused_sink(&self) -> Result<(), DbError> {
        let mut change = self.db.begin_unattended().await?;
        let since = change.now().plus_days(-7);
        store::forget_sink(&mut change, since).await?;
        change.commit().await
    }

    /// The names of all actors, in alphabetical order; at most 500.
    pub async fn people(&self, workspace: &WorkspaceId) -> Result<Vec<String>, DbError> {
        store::people(&self.db, workspace).await
    }
}

pub use store::{ActivityFilter, AuditEntry, NewAuditEntry, record, record_for_member, record_many};
