//! A backup is JSON Lines, compressed with Zstandard (RFC 8878):
//!
//! - a header: `{"format":"agent-studio-backup","version":1,"schema":28,…}`
//! - for each table a line `{"table":"users","columns":[["id","text"],…]}`, then its rows as arrays; BLOBs are in base64
//! - an end: `{"rows":{"users":2,…},"sha256":"…"}`, the hash of all lines before it

use crate::db::{LoadError, OpenError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;

const FORMAT: &str = "agent-studio-backup";
const VERSION: u32 = 1;
/// Zstandard's default: higher levels take much longer for little.
const COMPRESSION_LEVEL: i32 = 3;
/// Longest line that is read, in bytes. A row is at most a few MiB.
const MAX_LINE: u64 = 256 * 1024 * 1024;

/// Why a backup cannot be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("the file {0}: {1}")]
    File(String, std::io::Error),
    #[error("the file {0} exists already; choose another name")]
    Exists(String),
    #[error("the database: {0}")]
    Open(#[from] OpenError),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("this file is not a backup of Agent Studio")]
    NotABackup,
    #[error("the backup has format version {0}, and this program reads version {VERSION}; use a later program")]
    LaterFormat(u32),
    #[error(
        "the backup was made by a later version (schema {made}, this program has {here}); restore it with that version"
    )]
    LaterSchema { made: i64, here: i64 },
    #[error("the audit file has no events: give a file of --audit-to, or the OCSF file of the Activity page")]
    NotAnAuditFile,
    #[error("a server runs on the database; stop it first")]
    ServerRuns,
    #[error("the backup is damaged: {0}")]
    Damaged(String),
}

impl BackupError {
    fn damaged(why: impl fmt::Display) -> Self {
        Self::Damaged(why.to_string())
    }
}

/// The first line of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    format: String,
    version: u32,
    /// Version of the database's schema.
    pub schema: i64,
    /// Version of the program that made the backup.
    pub program: String,
    pub engine: String,
    /// When the backup was begun, in RFC 3339. It contains what was committed until then.
    pub made_at: String,
    /// Ids of the master keys under which values in it are sealed.
    pub master_keys: Vec<String>,
}

impl Header {
    pub fn new(schema: i64, engine: &str, made_at: String, master_keys: Vec<String>) -> Self {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            schema,
            program,
            engine: engine.to_owned(),
            made_at,
            master_keys,
        }
    }
}

/// What a column holds, alike on both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    Text,
    Integer,
    Boolean,
    /// In base64.
    Blob,
}

/// A column's name and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Column(pub String, pub ColumnKind);

/// The line before a table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableHeader {
    pub table: String,
    pub columns: Vec<Column>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    rows: BTreeMap<String, u64>,
    sha256: String,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowValue {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(String),
}

