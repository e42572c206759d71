use crate::db::failure::WriteFailure;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// Whether anything can be written to the database, by what became of the last write.
#[derive(Debug, Default)]
pub struct WriteHealth(ArcSwapOption<WriteFailure>);

impl WriteHealth {
    /// Why nothing could be written when it was last tried; `None` where that went well.
    pub fn failure(&self) -> Option<WriteFailure> {
        self.0.load().as_deref().copied()
    }

    /// Remembers what became of a write.
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
