use crate::base::time::Timestamp;
use crate::db::failure::OpenError;
use crate::db::location::DatabaseLocation;
use crate::db::migrations;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use std::str::FromStr as _;

const CLOCK: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";

/// A consistent view of a whole database, on a connection of its own. What others write meanwhile does not appear in it,
/// and does not wait for it. Opening it runs no migration.
#[derive(Debug)]
pub enum Snapshot {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Snapshot {
    pub async fn open(location: &DatabaseLocation) -> Result<Self, OpenError> {
        Ok(match location {
            DatabaseLocation::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
                let mut connection = SqliteConnection::connect_with(&options).await?;
                connection.execute("BEGIN").await?;
                // The view begins with the first read.
                connection.execute(migrations::VERSION).await?;
                Self::Sqlite(connection)
            }
            DatabaseLocation::Postgres(url) => {
                let options = PgConnectOptions::from_str(url)?.application_name("agent-studio backup");
                let options = options.disable_statement_logging();
                let mut connection = PgConnection::connect_with(&options).await?;
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
                Self::Postgres(connection)
            }
        })
    }

    /// Version of the last migration that has run.
    pub async fn schema_version(&mut self) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(migrations::VERSION).fetch_one(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(migrations::VERSION).fetch_one(connection).await,
        }
    }

    /// The time of the database's machine; `None` for SQLite, which runs on this one.
    pub async fn clock(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(connection) => sqlx::query_scalar(CLOCK).fetch_one(connection).await.map(Some),
        }
    }

    pub async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }
}
