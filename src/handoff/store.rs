//! SQL for handoff states.

use crate::base::id::{AgentId, WorkspaceId};
use crate::base::time::Timestamp;
use crate::db::{Change, Db, DbError};
use crate::{on_change, on_db, statements};

statements! {
    UPSERT = "INSERT INTO handoff_states (workspace_id, agent_id, conversation_id, shared_id, data, stored_at)
        SELECT workspace_id, agent_id, id, $4, $5, $6 FROM conversations
            WHERE workspace_id = $1 AND agent_id = $2 AND id = $3
        ON CONFLICT (workspace_id, agent_id, conversation_id)
            DO UPDATE SET shared_id = excluded.shared_id, data = excluded.data, stored_at = excluded.stored_at";
    BY_CONVERSATION = "SELECT conversation_id, shared_id, data FROM handoff_states
        WHERE workspace_id = $1 AND agent_id = $2 AND conversation_id = $3";
    // A shared id can be used again; the latest state counts.
    BY_SHARED_ID = "SELECT conversation_id, shared_id, data FROM handoff_states
        WHERE workspace_id = $1 AND agent_id = $2 AND shared_id = $3 ORDER BY stored_at DESC LIMIT 1";
}

/// A stored handoff state.
#[derive(Debug, sqlx::FromRow)]
pub struct HandoffState {
    pub conversation_id: String,
    pub shared_id: Option<String>,
    /// A JSON object, with its original text.
    pub data: String,
}

/// By which id a state is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoffKey {
    /// The conversation's id.
    Conversation(String),
    /// The integrator's own id.
    Shared(String),
}

/// Stores a conversation's state and replaces an earlier one; `false` if there is no such conversation.
pub async fn upsert(
    change: &mut Change,
    workspace: &WorkspaceId,
    agent: &AgentId,
    conversation: &str,
    shared_id: Option<&str>,
    data: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let written = on_change!(change, |c| sqlx::query(UPSERT)
        .bind(workspace)
        .bind(agent)
        .bind(conversation)
        .bind(shared_id)
        .bind(data)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(written > 0)
}

/// The state with this key.
pub async fn find(
    db: &Db,
    workspace: &WorkspaceId,
    agent: &AgentId,
    key: &HandoffKey,
) -> Result<Option<HandoffState>, DbError> {
    let (sql, id) = match key {
        HandoffKey::Conversation(id) => (BY_CONVERSATION, id),
        HandoffKey::Shared(id) => (BY_SHARED_ID, id),
    };
    Ok(on_db!(db, |pool| sqlx::query_as(sql).bind(workspace).bind(agent).bind(id).fetch_optional(pool).await)?)
}
