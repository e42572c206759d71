use crate::base::actor::Actor;
use crate::base::error::Error;
use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use crate::db::connection::ActiveConnection;
use crate::db::file_queue::WriteTurn;
use async_trait::async_trait;
use sqlx::{Executor as _, Postgres, Sqlite};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a rollback may take before the connection is closed instead.
const ROLLBACK: Duration = Duration::from_secs(1);

/// A write transaction, with who makes it, when, and the randomness for its ids; rolled back where it is dropped without
/// [`Change::commit`]. A connection whose transaction did not end cleanly is closed.
#[derive(Debug)]
pub struct Change {
    /// `None` once it has ended.
    open: Option<ChangeConnection>,
    /// In the queue of processes that write to the file.
    turn: Option<WriteTurn>,
    origin: Origin,
}

/// Who makes a change, when, with which randomness, and what its commit waits for.
#[derive(Debug)]
pub struct Origin {
    pub actor: Actor,
    pub now: Timestamp,
    pub random: Random,
    pub commit_hook: Option<Arc<dyn CommitHook>>,
}

/// What a commit waits for. The gate installs itself here at start, so that no change of what it decides by can be
/// answered before every server follows.
#[async_trait]
pub trait CommitHook: fmt::Debug + Send + Sync {
    /// Asked in the transaction, before its commit; `None` where nothing that the hook cares for has changed.
    async fn prepare(&self, change: &mut Change) -> Result<Option<Box<dyn Committed>>, sqlx::Error>;
}

/// What is done after a commit, by the connection that made it. It cannot fail: the change is made.
#[async_trait]
pub trait Committed: Send {
    /// Returns when the change may be answered.
    async fn wait(self: Box<Self>, connection: ChangeConnection);
}

/// The connection of a transaction.
#[derive(Debug)]
pub enum ChangeConnection {
    /// Begun with `BEGIN IMMEDIATE`.
    Sqlite(ActiveConnection<Sqlite>),
    /// Read committed, as PostgreSQL begins them.
    Postgres(ActiveConnection<Postgres>),
}

impl Change {
    pub(super) async fn begin(
        mut connection: ChangeConnection,
        turn: Option<WriteTurn>,
        origin: Origin,
    ) -> Result<Self, sqlx::Error> {
        let begin = match &connection {
            ChangeConnection::Sqlite(_) => "BEGIN IMMEDIATE",
            ChangeConnection::Postgres(_) => "BEGIN",
        };
        connection.execute(begin).await?;
        Ok(Self { open: Some(connection), turn, origin })
    }

    /// Who makes it.
    pub fn actor(&self) -> &Actor {
        &self.origin.actor
    }

    /// Makes it somebody else's: of the user whom it has just created.
    pub fn act_as(&mut self, actor: Actor) {
        self.origin.actor = actor;
    }

    /// When it began.
    pub fn now(&self) -> Timestamp {
        self.origin.now
    }

    /// For ids and secrets.
    pub fn random(&self) -> &Random {
        &self.origin.random
    }

    /// The connection, for [`on_change!`](crate::on_change).
    #[expect(clippy::expect_used, reason = "commit and drop, which take it, end the transaction")]
    pub fn connection(&mut self) -> &mut ChangeConnection {
        self.open.as_mut().expect("the transaction is open")
    }

    /// Makes everything written in it last, and returns when every server's gate follows.
    pub async fn commit(mut self) -> Result<(), Error> {
        let committed = match self.origin.commit_hook.clone() {
            Some(hook) => hook.prepare(&mut self).await?,
            None => None,
        };
        // While it is under way nobody knows how it ends: a request that is cancelled here closes the connection.
        let Some(mut connection) = self.open.take() else { return Err(Error::Internal) };
        let done = connection.execute("COMMIT").await;
        drop(self.turn.take());
        done?;
        connection.written();
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

    fn written(&self) {
        match self {
            Self::Sqlite(held) => held.write_health.note(Ok(())),
            Self::Postgres(held) => held.write_health.note(Ok(())),
        }
    }

    fn is_intact(&self) -> bool {
        match self {
            Self::Sqlite(held) => held.is_intact(),
            Self::Postgres(held) => held.is_intact(),
        }
    }

    /// Cut short, it leaves a connection that is closed.
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
    /// Ends a transaction that cannot be rolled back, with its connection.
    fn close(mut self) {
        match &mut self {
            Self::Sqlite(held) => drop(held.begin_statement()),
            Self::Postgres(held) => drop(held.begin_statement()),
        }
    }
}
