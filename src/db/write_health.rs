use crate::db::failure::WriteFailure;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// Whether the database can be written to: a write that fails says no, and only `Db::check_write` says yes again. A change
/// that writes no row commits on a full disk too.
#[derive(Debug, Default)]
pub struct WriteHealth(ArcSwapOption<WriteFailure>);

impl WriteHealth {
    /// Why nothing can be written; `None` if it can.
    pub fn failure(&self) -> Option<WriteFailure> {
        self.0.load().as_deref().copied()
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
        self.0.store(failure.map(Arc::new));
    }
}
