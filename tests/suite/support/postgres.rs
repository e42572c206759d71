//! A real PostgreSQL of the tests' own, gone when they are.

use sqlx::{Connection as _, Executor as _, PgConnection};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Cluster {
    url: String,
    /// Its standard input keeps the cluster alive: it closes when this process ends, however it ends.
    _keeper: Child,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/temporary-postgres.sh");
    let mut keeper = Command::new(script)
        .env("POSTGRES_OPTIONS", "-c fsync=off")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(url.starts_with("postgres://"), "PostgreSQL did not start");
    Cluster { url: url.trim().to_owned(), _keeper: keeper }
});

/// The URL of a new, empty database.
pub async fn new_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let admin = tokio::task::spawn_blocking(|| CLUSTER.url.clone()).await.unwrap();
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    format!("{}/{name}", admin.trim_end_matches("/postgres"))
}
