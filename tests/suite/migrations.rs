//! Tests of migrations from each earlier schema with rows in it: no row is lost, and the result is the schema of a new
//! database.

use crate::support::postgres;
use agent_studio::backups::service::{Backups, EndRule};
use agent_studio::base::clock::Clock;
use agent_studio::base::randomness::Random;
use agent_studio::db::{DatabaseLocation, Db, OpenError};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use std::collections::BTreeMap;
use std::path::Path;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The migrations up to this version.
fn up_to(migrator: &Migrator, version: i64) -> Migrator {
    let first = migrator.iter().filter(|migration| migration.version <= version).cloned();
    Migrator::with_migrations(first.collect())
}

/// A value for a column. It is the same in each table, so that references hold.
fn value(column: &str, kind: &str, engine: &str) -> String {
    let kind = kind.to_lowercase();
    match (column, kind.as_str()) {
        ("role", _) => "'admin'".to_owned(),
        ("document", _) => "'{\"from_number\":\"1\",\"to_number\":\"2\",\"total_duration\":90}'".to_owned(),
        ("extras", _) => "'{\"language\":\"en-GB\",\"direction\":1,\"tags\":[\"a\",\"b\",\"a\",3,null]}'".to_owned(),
        (_, "blob") => "x'01'".to_owned(),
        (_, "bytea") => "'\\x01'".to_owned(),
        (_, "boolean") => "TRUE".to_owned(),
        (_, "tsvector") => "''".to_owned(),
        (_, "text") => "'one'".to_owned(),
        (_, "bigint" | "integer" | "smallint") => "1".to_owned(),
        _ => panic!("{engine}: a column `{column}` of type {kind}"),
    }
}

fn insert(table: &str, columns: &[(String, String)], engine: &str) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let values: Vec<_> = columns.iter().map(|(name, kind)| value(name, kind, engine)).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))
}

/// Tables in the order of their creation, without those that triggers and the full-text index fill.
const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
    AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND name NOT LIKE 'transcript%' AND name NOT LIKE 'gate%'
    AND name <> 'write_check' ORDER BY rowid";

async fn sqlite_columns(connection: &mut SqliteConnection, table: &str) -> Vec<(String, String)> {
    let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| (row.get("name"), row.get("type"))).collect()
}

async fn postgres_columns(connection: &mut PgConnection, table: &str) -> Vec<(String, String)> {
    let sql = "SELECT column_name::text, data_type::text FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position";
    sqlx::query_as(sql).bind(table).fetch_all(connection).await.unwrap()
}

/// Makes a backup of a database of this version, and restores it with this program into the other engine.
async fn restore_to_this_version(from: &DatabaseLocation, version: i64, dir: &Path) {
    let backups = |location: &DatabaseLocation| Backups::new(location.clone(), Clock::System, Random::System);
    let backup = dir.join(format!("{}-{version}.backup", from.engine()));
    backups(from).write(&backup, &|_, _| {}).await.unwrap();
    let contents = backups(from).check(&backup).await.unwrap();
    assert_eq!(contents.header.schema, version);
    assert!(contents.rows.len() >= 5 && contents.rows.values().all(|count| *count == 1), "{contents:?}");
    let to = match from {
        DatabaseLocation::Postgres(_) => DatabaseLocation::Sqlite(dir.join(format!("restored-{version}"))),
        DatabaseLocation::Sqlite(_) => DatabaseLocation::Postgres(postgres::new_database().await),
    };
    backups(&to).restore(&backup, &contents, &EndRule::default(), &|_, _| {}).await.unwrap();
    let rows = backups(&to).write(&backup.with_extension("again"), &|_, _| {}).await.unwrap();
    let lost: Vec<_> = contents.rows.keys().filter(|table| rows[*table] != 1).collect();
    assert!(lost.is_empty(), "version {version}, from {} to {}: {lost:?}", from.engine(), to.engine());
}

