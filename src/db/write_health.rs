use crate::db::failure::WriteFailure;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use tokio::sync::Notify;

/// Whether the database can be written to: a write that fails says no, and only `Db::check_write` says yes again. A change
/// that writes no row commits on a full disk too.
#[derive(Debug, Default)]
pub struct WriteHealth {
    failure: ArcSwapOption<WriteFailure>,
    /// Wakes [`failing`](Self::failing).
    failed: Notify,
}

impl WriteHealth {
    /// Why nothing can be written; `None` if it can.
    pub fn failure(&self) -> Option<WriteFailure> {
        self.failure.load().as_deref().copied()
    }

    /// Returns when a write has failed.
    pub async fn failing(&self) {
        self.failed.notified().await;
    }

    /// Records the result of a statement. Errors that do not concern writing in general are ignored.
    pub fn note(&self, done: Result<(), &sqlx::Error>) {
        let failure = match done {
            Ok(()) => None,
            Err(error) => match WriteFailure::of(error) {
                Some(failure) => Some(failure),
                None => return,
            },
        };
        if failure == self.failure() {
            return;
        }
        match failure {
            Some(failure) => tracing::error!(%failure, "nothing can be written to the database"),
            None => tracing::info!("the database can be written to again"),
        }
        self.failure.store(failure.map(Arc::new));
        if failure.is_some() {
            self.failed.notify_one();
        }
    }
}
