//! SQLite or PostgreSQL behind one type. Statements are written once, with `$1` placeholders, and run on either by
//! [`on_db!`] and [`on_tx!`]; `docs/storage.md` says what keeps the two alike.

use crate::error::Error;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Postgres, Sqlite, Transaction};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How long a call waits for a free connection or for SQLite's write lock.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 16;

/// An open database.
#[derive(Clone, Debug)]
pub enum Db {
    /// SQLite has one writer at a time: its own pool of one connection queues writers fairly, where the file's
    /// lock would let them collide.
    Sqlite {
        /// For reading.
        readers: SqlitePool,
        /// For transactions.
        writer: SqlitePool,
    },
    /// PostgreSQL, which other servers may share.
    Postgres(PgPool),
}

/// A write transaction; rolled back where it is dropped without [`Tx::commit`].
pub enum Tx {
    /// Begun with `BEGIN IMMEDIATE`.
    Sqlite(Transaction<'static, Sqlite>),
    /// Read committed, as PostgreSQL begins them.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs the same sqlx call on either engine's pool, for reading.
#[macro_export]
macro_rules! on_db {
    ($db:expr, |$pool:ident| $call:expr) => {
        match $db {
            $crate::server::db::Db::Sqlite { readers: $pool, .. } => $call,
            $crate::server::db::Db::Postgres($pool) => $call,
        }
    };
}

/// Runs the same sqlx call in either engine's transaction.
#[macro_export]
macro_rules! on_tx {
    ($tx:expr, |$connection:ident| $call:expr) => {
        match $tx {
            $crate::server::db::Tx::Sqlite(tx) => {
                let $connection = &mut **tx;
                $call
            }
            $crate::server::db::Tx::Postgres(tx) => {
                let $connection = &mut **tx;
                $call
            }
        }
    };
}

/// Declares a store's SQL: a constant for each statement, and `STATEMENTS`, the list that a test prepares on both
/// engines.
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        /// Every statement of this store, by name.
        pub const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

impl Db {
    /// Opens the SQLite database at this path, making it where there is none, and brings it up to date.
    pub async fn sqlite(path: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answered write survives power loss, not only a crash of the process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE * 2)
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { readers, writer })
    }

    /// Connects to PostgreSQL and brings its schema up to date; several servers may do so at once.
    pub async fn postgres(url: &str) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)?.application_name("agent-studio");
        // A change of the schema takes as long as it takes.
        let mut migrating = PgConnection::connect_with(&options).await?;
        sqlx::migrate!("migrations/postgres").run(&mut migrating).await?;
        migrating.close().await?;
        let options = options.options([("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "60s")]);
        let pool =
            PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE).connect_with(options).await?;
        Ok(Self::Postgres(pool))
    }

    /// Begins a write transaction.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Closes every connection once its call is done.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes everything written in it last.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, or does not let us in.
    #[error("{0}")]
    Connect(#[from] sqlx::Error),
    /// Its schema is not one that this version knows how to bring up to date.
    #[error("{0}")]
    Migrate(#[from] MigrateError),
}

/// Whether this error says that a unique value exists already.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}
