//! The names of tables and columns in these statements come from the database's own catalog, or were compared with it.

use crate::backups::contents::{LiveItem, LiveKind};
use crate::backups::format::{BackupError, Column, ColumnKind, RowValue, RowWriter};
use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use crate::db::{EmptyDatabase, Snapshot};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _, query, query_as, query_scalar};
use std::fmt::Write as _;

const SQLITE_COLUMNS: &str = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
const POSTGRES_COLUMNS: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
const MASTER_KEYS: &str = "SELECT DISTINCT sealed_with FROM api_keys WHERE sealed_with IS NOT NULL";
const SERVERS: &str = "SELECT COUNT(*) FROM gate_servers WHERE until > now()";
/// Statements that end something at once: `$1` is the workspace.
const END_KEY: &str = "UPDATE api_keys SET deleted_at = $3, deleted_by = $4 WHERE workspace_id = $1 AND id = $2";
const END_TOKEN: &str = "DELETE FROM runtime_tokens WHERE workspace_id = $1 AND id = $2";
const END_MEMBERSHIP: &str = "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2";
const END_INVITATION: &str = "DELETE FROM invitations WHERE workspace_id = $1 AND id = $2";
const RECORD_END: &str = "INSERT INTO audit_entries
    (workspace_id, id, at, actor, actor_id, action, subject_id, subject, details, address)
    VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, $8, '')";

/// Whoever delivers audit entries delivers this one too.
const DELIVER_END: &str = "INSERT INTO audit_unsent (workspace_id, id) VALUES ($1, $2)";

/// Most parameters of a statement on SQLite (`SQLITE_MAX_VARIABLE_NUMBER`).
const MAX_PARAMETERS: usize = 32_766;
const MAX_ROWS: usize = 200;
/// Rows are handed on in pieces of at least this size, in bytes.
const PIECE: usize = 256 * 1024;

/// What becomes of the pieces of a table: lines of JSON.
pub type Pieces = tokio::sync::mpsc::Sender<Vec<u8>>;

/// Ids of the master keys under which values are sealed.
pub async fn master_keys(snapshot: &mut Snapshot) -> Result<Vec<String>, sqlx::Error> {
    // The first version had no keys.
    if columns(snapshot, "api_keys").await?.is_empty() {
        return Ok(Vec::new());
    }
    match snapshot {
        Snapshot::Sqlite(c) => query_scalar(MASTER_KEYS).fetch_all(c).await,
        Snapshot::Postgres(c) => query_scalar(MASTER_KEYS).fetch_all(c).await,
    }
}

/// The columns of a table; none if there is no such table.
pub async fn columns(snapshot: &mut Snapshot, table: &str) -> Result<Vec<Column>, sqlx::Error> {
    match snapshot {
        Snapshot::Sqlite(c) => sqlite_columns(c, table).await,
        Snapshot::Postgres(c) => postgres_columns(c, table).await,
    }
}

async fn sqlite_columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<Column>, sqlx::Error> {
    let columns: Vec<(String, String)> = query_as(SQLITE_COLUMNS).bind(table).fetch_all(connection).await?;
    Ok(columns.into_iter().map(|(name, kind)| Column(name, kind_of(&kind))).collect())
}

async fn postgres_columns(connection: &mut PgConnection, table: &str) -> Result<Vec<Column>, sqlx::Error> {
    let columns: Vec<(String, String)> = query_as(POSTGRES_COLUMNS).bind(table).fetch_all(connection).await?;
    Ok(columns.into_iter().map(|(name, kind)| Column(name, kind_of(&kind))).collect())
}

/// The kind of a column by its type in either engine.
fn kind_of(sql_type: &str) -> ColumnKind {
    match sql_type.to_ascii_lowercase().as_str() {
        "bigint" | "integer" | "smallint" => ColumnKind::Integer,
        "boolean" => ColumnKind::Boolean,
        "blob" | "bytea" => ColumnKind::Blob,
        _ => ColumnKind::Text,
    }
}

/// Number of rows of a table.
pub async fn count(snapshot: &mut Snapshot, table: &str) -> Result<i64, sqlx::Error> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    match snapshot {
        Snapshot::Sqlite(c) => query_scalar(sql).fetch_one(c).await,
        Snapshot::Postgres(c) => query_scalar(sql).fetch_one(c).await,
    }
}

