use crate::db::failure::OpenError;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;

pub static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Migrations after which servers of earlier versions would do wrong, and what. They do not run while such servers do.
/// After all others, the servers of the version before go on: these only add tables, columns with defaults, and indexes.
const UNSAFE_FOR_EARLIER_SERVERS: [(i64, &str); 3] = [
    (23, "they would accept keys that are paused or deleted"),
    (24, "they would not enforce the networks, rates and quotas of keys"),
    (27, "they would return the conversations of deleted agents"),
];

const HAS_TABLES: &str =
    "SELECT to_regclass('_sqlx_migrations') IS NOT NULL AND to_regclass('gate_servers') IS NOT NULL";
/// Version of the last migration that has run.
pub const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
const SERVERS: &str = "SELECT COUNT(*) FROM gate_servers WHERE until > clock_timestamp()";

/// The version of the schema that this program makes.
pub fn latest_version() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Runs the migrations on PostgreSQL, unless one of them would make servers of an earlier version, which run now, do
/// wrong.
pub async fn run_beside_servers(connection: &mut PgConnection) -> Result<(), OpenError> {
    let has_tables: bool = sqlx::query_scalar(HAS_TABLES).fetch_one(&mut *connection).await?;
    if has_tables {
        let version: i64 = sqlx::query_scalar(VERSION).fetch_one(&mut *connection).await?;
        let servers: i64 = sqlx::query_scalar(SERVERS).fetch_one(&mut *connection).await?;
        let risk = UNSAFE_FOR_EARLIER_SERVERS.iter().find(|(migration, _)| *migration > version);
        if let Some((_, reason)) = risk.filter(|_| servers > 0) {
            return Err(OpenError::EarlierServersRun { servers, reason });
        }
    }
    Ok(POSTGRES.run(connection).await?)
}
