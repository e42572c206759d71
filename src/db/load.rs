use crate::db::failure::OpenError;
use crate::db::location::DatabaseLocation;
use crate::db::migrations;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Postgres, Transaction};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

/// Whether somebody has used the database: a new one has no workspaces and no users.
const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM workspaces) OR EXISTS (SELECT 1 FROM users)";
const SQLITE_HAS_TABLES: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'workspaces')";
const POSTGRES_HAS_TABLES: &str = "SELECT to_regclass('workspaces') IS NOT NULL";

/// An empty database that is being filled. Nobody sees what was loaded before [`EmptyDatabase::commit`]: on PostgreSQL it
/// is one transaction, on SQLite a draft of the file.
#[derive(Debug)]
pub enum EmptyDatabase {
    Sqlite { connection: SqliteConnection, files: DraftFile },
    Postgres(Box<Transaction<'static, Postgres>>),
}

/// The draft of a SQLite file, removed if it is dropped.
#[derive(Debug)]
pub struct DraftFile {
    draft: PathBuf,
    path: PathBuf,
}

/// Why a database cannot be filled.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the database is not empty")]
    NotEmpty,
    #[error("the database has the tables of a later version already; use one that is new")]
    HasLaterTables,
    #[error("the database's file: {0}")]
    File(#[from] std::io::Error),
}

impl From<sqlx::Error> for LoadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Open(error.into())
    }
}

impl EmptyDatabase {
    /// Opens an empty database and makes the tables that it had at this schema version.
    pub async fn begin(location: &DatabaseLocation, version: i64) -> Result<Self, LoadError> {
        let mut opened = match location {
            DatabaseLocation::Sqlite(path) => Self::begin_draft(path).await?,
            DatabaseLocation::Postgres(url) => Self::begin_transaction(url, version).await?,
        };
        opened.migrate_up_to(version).await?;
        if let Self::Sqlite { connection, .. } = &mut opened {
            connection.execute("BEGIN").await?;
        }
        Ok(opened)
    }

    async fn begin_draft(path: &Path) -> Result<Self, LoadError> {
        if is_used(path).await? {
            return Err(LoadError::NotEmpty);
        }
        let files = DraftFile { draft: path.with_added_extension("restoring"), path: path.to_owned() };
        files.remove();
        // Nobody else reads the draft, and a crash leaves only the draft: it needs no journal.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&files.draft)?;
        let options = SqliteConnectOptions::new()
            .filename(&files.draft)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(false)
            .disable_statement_logging();
        Ok(Self::Sqlite { connection: SqliteConnection::connect_with(&options).await?, files })
    }

    async fn begin_transaction(url: &str, version: i64) -> Result<Self, LoadError> {
        let options = PgConnectOptions::from_str(url)?.application_name("agent-studio restore");
        let options = options.disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
        let mut transaction = pool.begin().await?;
        if sqlx::query_scalar(POSTGRES_HAS_TABLES).fetch_one(&mut *transaction).await? {
            if sqlx::query_scalar(IS_USED).fetch_one(&mut *transaction).await? {
                return Err(LoadError::NotEmpty);
            }
            let existing: i64 = sqlx::query_scalar(migrations::VERSION).fetch_one(&mut *transaction).await?;
            if existing > version {
                return Err(LoadError::HasLaterTables);
            }
        }
        Ok(Self::Postgres(Box::new(transaction)))
    }

    /// Runs the migrations that are left. On SQLite, it ends the transaction of the rows, which no journal can undo
    /// anyway.
    pub async fn migrate(&mut self) -> Result<(), LoadError> {
        if let Self::Sqlite { connection, .. } = self {
            connection.execute("COMMIT").await?;
        }
        self.migrate_up_to(i64::MAX).await
    }

    async fn migrate_up_to(&mut self, version: i64) -> Result<(), LoadError> {
        let some = |all: &Migrator| {
            Migrator::with_migrations(all.iter().filter(|migration| migration.version <= version).cloned().collect())
        };
        let done = match self {
            Self::Sqlite { connection, .. } => some(&migrations::SQLITE).run(connection).await,
            Self::Postgres(transaction) => some(&migrations::POSTGRES).run(&mut ***transaction).await,
        };
        Ok(done.map_err(OpenError::from)?)
    }

    /// Makes what was loaded the database, at once and for good.
    pub async fn commit(self) -> Result<(), LoadError> {
        match self {
            Self::Sqlite { connection, files } => {
                connection.close().await?;
                // A command may have used the database meanwhile.
                if is_used(&files.path).await? {
                    return Err(LoadError::NotEmpty);
                }
                files.replace()?;
            }
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// Runs a statement without parameters.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite { connection, .. } => connection.execute(sql).await?.rows_affected(),
            Self::Postgres(transaction) => transaction.execute(sql).await?.rows_affected(),
        })
    }
}

/// Whether there is a SQLite database at this path that somebody has used.
async fn is_used(path: &Path) -> Result<bool, LoadError> {
    if !path.try_exists()? {
        return Ok(false);
    }
    let mut existing = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?;
    let has_tables: bool = sqlx::query_scalar(SQLITE_HAS_TABLES).fetch_one(&mut existing).await?;
    let is_used = has_tables && sqlx::query_scalar(IS_USED).fetch_one(&mut existing).await?;
    existing.close().await?;
    Ok(is_used)
}

impl DraftFile {
    /// Puts the draft in the place of the file, which survives a power failure from then on.
    fn replace(self) -> std::io::Result<()> {
        File::open(&self.draft)?.sync_all()?;
        give_to_owner_of_folder(&self.draft)?;
        // They belong to the file that is replaced.
        for ending in ["-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(ending);
            remove_if_there(Path::new(&name))?;
        }
        fs::rename(&self.draft, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }

    fn remove(&self) {
        if let Err(error) = remove_if_there(&self.draft) {
            tracing::warn!(%error, file = %self.draft.display(), "a draft of a database could not be removed");
        }
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Gives a file to the owner of its folder: an operator may run the command as root, and the server as somebody else.
pub fn give_to_owner_of_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (owner, file) = (fs::metadata(folder)?, fs::metadata(path)?);
    match (owner.uid(), owner.gid()) == (file.uid(), file.gid()) || !is_root() {
        true => Ok(()),
        false => chown(path, Some(owner.uid()), Some(owner.gid())),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
