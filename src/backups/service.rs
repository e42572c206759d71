//! Making, checking and restoring backups. They work on the database and not on services, because the database can be of
//! an earlier version, or empty.

use crate::backups::contents::{Contents, LiveItem, LiveKind};
use crate::backups::ended::Access;
use crate::backups::format::{BackupError, BackupReader, BackupWriter, Header, Part, RowValue, TableHeader};
use crate::backups::store::{self, Ending};
use crate::backups::tables::KEPT;
use crate::base::actor::Actor;
use crate::base::clock::Clock;
use crate::base::randomness::Random;
use crate::base::time::Timestamp;
use crate::db::{DatabaseLocation, Db, EmptyDatabase, Snapshot};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// Ending of the name of a file that is not complete.
pub const DRAFT_ENDING: &str = "partial";
/// Pieces of rows that wait between reading and writing. With the size of a piece, it bounds the memory.
const QUEUE: usize = 8;
/// Rows that are inserted at once, and their size in bytes, whichever is reached first.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 1024 * 1024;

/// Makes, checks and restores backups of one database.
#[derive(Clone, Debug)]
pub struct Backups {
    location: DatabaseLocation,
    clock: Clock,
    random: Random,
}

/// Told of each step with the number of rows that are done, and of all rows.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// What [`Backups::restore`] ends of what would give access again. The default keeps all of it.
#[derive(Clone, Debug, Default)]
pub struct EndRule {
    /// Ends what was made after this time.
    pub made_after: Option<Timestamp>,
    /// Keys, runtime tokens, users and invitations that were ended since the backup was made.
    pub ended: HashSet<Access>,
}

impl EndRule {
    /// Whether this item is ended.
    pub fn ends(&self, item: &LiveItem) -> bool {
        let was_ended = |id: &str| self.ended.contains(&(item.workspace_id.clone(), id.to_owned()));
        self.made_after.is_some_and(|time| item.made_at > time)
            || was_ended(&item.id)
            || (item.kind == LiveKind::Invitation && was_ended(&item.name))
    }
}

impl Backups {
    pub fn new(location: DatabaseLocation, clock: Clock, random: Random) -> Self {
        Self { location, clock, random }
    }

    /// Writes a backup to a new file, and returns the number of its rows in each table. The file appears when it is
    /// complete.
    pub async fn write(&self, path: &Path, progress: Progress<'_>) -> Result<BTreeMap<String, u64>, BackupError> {
        let name = path.display().to_string();
        // Other servers may write to the same folder.
        let suffix = self.random.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 8);
        let draft = path.with_added_extension(format!("{suffix}.{DRAFT_ENDING}"));
        let failed = |e| BackupError::File(name.clone(), e);
        if path.try_exists().map_err(failed)? {
            return Err(BackupError::Exists(name));
        }
        let made_at = self.clock.now().iso();
        let mut snapshot = Snapshot::open(&self.location).await?;
        let schema = snapshot.schema_version().await?;
        let master_keys = store::master_keys(&mut snapshot).await?;
        let header = Header::new(schema, self.location.engine(), made_at, master_keys);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
        let draft = Draft(draft);
        let mut writer = BackupWriter::new(file, name.clone(), &header)?;

        let (pieces, mut waiting) = mpsc::channel::<Vec<u8>>(QUEUE);
        let writing = spawn_blocking(move || {
            while let Some(piece) = waiting.blocking_recv() {
                writer.write(&piece)?;
            }
            Ok::<_, BackupError>(writer)
        });
        let sent = send_tables(&mut snapshot, &pieces, progress).await;
        drop(pieces);
        let writer = writing.await.map_err(|e| BackupError::Damaged(e.to_string()))??;
        let rows = sent?;
        snapshot.close().await?;
        let counts = rows.clone();
        spawn_blocking(move || writer.finish(counts)).await.map_err(|e| BackupError::Damaged(e.to_string()))??;
        draft.publish(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => BackupError::Exists(name.clone()),
            _ => failed(error),
        })?;
        Ok(rows)
    }

    /// Reads a whole backup, checks it, and says what is in it. Needs no database.
    pub async fn check(&self, path: &Path) -> Result<Contents, BackupError> {
        let (path, now) = (path.to_owned(), self.clock.now());
        spawn_blocking(move || Contents::read(&path, now)).await.map_err(|e| BackupError::Damaged(e.to_string()))?
    }

    /// Fills the empty database with a backup that was checked, all of it or nothing. Returns what was ended.
    pub async fn restore(
        &self,
        path: &Path,
        contents: &Contents,
        rule: &EndRule,
        progress: Progress<'_>,
    ) -> Result<Vec<LiveItem>, BackupError> {
        let (made, here) = (contents.header.schema, Db::latest_schema());
        if made > here {
            return Err(BackupError::LaterSchema { made, here });
        }
        let mut database = EmptyDatabase::begin(&self.location, made).await?;
        if store::servers(&mut database).await? > 0 {
            return Err(BackupError::ServerRuns);
        }
        let (batches, mut waiting) = mpsc::channel::<Batch>(QUEUE);
        let path = path.to_owned();
        let reading = spawn_blocking(move || read_batches(&path, &batches));
        let all = contents.rows.values().sum();
        let filled = fill_tables(&mut database, &mut waiting, all, progress).await;
        drop(waiting);
        let read = reading.await.map_err(|e| BackupError::Damaged(e.to_string()))?;
        let filled = filled?;
        // The file may have been changed since it was checked.
        if read? != contents.rows || filled != contents.rows {
            return Err(BackupError::Damaged("the database has other rows than the backup".to_owned()));
        }
        database.migrate().await?;
        let ended = self.end_live(&mut database, contents, rule).await?;
        database.commit().await?;
        Ok(ended)
    }

    async fn end_live(
        &self,
        database: &mut EmptyDatabase,
        contents: &Contents,
        rule: &EndRule,
    ) -> Result<Vec<LiveItem>, BackupError> {
        let details = json!({ "restored_from_backup_of": contents.header.made_at }).to_string();
        let (actor, now) = (Actor::command_line().name, self.clock.now());
        let ending = Ending { now, actor: &actor, random: &self.random, details: &details };
        let mut ended = Vec::new();
        for item in contents.live.iter().filter(|item| rule.ends(item)) {
            store::end(database, item, &ending).await?;
            ended.push(item.clone());
        }
        Ok(ended)
    }
}