#[tokio::test]
async fn rows_survive_from_every_earlier_schema() {
    let dir = tempfile::tempdir().unwrap();
    let open = async |name: &str| {
        let options = SqliteConnectOptions::new().filename(dir.path().join(name)).create_if_missing(true);
        SqliteConnection::connect_with(&options.foreign_keys(true)).await.unwrap()
    };
    let latest = SQLITE.iter().map(|migration| migration.version).max().unwrap();
    assert_eq!(POSTGRES.iter().map(|migration| migration.version).max(), Some(latest));
    let mut new = open("new").await;
    SQLITE.run(&mut new).await.unwrap();
    let mut new_on_postgres = PgConnection::connect(&postgres::new_database().await).await.unwrap();
    POSTGRES.run(&mut new_on_postgres).await.unwrap();
    for version in 1..latest {
        let mut sqlite = open(&format!("from-{version}")).await;
        let url = postgres::new_database().await;
        let mut on_postgres = PgConnection::connect(&url).await.unwrap();
        up_to(&SQLITE, version).run(&mut sqlite).await.unwrap();
        up_to(&POSTGRES, version).run(&mut on_postgres).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut sqlite).await.unwrap();
        assert!(tables.len() >= 6, "{tables:?}");
        for table in &tables {
            let columns = sqlite_columns(&mut sqlite, table).await;
            sqlite.execute(AssertSqlSafe(insert(table, &columns, "SQLite"))).await.unwrap();
            let columns = postgres_columns(&mut on_postgres, table).await;
            on_postgres.execute(AssertSqlSafe(insert(table, &columns, "PostgreSQL"))).await.unwrap();
        }
        let file = dir.path().join(format!("from-{version}"));
        for from in [DatabaseLocation::Sqlite(file), DatabaseLocation::Postgres(url)] {
            restore_to_this_version(&from, version, dir.path()).await;
        }
        SQLITE.run(&mut sqlite).await.unwrap();
        POSTGRES.run(&mut on_postgres).await.unwrap();
        if version < 17 && tables.iter().any(|table| table == "conversations") {
            let facts = "SELECT total_duration, from_number, to_number, language, direction,
                (SELECT COUNT(*) FROM conversation_tags) FROM conversations";
            // Fields that only the live form has are kept since version 16.
            let (language, tags) = if version < 16 { ("", 0_i64) } else { ("en-GB", 2) };
            let text = str::to_owned;
            let expected = (90_i64, text("1"), text("2"), text(language), text(""), tags);
            assert_eq!(expected, sqlx::query_as(facts).fetch_one(&mut sqlite).await.unwrap());
            assert_eq!(expected, sqlx::query_as(facts).fetch_one(&mut on_postgres).await.unwrap());
        }
        let mut lost = BTreeMap::new();
        for table in &tables {
            let count = || AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            let counts: [Result<i64, _>; 2] = [
                sqlx::query_scalar(count()).fetch_one(&mut sqlite).await,
                sqlx::query_scalar(count()).fetch_one(&mut on_postgres).await,
            ];
            for (engine, count) in ["SQLite", "PostgreSQL"].into_iter().zip(counts) {
                if !matches!(count, Ok(1)) {
                    lost.insert((table.clone(), engine), format!("{count:?}"));
                }
            }
            let (mut grown, mut fresh) =
                (sqlite_columns(&mut sqlite, table).await, sqlite_columns(&mut new, table).await);
            grown.sort();
            fresh.sort();
            assert_eq!(grown, fresh, "SQLite's {table} from version {version}");
            let mut grown = postgres_columns(&mut on_postgres, table).await;
            let mut fresh = postgres_columns(&mut new_on_postgres, table).await;
            grown.sort();
            fresh.sort();
            assert_eq!(grown, fresh, "PostgreSQL's {table} from version {version}");
        }
        assert!(lost.is_empty(), "from version {version}: {lost:?}");
    }
}

/// The schema of this version in a new PostgreSQL database.
async fn postgres_at(version: i64) -> (String, PgConnection) {
    let url = postgres::new_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    up_to(&POSTGRES, version).run(&mut connection).await.unwrap();
    (url, connection)
}

async fn open(url: &str) -> Result<Db, OpenError> {
    Db::postgres(url, Clock::System, Random::System).await
}

#[tokio::test]
async fn a_migration_that_earlier_servers_cannot_bear_waits_until_they_have_stopped() {
    let server = "INSERT INTO gate_servers (id, until) VALUES ('one', clock_timestamp() + interval '1 minute')";
    let (url, mut connection) = postgres_at(26).await;
    connection.execute(server).await.unwrap();
    let refused = open(&url).await.unwrap_err();
    assert!(matches!(refused, OpenError::EarlierServersRun { servers: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("conversations of deleted agents"), "{refused}");
    let version = "SELECT MAX(version) FROM _sqlx_migrations";
    let unchanged: i64 = sqlx::query_scalar(version).fetch_one(&mut connection).await.unwrap();
    assert_eq!(unchanged, 26);
    connection.execute("UPDATE gate_servers SET until = clock_timestamp()").await.unwrap();
    open(&url).await.unwrap();

    let (url, mut connection) = postgres_at(27).await;
    connection.execute(server).await.unwrap();
    open(&url).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let (url, mut connection) = postgres_at(i64::MAX).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'later', TRUE, '\\x00', 1)";
    connection.execute(later).await.unwrap();
    let refused = open(&url).await.unwrap_err().to_string();
    assert!(refused.contains("a later version has migrated it (schema 9999"), "{refused}");
}
