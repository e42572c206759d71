use crate::base::actor::Actor;
use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use crate::db::connection::ActiveConnection;
use crate::db::failure::DbError;
use crate::db::file_queue::WriteTurn;
use async_trait::async_trait;
use sqlx::{Executor as _, Postgres, Sqlite};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest time for a rollback; after that the connection is closed instead.
const ROLLBACK: Duration = Duration::from_secs(1);

/// A write transaction with its actor, its time and the randomness for its ids. It is rolled back if it is dropped
/// without [`Change::commit`]. A connection whose transaction did not end cleanly is closed.
#[derive(Debug)]
pub struct Change {
    /// `None` after the transaction has ended.
    open: Option<ChangeConnection>,
    /// SQLite only: the turn in the queue of processes that write to the file.
    turn: Option<WriteTurn>,
    origin: ChangeContext,
}

/// The context of a change: actor, time, randomness, and the hook that its commit waits for.
#[derive(Debug)]
pub struct ChangeContext {
    pub actor: Actor,
    pub now: Timestamp,
    pub random: Random,
    pub commit_hook: Option<Arc<dyn CommitHook>>,
}

/// A hook that every commit waits for. The gate installs one at start, so that a change of the data it decides by is
/// answered only after every server has applied the change.
#[async_trait]
pub trait CommitHook: fmt::Debug + Send + Sync {
    /// Called in the transaction, before its commit. Returns `None` if the change does not concern the hook.
    async fn prepare(&self, change: &mut Change) -> Result<Option<Box<dyn AfterCommit>>, sqlx::Error>;
}

/// The step after a commit, on the connection of the transaction. It cannot fail, because the change is already
/// committed.
#[async_trait]
pub trait AfterCommit: Send {
    /// Returns when the change may be answered.
    async fn wait(self: Box<Self>, connection: ChangeConnection);
}

/// The connection of a transaction.
#[derive(Debug)]
pub enum ChangeConnection {
    /// The transaction begins with `BEGIN IMMEDIATE`.
    Sqlite(ActiveConnection<Sqlite>),
    /// The transaction has PostgreSQL's default isolation level, read committed.
    Postgres(ActiveConnection<Postgres>),
}

impl Change {
    pub(super) async fn begin(
        mut connection: ChangeConnection,
        turn: Option<WriteTurn>,
        origin: ChangeContext,
    ) -> Result<Self, sqlx::Error> {
        let begin = match &connection {
            ChangeConnection::Sqlite(_) => "BEGIN IMMEDIATE",
            ChangeConnection::Postgres(_) => "BEGIN",
        };
        connection.execute(begin).await?;
        Ok(Self { open: Some(connection), turn, origin })
    }

    pub fn actor(&self) -> &Actor {
        &self.origin.actor
    }

    /// Replaces the actor, for a change that has just created the user who makes it.
    pub fn act_as(&mut self, actor: Actor) {
        self.origin.actor = actor;
    }

    /// The time at which the change began.
    pub fn now(&self) -> Timestamp {
        self.origin.now
    }

    /// Source of random bytes for ids and secrets.
    pub fn random(&self) -> &Random {
        &self.origin.random
    }

    /// The connection, for [`on_change!`](crate::on_change).
    #[expect(clippy::expect_used, reason = "commit and drop, which take it, end the transaction")]
    pub fn connection(&mut self) -> &mut ChangeConnection {
        self.open.as_mut().expect("the transaction is open")
    }

    /// Commits the transaction, and returns after the commit hook: when the gate of every server has applied the
    /// change.
    pub async fn commit(mut self) -> Result<(), DbError> {
        let committed = match self.origin.commit_hook.clone() {
            Some(hook) => hook.prepare(&mut self).await?,
            None => None,
        };
        // A request that is cancelled during the commit closes the connection, because the outcome is unknown.
        let Some(mut connection) = self.open.take() else { return Err(DbError::Failed) };
        let done = connection.execute("COMMIT").await;
        drop(self.turn.take());
        done?;
        if let Some(committed) = committed {
            committed.wait(connection).await;
        }
        Ok(())
    }
}

impl ChangeConnection {
    async fn execute(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(held) => {
                let done = held.begin_statement().execute(sql).await;
                held.end_statement(&done);
                done.map(drop)
            }
            Self::Postgres(held) => {
                let done = held.begin_statement().execute(sql).await;
                held.end_statement(&done);
                done.map(drop)
            }
        }
    }

    fn is_intact(&self) -> bool {
        match self {
            Self::Sqlite(held) => held.is_intact(),
            Self::Postgres(held) => held.is_intact(),
        }
    }

    /// If this times out, the connection is closed when it is dropped.
    async fn roll_back(mut self) {
        let _ = timeout(ROLLBACK, self.execute("ROLLBACK")).await;
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let Some(connection) = self.open.take() else { return };
        let turn = self.turn.take();
        if connection.is_intact()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                connection.roll_back().await;
                drop(turn);
            });
            return;
        }
        connection.close();
    }
}

impl ChangeConnection {
    /// Closes the connection, which ends its transaction, where a rollback is not possible.
    fn close(mut self) {
        match &mut self {
            Self::Sqlite(held) => drop(held.begin_statement()),
            Self::Postgres(held) => drop(held.begin_statement()),
        }
    }
}
