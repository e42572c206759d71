//! Backups of a whole database: one portable file, made while the server runs, that restores into either engine.
//! `docs/operations.md` describes the file.

/// What a backup contains, and what would work again if it were restored.
mod contents;
/// What was ended since a backup was made.
mod ended;
/// The file's format: writing and reading it.
mod format;
/// Backups at intervals.
pub mod schedule;
/// Making, checking and restoring backups.
pub mod service;
/// The SQL: reading every table, and filling an empty database.
mod store;
/// The tables that a backup contains.
pub mod tables;

pub use contents::{Contents, LiveItem, LiveKind};
pub use ended::ended_since;
pub use format::{BackupError, Header};
