//! Content by project and key: a record for each key, which names the file of its bytes.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

use super::files::{Data, Draft, Files};
use super::key::Key;
use crate::folder::Folder;
use crate::name::Project;
use crate::records::{Changes, Collection, Lookup, Records, StorageError};

const CONTENT: Collection<Record> = Collection::new("content");
/// Bytes of an upload that may wait to reach the disk. Its client waits as they do, instead of for all of them after
/// its last byte.
const SYNC_STEP: usize = 16 << 20;
/// How often a file is looked for that another request removes because it replaces the object.
const LOOKS: usize = 100;

/// The objects of all projects. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    files: Files,
    records: Records,
    /// The data folder stays locked for as long as anything can still write to it.
    folder: Arc<Folder>,
    /// All blocking work, which outlives the request it is for.
    work: TaskTracker,
}

/// What is kept of an object beside its bytes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    file: String,
    content_type: String,
    /// Bytes.
    size: u64,
    /// Milliseconds since 1970.
    modified: i64,
}

/// An object.
pub(crate) struct Object {
    pub(crate) content_type: String,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) data: Data,
}

/// The bytes of an object that has been removed. They go with [`Store::change`], and at the next start otherwise.
#[must_use]
pub(crate) struct Orphan {
    file: String,
}

/// One entry of a list; the field names are the platform's (fabric-api section 3, "list field names").
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    key: String,
    content_type: String,
    /// ISO 8601, UTC, milliseconds.
    last_modified: String,
    /// Bytes.
    size: u64,
}

impl Store {
    /// Opens the store below the data folder and removes what a crashed run left. Blocking.
    pub(crate) fn open(
        folder: &Arc<Folder>,
        in_memory: bool,
        records: Records,
        work: TaskTracker,
    ) -> Result<Self, StorageError> {
        let files = if in_memory { Files::in_memory() } else { Files::in_folder(folder.path().join("content"))? };
        let named: HashSet<String> = records.look(|records| {
            let all = records.everywhere(CONTENT)?;
            Ok::<_, StorageError>(all.into_iter().map(|record| record.file).collect())
        })?;
        files.retain(&named)?;
        Ok(Self { files, records, folder: Arc::clone(folder), work })
    }

    /// The object of a key, if there is one.
    pub(crate) async fn get(&self, project: &Project, key: &Key) -> Result<Option<Object>, StorageError> {
        for _ in 0..LOOKS {
            let (project, key, files) = (project.clone(), key.clone(), self.files.clone());
            let found = self.records.read(move |records| {
                let Some(record) = records.get(CONTENT, project.as_str(), key.as_str())? else {
                    return Ok::<_, StorageError>(None);
                };
                let data = files.open(&record.file)?;
                Ok(Some((record, data)))
            });
            match found.await? {
                None => return Ok(None),
                Some((Record { content_type, size, .. }, Some(data))) => {
                    return Ok(Some(Object { content_type, size, data }));
                }
                // It was replaced meanwhile.
                Some((_, None)) => {}
            }
        }
        Err(StorageError::new("the file of an object is missing"))
    }

    /// Removes a key; `false` when there was none.
    pub(crate) async fn delete(&self, project: &Project, key: &Key) -> Result<bool, StorageError> {
        let (project, key) = (project.clone(), key.clone());
        let remove = move |changes: &mut Changes<'_, '_>| {
            let removed = Self::remove_in(changes, &project, key.as_str())?;
            Ok((removed.is_some(), removed.into_iter().collect()))
        };
        self.change(remove).await
    }

    /// Changes records, and then removes the bytes of the objects that were removed with them: also when the request that this
    /// is for is dropped meanwhile.
    pub(crate) async fn change<T, E>(
        &self,
        change: impl FnOnce(&mut Changes<'_, '_>) -> Result<(T, Vec<Orphan>), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let store = self.clone();
        let done = self.work.spawn(async move {
            let (done, orphans) = store.records.write(change).await?;
            store.discard(orphans).await?;
            Ok(done)
        });
        done.await.map_err(StorageError::from)?
    }

    /// Removes a key within a write of more than that.
    pub(crate) fn remove_in(
        changes: &mut Changes<'_, '_>,
        project: &Project,
        key: &str,
    ) -> Result<Option<Orphan>, StorageError> {
        let record = changes.get(CONTENT, project.as_str(), key)?;
        changes.remove(CONTENT, project.as_str(), key);
        Ok(record.map(|Record { file, .. }| Orphan { file }))
    }

    async fn discard(&self, orphans: Vec<Orphan>) -> Result<(), StorageError> {
        let files = self.files.clone();
        if orphans.is_empty() {
            return Ok(());
        }
        self.blocking(move || {
            for orphan in orphans {
                files.remove(&orphan.file);
            }
            Ok(())
        })
        .await
    }

