use crate::db::work::WorkPermit;
use crate::db::write_health::WriteHealth;
use sqlx::pool::PoolConnection;
use sqlx::{Database, Postgres, Sqlite};
use std::sync::Arc;
use tracing::Span;

/// A connection in use. It returns to its pool only if its last statement ended cleanly. After a statement that failed
/// or did not end (a cancelled request, a timeout) it is closed.
#[derive(Debug)]
pub struct ActiveConnection<D: Database> {
    /// Ends with the use of the connection.
    _span: Span,
    connection: PoolConnection<D>,
    /// Whether the last statement ended cleanly, so that the connection can be used again.
    is_intact: bool,
    pub(super) write_health: Arc<WriteHealth>,
    /// Declared after `connection`, so that the permit is released after the connection.
    _place: Option<WorkPermit>,
    _mark: HeldMark,
}

/// A connection for reading.
#[derive(Debug)]
pub enum Reader {
    Sqlite(ActiveConnection<Sqlite>),
    Postgres(ActiveConnection<Postgres>),
}

/// The span of a request's use of the database, by OpenTelemetry's conventions for databases. The server's own work has
/// none. The target is that of `http::traces`.
fn trace<D: Database>() -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::debug_span!(
        target: "traces",
        "database",
        otel.name = %D::NAME.to_lowercase(),
        otel.kind = "client",
        db.system.name = %D::NAME.to_lowercase()
    )
}

impl<D: Database> ActiveConnection<D> {
    pub(super) fn new(connection: PoolConnection<D>, place: Option<WorkPermit>, health: &Arc<WriteHealth>) -> Self {
        Self {
            _span: trace::<D>(),
            connection,
            is_intact: true,
            write_health: health.clone(),
            _place: place,
            _mark: HeldMark::set(),
        }
    }

    /// The connection, for one statement.
    pub fn begin_statement(&mut self) -> &mut D::Connection {
        self.is_intact = false;
        &mut self.connection
    }

    /// Reports the result of the statement.
    pub fn end_statement<T>(&mut self, done: &Result<T, sqlx::Error>) {
        self.is_intact = match done {
            Ok(_) => true,
            // A violated constraint does not affect the connection.
            Err(error) => error.as_database_error().is_some_and(|error| {
                error.is_unique_violation() || error.is_foreign_key_violation() || error.is_check_violation()
            }),
        };
        if let Err(error) = done {
            self.write_health.note(Err(error));
        }
    }

    pub(super) fn is_intact(&self) -> bool {
        self.is_intact
    }
}

impl<D: Database> Drop for ActiveConnection<D> {
    fn drop(&mut self) {
        if !self.is_intact {
            self.connection.close_on_drop();
        }
    }
}

/// A task that takes a connection while it holds another can deadlock with itself. Debug builds, and so the tests,
/// panic on it.
#[cfg(debug_assertions)]
mod holders {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
    use tokio::task::{self, Id};

    static HOLDERS: LazyLock<Mutex<HashMap<Id, usize>>> = LazyLock::new(Mutex::default);

    fn holders() -> MutexGuard<'static, HashMap<Id, usize>> {
        HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the current task as holding a connection, until it is dropped.
    #[derive(Debug)]
    pub struct HeldMark(Option<Id>);

    impl HeldMark {
        pub fn set() -> Self {
            let id = task::try_id();
            if let Some(id) = id {
                *holders().entry(id).or_default() += 1;
            }
            Self(id)
        }
    }

    impl Drop for HeldMark {
        fn drop(&mut self) {
            let Some(id) = self.0 else { return };
            let mut holders = holders();
            if let Some(count) = holders.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    holders.remove(&id);
                }
            }
        }
    }

    /// Panics if the current task already holds a connection.
    pub fn expect_none_held() {
        let held = task::try_id().is_some_and(|id| holders().contains_key(&id));
        assert!(!held, "a task takes a database connection while it holds one");
    }
}

#[cfg(not(debug_assertions))]
mod holders {
    #[derive(Debug)]
    pub struct HeldMark;

    impl HeldMark {
        pub fn set() -> Self {
            Self
        }
    }

    pub fn expect_none_held() {}
}

use holders::HeldMark;
pub(super) use holders::expect_none_held;
