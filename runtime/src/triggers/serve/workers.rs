//! Which invocation each worker thread is busy with, so that one that blocks its thread is noticed from outside.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::{Clock, Tick};

/// The threads that poll invocations.
#[derive(Debug)]
pub(super) struct Workers {
    clock: Arc<Clock>,
    threads: Mutex<Vec<Arc<Thread>>>,
    /// When a task that did nothing has last been run.
    alive: AtomicU64,
}

/// One thread, as it looks from outside.
#[derive(Debug, Default)]
struct Thread {
    /// Since when it polls an invocation, as a tick; 0 when it does not.
    since: AtomicU64,
    running: Mutex<Option<Arc<Running>>>,
}

/// An invocation that runs.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Running {
    pub(super) activation_id: String,
    pub(super) skill: String,
}

/// A thread that an invocation blocks.
#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) running: Arc<Running>,
    /// When that began: tells two blockings by the same invocation apart.
    pub(super) since: Tick,
    pub(super) lasted: Duration,
}

thread_local! {
    static THREAD: RefCell<Option<Arc<Thread>>> = const { RefCell::new(None) };
}

impl Workers {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        let alive = AtomicU64::new(clock.now().number());
        Self { clock, threads: Mutex::default(), alive }
    }

    /// Runs a future, each of whose polls can be watched.
    pub(super) async fn watched<F: Future>(&self, running: Arc<Running>, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let _polling = self.polling(&running);
            future.as_mut().poll(context)
        })
        .await
    }

    fn polling(&self, running: &Arc<Running>) -> Polling {
        let thread = THREAD.with_borrow_mut(|own| Arc::clone(own.get_or_insert_with(|| self.join())));
        *thread.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(running));
        thread.since.store(self.clock.now().number(), Ordering::Release);
        Polling(thread)
    }

    /// Adds the thread that calls.
    fn join(&self) -> Arc<Thread> {
        let thread = Arc::new(Thread::default());
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended hold theirs no more.
        threads.retain(|thread| Arc::strong_count(thread) > 1);
        threads.push(Arc::clone(&thread));
        thread
    }

    /// The threads that have been blocked for so long.
    pub(super) fn blocked(&self, longer_than: Duration) -> Vec<Blocked> {
        let now = self.clock.now();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let blocked = |thread: &Arc<Thread>| {
            let since = Tick::from_number(thread.since.load(Ordering::Acquire));
            let lasted = now.since(since);
            if since == Tick::NEVER || lasted <= longer_than {
                return None;
            }
            let running = thread.running.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
            Some(Blocked { running, since, lasted })
        };
        threads.iter().filter_map(blocked).collect()
    }

    /// Says that the workers run tasks; to be called from one.
    pub(super) fn say_alive(&self) {
        self.alive.store(self.clock.now().number(), Ordering::Relaxed);
    }

    /// How long ago a worker has last run a task that did nothing.
    pub(super) fn silent_for(&self) -> Duration {
        self.clock.now().since(Tick::from_number(self.alive.load(Ordering::Relaxed)))
    }
}

/// A poll that is under way.
struct Polling(Arc<Thread>);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.since.store(Tick::NEVER.number(), Ordering::Release);
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn who_blocks_a_thread_is_known() {
        let clock = Arc::new(Clock::start());
        let workers = Arc::new(Workers::new(Arc::clone(&clock)));
        let running = Arc::new(Running { activation_id: "a".into(), skill: "s".into() });
        let (blocks, blocked) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let thread = {
            let (workers, running) = (Arc::clone(&workers), Arc::clone(&running));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(workers.watched(running, async {
                    blocks.send(()).unwrap();
                    released.recv().unwrap();
                }));
            })
        };
        blocked.recv().unwrap();
        while workers.blocked(Duration::ZERO).is_empty() {
            clock.wind();
            std::thread::yield_now();
        }
        assert_eq!(workers.blocked(Duration::ZERO)[0].running, running);
        assert!(workers.blocked(Duration::from_mins(5)).is_empty());
        release.send(()).unwrap();
        thread.join().unwrap();
        assert!(workers.blocked(Duration::ZERO).is_empty());
    }

    #[test]
    fn a_future_that_waits_blocks_nobody() {
        let clock = Arc::new(Clock::start());
        let workers = Workers::new(Arc::clone(&clock));
        let running = Arc::new(Running { activation_id: "a".into(), skill: "s".into() });
        let mut waiting = std::pin::pin!(workers.watched(running, std::future::pending::<()>()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert!(workers.blocked(Duration::ZERO).is_empty());
        assert!(workers.silent_for() < Duration::from_mins(5));
        workers.say_alive();
    }
}
