//! Which servers have said that they follow a change, heard by one listener for every change that waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What changes wait for, on PostgreSQL.
#[derive(Clone, Debug, Default)]
pub struct Followers(Arc<Mutex<WaitingChanges>>);

#[derive(Debug, Default)]
struct WaitingChanges {
    /// Whether there is a listener.
    heard: bool,
    /// By ticket: who waits to hear the servers' names.
    changes: HashMap<String, UnboundedSender<String>>,
}

/// The servers that follow one change.
#[derive(Debug)]
pub struct Following {
    followers: Followers,
    ticket: String,
    servers: UnboundedReceiver<String>,
}

impl Followers {
    fn waiting(&self) -> MutexGuard<'_, WaitingChanges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a listener from now on.
    pub(super) fn hear(&self) {
        self.waiting().heard = true;
    }

    /// There is none any more: who waits is told so.
    pub(super) fn lose(&self) {
        *self.waiting() = WaitingChanges::default();
    }

    /// A server has said of a ticket that it follows: both words, as they came.
    pub(super) fn follows(&self, payload: &str) {
        let Some((ticket, server)) = payload.split_once(' ') else { return };
        if let Some(change) = self.waiting().changes.get(ticket) {
            let _ = change.send(server.to_owned());
        }
    }

    /// Waits for the servers that follow the change of this ticket.
    pub(super) fn expect(&self, ticket: &str) -> Following {
        let (sender, servers) = unbounded_channel();
        let mut waiting = self.waiting();
        // Without a listener the sender is dropped, and nothing more will be heard.
        if waiting.heard {
            waiting.changes.insert(ticket.to_owned(), sender);
        }
        drop(waiting);
        Following { followers: self.clone(), ticket: ticket.to_owned(), servers }
    }
}

impl Following {
    /// The next server that follows; `None` where nobody listens any more.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.servers.recv().await
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.followers.waiting().changes.remove(&self.ticket);
    }
}
