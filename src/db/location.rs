use std::fmt;
use std::path::PathBuf;

/// Where a database is.
#[derive(Clone)]
pub enum DatabaseLocation {
    /// Path of a SQLite file.
    Sqlite(PathBuf),
    /// URL of a PostgreSQL database. It can contain a password, so it is not printed.
    Postgres(String),
}

impl DatabaseLocation {
    /// The name of the engine.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

impl fmt::Debug for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(***)"),
        }
    }
}
