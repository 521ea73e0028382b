//! A clock that tests move. Each has its own: their runtimes have one thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

pub(super) fn now() -> Instant {
    Instant::now() + PASSED.get()
}

/// Lets time pass.
pub(super) fn pass(time: Duration) {
    PASSED.set(PASSED.get() + time);
}
