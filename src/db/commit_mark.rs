use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Length of the header of SQLite's WAL index, which stands twice at the beginning of the `-shm` file
/// (<https://sqlite.org/walformat.html>, section 2.1).
const HEADER: usize = 48;
/// The header's first number, in the machine's byte order.
const VERSION: u32 = 3_007_000;

/// Which commit of a SQLite database is the last one. Each commit of any process makes another mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitMark([u8; HEADER]);

/// Reads the marks of one database: one system call, where a query takes two changes of threads.
#[derive(Debug)]
pub struct CommitMarks {
    path: PathBuf,
    file: OnceLock<File>,
}

impl CommitMarks {
    /// The marks of the database at this path.
    pub fn of(path: &Path) -> Self {
        let mut path = path.as_os_str().to_owned();
        path.push("-shm");
        Self { path: path.into(), file: OnceLock::new() }
    }

    /// The mark of the last commit; `None` if it is not known, for example because a commit is being written.
    pub fn last(&self) -> Option<CommitMark> {
        let mut headers = [0; 2 * HEADER];
        self.file()?.read_exact_at(&mut headers, 0).ok()?;
        let (first, second) = headers.split_first_chunk()?;
        let version = u32::from_ne_bytes(*first.first_chunk()?);
        (first == second && version == VERSION).then_some(CommitMark(*first))
    }

    /// The file exists once the database has been read. SQLite keeps it as long as a connection is open.
    fn file(&self) -> Option<&File> {
        if self.file.get().is_none() {
            let _ = self.file.set(File::open(&self.path).ok()?);
        }
        self.file.get()
    }
}
