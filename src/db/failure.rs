use sqlx::migrate::MigrateError;
use std::io::ErrorKind;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server cannot be reached, or does not accept the connection.
    #[error("{}", explain(.0))]
    Connect(#[from] sqlx::Error),
    /// A migration failed, or this version does not know the schema's version.
    #[error("{}", explain_migration(.0))]
    Migrate(#[from] MigrateError),
    #[error(
        "servers of an earlier version run on it ({servers}), and after its migration {reason}. Stop them all, then \
         start this version"
    )]
    EarlierServersRun { servers: i64, reason: &'static str },
}

fn explain_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) => format!(
            "a later version has migrated it (schema {version}, this program does not know it). Start that version, or \
             restore a backup from before"
        ),
        other => other.to_string(),
    }
}

/// The reason, advice if there is any, and the driver's message, which does not contain the URL.
fn explain(error: &sqlx::Error) -> String {
    match Unreachable::of(error) {
        Unreachable::Failed => error.to_string(),
        known => format!("it {known}. {} ({error})", known.advice()),
    }
}

/// Why a database could not be reached. The texts complete a sentence that begins with "it".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    #[error("refuses connections")]
    Refused,
    #[error("does not accept this user and password")]
    Credentials,
    #[error("has no database of this name")]
    NoSuchDatabase,
    #[error("has too many clients already")]
    TooManyClients,
    #[error("is starting or stopping")]
    StartingOrStopping,
    #[error("cannot be found under this host name")]
    UnknownHost,
    #[error("does not answer in time")]
    Slow,
    #[error("fails")]
    Failed,
}

impl Unreachable {
    /// Classifies an error of the driver.
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::NotFound => Self::Refused,
                ErrorKind::TimedOut => Self::Slow,
                _ if error.to_string().contains("lookup address") => Self::UnknownHost,
                _ => Self::Failed,
            },
            sqlx::Error::PoolTimedOut => Self::Slow,
            sqlx::Error::Database(error) => match error.code().as_deref() {
                Some("28P01" | "28000") => Self::Credentials,
                Some("3D000") => Self::NoSuchDatabase,
                Some("53300") => Self::TooManyClients,
                Some("57P01" | "57P02" | "57P03") => Self::StartingOrStopping,
                // The database does not accept connections (`datallowconn` is false).
                Some("55000") => Self::Refused,
                _ => Self::Failed,
            },
            _ => Self::Failed,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Refused => "Start it, or correct host and port.",
            Self::Credentials => "Correct them, or let this user in with pg_hba.conf.",
            Self::NoSuchDatabase => "Create it with `createdb`, or correct the name.",
            Self::TooManyClients => "Raise its max_connections, or stop other clients.",
            Self::StartingOrStopping => "Try again in a moment.",
            Self::UnknownHost => "Correct the host name.",
            Self::Slow => "Look at its load and at the network.",
            Self::Failed => "",
        }
    }
}

/// Why the database cannot be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteFailure {
    #[error("the disk is full")]
    DiskFull,
    #[error("the database is read-only")]
    ReadOnly,
    #[error("the disk reports an error")]
    Disk,
    #[error("the database's file cannot be opened")]
    CannotOpen,
    #[error("the database's file is damaged")]
    Damaged,
}

impl WriteFailure {
    /// Classifies an error of the driver; `None` if it does not mean that writing fails in general.
    ///
    /// Codes: <https://www.sqlite.org/rescode.html> for SQLite, appendix A of the manual for PostgreSQL.
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        let code = error.as_database_error()?.code()?;
        if code.len() == 5 {
            return match &*code {
                "53100" => Some(Self::DiskFull),
                "25006" => Some(Self::ReadOnly),
                "58030" => Some(Self::Disk),
                "XX001" | "XX002" => Some(Self::Damaged),
                _ => None,
            };
        }
        // The low byte of a SQLite code is the primary result code; the higher bytes extend it.
        match code.parse::<u32>().ok()? & 0xff {
            13 => Some(Self::DiskFull),
            3 | 8 => Some(Self::ReadOnly),
            10 => Some(Self::Disk),
            14 => Some(Self::CannotOpen),
            11 | 26 => Some(Self::Damaged),
            _ => None,
        }
    }
}

/// Why a read or a write failed. The cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// The database is busy, unreachable or cannot be written to. A later attempt may succeed.
    #[error("The database is not available just now. Nothing was changed. Try again in a moment.")]
    Unavailable,
    /// A statement failed unexpectedly, or a row contains invalid data.
    #[error("The database call failed. The log has the cause.")]
    Failed,
}

impl From<sqlx::Error> for DbError {
    /// Logs the database's message, which is never sent to a client.
    fn from(error: sqlx::Error) -> Self {
        // A wait for a turn that timed out is counted by `WorkLimit` already. Under load there are too many to log each
        // one.
        if !matches!(error, sqlx::Error::PoolTimedOut) {
            tracing::error!(%error, "database call failed");
        }
        match is_away_or_busy(&error) || WriteFailure::of(&error).is_some() {
            true => Self::Unavailable,
            false => Self::Failed,
        }
    }
}

/// Whether an error means that the database is temporarily unreachable, or blocked by another transaction.
fn is_away_or_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| match code.len() {
            // Classes: 08 connection lost, 40 deadlock or serialization failure, 53 insufficient resources, 57
            // shutdown, start or statement timeout. 55000: the database does not accept connections.
            5 => ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || &*code == "55000",
            // SQLITE_BUSY and SQLITE_LOCKED.
            _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
        }),
        _ => false,
    }
}
