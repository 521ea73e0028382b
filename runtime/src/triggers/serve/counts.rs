//! How many invocations there were, and what came of them: what the last line of a daemon's log says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came of the invocations so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    accepted: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    cancelled_by_drain: AtomicU64,
}

/// What came of an invocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It was answered.
    Finished,
    /// It was answered with a problem.
    Failed,
    /// It was answered with a problem, because the host stops.
    CancelledByDrain,
    /// Whoever asked went away.
    Cancelled,
}

/// An invocation that was accepted. When it is dropped it counts as what it has become.
#[derive(Debug)]
pub(super) struct Accepted {
    counts: Arc<Counts>,
    fate: Fate,
}

/// The counts at one time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Totals {
    pub(super) accepted: u64,
    pub(super) finished: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    /// Of the cancelled, those that the host gave up.
    pub(super) cancelled_by_drain: u64,
}

impl Counts {
    pub(super) fn accept(self: &Arc<Self>) -> Accepted {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Accepted { counts: Arc::clone(self), fate: Fate::Cancelled }
    }

    /// Counts requests that the host answered because no worker came round to it: those of them that are invocations. Of others
    /// the message has not been read.
    pub(super) fn leave_behind(&self, number: u64) {
        let number = number.min(self.totals().dropped());
        self.cancelled_by_drain.fetch_add(number, Ordering::Release);
    }

    pub(super) fn totals(&self) -> Totals {
        let of = |count: &AtomicU64| count.load(Ordering::Acquire);
        let cancelled_by_drain = of(&self.cancelled_by_drain);
        Totals {
            accepted: of(&self.accepted),
            finished: of(&self.finished),
            failed: of(&self.failed),
            cancelled: of(&self.cancelled) + cancelled_by_drain,
            cancelled_by_drain,
        }
    }
}

impl Totals {
    /// Those that were accepted, and of which nothing has become.
    pub(super) fn dropped(self) -> u64 {
        self.accepted.saturating_sub(self.finished + self.failed + self.cancelled)
    }
}

impl Accepted {
    /// Says what becomes of it if its answer is taken.
    pub(super) fn set(&mut self, fate: Fate) {
        self.fate = fate;
    }

    /// Says that nobody has taken its answer.
    pub(super) fn not_taken(&mut self) {
        if self.fate != Fate::CancelledByDrain {
            self.fate = Fate::Cancelled;
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        let count = match self.fate {
            Fate::Finished => &self.counts.finished,
            Fate::Failed => &self.counts.failed,
            Fate::Cancelled => &self.counts.cancelled,
            Fate::CancelledByDrain => &self.counts.cancelled_by_drain,
        };
        count.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_once() {
        let counts = Arc::new(Counts::default());
        let fates = [Fate::Finished, Fate::Finished, Fate::Failed, Fate::CancelledByDrain];
        for fate in fates {
            counts.accept().set(fate);
        }
        drop(counts.accept());
        counts.leave_behind(1);
        assert_eq!(counts.totals().cancelled_by_drain, 1, "all have been counted");
        let pending = counts.accept();
        let totals = counts.totals();
        let expected = Totals { accepted: 6, finished: 2, failed: 1, cancelled: 2, cancelled_by_drain: 1 };
        assert_eq!((totals, totals.dropped()), (expected, 1));
        drop(pending);
        assert_eq!(counts.totals().dropped(), 0);
    }
}
