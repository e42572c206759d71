//! Wakes the requests that wait for events when an event arrives: on this server through a map in memory, from other
//! servers on the same PostgreSQL through NOTIFY. A waiter needs an entry in the map, but no thread and no database
//! connection.

use crate::base::id::{AgentId, WorkspaceId};
use crate::db::{Db, WorkKind};
use sqlx::postgres::{PgListener, PgPool};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The channel of NOTIFY.
pub const CHANNEL: &str = "agent_studio_events";
/// Pause before the listener reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Key of a conversation in the map, and payload of NOTIFY.
pub fn name(workspace: &WorkspaceId, agent: &AgentId, conversation: &str) -> String {
    format!("{workspace}/{agent}/{conversation}")
}

/// The requests on this server that wait for events.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// By conversation: the `Notify` that wakes its waiters, and their number.
    waiting: Mutex<HashMap<String, (Arc<Notify>, usize)>>,
    closed: AtomicBool,
}

/// A registered waiter. Dropping it removes it from the map.
#[derive(Debug)]
pub struct Waiter<'a> {
    arrivals: &'a Arrivals,
    name: String,
    notify: Arc<Notify>,
}

impl Arrivals {
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, (Arc<Notify>, usize)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a waiter for events of a conversation.
    pub fn waiter(&self, name: String) -> Waiter<'_> {
        let mut waiting = self.waiting();
        let (notify, count) = waiting.entry(name.clone()).or_default();
        *count += 1;
        Waiter { arrivals: self, name, notify: notify.clone() }
    }

    /// Number of conversations that have waiters.
    pub fn count(&self) -> usize {
        self.waiting().len()
    }

    /// Wakes the waiters of this conversation.
    pub fn wake(&self, name: &str) {
        if let Some((notify, _)) = self.waiting().get(name) {
            notify.notify_waiters();
        }
    }

    /// Wakes all waiters, so that they query the database.
    pub fn wake_all(&self) {
        self.waiting().values().for_each(|(notify, _)| notify.notify_waiters());
    }

    /// Ends all waiting, because the server is stopping.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake_all();
    }

    /// Whether the server is stopping.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Waiter<'_> {
    /// Wakes this waiter. Enable it before querying the database, so that no event is missed in between.
    pub fn notify(&self) -> &Notify {
        &self.notify
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.arrivals.waiting();
        let Some((_, count)) = waiting.get_mut(&self.name) else { return };
        *count -= 1;
        if *count == 0 {
            waiting.remove(&self.name);
        }
    }
}

/// Listens for events that other servers received, until the task is aborted.
pub async fn listen(arrivals: Arc<Arrivals>, db: Db) {
    let db = db.of(WorkKind::Background);
    let Some(pool) = db.postgres_pool() else { return };
    loop {
        if let Err(error) = listen_once(&arrivals, pool).await {
            // The pool's own error says only that it timed out.
            match db.unreachable() {
                Some(why) => tracing::warn!("the listener for events connects again: the database {why}"),
                None => tracing::warn!(%error, "the listener for events lost its connection; it connects again"),
            }
        }
        arrivals.wake_all();
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

async fn listen_once(arrivals: &Arrivals, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // Events may have arrived while there was no listener.
    arrivals.wake_all();
    while let Some(notification) = listener.try_recv().await? {
        arrivals.wake(notification.payload());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wakes_those_that_wait_for_it_and_forgets_them() {
        let arrivals = Arrivals::default();
        let (one, other) = (arrivals.waiter("a".to_owned()), arrivals.waiter("b".to_owned()));
        let (mut woken, mut not) = (Box::pin(one.notify().notified()), Box::pin(other.notify().notified()));
        assert!(!woken.as_mut().enable() && !not.as_mut().enable());
        arrivals.wake("a");
        woken.await;
        assert!(!not.as_mut().enable());
        drop(not);
        let again = arrivals.waiter("a".to_owned());
        drop(one);
        assert_eq!(arrivals.waiting().len(), 2, "somebody still waits for `a`");
        drop((again, other));
        assert!(arrivals.waiting().is_empty());
    }
}
