//! A temporary PostgreSQL cluster for the tests.

use sqlx::{Connection as _, Executor as _, PgConnection};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A PostgreSQL server.
pub struct Cluster {
    pub url: String,
    answers: BufReader<ChildStdout>,
    /// The script that runs the cluster. The cluster ends when the script's standard input closes, so also if this
    /// process is killed.
    keeper: Child,
}

impl Cluster {
    /// Starts a new cluster, without fsync.
    pub fn start_new() -> Self {
        Self::with_options("-c fsync=off")
    }

    /// Starts a new cluster with these options for `postgres`.
    pub fn with_options(options: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/temporary-postgres.sh");
        let mut keeper = Command::new(script)
            .env("POSTGRES_OPTIONS", options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut cluster = Self { url: String::new(), answers, keeper };
        cluster.url = cluster.answer();
        assert!(cluster.url.starts_with("postgres://"), "PostgreSQL did not start");
        cluster
    }

    /// Sends a command: `stop` stops the server at once, like a crash; `start` starts it again. Returns when that is
    /// done.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.keeper.stdin.as_ref().unwrap(), "{command}").unwrap();
        assert_eq!(self.answer(), command);
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

static SHARED: LazyLock<String> = LazyLock::new(|| {
    // Leaked, so that it lives as long as this process.
    let cluster = Box::leak(Box::new(Cluster::start_new()));
    cluster.url.clone()
});

/// The URL of a new, empty database.
pub async fn new_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let admin = tokio::task::spawn_blocking(|| SHARED.clone()).await.unwrap();
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    format!("{}/{name}", admin.trim_end_matches("/postgres"))
}
