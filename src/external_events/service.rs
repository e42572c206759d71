//! Waiting for events, receiving them, reading them.

use crate::base::error::Error;
use crate::base::id::{AgentId, WorkspaceId};
use crate::db::{Db, Work};
use crate::external_events::arrivals::{self, Arrivals, CHANNEL};
use crate::external_events::store::{self, NewEvent, ReceivedEvent};
use sha2::{Digest, Sha256};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Most events in one answer.
const MAX_EVENTS: i64 = 100;

/// Events for conversations.
#[derive(Clone, Debug)]
pub struct ExternalEvents {
    db: Db,
    arrivals: Arc<Arrivals>,
}

/// What became of a wish to wait for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    Done,
    NoSuchConversation,
    /// The conversation is no longer in progress.
    Ended,
    /// Another conversation in progress waits for this event.
    Taken,
}

impl ExternalEvents {
    /// On this database.
    pub fn new(db: Db, arrivals: Arc<Arrivals>) -> Self {
        Self { db, arrivals }
    }

    /// Lets a conversation in progress wait for the event of this id from now on.
    pub async fn wait_for(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        event_id: &str,
    ) -> Result<Awaited, Error> {
        let mut change = self.db.begin_unattended().await?;
        let Some(receiving) = store::lock(&mut change, workspace, agent, conversation).await? else {
            return Ok(Awaited::NoSuchConversation);
        };
        if !receiving.in_progress {
            return Ok(Awaited::Ended);
        }
        // The other one is not held: two that want each other's events would wait for each other.
        if let Some(other) = store::awaited_by(&mut change, workspace, agent, event_id).await?
            && other != conversation
            && store::is_in_progress(&mut change, workspace, agent, &other).await?
        {
            return Ok(Awaited::Taken);
        }
        let now = change.now();
        store::set_awaited(&mut change, workspace, agent, event_id, conversation, now).await?;
        change.commit().await?;
        Ok(Awaited::Done)
    }

    /// Stores an event and wakes who waits for it; `false` where no active conversation does. The same event again is
    /// stored once, also where its conversation has ended since.
    pub async fn receive(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        event_id: &str,
        content_type: &str,
        body: &str,
    ) -> Result<bool, Error> {
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

    /// Events after this position: at once where there are some, else as soon as one arrives or the time is over.
    pub async fn after(
        &self,
        workspace: &WorkspaceId,
        agent: &AgentId,
        conversation: &str,
        position: i64,
        wait: Duration,
    ) -> Result<Vec<ReceivedEvent>, Error> {
        let db = self.db.of(Work::Api);
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
            // Over or woken: one more look either way.
            let _ = timeout_at(until, woken).await;
        }
    }
}
