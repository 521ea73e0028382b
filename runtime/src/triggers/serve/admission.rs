//! How much is taken in at a time: invocations that run and wait, and the bytes that are held for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use skill_sdk::{Code, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Lets so many invocations run at a time, and so many wait for a while, first come, first served.
#[derive(Debug)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    most_running: usize,
    most_queued: usize,
    patience: Duration,
    queued: AtomicUsize,
}

/// The place of an invocation that may run.
pub(super) type Place = OwnedSemaphorePermit;

impl Admission {
    pub(super) fn new(most_running: usize, most_queued: usize, patience: Duration) -> Self {
        let most_running = most_running.min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(most_running));
        Self { places, most_running, most_queued, patience, queued: AtomicUsize::new(0) }
    }

    /// Takes a place, or one in the queue.
    ///
    /// # Errors
    ///
    /// [`Code::Overloaded`] when there is neither, [`Code::ShuttingDown`] after [`close`](Self::close).
    pub(super) fn enter(&self) -> Result<Entrance<'_>, Error> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(Entrance::Free(place)),
            Err(TryAcquireError::Closed) => Err(closed()),
            Err(TryAcquireError::NoPermits) => {
                let queued = Queued(&self.queued);
                if self.queued.fetch_add(1, Ordering::Relaxed) >= self.most_queued {
                    let detail = format!("{} invocations run, and {} wait", self.most_running, self.most_queued);
                    return Err(Error::new(Code::Overloaded, detail));
                }
                Ok(Entrance::Queued(Turn { admission: self, _queued: queued }))
            }
        }
    }

    /// Refuses whoever waits or comes.
    pub(super) fn close(&self) {
        self.places.close();
    }

    /// Invocations that run.
    pub(super) fn running(&self) -> usize {
        self.most_running.saturating_sub(self.places.available_permits())
    }

    /// Invocations that wait.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether the next one would be refused.
    pub(super) fn is_saturated(&self) -> bool {
        self.places.available_permits() == 0 && self.queued() >= self.most_queued
    }
}

/// What an invocation was given that came.
pub(super) enum Entrance<'a> {
    Free(Place),
    Queued(Turn<'a>),
}

/// A place in the queue. It is given up when it is dropped.
pub(super) struct Turn<'a> {
    admission: &'a Admission,
    _queued: Queued<'a>,
}

impl Turn<'_> {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// [`Code::Overloaded`] when it did not come in time, [`Code::ShuttingDown`] when nobody is let in any more.
    pub(super) async fn place(self) -> Result<Place, Error> {
        let Admission { places, patience, .. } = self.admission;
        let place = tokio::time::timeout(*patience, Arc::clone(places).acquire_owned()).await.map_err(|_| {
            let waited = jiff::SignedDuration::try_from(*patience).unwrap_or(jiff::SignedDuration::MAX);
            Error::new(Code::Overloaded, format!("no place became free within {waited:#}"))
        })?;
        place.map_err(|_| closed())
    }
}

/// One that counts as waiting.
struct Queued<'a>(&'a AtomicUsize);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn closed() -> Error {
    Error::new(Code::ShuttingDown, "the host was told to stop before the skill could run")
}

/// Bounds the bytes of messages and answers that are held at a time.
#[derive(Clone, Debug)]
pub(super) struct Buffered(Arc<Bytes>);

#[derive(Debug)]
struct Bytes {
    most: usize,
    held: AtomicUsize,
}

impl Buffered {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Bytes { most, held: AtomicUsize::new(0) }))
    }

    /// Nothing yet, to which bytes can be added.
    pub(super) fn hold(&self) -> Held {
        Held { bytes: Arc::clone(&self.0), held: 0 }
    }
}

/// Bytes that count as held.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Arc<Bytes>,
    held: usize,
}

impl Held {
    /// Holds more.
    ///
    /// # Errors
    ///
    /// [`Code::Overloaded`] when that would be too many for the host.
    pub(super) fn add(&mut self, more: usize) -> Result<(), Error> {
        let before = self.bytes.held.fetch_add(more, Ordering::Relaxed);
        self.held += more;
        if before.saturating_add(more) <= self.bytes.most {
            return Ok(());
        }
        let detail =
            format!("the messages and answers that are held at a time would be over {} bytes", self.bytes.most);
        Err(Error::new(Code::Overloaded, detail))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, Error>) -> Option<Code> {
        result.err().map(|error| error.code())
    }

    fn free(entrance: Result<Entrance<'_>, Error>) -> Place {
        match entrance.unwrap() {
            Entrance::Free(place) => place,
            Entrance::Queued(_) => panic!("there is no free place"),
        }
    }

    fn queued(entrance: Result<Entrance<'_>, Error>) -> Turn<'_> {
        match entrance.unwrap() {
            Entrance::Free(_) => panic!("there is a free place"),
            Entrance::Queued(turn) => turn,
        }
    }

    #[tokio::test]
    async fn some_run_some_wait_and_others_are_refused() {
        let admission = Admission::new(1, 1, Duration::from_mins(1));
        let running = free(admission.enter());
        assert_eq!((admission.running(), admission.is_saturated()), (1, false));
        let turn = queued(admission.enter());
        assert!(admission.is_saturated());
        assert_eq!(code(admission.enter()), Some(Code::Overloaded));
        assert_eq!(admission.queued(), 1, "who is refused does not wait");
        drop(running);
        let running = turn.place().await.unwrap();
        assert_eq!((admission.running(), admission.queued()), (1, 0));
        drop(queued(admission.enter()));
        assert!(!admission.is_saturated(), "who goes away leaves the queue");
        let turn = queued(admission.enter());
        admission.close();
        assert_eq!(code(turn.place().await), Some(Code::ShuttingDown));
        assert_eq!(code(admission.enter()), Some(Code::ShuttingDown));
        drop(running);
    }

    #[tokio::test]
    async fn nobody_waits_for_long() {
        let admission = Admission::new(1, 1, Duration::from_millis(5));
        let _running = free(admission.enter());
        assert_eq!(code(queued(admission.enter()).place().await), Some(Code::Overloaded));
        assert_eq!(admission.queued(), 0);
    }

    #[test]
    fn bytes_are_bounded() {
        let buffered = Buffered::new(10);
        let (mut one, mut other) = (buffered.hold(), buffered.hold());
        one.add(6).unwrap();
        other.add(4).unwrap();
        assert_eq!(code(other.add(1)), Some(Code::Overloaded));
        drop(other);
        one.add(4).unwrap();
    }
}
