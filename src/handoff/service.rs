//! Storing and finding handoff states.

use crate::base::id::{AgentId, WorkspaceId};
use crate::db::{Db, DbError, WorkKind};
use crate::handoff::store;
pub use crate::handoff::store::{HandoffKey, HandoffState};

/// Service for the handoff states of conversations.
#[derive(Clone, Debug)]
pub struct Handoffs {
    db: Db,
}

impl Handoffs {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Stores a conversation's state and replaces an earlier one; `false` if there is no such conversation. `data` is a
    /// JSON object.
    pub async fn put(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        shared_id: Option<&str>,
        data: &str,
    ) -> Result<bool, DbError> {
        let mut change = self.db.begin_unattended().await?;
        let now = change.now();
        if !store::upsert(&mut change, workspace, agent, conversation, shared_id, data, now).await? {
            return Ok(false);
        }
        change.commit().await?;
        Ok(true)
    }

    /// The state with this key.
    pub async fn find(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        key: &HandoffKey,
    ) -> Result<Option<HandoffState>, DbError> {
        store::find(&self.db.of(WorkKind::Api), workspace, agent, key).await
    }
}
