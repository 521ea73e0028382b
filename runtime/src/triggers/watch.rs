//! What must happen while a handler runs, even one that never yields: a thread beside it.
//!
//! The thread serves the embedded platform, so that a handler that blocks its thread while it waits for the platform does not
//! wait for itself. It watches the signals and the deadline: the pipeline is told first, and when that has no effect the
//! process is ended from here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use skill_sdk::{Code, Error, Message};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::signal::{Signal, Signals};
use crate::host::timed_out;
use crate::outcome::{Outcome, Refusal};
use crate::sample::{self, Filling};
use crate::telemetry;

/// How long a handler that was told to stop may go on before the process is ended without it: it may be in the middle of
/// work that does not yield.
const GRACE: Duration = Duration::from_secs(1);

/// A sample message and what fills it.
pub(super) struct Sample {
    pub(super) message: Message,
    pub(super) filling: Filling,
    /// How long that may take. A limit that the skill has set for itself is no measure for it.
    pub(super) timeout: Duration,
}

/// The other end of the thread.
pub(super) struct Watch {
    shared: Arc<Shared>,
    /// The message that was filled, where there was one to fill.
    filled: Option<Receiver<Result<Message, Refusal>>>,
    finished: oneshot::Sender<()>,
    /// Ends when the thread has put everything away.
    ended: Receiver<()>,
}

/// What both threads look at.
struct Shared {
    /// Whether the end of the process is taken care of: the first to set it reports.
    over: AtomicBool,
    signal: OnceLock<Signal>,
}

/// The thread's own side.
struct Thread {
    activation_id: String,
    limit: Duration,
    shutdown: CancellationToken,
    signals: Signals,
    shared: Arc<Shared>,
    sample: Option<(Sample, SyncSender<Result<Message, Refusal>>)>,
    finished: oneshot::Receiver<()>,
    /// Dropped at the end of the thread, which is the news.
    _ended: SyncSender<()>,
}

impl Watch {
    pub(super) fn start(
        activation_id: &str,
        limit: Duration,
        shutdown: CancellationToken,
        signals: Signals,
        sample: Option<Sample>,
    ) -> Result<Self, Refusal> {
        let shared = Arc::new(Shared { over: AtomicBool::new(false), signal: OnceLock::new() });
        let (sample, filled) = match sample {
            Some(sample) => {
                let (sender, receiver) = mpsc::sync_channel(1);
                (Some((sample, sender)), Some(receiver))
            }
            None => (None, None),
        };
        let (finished, heard) = oneshot::channel();
        let (ending, ended) = mpsc::sync_channel(1);
        let thread = Thread {
            activation_id: activation_id.to_owned(),
            limit,
            shutdown,
            signals,
            shared: Arc::clone(&shared),
            sample,
            finished: heard,
            _ended: ending,
        };
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| Error::new(Code::Internal, "the watching thread cannot start").with_source(error))?;
        Ok(Self { shared, filled, finished, ended })
    }

    /// Waits until the sample is filled; `None` where there is none.
    pub(super) fn filled(&self) -> Result<Option<Message>, Refusal> {
        match &self.filled {
            None => Ok(None),
            Some(filled) => match filled.recv() {
                Ok(message) => Ok(Some(message?)),
                Err(_) => Err(Error::new(Code::Internal, "the watching thread has ended; the log says why").into()),
            },
        }
    }

    /// Says that the pipeline has an outcome. From here on the process is the caller's to end, and the platform has stopped.
    /// Gives the signal that came meanwhile.
    pub(super) fn finish(self) -> Option<Signal> {
        if self.shared.over.swap(true, Ordering::AcqRel) {
            // The other thread is about to end the process.
            loop {
                std::thread::park();
            }
        }
        // Whoever does not listen any more has nothing to put away.
        let _ = self.finished.send(());
        if self.filled.is_some() {
            let _ = self.ended.recv();
        }
        self.shared.signal.get().copied()
    }
}

impl Thread {
    fn run(mut self) {
        match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.watch()),
            Err(error) => {
                // The invocation goes on: its deadline still holds for every handler that yields.
                tracing::warn!(%error, "signals and handlers that never yield are not watched");
                if let Some((_, filled)) = self.sample.take() {
                    let error = Error::new(Code::Internal, "the async runtime cannot start").with_source(error);
                    let _ = filled.send(Err(error.into()));
                }
            }
        }
    }

    async fn watch(mut self) {
        let mut platform = None;
        if let Some((Sample { message, filling, timeout }, filled)) = self.sample.take() {
            let fill = tokio::time::timeout(timeout, sample::fill(message, &filling, self.limit));
            let answer = tokio::select! {
                answer = fill => answer.unwrap_or_else(|_| {
                    Err(Error::new(Code::Timeout, "what fills the sample message could not be had in time").into())
                }),
                signal = self.signals.next() => return self.end_process(stopped(), signal.exit_code()),
            };
            let answer = answer.map(|(message, started)| {
                platform = started;
                message
            });
            // Nobody waits when the process is ending already.
            let _ = filled.send(answer);
        }
        tokio::select! {
            biased;
            _ = &mut self.finished => {}
            signal = self.signals.next() => {
                // It is only set here.
                let _ = self.shared.signal.set(signal);
                self.shutdown.cancel();
                if tokio::time::timeout(GRACE, &mut self.finished).await.is_err() {
                    self.end_process(stopped(), signal.exit_code());
                }
            }
            () = tokio::time::sleep(self.limit.saturating_add(GRACE)) => {
                let error = timed_out(self.limit);
                let exit_code = error.code().exit_code();
                self.end_process(error, exit_code);
            }
        }
        // There is an outcome, so whatever request is still on its way is one that nobody waits for.
        drop(platform);
    }

    /// Ends the process without its main thread, unless that is ending it already.
    fn end_process(&self, error: Error, exit_code: u8) {
        if self.shared.over.swap(true, Ordering::AcqRel) {
            return;
        }
        let outcome = Outcome::new(self.activation_id.clone(), None, Err(error));
        telemetry::write_problem(&outcome);
        telemetry::shut_down(telemetry::PATIENCE);
        std::process::exit(exit_code.into());
    }
}

fn stopped() -> Error {
    Error::new(Code::ShuttingDown, "the job was told to stop before the skill had answered")
}
