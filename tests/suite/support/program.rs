//! Running the program as a separate process.

use super::MASTER_KEY;
use super::postgres;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The path of a tool that `scripts/setup.sh test` installs.
pub fn tool(path: &str) -> PathBuf {
    let tools = std::env::var_os("AGENT_STUDIO_TOOLS").map(PathBuf::from).unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
        cache.unwrap_or_else(home).join("agent-studio/tools")
    });
    tools.join(path)
}

/// A data directory, with SQLite or a PostgreSQL database, in which the program runs.
pub struct Place {
    pub dir: TempDir,
    database_url: Option<String>,
}

impl Place {
    pub fn on_sqlite() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), database_url: None }
    }

    pub async fn on_postgres() -> Self {
        Self::on(&postgres::new_database().await)
    }

    /// With the PostgreSQL database at this URL.
    pub fn on(database_url: &str) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), database_url: Some(database_url.to_owned()) }
    }

    /// Runs a statement directly on the database. Returns the first column of the first row, if there is one.
    pub async fn execute(&self, sql: &'static str) -> Option<String> {
        if let Some(url) = &self.database_url {
            let mut connection = PgConnection::connect(url).await.unwrap();
            return sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap();
        }
        let options = SqliteConnectOptions::new().filename(self.dir.path().join("agent-studio.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap()
    }

    pub fn is_sqlite(&self) -> bool {
        self.database_url.is_none()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-studio"));
        command.args(args).env("AGENT_STUDIO_DATA_DIR", self.dir.path()).env_remove("DATABASE_URL");
        command.env("RUST_LOG", "off").stdin(Stdio::null());
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url).env("AGENT_STUDIO_MASTER_KEY", MASTER_KEY);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The error message of a command that must fail: one sentence.
    pub fn refusal(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}: {}", text(&output.stdout));
        let said = text(&output.stderr);
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        said
    }

    pub fn serve(&self) -> Server {
        Server::start(&mut self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }
}

impl Server {
    /// Starts the server and waits until it prints its address.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("{line}")).1.to_owned();
        Server { child, address, _stderr: stderr }
    }
}

/// A running server, which is killed when this is dropped.
pub struct Server {
    pub child: Child,
    pub address: String,
    /// Kept open, so that the server can write to it.
    _stderr: BufReader<ChildStderr>,
}

impl Server {
    pub fn status(&self, path: &str, key: &str) -> u16 {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
