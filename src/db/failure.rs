use crate::base::error::Error;
use sqlx::migrate::MigrateError;
use std::io::ErrorKind;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, or does not let us in.
    #[error("{}", explain(.0))]
    Connect(#[from] sqlx::Error),
    /// Its schema is not one that this version knows how to bring up to date.
    #[error("{0}")]
    Migrate(#[from] MigrateError),
}

/// What is wrong, what to do where that is known, and the driver's own words, which do not repeat the URL.
fn explain(error: &sqlx::Error) -> String {
    match Unreachable::of(error) {
        Unreachable::Failed => error.to_string(),
        known => format!("it {known}. {} ({error})", known.advice()),
    }
}

/// Why a database could not be reached: the end of a sentence that begins with "it".
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
    /// Reads an error of the driver.
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
                // A role or a database that is set to take no connections, or fewer than there are.
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

/// Why nothing can be written.
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
    /// Reads an error of the driver; `None` where it says nothing about writing in general.
    ///
    /// SQLite's codes: <https://www.sqlite.org/rescode.html>, PostgreSQL's: its manual, appendix A.
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
        // The low byte is the kind of error, what is above it says more.
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

impl From<sqlx::Error> for Error {
    /// The database's own words go to the log, never to a client.
    fn from(error: sqlx::Error) -> Self {
        // Work that had no turn is counted by its kind, and may be very much.
        if !matches!(error, sqlx::Error::PoolTimedOut) {
            tracing::error!(%error, "database call failed");
        }
        match is_away_or_busy(&error) || WriteFailure::of(&error).is_some() {
            true => Self::Unavailable,
            false => Self::Internal,
        }
    }
}

/// Whether a database's error says that it is not there just now, or that another transaction is in the way.
fn is_away_or_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| match code.len() {
            // Connection lost, deadlock, too many connections, shutting down or starting, closed to connections, stopped after
            // its time.
            5 => ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || &*code == "55000",
            // SQLITE_BUSY and SQLITE_LOCKED.
            _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
        }),
        _ => false,
    }
}
