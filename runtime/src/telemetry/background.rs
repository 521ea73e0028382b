//! Lines that are written by a thread of their own: whoever logs never waits for whoever reads.
//!
//! Lines gather in a buffer, and all that has gathered is written at once. A reader that does not keep up costs lines, which
//! are counted, and neither time nor more memory.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes that wait to be written.
pub(super) const CAPACITY: usize = 8 << 20;

/// So many bytes are worth a write.
const BATCH: usize = 128 << 10;

/// How long fewer bytes wait for more to come.
const GATHERING: Duration = Duration::from_millis(5);

/// How long the thread leaves a reader alone that takes nothing at the moment.
const PAUSE: Duration = Duration::from_millis(5);

/// Lines on their way to whoever reads them.
#[derive(Clone)]
pub(super) struct Background(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    capacity: usize,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes whoever waits until lines are written.
    progress: Condvar,
    /// Lines that were lost since the start.
    lost: AtomicU64,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    /// Bytes since the start.
    taken: u64,
    written: u64,
    /// Lines that were lost and not yet told of.
    lost: u64,
    /// Whether the line that tells of them is on its way.
    telling: bool,
    /// Whether somebody waits.
    urgent: bool,
    closed: bool,
}

impl Background {
    /// Starts the thread. `lost` makes the line that says how many lines were lost.
    pub(super) fn start(
        to: impl Write + Send + 'static,
        capacity: usize,
        lost: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            capacity,
            work: Condvar::new(),
            progress: Condvar::new(),
            lost: AtomicU64::new(0),
        });
        let own = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || own.run(to, lost))?;
        Ok(Self(shared))
    }

    /// Takes a line, with its end. Gives `false` when it has been closed: nothing is written any more.
    pub(super) fn take(&self, line: &str) -> bool {
        let mut queue = self.0.queue();
        if queue.closed {
            return false;
        }
        let waiting = queue.taken - queue.written;
        if waiting + line.len() as u64 > self.0.capacity as u64 {
            queue.lost += 1;
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let before = queue.lines.len();
        queue.lines.extend_from_slice(line.as_bytes());
        queue.taken += line.len() as u64;
        let wakes = before == 0 || (before < BATCH && queue.lines.len() >= BATCH);
        drop(queue);
        if wakes {
            self.0.work.notify_one();
        }
        true
    }

    /// Waits until everything that was taken is written, and gives whether it is. The wait is bounded: nobody may read.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        self.wait(timeout).is_some()
    }

    /// As [`flush`](Self::flush), and takes no more lines if everything is written.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        self.wait(timeout).map(|mut queue| queue.closed = true).is_some()
    }

    /// How many lines were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    fn wait(&self, timeout: Duration) -> Option<MutexGuard<'_, Queue>> {
        let mut queue = self.0.queue();
        let goal = queue.taken;
        let deadline = Instant::now().checked_add(timeout);
        while queue.written < goal || queue.lost > 0 || queue.telling {
            queue.urgent = true;
            self.0.work.notify_one();
            let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return None;
            }
            queue = self.0.progress.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(queue)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked in between has left counts and bytes that fit each other.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut to: impl Write, lost_line: impl Fn(u64) -> String) {
        let mut batch = Vec::new();
        loop {
            let queue = self.queue();
            let idle = |queue: &mut Queue| queue.lines.is_empty() && queue.lost == 0;
            let queue = self.work.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
            let few = |queue: &mut Queue| !queue.urgent && queue.lines.len() < BATCH;
            let queue = self.work.wait_timeout_while(queue, GATHERING, few);
            let mut queue = queue.unwrap_or_else(PoisonError::into_inner).0;
            std::mem::swap(&mut batch, &mut queue.lines);
            queue.urgent = false;
            let (lost, goal) = (std::mem::take(&mut queue.lost), queue.taken);
            queue.telling = lost > 0;
            drop(queue);
            if lost > 0 {
                batch.extend_from_slice(lost_line(lost).as_bytes());
            }
            if write(&mut to, &batch).is_err() {
                // There is nobody left to tell, but it can be counted.
                let lines = batch.split_inclusive(|&byte| byte == b'\n').count() as u64;
                self.lost.fetch_add(lines, Ordering::Relaxed);
            }
            batch.clear();
            // What a stuck reader has made it grow to is not kept.
            batch.shrink_to(2 * BATCH);
            let mut queue = self.queue();
            (queue.written, queue.telling) = (goal, false);
            drop(queue);
            self.progress.notify_all();
        }
    }
}

