//! Objects on disk: `content/{project}/{hash of the key}`, and `content/.incoming/` for uploads under way.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::file::{Description, Object};
use super::key::{Key, Project};
use crate::folder::{self, Folder};

/// Bytes of an upload that may wait to reach the disk. Its client waits as they do, instead of for all of them after
/// its last byte.
const SYNC_STEP: usize = 16 << 20;

/// The objects of all projects. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    root: PathBuf,
    /// The data folder stays locked for as long as anything can still write to it.
    folder: Arc<Folder>,
    /// All blocking work, which outlives the request it is for.
    work: TaskTracker,
}

/// One entry of a list; the field names are the platform's (fabric-api section 3, "list field names").
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    pub(crate) key: String,
    content_type: String,
    /// ISO 8601, UTC, milliseconds.
    last_modified: String,
    /// Bytes.
    size: u64,
}

impl Store {
    /// Opens the store below the data folder and removes what uploads of a crashed run left. Blocking.
    pub(crate) fn open(folder: Folder, work: TaskTracker) -> io::Result<Self> {
        let store = Self { root: folder.path().join("content"), folder: Arc::new(folder), work };
        let incoming = store.incoming();
        folder::create_private(&incoming)?;
        for folder in [&store.root, &incoming] {
            if !fs::symlink_metadata(folder)?.is_dir() {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, "a link in place of a folder"));
            }
        }
        folder::remove_files(&incoming, |_| true)?;
        Ok(store)
    }

    /// The object of a key, if there is one.
    pub(crate) async fn get(&self, project: &Project, key: &Key) -> io::Result<Option<Object>> {
        let (store, project, key) = (self.clone(), project.clone(), key.clone());
        self.blocking(move || {
            let Some(folder) = store.project(&project)? else {
                return Ok(None);
            };
            match Object::open(&folder.join(key.file_name()))? {
                Some(object) if object.description.key != key.as_str() => {
                    Err(io::Error::new(io::ErrorKind::InvalidData, "the file describes another key"))
                }
                found => Ok(found),
            }
        })
        .await
    }

    /// Removes a key; `false` when there was none.
    pub(crate) async fn delete(&self, project: &Project, key: &Key) -> io::Result<bool> {
        let (store, project, key) = (self.clone(), project.clone(), key.clone());
        self.blocking(move || {
            let Some(folder) = store.project(&project)? else {
                return Ok(false);
            };
            match fs::remove_file(folder.join(key.file_name())) {
                Ok(()) => folder::sync_folder(&folder).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// The keys that begin with `prefix`, sorted by their bytes.
    ///
    /// Opens every file of the project, so it is meant for local sizes. Files that cannot be read as objects are
    /// skipped with a warning: one of them must not hide all others.
    pub(crate) async fn list(&self, project: &Project, prefix: String) -> io::Result<Vec<Entry>> {
        let (store, project) = (self.clone(), project.clone());
        self.blocking(move || {
            let Some(folder) = store.project(&project)? else {
                return Ok(Vec::new());
            };
            let mut entries = Vec::new();
            for file in fs::read_dir(folder)? {
                let path = file?.path();
                match Object::open(&path) {
                    Ok(Some(object)) if object.description.key.starts_with(&prefix) => entries.push(Entry {
                        key: object.description.key,
                        content_type: object.description.content_type,
                        last_modified: format!("{:.3}", object.modified),
                        size: object.size,
                    }),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "skipped a damaged object");
                    }
                }
            }
            entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            Ok(entries)
        })
        .await
    }

    /// Begins to store an object; nothing of it is visible before [`Upload::commit`].
    pub(crate) async fn upload(&self, project: &Project, key: &Key, content_type: &str) -> io::Result<Upload> {
        let description = Description { key: key.as_str().to_owned(), content_type: content_type.to_owned() };
        let header = description.header()?;
        let folder = self.root.join(project.folder_name());
        let path = self.incoming().join(Uuid::new_v4().simple().to_string());
        let temporary = Temporary { path, work: self.work.clone() };
        let target = folder.join(key.file_name());
        // The guard is made before the file and travels with it, so a request dropped at any point leaves none.
        let opening = self.blocking(move || {
            let mut file = folder::private_file().write(true).create_new(true).open(&temporary.path)?;
            file.write_all(&header)?;
            Ok((temporary, file))
        });
        let (temporary, file) = opening.await?;
        Ok(Upload { store: self.clone(), file: Arc::new(file), unsynced: 0, temporary, target })
    }

    /// Runs blocking work off the async workers. The folder stays locked until it is done.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let lock = Arc::clone(&self.folder);
        let done = self.work.spawn_blocking(move || {
            let done = work();
            drop(lock);
            done
        });
        done.await.map_err(io::Error::other)?
    }

    fn incoming(&self) -> PathBuf {
        self.root.join(".incoming")
    }

    /// The folder of a project that has one. A link in its place is an error.
    fn project(&self, project: &Project) -> io::Result<Option<PathBuf>> {
        let path = self.root.join(project.folder_name());
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Ok(Some(path)),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An object that is being received. Dropped without [`commit`](Self::commit), it never was.
pub(crate) struct Upload {
    store: Store,
    file: Arc<File>,
    /// Bytes written since the last sync.
    unsynced: usize,
    temporary: Temporary,
    target: PathBuf,
}

impl Upload {
    /// Appends bytes. When this is dropped before it is done, the upload cannot go on.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.unsynced += bytes.len();
        let sync = self.unsynced >= SYNC_STEP;
        if sync {
            self.unsynced = 0;
        }
        let file = Arc::clone(&self.file);
        let written = self.store.blocking(move || {
            (&*file).write_all(&bytes)?;
            if sync { file.sync_data() } else { Ok(()) }
        });
        written.await
    }

    /// Puts the object in its key's place, safe from a power cut. Of several at once, the last one stays whole.
    pub(crate) async fn commit(self) -> io::Result<()> {
        let Self { store, file, mut temporary, target, .. } = self;
        store.blocking(move || place(&file, &mut temporary, &target)).await
    }
}

fn place(file: &File, temporary: &mut Temporary, target: &Path) -> io::Result<()> {
    file.sync_all()?;
    let folder = target.parent().unwrap_or(Path::new("."));
    if !folder.try_exists()? {
        folder::create_private(folder)?;
        folder::sync_folder(folder.parent().unwrap_or(folder))?;
    }
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    fs::rename(&temporary.path, target)?;
    temporary.path = PathBuf::new();
    folder::sync_folder(folder)
}

/// Removes a file when dropped; an empty path means it was renamed away.
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
        let remove = move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "left a temporary file behind");
            }
            _ => {}
        };
        // Removing a large file takes long enough to keep it off the async workers.
        match Handle::try_current() {
            Ok(runtime) => drop(self.work.spawn_blocking_on(remove, &runtime)),
            Err(_) => remove(),
        }
    }
}
