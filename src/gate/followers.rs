//! Acknowledgements: which servers have applied a change. One listener receives them for all waiting changes.
//! PostgreSQL only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The changes that wait for acknowledgements.
#[derive(Clone, Debug, Default)]
pub struct Acknowledgements(Arc<Mutex<WaitingChanges>>);

#[derive(Debug, Default)]
struct WaitingChanges {
    /// Whether a listener is connected.
    heard: bool,
    /// By ticket: the channel that receives the names of the servers.
    changes: HashMap<String, UnboundedSender<String>>,
}

/// Receives the names of the servers that acknowledge one change.
#[derive(Debug)]
pub struct AwaitedAcknowledgements {
    followers: Acknowledgements,
    ticket: String,
    servers: UnboundedReceiver<String>,
}

impl Acknowledgements {
    fn waiting(&self) -> MutexGuard<'_, WaitingChanges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when a listener is connected.
    pub(super) fn hear(&self) {
        self.waiting().heard = true;
    }

    /// Called when the listener is lost. Ends all waiting changes.
    pub(super) fn lose(&self) {
        *self.waiting() = WaitingChanges::default();
    }

    /// Handles an acknowledgement: ticket and server's name, separated by a space.
    pub(super) fn follows(&self, payload: &str) {
        let Some((ticket, server)) = payload.split_once(' ') else { return };
        if let Some(change) = self.waiting().changes.get(ticket) {
            let _ = change.send(server.to_owned());
        }
    }

    /// Registers a change, before its commit, to receive the acknowledgements of its ticket.
    pub(super) fn expect(&self, ticket: &str) -> AwaitedAcknowledgements {
        let (sender, servers) = unbounded_channel();
        let mut waiting = self.waiting();
        // Without a listener the sender is dropped, so that `next` returns `None`.
        if waiting.heard {
            waiting.changes.insert(ticket.to_owned(), sender);
        }
        drop(waiting);
        AwaitedAcknowledgements { followers: self.clone(), ticket: ticket.to_owned(), servers }
    }
}

impl AwaitedAcknowledgements {
    /// Waits for the next server's acknowledgement; `None` if there is no listener.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.servers.recv().await
    }
}

impl Drop for AwaitedAcknowledgements {
    fn drop(&mut self) {
        self.followers.waiting().changes.remove(&self.ticket);
    }
}
