//! The bytes of content: one file for each stored object, called by a number that no client chooses, so that no key decides a
//! path. The records say which key a file is of; one that no record names is nobody's.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::folder;

/// Where the bytes are. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Files {
    /// In a folder: `.incoming/` holds uploads under way.
    Folder(PathBuf),
    /// Nowhere but here.
    Memory(Arc<Mutex<HashMap<String, Bytes>>>),
}

/// The bytes of an object.
pub(crate) enum Data {
    /// Positioned at the first one.
    File(File),
    Memory(Bytes),
}

impl Files {
    /// The files of a folder. What uploads of a crashed run left is removed. Blocking.
    pub(super) fn in_folder(root: PathBuf) -> io::Result<Self> {
        let incoming = root.join(".incoming");
        folder::create_private(&incoming)?;
        for folder in [&root, &incoming] {
            if !fs::symlink_metadata(folder)?.is_dir() {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, "a link in place of a folder"));
            }
        }
        folder::remove_files(&incoming, |_| true)?;
        Ok(Self::Folder(root))
    }

    pub(super) fn in_memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// Removes the files that are not among these: of an upload or a removal that a crash came between. Blocking.
    pub(super) fn retain(&self, named: &HashSet<String>) -> io::Result<()> {
        match self {
            Self::Folder(root) => folder::remove_files(root, |name| {
                name.to_str().is_some_and(|name| is_ours(name) && !named.contains(name))
            }),
            Self::Memory(_) => Ok(()),
        }
    }

    /// The bytes of a file; `None` when it was removed. Blocking.
    ///
    /// Only regular files are opened: a link planted in the folder must not lead out of it.
    pub(super) fn open(&self, name: &str) -> io::Result<Option<Data>> {
        match self {
            Self::Folder(root) => {
                let path = root.join(name);
                match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_file() => {}
                    Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file")),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                }
                match File::open(path) {
                    Ok(file) => Ok(Some(Data::File(file))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Self::Memory(all) => Ok(lock(all).get(name).cloned().map(Data::Memory)),
        }
    }

    /// Removes a file that no record names any more. Blocking.
    pub(super) fn remove(&self, name: &str) {
        match self {
            Self::Folder(root) => remove_file(&root.join(name)),
            Self::Memory(all) => drop(lock(all).remove(name)),
        }
    }

    /// Begins a file. Blocking.
    pub(super) fn create(&self, work: &TaskTracker) -> io::Result<Draft> {
        match self {
            Self::Folder(root) => {
                let path = root.join(".incoming").join(Uuid::new_v4().simple().to_string());
                // The guard is made before the file, so that a request dropped at any point leaves none.
                let temporary = Temporary { path, work: work.clone() };
                let file = folder::private_file().write(true).create_new(true).open(&temporary.path)?;
                Ok(Draft { bytes: Written::File(file), temporary: Some(temporary) })
            }
            Self::Memory(_) => Ok(Draft { bytes: Written::Memory(BytesMut::new()), temporary: None }),
        }
    }

    /// Makes a draft a file that survives a power cut. It is removed again unless the result is [kept](Finished::keep).
    /// Blocking.
    pub(super) fn finish(&self, draft: Draft) -> io::Result<Finished> {
        let name = Uuid::new_v4().simple().to_string();
        match (self, draft) {
            (Self::Folder(root), Draft { bytes: Written::File(file), temporary: Some(mut temporary) }) => {
                file.sync_all()?;
                let path = root.join(&name);
                fs::rename(&temporary.path, &path)?;
                temporary.path = path;
                folder::sync_folder(root)?;
                Ok(Finished { name, undo: Undo::Folder(temporary) })
            }
            (Self::Memory(all), Draft { bytes: Written::Memory(bytes), .. }) => {
                lock(all).insert(name.clone(), bytes.freeze());
                Ok(Finished { undo: Undo::Memory(Arc::clone(all), name.clone()), name })
            }
            _ => Err(io::Error::other("a draft of other files")),
        }
    }
}

fn lock(all: &Mutex<HashMap<String, Bytes>>) -> MutexGuard<'_, HashMap<String, Bytes>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file in the folder has a name that we give.
fn is_ours(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn remove_file(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "left a file behind");
        }
        _ => {}
    }
}

/// A file that is being written; dropped, it never was.
pub(super) struct Draft {
    bytes: Written,
    temporary: Option<Temporary>,
}

enum Written {
    File(File),
    Memory(BytesMut),
}

impl Draft {
    /// Appends bytes. Blocking.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.bytes {
            Written::File(file) => file.write_all(bytes),
            Written::Memory(gathered) => {
                gathered.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Waits until what was written is on disk. Blocking.
    pub(super) fn sync(&self) -> io::Result<()> {
        match &self.bytes {
            Written::File(file) => file.sync_data(),
            Written::Memory(_) => Ok(()),
        }
    }
}

/// A file that is complete, and is removed unless it is kept.
pub(super) struct Finished {
    pub(super) name: String,
    undo: Undo,
}

enum Undo {
    Folder(Temporary),
    Memory(Arc<Mutex<HashMap<String, Bytes>>>, String),
    Nothing,
}

impl Finished {
    /// From now on a record names the file.
    pub(super) fn keep(mut self) {
        if let Undo::Folder(temporary) = &mut self.undo {
            temporary.path = PathBuf::new();
        }
        self.undo = Undo::Nothing;
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if let Undo::Memory(all, name) = &self.undo {
            lock(all).remove(name);
        }
    }
}

/// Removes a file when dropped; an empty path means it is nobody's any more.
struct Temporary {
    path: PathBuf,
    work: TaskTracker,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        if path.as_os_str().is_empty() {
            return;
        }
        // Removing a large file takes long enough to keep it off the async workers.
        match Handle::try_current() {
            Ok(runtime) => drop(self.work.spawn_blocking_on(move || remove_file(&path), &runtime)),
            Err(_) => remove_file(&path),
        }
    }
}