/// Implements reading a table, which is the same code for both engines' types of rows.
macro_rules! send_rows {
    ($rows:expr, $row:ty, $columns:expr, $pieces:expr, $sent:expr) => {{
        let (mut rows, mut piece, mut count) = ($rows, Vec::with_capacity(2 * PIECE), 0);
        while let Some(row) = rows.try_next().await? {
            let row: $row = row;
            let mut writer = RowWriter(&mut piece);
            writer.begin();
            for (at, Column(_, kind)) in $columns.iter().enumerate() {
                let written = match kind {
                    ColumnKind::Text => writer.push(&row.try_get_unchecked::<Option<&str>, _>(at)?),
                    ColumnKind::Integer => writer.push(&row.try_get_unchecked::<Option<i64>, _>(at)?),
                    ColumnKind::Boolean => writer.push(&row.try_get_unchecked::<Option<bool>, _>(at)?),
                    ColumnKind::Blob => writer.push_bytes(row.try_get_unchecked::<Option<&[u8]>, _>(at)?),
                };
                written.map_err(|error| BackupError::Damaged(error.to_string()))?;
            }
            writer.end();
            count += 1;
            if piece.len() >= PIECE {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(2 * PIECE));
                // A closed channel: the writer has failed, and says why.
                if $pieces.send(full).await.is_err() {
                    break;
                }
                $sent(count);
            }
        }
        let _ = $pieces.send(piece).await;
        Ok(count)
    }};
}

