//! The thread that writes: one transaction for all the writes that wait.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::Database;
use tokio::sync::{mpsc, oneshot};

use super::{Changes, RECORDS, StorageError};

/// Writes of one transaction.
const BATCH: usize = 256;

/// A write that waits for its turn.
pub(super) trait Write: Send {
    /// Makes the changes; whether they are to be kept.
    fn run(&mut self, changes: &mut Changes<'_, '_>) -> bool;

    /// Answers, once it is known whether the changes are on disk.
    fn finish(self: Box<Self>, committed: Result<(), Arc<StorageError>>);
}

/// A write whose client waits for the answer.
struct Pending<F, N, T, E> {
    change: Option<F>,
    result: Option<Result<T, E>>,
    /// Is done once the change is on disk.
    then: N,
    answer: oneshot::Sender<Result<T, E>>,
}

/// A write, and where its answer comes.
pub(super) fn pending<F, N, T, E>(change: F, then: N) -> (Box<dyn Write>, oneshot::Receiver<Result<T, E>>)
where
    F: FnOnce(&mut Changes<'_, '_>) -> Result<T, E> + Send + 'static,
    N: FnOnce(&T) + Send + 'static,
    T: Send + 'static,
    E: From<StorageError> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    (Box::new(Pending { change: Some(change), result: None, then, answer }), answered)
}

impl<F, N, T, E> Write for Pending<F, N, T, E>
where
    F: FnOnce(&mut Changes<'_, '_>) -> Result<T, E> + Send,
    N: FnOnce(&T) + Send,
    T: Send,
    E: From<StorageError> + Send,
{
    fn run(&mut self, changes: &mut Changes<'_, '_>) -> bool {
        let Some(change) = self.change.take() else {
            return false;
        };
        // A panic of one write is our own bug, and must not end the others.
        let result = catch_unwind(AssertUnwindSafe(|| change(changes)));
        let result = result.unwrap_or_else(|_| Err(StorageError(Box::from("a write panicked")).into()));
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn finish(self: Box<Self>, committed: Result<(), Arc<StorageError>>) {
        let result = match (self.result, committed) {
            (Some(Err(refused)), _) => Err(refused),
            (_, Err(error)) => Err(StorageError(Box::new(error)).into()),
            (Some(Ok(done)), Ok(())) => {
                (self.then)(&done);
                Ok(done)
            }
            (None, Ok(())) => Err(StorageError(Box::from("a write was not tried")).into()),
        };
        // Whoever asked may be gone.
        let _ = self.answer.send(result);
    }
}

/// Writes until nobody can ask for more.
pub(super) fn write_all(database: &Database, mut queue: mpsc::Receiver<Box<dyn Write>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        let committed = write_batch(database, &mut batch).map_err(Arc::new);
        for write in batch {
            write.finish(committed.clone());
        }
    }
}

fn write_batch(database: &Database, batch: &mut [Box<dyn Write>]) -> Result<(), StorageError> {
    let transaction = database.begin_write()?;
    let mut changed = false;
    {
        let mut table = transaction.open_table(RECORDS)?;
        for write in batch {
            let mut of_this = Changes { table: &table, pending: BTreeMap::new() };
            if !write.run(&mut of_this) {
                continue;
            }
            for ((collection, project, name), json) in of_this.pending {
                changed = true;
                let key = (collection.as_str(), project.as_str(), name.as_str());
                match json {
                    Some(json) => drop(table.insert(key, json.as_slice())?),
                    None => drop(table.remove(key)?),
                }
            }
        }
    }
    if changed {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}
