//! Objects on disk: `content/{project}/{hash of the key}`, and `content/.incoming/` for uploads under way.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::fs::File as AsyncFile;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::task;
use uuid::Uuid;

use super::file::{Description, Object};
use super::key::{Key, Project};
use crate::folder::{self, Folder};

/// The objects of all projects. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    root: PathBuf,
    /// The data folder stays locked for as long as anything can still write to it.
    folder: Arc<Folder>,
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
    pub(crate) fn open(folder: Arc<Folder>) -> io::Result<Self> {
        let store = Self { root: folder.path().join("content"), folder };
        let incoming = store.incoming();
        folder::create_private(&incoming)?;
        for folder in [&store.root, &incoming] {
            if !fs::symlink_metadata(folder)?.is_dir() {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, "a link in place of a folder"));
            }
        }
        for entry in fs::read_dir(incoming)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(store)
    }

    /// The object of a key, if there is one.
    pub(crate) async fn get(&self, project: &Project, key: &Key) -> io::Result<Option<Object>> {
        let (store, project, key) = (self.clone(), project.clone(), key.clone());
        blocking(move || {
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
        blocking(move || {
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
    /// Files that cannot be read as objects are skipped with a warning: one of them must not hide all others.
    pub(crate) async fn list(&self, project: &Project, prefix: String) -> io::Result<Vec<Entry>> {
        let (store, project) = (self.clone(), project.clone());
        blocking(move || {
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
        let temporary = Temporary(self.incoming().join(Uuid::new_v4().simple().to_string()));
        let target = folder.join(key.file_name());
        let lock = Arc::clone(&self.folder);
        // The guard is made before the file and travels with it, so a request dropped at any point leaves none.
        let (temporary, file) = blocking(move || {
            let file = folder::private_file().write(true).create_new(true).open(&temporary.0)?;
            Ok((temporary, file))
        })
        .await?;
        let mut upload = Upload { file: AsyncFile::from_std(file), temporary, target, lock };
        upload.write(&header).await?;
        Ok(upload)
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
    file: AsyncFile,
    temporary: Temporary,
    target: PathBuf,
    lock: Arc<Folder>,
}

impl Upload {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Puts the object in its key's place, safe from a power cut. Of several at once, the last one stays whole.
    pub(crate) async fn commit(mut self) -> io::Result<()> {
        // `sync_all` alone does not report an error of the writes before it.
        self.file.flush().await?;
        let file = self.file.into_std().await;
        let (mut temporary, target, lock) = (self.temporary, self.target, self.lock);
        blocking(move || {
            let done = place(&file, &mut temporary, &target);
            drop((temporary, lock));
            done
        })
        .await
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
    fs::rename(&temporary.0, target)?;
    temporary.0 = PathBuf::new();
    folder::sync_folder(folder)
}

/// Removes a file when dropped; an empty path means it was renamed away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
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
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    task::spawn_blocking(work).await.map_err(io::Error::other)?
}
