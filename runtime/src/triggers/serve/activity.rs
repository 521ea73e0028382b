//! What a connection is doing, as seen from outside: whoever watches over all connections ends those that take too long. No
//! connection has a timer of its own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::clock::{Clock, Tick};

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    clock: Arc<Clock>,
    /// Requests that are being answered.
    answering: AtomicU32,
    /// Answers that were not written yet.
    sending: AtomicU32,
    /// Whether some of a request's head has come.
    has_begun: AtomicBool,
    /// When that was, when the last answer was ready, or when it was written.
    since: AtomicU64,
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) header: Duration,
    pub(super) write: Duration,
    pub(super) idle: Duration,
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Overdue {
    /// Nothing comes: it may end in order.
    Idle,
    /// The client does not do its part.
    Stuck,
}

impl Activity {
    pub(super) fn new(clock: Arc<Clock>) -> Arc<Self> {
        let since = AtomicU64::new(clock.now().number());
        let (answering, sending, has_begun) = Default::default();
        Arc::new(Self { clock, answering, sending, has_begun, since })
    }

    fn touch(&self) {
        self.since.store(self.clock.now().number(), Ordering::Relaxed);
    }

    /// Something has come.
    fn received(&self) {
        if self.answering.load(Ordering::Relaxed) == 0 && !self.has_begun.swap(true, Ordering::Relaxed) {
            self.touch();
        }
    }

    /// The head of a request is there.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.has_begun.store(false, Ordering::Relaxed);
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Whether a request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    /// Whether an answer is ready and not written yet.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.load(Ordering::Relaxed) > 0
    }

    /// Whether a request is being answered, or its answer is not written yet.
    pub(super) fn is_busy(&self) -> bool {
        self.is_answering() || self.is_sending()
    }

    pub(super) fn overdue(&self, patience: Patience) -> Option<Overdue> {
        let lasted = self.clock.now().since(Tick::from_number(self.since.load(Ordering::Relaxed)));
        if self.is_sending() {
            (lasted > patience.write).then_some(Overdue::Stuck)
        } else if self.is_answering() {
            None
        } else if self.has_begun.load(Ordering::Relaxed) {
            (lasted > patience.header).then_some(Overdue::Stuck)
        } else {
            (lasted > patience.idle).then_some(Overdue::Idle)
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Activity>);

impl Answering {
    /// The answer is ready.
    pub(super) fn sending(self) -> Sending {
        self.0.sending.fetch_add(1, Ordering::Relaxed);
        Sending(Arc::clone(&self.0))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.touch();
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer that is to be taken.
#[derive(Debug)]
pub(super) struct Sending(Arc<Activity>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.touch();
        self.0.sending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that notices when something comes.
pub(super) struct Noticing {
    pub(super) tcp: TcpStream,
    /// `None` where heads are not told apart from what else comes.
    pub(super) activity: Option<Arc<Activity>>,
}

impl AsyncRead for Noticing {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(context, into);
        if let Some(activity) = &self.activity
            && into.filled().len() > before
        {
            activity.received();
        }
        polled
    }
}

impl AsyncWrite for Noticing {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_patience() {
        let clock = Arc::new(Clock::start());
        let activity = Activity::new(Arc::clone(&clock));
        let never = Duration::from_mins(5);
        let all = Patience { header: never, write: never, idle: never };
        let [header, write, idle] = [
            Patience { header: Duration::ZERO, ..all },
            Patience { write: Duration::ZERO, ..all },
            Patience { idle: Duration::ZERO, ..all },
        ];
        let wait = || {
            let before = clock.now();
            while clock.now() == before {
                clock.wind();
                std::thread::yield_now();
            }
        };
        wait();
        let seen = || [header, write, idle].map(|patience| activity.overdue(patience));
        assert_eq!(seen(), [None, None, Some(Overdue::Idle)]);
        activity.received();
        wait();
        assert_eq!(seen(), [Some(Overdue::Stuck), None, None]);
        let answering = activity.answering();
        activity.received();
        wait();
        assert_eq!((seen(), activity.is_busy()), ([None; 3], true));
        let sending = answering.sending();
        wait();
        assert_eq!((seen(), activity.is_busy()), ([None, Some(Overdue::Stuck), None], true));
        drop(sending);
        assert_eq!(seen(), [None; 3], "it begins anew");
        wait();
        assert_eq!((seen(), activity.is_busy()), ([None, None, Some(Overdue::Idle)], false));
    }
}