/// Sends all rows of a table, and returns their number. `sent` is told how many there were, now and then.
pub async fn send_rows(
    snapshot: &mut Snapshot,
    table: &str,
    columns: &[Column],
    pieces: &Pieces,
    sent: impl Fn(u64),
) -> Result<u64, BackupError> {
    match snapshot {
        Snapshot::Sqlite(c) => {
            let sql = AssertSqlSafe(format!("SELECT {} FROM {table}", names(columns)));
            send_rows!(query(sql).fetch(c), SqliteRow, columns, pieces, sent)
        }
        Snapshot::Postgres(c) => {
            let select: Vec<String> = columns
                .iter()
                .map(|Column(name, kind)| match kind {
                    ColumnKind::Integer => format!("CAST({name} AS BIGINT)"),
                    _ => name.clone(),
                })
                .collect();
            let sql = AssertSqlSafe(format!("SELECT {} FROM {table}", select.join(", ")));
            send_rows!(query(sql).fetch(c), PgRow, columns, pieces, sent)
        }
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|Column(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Number of servers that run on the database.
pub async fn servers(database: &mut EmptyDatabase) -> Result<i64, sqlx::Error> {
    match database {
        // The caller holds the lock of the data directory, which a server would hold.
        EmptyDatabase::Sqlite { .. } => Ok(0),
        EmptyDatabase::Postgres(c) => match postgres_columns(c, "gate_servers").await?.is_empty() {
            // Servers of early versions do not tell that they run.
            true => Ok(0),
            false => query_scalar(SERVERS).fetch_one(&mut ***c).await,
        },
    }
}

/// The columns of a table that is being filled; none if there is no such table.
pub async fn columns_to_fill(database: &mut EmptyDatabase, table: &str) -> Result<Vec<Column>, sqlx::Error> {
    match database {
        EmptyDatabase::Sqlite { connection, .. } => sqlite_columns(connection, table).await,
        EmptyDatabase::Postgres(c) => postgres_columns(c, table).await,
    }
}

/// Empties a table, and switches off the triggers that would tell running servers of each row.
pub async fn begin_table(database: &mut EmptyDatabase, table: &str) -> Result<(), sqlx::Error> {
    database.execute(&format!("DELETE FROM {table}")).await?;
    if let EmptyDatabase::Postgres(_) = database {
        database.execute(&format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await?;
    }
    Ok(())
}

/// Switches the triggers on again, and returns the number of rows that the table has now.
pub async fn end_table(database: &mut EmptyDatabase, table: &str) -> Result<i64, sqlx::Error> {
    let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    match database {
        EmptyDatabase::Sqlite { connection, .. } => query_scalar(count).fetch_one(connection).await,
        EmptyDatabase::Postgres(c) => {
            query(AssertSqlSafe(format!("ALTER TABLE {table} ENABLE TRIGGER USER"))).execute(&mut ***c).await?;
            query_scalar(count).fetch_one(&mut ***c).await
        }
    }
}

/// Inserts rows.
pub async fn fill(
    database: &mut EmptyDatabase,
    table: &str,
    columns: &[Column],
    rows: &[Vec<RowValue>],
) -> Result<(), BackupError> {
    match database {
        EmptyDatabase::Sqlite { connection, .. } => fill_sqlite(connection, table, columns, rows).await,
        EmptyDatabase::Postgres(c) => copy_to_postgres(c, table, columns, rows).await,
    }
}

async fn fill_sqlite(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[Column],
    rows: &[Vec<RowValue>],
) -> Result<(), BackupError> {
    let at_once = (MAX_PARAMETERS / columns.len().max(1)).clamp(1, MAX_ROWS);
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    for chunk in rows.chunks(at_once) {
        let values = vec![row.as_str(); chunk.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES {values}", names(columns));
        let mut arguments = SqliteArguments::default();
        for (cell, Column(_, kind)) in chunk.iter().flat_map(|cells| cells.iter().zip(columns)) {
            let added = match (cell, kind) {
                (RowValue::Null, _) => arguments.add(None::<i64>),
                (cell, ColumnKind::Blob) => arguments.add(cell.bytes()),
                (RowValue::Text(text), _) => arguments.add(text.as_str()),
                (RowValue::Integer(number), _) => arguments.add(*number),
                (RowValue::Boolean(flag), _) => arguments.add(*flag),
            };
            added.map_err(|error| BackupError::Database(sqlx::Error::Encode(error)))?;
        }
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn copy_to_postgres(
    connection: &mut PgConnection,
    table: &str,
    columns: &[Column],
    rows: &[Vec<RowValue>],
) -> Result<(), BackupError> {
    let mut text = String::with_capacity(PIECE);
    for cells in rows {
        for (at, (cell, Column(_, kind))) in cells.iter().zip(columns).enumerate() {
            if at > 0 {
                text.push('\t');
            }
            push_copy_value(&mut text, cell, *kind);
        }
        text.push('\n');
    }
    let mut copy = connection.copy_in_raw(&format!("COPY {table} ({}) FROM STDIN", names(columns))).await?;
    copy.send(text.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// Appends a value in the text format of PostgreSQL's COPY: <https://www.postgresql.org/docs/current/sql-copy.html>.
fn push_copy_value(text: &mut String, cell: &RowValue, kind: ColumnKind) {
    match cell {
        RowValue::Null => text.push_str("\\N"),
        RowValue::Integer(number) => {
            let _ = write!(text, "{number}");
        }
        RowValue::Boolean(flag) => text.push(if *flag { 't' } else { 'f' }),
        RowValue::Text(_) if kind == ColumnKind::Blob => {
            let _ = write!(text, "\\\\x{}", hex::encode(cell.bytes().unwrap_or_default()));
        }
        RowValue::Text(value) => {
            for c in value.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '\n' => text.push_str("\\n"),
                    '\r' => text.push_str("\\r"),
                    '\t' => text.push_str("\\t"),
                    other => text.push(other),
                }
            }
        }
    }
}

/// Who ends items, when, and with which randomness for ids.
#[derive(Debug)]
pub struct Ending<'a> {
    pub now: Timestamp,
    pub actor: &'a str,
    pub random: &'a Random,
    /// JSON: why.
    pub details: &'a str,
}

/// Ends an item, and records it in the audit log.
pub async fn end(database: &mut EmptyDatabase, item: &LiveItem, ending: &Ending<'_>) -> Result<(), sqlx::Error> {
    let (sql, action) = match item.kind {
        LiveKind::ApiKey => (END_KEY, "key-deleted"),
        LiveKind::RuntimeToken => (END_TOKEN, "runtime-token-revoked"),
        LiveKind::User => (END_MEMBERSHIP, "user-removed"),
        LiveKind::Invitation => (END_INVITATION, "invitation-withdrawn"),
    };
    let id = ending.random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 20);
    macro_rules! run {
        ($connection:expr) => {{
            let mut ended = query(sql).bind(&item.workspace_id).bind(&item.id);
            if item.kind == LiveKind::ApiKey {
                ended = ended.bind(ending.now).bind(ending.actor);
            }
            ended.execute(&mut *$connection).await?;
            query(RECORD_END)
                .bind(&item.workspace_id)
                .bind(&id)
                .bind(ending.now)
                .bind(ending.actor)
                .bind(action)
                .bind(&item.id)
                .bind(&item.name)
                .bind(ending.details)
                .execute(&mut *$connection)
                .await?;
            query(DELIVER_END).bind(&item.workspace_id).bind(&id).execute(&mut *$connection).await?;
        }};
    }
    match database {
        EmptyDatabase::Sqlite { connection, .. } => run!(connection),
        EmptyDatabase::Postgres(c) => run!(**c),
    }
    Ok(())
}
