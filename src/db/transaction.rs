use crate::base::error::Error;
use crate::db::connection::ActiveConnection;
use crate::db::file_queue::Turn;
use sqlx::{Executor as _, Postgres, Sqlite};
use std::time::Duration;
use tokio::time::timeout;

/// How long a rollback may take before the connection is closed instead.
const ROLLBACK: Duration = Duration::from_secs(1);

/// A write transaction; rolled back where it is dropped without [`Tx::commit`]. A connection whose transaction did not end
/// cleanly is closed.
#[derive(Debug)]
pub struct Tx {
    /// `None` once it has ended.
    open: Option<TxConnection>,
    /// In the queue of processes that write to the file.
    turn: Option<Turn>,
}

/// The connection of a transaction.
#[derive(Debug)]
pub enum TxConnection {
    /// Begun with `BEGIN IMMEDIATE`.
    Sqlite(ActiveConnection<Sqlite>),
    /// Read committed, as PostgreSQL begins them.
    Postgres(ActiveConnection<Postgres>),
}

impl Tx {
    pub(super) async fn begin_sqlite(held: ActiveConnection<Sqlite>, turn: Option<Turn>) -> Result<Self, sqlx::Error> {
        let mut connection = TxConnection::Sqlite(held);
        connection.execute("BEGIN IMMEDIATE").await?;
        Ok(Self { open: Some(connection), turn })
    }

    pub(super) async fn begin_postgres(held: ActiveConnection<Postgres>) -> Result<Self, sqlx::Error> {
        let mut connection = TxConnection::Postgres(held);
        connection.execute("BEGIN").await?;
        Ok(Self { open: Some(connection), turn: None })
    }

    /// The connection, for [`on_tx!`](crate::on_tx).
    #[expect(clippy::expect_used, reason = "commit and drop, which take it, end the transaction")]
    pub fn connection(&mut self) -> &mut TxConnection {
        self.open.as_mut().expect("the transaction is open")
    }

    /// Makes everything written in it last.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.commit_and_keep().await.map(drop)?)
    }

    /// The same; the connection can be used for what comes next before it goes back.
    pub(crate) async fn commit_and_keep(mut self) -> Result<TxConnection, sqlx::Error> {
        // While it is under way nobody knows how it ends: a request that is cancelled here closes the connection.
        let Some(mut connection) = self.open.take() else { return Err(sqlx::Error::PoolClosed) };
        let done = connection.execute("COMMIT").await;
        drop(self.turn.take());
        done?;
        connection.written();
        Ok(connection)
    }
}

impl TxConnection {
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
            Self::Sqlite(held) => held.db.note_write(Ok(())),
            Self::Postgres(held) => held.db.note_write(Ok(())),
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

impl Drop for Tx {
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

impl TxConnection {
    /// Ends a transaction that cannot be rolled back, with its connection.
    fn close(mut self) {
        match &mut self {
            Self::Sqlite(held) => drop(held.begin_statement()),
            Self::Postgres(held) => drop(held.begin_statement()),
        }
    }
}