impl RowValue {
    /// Roughly the memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 32,
            _ => 32,
        }
    }

    /// The bytes of a BLOB.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => STANDARD.decode(text).ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for RowValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowValueVisitor;
        impl Visitor<'_> for RowValueVisitor {
            type Value = RowValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, an integer, true, false or a text")
            }

            fn visit_unit<E>(self) -> Result<RowValue, E> {
                Ok(RowValue::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<RowValue, E> {
                Ok(RowValue::Boolean(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<RowValue, E> {
                Ok(RowValue::Integer(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<RowValue, E> {
                i64::try_from(value).map(RowValue::Integer).map_err(E::custom)
            }

            fn visit_str<E>(self, value: &str) -> Result<RowValue, E> {
                Ok(RowValue::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<RowValue, E> {
                Ok(RowValue::Text(value))
            }
        }
        deserializer.deserialize_any(RowValueVisitor)
    }
}

/// Appends a value to a row that is being written: `[1,"a"` becomes `[1,"a",2`.
#[derive(Debug)]
pub struct RowWriter<'a>(pub &'a mut Vec<u8>);

impl RowWriter<'_> {
    pub fn begin(&mut self) {
        self.0.push(b'[');
    }

    fn separate(&mut self) {
        if !self.0.ends_with(b"[") {
            self.0.push(b',');
        }
    }

    pub fn push<T: Serialize>(&mut self, value: &T) -> Result<(), serde_json::Error> {
        self.separate();
        serde_json::to_writer(&mut *self.0, value)
    }

    pub fn push_bytes(&mut self, bytes: Option<&[u8]>) -> Result<(), serde_json::Error> {
        self.push(&bytes.map(|bytes| STANDARD.encode(bytes)))
    }

    pub fn end(&mut self) {
        self.0.extend_from_slice(b"]\n");
    }
}

/// Writes a backup's file. Its methods block.
pub struct BackupWriter {
    out: zstd::Encoder<'static, File>,
    name: String,
    hash: Sha256,
}

impl BackupWriter {
    pub fn new(file: File, name: String, header: &Header) -> Result<Self, BackupError> {
        let out = zstd::Encoder::new(file, COMPRESSION_LEVEL).and_then(|mut out| {
            out.include_checksum(true)?;
            Ok(out)
        });
        let out = out.map_err(|e| BackupError::File(name.clone(), e))?;
        let mut writer = Self { out, name, hash: Sha256::new() };
        writer.write_line(header)?;
        Ok(writer)
    }

    fn write_line<T: Serialize>(&mut self, line: &T) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec(line).map_err(BackupError::damaged)?;
        text.push(b'\n');
        self.write(&text)
    }

    /// Writes whole lines.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), BackupError> {
        self.hash.update(lines);
        self.out.write_all(lines).map_err(|e| BackupError::File(self.name.clone(), e))
    }

    /// Writes the end, and returns when the file survives a power failure.
    pub fn finish(mut self, rows: BTreeMap<String, u64>) -> Result<(), BackupError> {
        let end = End { rows, sha256: hex::encode(self.hash.finalize_reset()) };
        self.write_line(&end)?;
        let name = self.name;
        let synced = self.out.finish().and_then(|file| file.sync_all());
        synced.map_err(|e| BackupError::File(name, e))
    }
}

/// A part of a backup.
#[derive(Debug)]
pub enum Part {
    Table(TableHeader),
    Row(Vec<RowValue>),
}

/// Reads a backup's file, and checks it: a part that was read is true only if the last part was read too. Its methods
/// block.
pub struct BackupReader {
    lines: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    line: Vec<u8>,
    hash: Sha256,
    table: Option<TableHeader>,
    rows: BTreeMap<String, u64>,
    is_at_end: bool,
}

impl BackupReader {
    pub fn open(path: &Path) -> Result<(Header, Self), BackupError> {
        let failed = |e| BackupError::File(path.display().to_string(), e);
        let file = File::open(path).map_err(failed)?;
        let lines = BufReader::with_capacity(1024 * 1024, zstd::Decoder::new(file).map_err(failed)?);
        let (table, rows) = (None, BTreeMap::new());
        let mut reader = Self { lines, line: Vec::new(), hash: Sha256::new(), table, rows, is_at_end: false };
        reader.read_line().map_err(|_| BackupError::NotABackup)?;
        let header: Header = serde_json::from_slice(&reader.line).map_err(|_| BackupError::NotABackup)?;
        reader.hash.update(&reader.line);
        match &header {
            Header { format, .. } if format != FORMAT => Err(BackupError::NotABackup),
            Header { version, .. } if *version > VERSION => Err(BackupError::LaterFormat(*version)),
            _ => Ok((header, reader)),
        }
    }

    /// Number of rows in each table, as read until now.
    pub fn rows(&self) -> &BTreeMap<String, u64> {
        &self.rows
    }

    /// The next part; `None` after the last, if the whole file is intact.
    pub fn next(&mut self) -> Result<Option<Part>, BackupError> {
        if self.is_at_end {
            return Ok(None);
        }
        self.read_line()?;
        let part = if self.line.starts_with(b"[") {
            Part::Row(self.row()?)
        } else if self.line.starts_with(b"{\"table\"") {
            let table: TableHeader = serde_json::from_slice(&self.line).map_err(BackupError::damaged)?;
            if self.rows.insert(table.table.clone(), 0).is_some() {
                return Err(BackupError::damaged(format!("the table {} occurs twice", table.table)));
            }
            self.table = Some(table.clone());
            Part::Table(table)
        } else {
            self.check_end()?;
            self.is_at_end = true;
            return Ok(None);
        };
        self.hash.update(&self.line);
        Ok(Some(part))
    }

    fn row(&mut self) -> Result<Vec<RowValue>, BackupError> {
        let Some(table) = &self.table else { return Err(BackupError::damaged("a row without a table")) };
        let cells: Vec<RowValue> = serde_json::from_slice(&self.line).map_err(BackupError::damaged)?;
        let fits = |(cell, Column(_, kind)): (&RowValue, &Column)| match (kind, cell) {
            (_, RowValue::Null)
            | (ColumnKind::Text, RowValue::Text(_))
            | (ColumnKind::Integer, RowValue::Integer(_))
            | (ColumnKind::Boolean, RowValue::Boolean(_)) => true,
            (ColumnKind::Blob, cell) => cell.bytes().is_some(),
            _ => false,
        };
        if cells.len() != table.columns.len() || !cells.iter().zip(&table.columns).all(fits) {
            return Err(BackupError::damaged(format!("a row of {} does not have its columns", table.table)));
        }
        if let Some(count) = self.rows.get_mut(&table.table) {
            *count += 1;
        }
        Ok(cells)
    }

    fn check_end(&mut self) -> Result<(), BackupError> {
        let end: End = serde_json::from_slice(&self.line).map_err(BackupError::damaged)?;
        if hex::encode(self.hash.finalize_reset()) != end.sha256 {
            return Err(BackupError::damaged("its checksum is another one"));
        }
        if self.rows != end.rows {
            return Err(BackupError::damaged("it does not have the rows that it says"));
        }
        // Reads Zstandard's own checksum.
        match self.lines.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(BackupError::damaged("something stands behind its end")),
            Err(error) => Err(BackupError::damaged(error)),
        }
    }

    fn read_line(&mut self) -> Result<(), BackupError> {
        self.line.clear();
        let mut limited = (&mut self.lines).take(MAX_LINE);
        limited.read_until(b'\n', &mut self.line).map_err(BackupError::damaged)?;
        match self.line.ends_with(b"\n") {
            true => Ok(()),
            false => Err(BackupError::damaged("it ends in the middle")),
        }
    }
}
