//! Shows how far a transfer has come, to whoever sits at a terminal and has waited for a while.

use std::future::Future;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::table::visible;

/// What takes no longer than this is not shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often it is shown.
const TICK: Duration = Duration::from_millis(100);

const BAR: &str = "{wide_msg} [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left";

/// Without a length.
const SPINNER: &str = "{spinner} {wide_msg} {binary_bytes} {binary_bytes_per_sec}";

/// How far a transfer has come.
pub(super) struct Progress {
    bytes: AtomicU64,
    /// How many bytes there are, where that is known.
    total: Option<u64>,
    label: String,
    is_shown: bool,
}

impl Progress {
    /// `may_be_shown` says whether the terminal is free for it.
    pub(super) fn new(label: &str, total: Option<u64>, may_be_shown: bool) -> Self {
        let is_shown = may_be_shown && std::io::stderr().is_terminal();
        Self { bytes: AtomicU64::new(0), total, label: visible(label), is_shown }
    }

    /// Says that a part of the transfer has come from one number of bytes to another.
    pub(super) fn move_by(&self, from: u64, to: u64) {
        // It wraps when a part starts anew.
        self.bytes.fetch_add(to.wrapping_sub(from), Ordering::Relaxed);
    }

    /// Says how far a transfer has come that has no parts.
    pub(super) fn set(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Shows the progress while the work is done, and takes it away at the end.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        if !self.is_shown {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        let bar = Cleared(self.bar());
        let began = Instant::now();
        loop {
            if let Ok(done) = tokio::time::timeout(TICK, work.as_mut()).await {
                return done;
            }
            if bar.0.is_hidden() && began.elapsed() >= PATIENCE {
                bar.0.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.0.set_position(self.bytes.load(Ordering::Relaxed));
            bar.0.tick();
        }
    }

    /// Nobody sees it yet, but it counts from the beginning.
    fn bar(&self) -> ProgressBar {
        let template = if self.total.is_some() { BAR } else { SPINNER };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(self.total, ProgressDrawTarget::hidden())
            .with_style(style)
            .with_message(self.label.clone())
    }
}

/// A bar that leaves nothing behind, even if the process is told to stop.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_may_start_anew() {
        let progress = Progress::new("a", None, false);
        for (from, to) in [(0, 5), (0, 10), (10, 3), (3, 4)] {
            progress.move_by(from, to);
        }
        assert_eq!(progress.bytes.load(Ordering::Relaxed), 9);
    }

    #[test]
    fn the_templates_are_sound() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