    /// The keys that begin with `prefix`, sorted by their bytes.
    pub(crate) async fn list(&self, project: &Project, prefix: String) -> Result<Vec<Entry>, StorageError> {
        let project = project.clone();
        let entry = |(key, record): (String, Record)| Entry {
            key,
            content_type: record.content_type,
            last_modified: format!("{:.3}", Timestamp::from_millisecond(record.modified).unwrap_or_default()),
            size: record.size,
        };
        let records = self.records.read(move |records| records.list_prefix(CONTENT, project.as_str(), &prefix));
        Ok(records.await?.into_iter().map(entry).collect())
    }

    /// Begins to store an object; nothing of it is visible before [`Upload::commit`].
    pub(crate) async fn upload(
        &self,
        project: &Project,
        key: &Key,
        content_type: &str,
    ) -> Result<Upload, StorageError> {
        let (files, work) = (self.files.clone(), self.work.clone());
        let draft = self.blocking(move || files.create(&work)).await?;
        Ok(Upload {
            store: self.clone(),
            draft: Some(draft),
            size: 0,
            unsynced: 0,
            project: project.clone(),
            key: key.clone(),
            content_type: content_type.to_owned(),
        })
    }

    /// Runs blocking work off the async workers. The folder stays locked until it is done.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let lock = Arc::clone(&self.folder);
        let done = self.work.spawn_blocking(move || {
            let done = work();
            drop(lock);
            done
        });
        Ok(done.await??)
    }
}

/// An object that is being received. Dropped without [`commit`](Self::commit), it never was.
pub(crate) struct Upload {
    store: Store,
    /// `None` while it is written to.
    draft: Option<Draft>,
    size: u64,
    /// Bytes written since the last sync.
    unsynced: usize,
    project: Project,
    key: Key,
    content_type: String,
}

impl Upload {
    /// Appends bytes. When this is dropped before it is done, the upload cannot go on.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.size += bytes.len() as u64;
        self.unsynced += bytes.len();
        let sync = self.unsynced >= SYNC_STEP;
        if sync {
            self.unsynced = 0;
        }
        let mut draft = self.draft.take().ok_or_else(broken_off)?;
        let written = self.store.blocking(move || {
            draft.write(&bytes)?;
            if sync {
                draft.sync()?;
            }
            Ok(draft)
        });
        self.draft = Some(written.await?);
        Ok(())
    }

    /// Puts the object in its key's place, safe from a power cut, and changes what else is to change with it: all or nothing. Of
    /// several at once, the last one stays whole.
    pub(crate) async fn commit<E>(
        self,
        also: impl FnOnce(&mut Changes<'_, '_>) -> Result<(), E> + Send + 'static,
    ) -> Result<(), E>
    where
        E: From<StorageError> + Send + 'static,
    {
        let Self { store, draft, size, project, key, content_type, .. } = self;
        let draft = draft.ok_or_else(broken_off)?;
        let files = store.files.clone();
        let finished = store.blocking(move || files.finish(draft)).await?;
        let record =
            Record { file: finished.name.clone(), content_type, size, modified: Timestamp::now().as_millisecond() };
        // The file goes with the write, which is done or not whether or not this request is still waited for.
        let put = move |changes: &mut Changes<'_, '_>| {
            let replaced = Store::remove_in(changes, &project, key.as_str())?;
            changes.put(CONTENT, project.as_str(), key.as_str(), &record)?;
            also(changes)?;
            finished.keep();
            Ok(((), replaced.into_iter().collect()))
        };
        store.change(put).await
    }
}

fn broken_off() -> StorageError {
    StorageError::new("an upload that broke off goes on")
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn bytes_go_with_their_key_when_the_request_breaks_off() {
        let (folder, work) = (Arc::new(Folder::temporary().unwrap()), TaskTracker::new());
        let records = Records::open(&folder, true, &work).unwrap();
        let store = Store::open(&folder, true, records, work.clone()).unwrap();
        let (project, key) = (Project::new("p").unwrap(), Key::new("k").unwrap());
        let mut upload = store.upload(&project, &key, "text/plain").await.unwrap();
        upload.write(Bytes::from_static(b"bytes")).await.unwrap();
        upload.commit(|_| Ok::<_, StorageError>(())).await.unwrap();
        let Files::Memory(all) = store.files.clone() else { panic!() };
        assert_eq!(all.lock().unwrap().len(), 1);
        {
            let mut removal = pin!(store.delete(&project, &key));
            poll_fn(|cx| {
                assert!(removal.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        drop(store);
        work.close();
        work.wait().await;
        assert!(all.lock().unwrap().is_empty());
    }
}
