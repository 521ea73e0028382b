//! The data folder: created private, locked while a platform runs on it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, FileType, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use crate::error::StartError;

/// How the names of files begin that are about to replace another.
const NEW: &str = ".new-";

/// An existing data folder, locked until this is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
    /// Removes the folder, where it is a temporary one.
    _temporary: Option<TempDir>,
}

impl Folder {
    /// Creates the folder if it is missing, and locks it. Blocking.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        create_private(path).map_err(|source| StartError::data(path, source))?;
        let lock_path = path.join("lock");
        let lock = private_file()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|source| StartError::data(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock, _temporary: None }),
            Err(TryLockError::WouldBlock) => Err(StartError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StartError::data(lock_path, source)),
        }
    }

    /// A folder that ends with this. Blocking.
    pub(crate) fn temporary() -> Result<Self, StartError> {
        let folder = TempDir::with_prefix("local-platform-");
        let folder = folder.map_err(|source| StartError::data(std::env::temp_dir(), source))?;
        let opened = Self::open(folder.path())?;
        Ok(Self { _temporary: Some(folder), ..opened })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Creates a folder and its missing parents, for the owner only. Nothing changes when it exists. Blocking.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options that create a file with mode 0600, so that no moment exists in which others can read it.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Replaces a file as a whole: a reader, or a start after a crash, sees the old text or the new one. Blocking.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = folder.join(format!("{NEW}{}", Uuid::new_v4().simple()));
    let written = private_file().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_folder(folder)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes renames and removals in a folder survive a power cut. Blocking.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix can open a folder as a file.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Removes what a crash during [`replace`] left in a folder. Blocking.
pub(crate) fn remove_leftovers(path: &Path) -> io::Result<()> {
    remove_files(path, |name| name.to_str().is_some_and(|name| name.starts_with(NEW)))
}

/// Removes the unwanted ones of a folder's files, but no folders in it. Blocking.
///
/// A file may vanish meanwhile: removals that an earlier platform queued can outlive its lock.
pub(crate) fn remove_files(path: &Path, unwanted: impl Fn(&OsStr) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !unwanted(&entry.file_name()) {
            continue;
        }
        let remove = |kind: FileType| if kind.is_dir() { Ok(()) } else { fs::remove_file(entry.path()) };
        match entry.file_type().and_then(remove) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
