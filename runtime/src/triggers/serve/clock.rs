//! A clock for what is looked at often and need not be exact: reading it is one load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long it stands still.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Ticks since a daemon began. The thread in front of the workers winds it.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    ticks: AtomicU64,
}

/// A time by the clock.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Tick(u64);

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), ticks: AtomicU64::new(1) }
    }

    /// Brings it up to date.
    pub(super) fn wind(&self) {
        let ticks = self.began.elapsed().as_millis() / TICK.as_millis() + 1;
        self.ticks.store(u64::try_from(ticks).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Tick {
        Tick(self.ticks.load(Ordering::Relaxed))
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Tick {
    /// Never.
    pub(super) const NEVER: Self = Self(0);

    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The time since an earlier one; nothing since a later one.
    pub(super) fn since(self, earlier: Self) -> Duration {
        TICK.saturating_mul(u32::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_in_ticks() {
        let clock = Clock::start();
        assert!(clock.now() > Tick::NEVER);
        clock.wind();
        assert_eq!(Tick(5).since(Tick(2)), TICK * 3);
        assert_eq!(Tick(2).since(Tick(5)), Duration::ZERO);
    }
}
