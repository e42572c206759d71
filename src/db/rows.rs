//! Statements that take many rows at once: their parameter `$1` is a JSON array of arrays.

use crate::db::{Change, DbError};
use crate::on_change;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, query, query_as};

/// Rows in one statement. Many at once would keep a thread busy for milliseconds, in which it decides on no calls.
const CHUNK: usize = 100;

/// A statement that takes rows, as each engine needs it.
#[derive(Clone, Copy, Debug)]
pub struct RowStatement {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// How each engine reads the rows: as `r`, whose fields are `r.value ->> 0` and so on.
#[macro_export]
macro_rules! rows {
    (sqlite) => {
        "json_each($1) AS r"
    };
    (postgres) => {
        "json_array_elements(CAST($1 AS json)) AS r"
    };
}

/// Declares statements that take rows. Each is a macro that makes the SQL for an engine.
#[macro_export]
macro_rules! row_statements {
    ($($name:ident = $sql:ident;)*) => {
        $(const $name: $crate::db::rows::RowStatement =
            $crate::db::rows::RowStatement { sqlite: $sql!(sqlite), postgres: $sql!(postgres) };)*
        /// Statements for SQLite only.
        pub const SQLITE_STATEMENTS: &[&str] = &[$($name.sqlite),*];
        /// Statements for PostgreSQL only.
        pub const POSTGRES_STATEMENTS: &[&str] = &[$($name.postgres),*];
    };
}

/// Runs a statement with rows.
pub async fn run(change: &mut Change, statement: RowStatement, rows: &[Value]) -> Result<(), DbError> {
    for chunk in rows.chunks(CHUNK) {
        let chunk = Value::from(chunk).to_string();
        on_change!(
            change,
            sqlite | c | query(statement.sqlite).bind(chunk).execute(c).await.map(|_| ()),
            postgres | c | query(statement.postgres).bind(chunk).execute(c).await.map(|_| ())
        )?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Runs a statement with rows, and returns what it returns.
pub async fn fetch<T>(change: &mut Change, statement: RowStatement, rows: &[Value]) -> Result<Vec<T>, DbError>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut found = Vec::new();
    for chunk in rows.chunks(CHUNK) {
        let chunk = Value::from(chunk).to_string();
        let returned: Vec<T> = on_change!(
            change,
            sqlite | c | query_as(statement.sqlite).bind(chunk).fetch_all(c).await,
            postgres | c | query_as(statement.postgres).bind(chunk).fetch_all(c).await
        )?;
        found.extend(returned);
        tokio::task::yield_now().await;
    }
    Ok(found)
}
