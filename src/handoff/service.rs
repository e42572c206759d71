//! Storing and finding handoff states.

use crate::base::error::Error;
use crate::base::id::{AgentId, WorkspaceId};
use crate::db::{Db, Work};
use crate::handoff::store;
pub use crate::handoff::store::{HandoffState, Key};

/// Handoff states of conversations.
#[derive(Clone, Debug)]
pub struct Handoffs {
    db: Db,
}

impl Handoffs {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Stores a conversation's state, in place of an earlier one; `false` where there is no such conversation. `data` is a
    /// JSON object.
    pub async fn put(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        shared_id: Option<&str>,
        data: &str,
    ) -> Result<bool, Error> {
        let mut change = self.db.begin_unattended().await?;
        let now = change.now();
        if !store::upsert(&mut change, workspace, agent, conversation, shared_id, data, now).await? {
            return Ok(false);
        }
        change.commit().await?;
        Ok(true)
    }

    /// One state.
    pub async fn find(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        key: &Key,
    ) -> Result<Option<HandoffState>, Error> {
        store::find(&self.db.of(Work::Api), workspace, agent, key).await
    }
}
