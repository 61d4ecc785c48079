//! What goes wrong with the state, and what its owner can do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the state cannot be used.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum StateError {
    /// Another process has it.
    #[error("{} is used by another sower{}; end that one, or choose another folder with --state", .folder.display(), named(.process))]
    InUse {
        /// The folder of the state.
        folder: PathBuf,
        /// The other process, if it can be told.
        process: Option<u32>,
    },
    /// A later version wrote it.
    #[error(
        "{} was written by a newer sower (its form is {found}, this one knows forms up to {known}): run that version, or move the \
         file away and a backup of the time before in its place", .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest form that we know.
        known: u32,
    },
    /// Another program's database stands in its place.
    #[error("{} is a database of another program; move it away, or choose another folder with --state", .0.display())]
    Foreign(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}{}", .path.display(), remedy(.source))]
    File {
        /// Which.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The database cannot be read or written.
    #[error("{}: {}", .path.display(), explain(.source))]
    Database {
        /// Which.
        path: PathBuf,
        /// What SQLite answered.
        source: rusqlite::Error,
    },
    /// Something is not what it was when it was written.
    #[error("{} is damaged: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It could not be saved; it is tried again.
    #[error("{0}")]
    Unsaved(String),
}

impl StateError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> StateError {
        |source| StateError::File { path: path.to_owned(), source }
    }

    pub(super) fn database(path: &Path) -> impl FnOnce(rusqlite::Error) -> StateError {
        |source| StateError::Database { path: path.to_owned(), source }
    }

    /// The file is there, can be read, and is not right.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            StateError::Damaged { .. } => true,
            StateError::Database { source, .. } => is_damage(source),
            _ => false,
        }
    }
}

/// What SQLite says of a file that is not right, and of rows that are not of the form that they should have.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    match error {
        Error::SqliteFailure(cause, _) => {
            matches!(cause.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        }
        Error::SqlInputError { .. } => true,
        Error::FromSqlConversionFailure(..) | Error::IntegralValueOutOfRange(..) | Error::InvalidColumnType(..) => true,
        Error::InvalidColumnIndex(_) | Error::InvalidColumnName(_) | Error::QueryReturnedNoRows => true,
        Error::Utf8Error(..) => true,
        _ => false,
    }
}

/// Why the state in `folder` cannot be saved, and what helps. The system's own word is asked for with a file beside the database:
/// SQLite keeps it to itself.
pub(super) fn unsaved(folder: &Path, error: &StateError) -> String {
    let cause = match (probe(folder), error) {
        (Err(cause), _) => format!("{}: {cause}{}", folder.display(), remedy(&cause)),
        (Ok(()), error) => error.to_string(),
    };
    format!("state cannot be saved: {cause}. Nothing is lost while the daemon runs; it is tried again")
}

/// Whether as much as a batch takes can be written.
fn probe(folder: &Path) -> io::Result<()> {
    const BYTES: usize = 256 * 1024;
    let path = folder.join(".probe");
    let written = std::fs::write(&path, vec![0; BYTES]);
    match std::fs::remove_file(&path) {
        Err(error) if written.is_ok() => Err(error),
        _ => written,
    }
}

fn explain(error: &rusqlite::Error) -> String {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free some space",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another program has it open: end that",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "; let the user that runs sower write it and its folder"
        }
        Some(ErrorCode::SystemIoFailure) => "; look at the disk, `dmesg` tells more",
        _ => "",
    };
    format!("{error}{advice}")
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free some space",
        io::ErrorKind::QuotaExceeded => "; the disk quota is used up: free some space",
        io::ErrorKind::PermissionDenied => "; let the user that runs sower write it",
        io::ErrorKind::ReadOnlyFilesystem => "; the file system is read-only: mount it for writing",
        io::ErrorKind::NotFound => "; a file system that is not mounted?",
        io::ErrorKind::FileTooLarge => "; raise `ulimit -f`",
        _ => match rustix::io::Errno::from_io_error(error) {
            Some(rustix::io::Errno::IO) => "; look at the disk, `dmesg` tells more",
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                "; raise the limit of open files: `LimitNOFILE=`, or `ulimit -n`"
            }
            _ => "",
        },
    }
}

fn named(process: &Option<u32>) -> String {
    process.map(|process| format!(" (process {process})")).unwrap_or_default()
}
