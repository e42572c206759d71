//! Waiting for events, receiving them and reading them.

use crate::base::id::{AgentId, WorkspaceId};
use crate::db::{Db, DbError, WorkKind};
use crate::external_events::arrivals::{self, Arrivals, CHANNEL};
use crate::external_events::store::{self, NewEvent, ReceivedEvent};
use sha2::{Digest, Sha256};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Maximum number of events in one response.
const MAX_EVENTS: i64 = 100;

/// Service for external events.
#[derive(Clone, Debug)]
pub struct ExternalEvents {
    db: Db,
    arrivals: Arc<Arrivals>,
}

/// Result of registering a conversation for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitResult {
    Done,
    NoSuchConversation,
    /// The conversation is no longer in progress.
    Ended,
    /// Another conversation in progress waits for this event.
    Taken,
}

impl ExternalEvents {
    pub fn new(db: Db, arrivals: Arc<Arrivals>) -> Self {
        Self { db, arrivals }
    }

    /// Registers that a conversation in progress waits for the event with this id.
    pub async fn wait_for(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        event_id: &str,
    ) -> Result<AwaitResult, DbError> {
        let mut change = self.db.begin_unattended().await?;
        let Some(receiving) = store::lock(&mut change, workspace, agent, conversation).await? else {
            return Ok(AwaitResult::NoSuchConversation);
        };
        if !receiving.in_progress {
            return Ok(AwaitResult::Ended);
        }
        // The other conversation is not locked: two conversations that claim each other's events would deadlock.
        if let Some(other) = store::awaited_by(&mut change, workspace, agent, event_id).await?
            && other != conversation
            && store::is_in_progress(&mut change, workspace, agent, &other).await?
        {
            return Ok(AwaitResult::Taken);
        }
        let now = change.now();
        store::set_awaited(&mut change, workspace, agent, event_id, conversation, now).await?;
        change.commit().await?;
        Ok(AwaitResult::Done)
    }

    /// Stores an event and wakes its waiters; `false` if no conversation in progress waits for it. A repeated event
    /// with the same content is accepted and not stored again, even if its conversation has ended since.
    pub async fn receive(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        event_id: &str,
        content_type: &str,
        body: &str,
    ) -> Result<bool, DbError> {
        let digest = Sha256::new().chain_update(content_type).chain_update([0]).chain_update(body).finalize().into();
        let mut change = self.db.begin_unattended().await?;
        let event = NewEvent { event_id, content_type, body, digest, received_at: change.now() };
        let waits = store::awaited_by(&mut change, workspace, agent, event_id).await?;
        let Some(conversation) = waits else { return Ok(false) };
        let receiving = store::lock(&mut change, workspace, agent, &conversation).await?;
        let Some(receiving) = receiving else { return Ok(false) };
        if store::is_stored(&mut change, workspace, agent, &conversation, &event).await? {
            return Ok(true);
        }
        if !receiving.in_progress {
            return Ok(false);
        }
        let position = receiving.events_received + 1;
        store::insert(&mut change, workspace, agent, &conversation, position, &event).await?;
        let name = arrivals::name(workspace, agent, &conversation);
        store::notify(&mut change, CHANNEL, &name).await?;
        change.commit().await?;
        self.arrivals.wake(&name);
        Ok(true)
    }

    /// Returns the events after this position. If there are none, waits until one arrives or `wait` has passed.
    pub async fn after(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        position: i64,
        wait: Duration,
    ) -> Result<Vec<ReceivedEvent>, DbError> {
        let db = self.db.of(WorkKind::Api);
        let until = Instant::now() + wait;
        let waiter = self.arrivals.waiter(arrivals::name(workspace, agent, conversation));
        loop {
            let mut woken = pin!(waiter.notify().notified());
            woken.as_mut().enable();
            let events = store::after(&db, workspace, agent, conversation, position, MAX_EVENTS).await?;
            let over = self.arrivals.is_closed() || Instant::now() >= until;
            if over || !events.is_empty() {
                return Ok(events);
            }
            // Queries once more, whether woken or timed out.
            let _ = timeout_at(until, woken).await;
        }
    }
}
