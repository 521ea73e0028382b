//! Records: everything that is kept besides the bytes of content, in one database file.
//!
//! A record is a JSON document of a [`Collection`], in a project, under a name. All writes go through one thread, which puts
//! those that wait into one transaction and answers them once it is on disk: a write that was answered survives the end of the
//! process and of the machine, and many writers at once cost one wait for the disk. Each write sees those before it, and leaves
//! nothing when it fails.

use std::collections::BTreeMap;
use std::fs::File;
use std::marker::PhantomData;
use std::sync::Arc;

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::folder::Folder;
use writer::Write;

mod writer;

type KeyRef = (&'static str, &'static str, &'static str);
type JsonRef = &'static [u8];

/// (collection, project, name) → JSON.
const RECORDS: TableDefinition<'static, KeyRef, JsonRef> = TableDefinition::new("records");
/// Bytes of the database that are kept in memory. The library's own default is a gigabyte.
const CACHE: usize = 8 << 20;
/// Writes that may wait; their clients wait as well.
const QUEUE: usize = 1024;

/// Records of one kind.
#[derive(Debug)]
pub(crate) struct Collection<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Collection<T> {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Collection<T> {}

/// Why records cannot be read or written. It is never the fault of whoever asks.
#[derive(Debug, thiserror::Error)]
#[error("the records cannot be used")]
pub(crate) struct StorageError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl StorageError {
    pub(crate) fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

macro_rules! storage_error_from {
    ($($error:ty),*) => {
        $(impl From<$error> for StorageError {
            fn from(error: $error) -> Self {
                Self(Box::new(error))
            }
        })*
    };
}

storage_error_from!(
    redb::CommitError,
    redb::DatabaseError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    serde_json::Error,
    tokio::task::JoinError,
    std::io::Error
);

/// What can be looked up in records as they are at one moment.
pub(crate) trait Lookup {
    /// The JSON of one record.
    fn json(&self, collection: &str, project: &str, name: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// The JSON of a project's records whose names begin so, sorted by the bytes of those.
    fn all_json(
        &self,
        collection: &str,
        project: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, StorageError>;

    /// One record, if there is one of that name.
    fn get<T: DeserializeOwned>(
        &self,
        collection: Collection<T>,
        project: &str,
        name: &str,
    ) -> Result<Option<T>, StorageError> {
        let json = self.json(collection.name, project, name)?;
        Ok(json.map(|json| serde_json::from_slice(&json)).transpose()?)
    }

    /// All records of a project with their names, sorted by the bytes of those.
    fn list<T: DeserializeOwned>(
        &self,
        collection: Collection<T>,
        project: &str,
    ) -> Result<Vec<(String, T)>, StorageError> {
        self.list_prefix(collection, project, "")
    }

    /// As [`list`](Self::list), of the names that begin with `prefix`.
    fn list_prefix<T: DeserializeOwned>(
        &self,
        collection: Collection<T>,
        project: &str,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, StorageError> {
        let records = self.all_json(collection.name, project, prefix)?;
        let record = |(name, json): (String, Vec<u8>)| Ok((name, serde_json::from_slice(&json)?));
        records.into_iter().map(record).collect()
    }
}

/// The records as they were when this was made.
pub(crate) struct Snapshot {
    /// `None` before the first write ever.
    table: Option<ReadOnlyTable<KeyRef, JsonRef>>,
}

impl Snapshot {
    /// The records of all projects.
    pub(crate) fn everywhere<T: DeserializeOwned>(&self, collection: Collection<T>) -> Result<Vec<T>, StorageError> {
        let mut all = Vec::new();
        if let Some(table) = &self.table {
            for entry in table.range((collection.name, "", "")..)? {
                let (key, json) = entry?;
                if key.value().0 != collection.name {
                    break;
                }
                all.push(serde_json::from_slice(json.value())?);
            }
        }
        Ok(all)
    }
}

impl Lookup for Snapshot {
    fn json(&self, collection: &str, project: &str, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.table.as_ref().map_or(Ok(None), |table| json_of(table, (collection, project, name)))
    }

    fn all_json(
        &self,
        collection: &str,
        project: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, StorageError> {
        let none = || Ok(BTreeMap::new());
        self.table.as_ref().map_or_else(none, |table| all_json_of(table, collection, project, prefix))
    }
}

type Key = (String, String, String);

fn key(collection: &str, project: &str, name: &str) -> Key {
    (collection.to_owned(), project.to_owned(), name.to_owned())
}

/// What one write has changed so far; nothing of it is in the database before the write has succeeded.
pub(crate) struct Changes<'a, 't> {
    table: &'a Table<'t, KeyRef, JsonRef>,
    pending: BTreeMap<Key, Option<Vec<u8>>>,
}

impl Changes<'_, '_> {
    /// Writes a record, in place of one that has the name.
    pub(crate) fn put<T: Serialize>(
        &mut self,
        collection: Collection<T>,
        project: &str,
        name: &str,
        record: &T,
    ) -> Result<(), StorageError> {
        let json = serde_json::to_vec(record)?;
        self.pending.insert(key(collection.name, project, name), Some(json));
        Ok(())
    }

    /// Removes a record; nothing happens when there is none of that name.
    pub(crate) fn remove<T>(&mut self, collection: Collection<T>, project: &str, name: &str) {
        self.pending.insert(key(collection.name, project, name), None);
    }

    /// The next of the numbers 1, 2, ... of this name. None is given twice, however often the platform starts.
    pub(crate) fn next_number(&mut self, name: &str) -> Result<u64, StorageError> {
        const NUMBERS: Collection<u64> = Collection::new("numbers");
        let number = self.get(NUMBERS, "", name)?.unwrap_or(0) + 1;
        self.put(NUMBERS, "", name, &number)?;
        Ok(number)
    }
}

impl Lookup for Changes<'_, '_> {
    fn json(&self, collection: &str, project: &str, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match self.pending.get(&key(collection, project, name)) {
            Some(json) => Ok(json.clone()),
            None => json_of(self.table, (collection, project, name)),
        }
    }

    fn all_json(
        &self,
        collection: &str,
        project: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, StorageError> {
        let mut all = all_json_of(self.table, collection, project, prefix)?;
        for ((c, p, name), json) in &self.pending {
            if c == collection && p == project && name.starts_with(prefix) {
                match json {
                    Some(json) => drop(all.insert(name.clone(), json.clone())),
                    None => drop(all.remove(name)),
                }
            }
        }
        Ok(all)
    }
}

fn json_of(
    table: &impl ReadableTable<KeyRef, JsonRef>,
    key: (&str, &str, &str),
) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(table.get(key)?.map(|json| json.value().to_vec()))
}

fn all_json_of(
    table: &impl ReadableTable<KeyRef, JsonRef>,
    collection: &str,
    project: &str,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<u8>>, StorageError> {
    let mut all = BTreeMap::new();
    for entry in table.range((collection, project, prefix)..)? {
        let (key, json) = entry?;
        let (c, p, name) = key.value();
        if c != collection || p != project || !name.starts_with(prefix) {
            break;
        }
        all.insert(name.to_owned(), json.value().to_vec());
    }
    Ok(all)
}

/// The database. Cheap to clone; it closes with the last clone.
#[derive(Clone)]
pub(crate) struct Records {
    database: Arc<Database>,
    writes: mpsc::Sender<Box<dyn Write>>,
    work: TaskTracker,
    folder: Arc<Folder>,
}

impl Records {
    /// Opens the database `records.redb` of a data folder, or one that is kept in memory alone. Blocking.
    pub(crate) fn open(folder: &Arc<Folder>, in_memory: bool, work: &TaskTracker) -> Result<Self, StorageError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        let database = if in_memory {
            builder.create_with_backend(InMemoryBackend::new())?
        } else {
            builder.create_with_backend(FileBackend::new(database_file(folder)?)?)?
        };
        let database = Arc::new(database);
        let (writes, queue) = mpsc::channel(QUEUE);
        let run = {
            // The folder stays locked, and a shutdown waits, until the last write is done.
            let held = (Arc::clone(folder), work.token());
            let database = Arc::clone(&database);
            move || {
                writer::write_all(&database, queue);
                drop(database);
                drop(held);
            }
        };
        std::thread::Builder::new().name("platform-records".to_owned()).spawn(run)?;
        Ok(Self { database, writes, work: work.clone(), folder: Arc::clone(folder) })
    }

    /// Looks things up. Blocking.
    pub(crate) fn look<T, E: From<StorageError>>(&self, look: impl FnOnce(&Snapshot) -> Result<T, E>) -> Result<T, E> {
        look(&snapshot(&self.database)?)
    }

    /// As [`look`](Self::look), off the async workers.
    pub(crate) async fn read<T, E>(&self, look: impl FnOnce(&Snapshot) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (database, folder) = (Arc::clone(&self.database), Arc::clone(&self.folder));
        let looked = self.work.spawn_blocking(move || {
            let looked = look(&snapshot(&database)?);
            drop(database);
            drop(folder);
            looked
        });
        looked.await.map_err(StorageError::from)?
    }

    /// Changes records, all that this write asks for or nothing; on return it is on disk.
    ///
    /// Dropping the future does not undo a write that waits: its client cannot know whether it was done.
    pub(crate) async fn write<T, E>(
        &self,
        change: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.write_then(change, |_| {}).await
    }

    /// As [`write`](Self::write), and does something quick once a change is on disk and before any other is made: also
    /// when the future is dropped.
    pub(crate) async fn write_then<T, E>(
        &self,
        change: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, E> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (write, answered) = writer::pending(change, then);
        let gone = || StorageError(Box::from("the thread that writes has ended"));
        self.writes.send(write).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone().into()))
    }
}

/// The snapshot of this moment.
fn snapshot(database: &Database) -> Result<Snapshot, StorageError> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(RECORDS) {
        Ok(table) => Some(table),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Snapshot { table })
}

/// The file of the database, for its owner only. A link in its place would lead out of the folder.
fn database_file(folder: &Folder) -> std::io::Result<File> {
    let path = folder.path().join("records.redb");
    match std::fs::symlink_metadata(&path) {
        Ok(found) if !found.is_file() => {
            Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "records.redb is not a regular file"))
        }
        _ => crate::folder::private_file().read(true).write(true).create(true).truncate(false).open(path),
    }
}

#[cfg(test)]
mod tests;