/// Writes everything, to a reader that may take nothing at times.
fn write(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever shares the other end may have said that it is not to block.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{self, Receiver, Sender};

    const FOREVER: Duration = Duration::from_mins(1);

    /// A reader that takes so much as it is allowed to.
    struct Gate {
        allowed: Receiver<io::Result<usize>>,
        seen: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // When nobody keeps the gate any more it is open.
            let size = self.allowed.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            let _ = self.seen.send(bytes[..size].to_owned());
            Ok(size)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Kept {
        background: Background,
        allow: Sender<io::Result<usize>>,
        seen: Receiver<Vec<u8>>,
    }

    impl Kept {
        fn with(capacity: usize) -> Self {
            let (allow, allowed) = mpsc::channel();
            let (seeing, seen) = mpsc::channel();
            let to = Gate { allowed, seen: seeing };
            let background = Background::start(to, capacity, |lost| format!("lost {lost}\n")).unwrap();
            Self { background, allow, seen }
        }

        /// Opens the gate and gives everything.
        fn all(self) -> (Background, String) {
            drop(self.allow);
            assert!(self.background.flush(FOREVER));
            (self.background, String::from_utf8(self.seen.try_iter().flatten().collect()).unwrap())
        }
    }

    #[test]
    fn lines_come_in_order_and_none_is_lost_on_flush() {
        let kept = Kept::with(1 << 20);
        let lines: Vec<String> = (0..10_000).map(|number| format!("{number}\n")).collect();
        assert!(lines.iter().all(|line| kept.background.take(line)));
        let (background, seen) = kept.all();
        assert!(seen == lines.concat() && background.lost() == 0);
    }

    #[test]
    fn many_threads_do_not_mix_their_lines() {
        let kept = Kept::with(1 << 20);
        thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let background = &kept.background;
                scope.spawn(move || {
                    (0..1000).for_each(|number| assert!(background.take(&format!("{name} {number}\n"))));
                });
            }
        });
        let (_, seen) = kept.all();
        for name in ["a", "b", "c"] {
            let own: Vec<&str> = seen.lines().filter(|line| line.starts_with(name)).collect();
            assert!(own.iter().enumerate().all(|(number, line)| *line == format!("{name} {number}")));
            assert_eq!(own.len(), 1000);
        }
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_nothing_else() {
        let kept = Kept::with(100);
        for _ in 0..1000 {
            assert!(kept.background.take("0123456789\n"));
        }
        assert!(!kept.background.flush(Duration::from_millis(1)));
        let queue = kept.background.0.queue();
        assert_eq!((queue.taken, queue.written), (99, 0));
        assert!(queue.lines.capacity() < 1000);
        drop(queue);
        assert_eq!(kept.background.lost(), 991);
        let (background, seen) = kept.all();
        // Those that had not been told of when the first were taken are told of with the next.
        let told: u64 = seen.lines().filter_map(|line| line.strip_prefix("lost ")?.parse::<u64>().ok()).sum();
        assert_eq!((told, seen.matches("0123456789\n").count()), (991, 9));
        assert!(background.take("again\n"));
        assert_eq!(background.lost(), 991);
    }

    #[test]
    fn a_reader_may_take_little_or_nothing_at_times() {
        let kept = Kept::with(1000);
        assert!(kept.background.take("0123456789\n"));
        for step in [Ok(3), Err(ErrorKind::Interrupted.into()), Err(ErrorKind::WouldBlock.into()), Ok(1)] {
            kept.allow.send(step).unwrap();
        }
        assert_eq!(kept.all().1, "0123456789\n");
    }

    #[test]
    fn what_nobody_can_read_is_counted() {
        let kept = Kept::with(1000);
        assert!(kept.background.take("a\n") && kept.background.take("b\n"));
        kept.allow.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        assert!(kept.background.flush(FOREVER));
        let lost = kept.background.lost();
        assert!(kept.background.take("c\n"));
        let (background, seen) = kept.all();
        // The thread may have gone with the first line before the second was there.
        assert!(seen.ends_with("c\n") && (1..=2).contains(&lost) && background.lost() == lost, "{seen} {lost}");
    }

    #[test]
    fn once_closed_it_takes_nothing() {
        let kept = Kept::with(1000);
        assert!(kept.background.take("a\n"));
        assert!(!kept.background.close(Duration::from_millis(1)));
        assert!(kept.background.take("b\n"));
        kept.allow.send(Ok(usize::MAX)).unwrap();
        kept.allow.send(Ok(usize::MAX)).unwrap();
        assert!(kept.background.close(FOREVER));
        assert!(!kept.background.take("c\n"));
        assert_eq!(kept.all().1, "a\nb\n");
    }
}