async fn send_tables(
    snapshot: &mut Snapshot,
    pieces: &store::Pieces,
    progress: Progress<'_>,
) -> Result<BTreeMap<String, u64>, BackupError> {
    let mut tables = Vec::new();
    for table in KEPT {
        let columns = store::columns(snapshot, table).await?;
        // A database of an earlier version does not have every table.
        if !columns.is_empty() {
            let count = store::count(snapshot, table).await?;
            tables.push((table, columns, u64::try_from(count).unwrap_or(0)));
        }
    }
    let all = tables.iter().map(|(_, _, count)| count).sum();
    let (mut rows, mut done) = (BTreeMap::new(), 0);
    for (table, columns, _) in tables {
        let header = TableHeader { table: table.to_owned(), columns };
        let mut line = serde_json::to_vec(&header).map_err(|e| BackupError::Damaged(e.to_string()))?;
        line.push(b'\n');
        let _ = pieces.send(line).await;
        let count =
            store::send_rows(snapshot, table, &header.columns, pieces, |count| progress(done + count, all)).await?;
        rows.insert(header.table, count);
        done += count;
        progress(done, all);
    }
    Ok(rows)
}

/// Rows of a table. The first batch of each table has none.
struct Batch {
    table: Arc<TableHeader>,
    rows: Vec<Vec<RowValue>>,
}

/// Reads a backup into batches, and returns the number of rows in each table if it is intact.
fn read_batches(path: &Path, batches: &mpsc::Sender<Batch>) -> Result<BTreeMap<String, u64>, BackupError> {
    let (_, mut reader) = BackupReader::open(path)?;
    let (mut batch, mut size) = (None::<Batch>, 0);
    while let Some(part) = reader.next()? {
        let full = match (part, &mut batch) {
            (Part::Table(table), batch) => {
                let table = Arc::new(table);
                let last = batch.replace(Batch { table: table.clone(), rows: Vec::new() });
                if let Some(last) = last
                    && batches.blocking_send(last).is_err()
                {
                    break;
                }
                Some(Batch { table, rows: Vec::new() })
            }
            (Part::Row(cells), Some(batch)) => {
                size += cells.iter().map(RowValue::size).sum::<usize>();
                batch.rows.push(cells);
                let is_full = batch.rows.len() >= BATCH_ROWS || size >= BATCH_BYTES;
                is_full.then(|| Batch { table: batch.table.clone(), rows: std::mem::take(&mut batch.rows) })
            }
            (Part::Row(_), None) => None,
        };
        if let Some(full) = full {
            size = 0;
            // A closed channel: the insertion has failed, and says why.
            if batches.blocking_send(full).is_err() {
                break;
            }
        }
    }
    if let Some(last) = batch {
        let _ = batches.blocking_send(last);
    }
    Ok(reader.rows().clone())
}

/// Inserts all batches, and returns the number of rows that each table has then.
async fn fill_tables(
    database: &mut EmptyDatabase,
    batches: &mut mpsc::Receiver<Batch>,
    all: u64,
    progress: Progress<'_>,
) -> Result<BTreeMap<String, u64>, BackupError> {
    let (mut counts, mut current, mut done) = (BTreeMap::new(), None::<Arc<TableHeader>>, 0);
    while let Some(Batch { table, rows }) = batches.recv().await {
        if current.as_ref().is_none_or(|current| current.table != table.table) {
            end_table(database, current.take(), &mut counts).await?;
            begin_table(database, &table).await?;
            current = Some(table.clone());
        }
        store::fill(database, &table.table, &table.columns, &rows).await?;
        done += rows.len() as u64;
        progress(done, all);
    }
    end_table(database, current, &mut counts).await?;
    Ok(counts)
}

/// Begins a table, if the backup's columns are those that its schema has.
async fn begin_table(database: &mut EmptyDatabase, table: &TableHeader) -> Result<(), BackupError> {
    let mut expected = match KEPT.contains(&table.table.as_str()) {
        true => store::columns_to_fill(database, &table.table).await?,
        false => Vec::new(),
    };
    let mut found = table.columns.clone();
    expected.sort();
    found.sort();
    if expected.is_empty() || expected != found {
        return Err(BackupError::Damaged(format!("the table {} is not one of its schema", table.table)));
    }
    Ok(store::begin_table(database, &table.table).await?)
}

async fn end_table(
    database: &mut EmptyDatabase,
    table: Option<Arc<TableHeader>>,
    counts: &mut BTreeMap<String, u64>,
) -> Result<(), BackupError> {
    if let Some(table) = table {
        let count = store::end_table(database, &table.table).await?;
        counts.insert(table.table.clone(), u64::try_from(count).unwrap_or(0));
    }
    Ok(())
}

/// A file that is not complete, removed if it is dropped.
struct Draft(PathBuf);

impl Draft {
    /// Gives the file its name, which survives a power failure from then on. Does not replace another file.
    fn publish(self, path: &Path) -> std::io::Result<()> {
        fs::hard_link(&self.0, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, file = %self.0.display(), "the draft of a backup could not be removed");
        }
    }
}
