use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Size and time of SQLite's write-ahead log, to which each commit of any process writes. It is read by path: SQLite's locks on
/// a file end when its process closes any descriptor of that file
/// (<https://sqlite.org/howtocorrupt.html>, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitMark {
    inode: u64,
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
}

/// Reads the marks of one database: one system call, where a query takes two changes of threads.
#[derive(Debug)]
pub struct CommitMarks {
    log: PathBuf,
}

impl CommitMarks {
    /// The marks of the database at this path.
    pub fn of(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Self { log: log.into() }
    }

    /// The mark of the last commit; `None` if it cannot be read, and where the file system knows whole seconds only. Two commits
    /// within one tick of its clock can leave the same mark.
    pub fn last(&self) -> Option<CommitMark> {
        let log = std::fs::metadata(&self.log).ok()?;
        (log.mtime_nsec() != 0).then(|| CommitMark {
            inode: log.ino(),
            bytes: log.size(),
            seconds: log.mtime(),
            nanoseconds: log.mtime_nsec(),
        })
    }
}
