//! What all connections of a daemon share, and how a request becomes an answer.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::request::Parts;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use skill_sdk::{Code, Error, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::Patience;
use super::address::{Address, Route, Unrouted};
use super::admission::{Admission, Buffered, Entrance, Held, Place};
use super::answer::{self, Answer};
use super::clock::Clock;
use super::counts::{Accepted, Counts, Fate};
use super::gauges::Gauges;
use super::health::{Health, Phase};
use super::repeats::{Fingerprint, Repeats};
use super::request;
use super::workers::{Running, Workers};
use crate::cli::serve::BoundOptions;
use crate::host::{Host, How, timed_out};
use crate::metrics::{CANCELLED, Metrics};
use crate::outcome::Outcome;

/// What all connections share.
pub(super) struct Daemon {
    pub(super) host: Host,
    pub(super) address: Address,
    pub(super) health: Health,
    pub(super) clock: Arc<Clock>,
    pub(super) workers: Workers,
    pub(super) admission: Admission,
    pub(super) buffered: Buffered,
    pub(super) counts: Arc<Counts>,
    pub(super) repeats: Option<Repeats>,
    pub(super) connections: AtomicUsize,
    /// Requests of HTTP/2.
    pub(super) streams: TaskTracker,
    pub(super) patience: Patience,
    /// Cancels what runs.
    pub(super) shutdown: CancellationToken,
    metrics: Metrics,
    timeout: Duration,
    body_timeout: Duration,
}

/// Answers of more bytes count as held until they are taken. Shorter ones are bounded by the number of connections, but for those
/// of HTTP/2, of which a connection may leave many: they all count.
const LARGE: usize = 16 << 10;

/// How long the body of a request is read that is one too many.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);

/// An invocation that may run.
struct Prepared {
    message: Message,
    how: How,
    /// The place of its skill among the host's; `None` when it is not here.
    skill: Option<usize>,
    running: Arc<Running>,
    /// When the whole message was there.
    arrived: Instant,
    /// Both are given up when it is over.
    _place: Place,
    _held: Held,
}

/// An invocation that runs. When it is dropped before its end, whoever asked has gone.
struct Pending<'a> {
    daemon: &'a Daemon,
    running: &'a Running,
    skill: Option<usize>,
    arrived: Instant,
    is_over: bool,
}

impl Pending<'_> {
    fn end(mut self, outcome: &Outcome) {
        self.is_over = true;
        self.daemon.metrics.ended(self.skill, outcome.as_str(), self.arrived.elapsed());
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let took = self.arrived.elapsed();
        self.daemon.metrics.ended(self.skill, CANCELLED, took);
        let Running { activation_id, skill } = self.running;
        let (activation_id, skill, milliseconds) = (activation_id.as_str(), skill.as_str(), took.as_secs_f64() * 1e3);
        tracing::warn!(
            activationId = activation_id,
            skill,
            outcome = CANCELLED,
            durationMs = milliseconds,
            "the invocation was cancelled: nobody waits for its answer"
        );
    }
}

impl Daemon {
    pub(super) fn new(
        host: Host,
        address: Address,
        bounds: &BoundOptions,
        dedup_window: Option<Duration>,
    ) -> Arc<Self> {
        let clock = Arc::new(Clock::start());
        let names: Vec<String> = host.skills().names().into_iter().map(str::to_owned).collect();
        Arc::new_cyclic(|daemon: &Weak<Self>| Self {
            host,
            address,
            health: Health::new(bounds.stall),
            workers: Workers::new(Arc::clone(&clock)),
            admission: Admission::new(bounds.max_concurrency, bounds.max_queued, bounds.queue_timeout),
            buffered: Buffered::new(bounds.max_buffered.0),
            counts: Arc::default(),
            repeats: dedup_window.map(Repeats::new),
            connections: AtomicUsize::new(0),
            streams: TaskTracker::new(),
            patience: Patience {
                header: bounds.header_timeout,
                write: bounds.write_timeout,
                idle: bounds.idle_timeout,
            },
            shutdown: CancellationToken::new(),
            metrics: Metrics::new(names.iter().map(String::as_str), Gauges::of(Weak::clone(daemon))),
            timeout: bounds.timeout,
            body_timeout: bounds.body_timeout,
            clock,
        })
    }

    /// Answers a request.
    pub(super) async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        let (head, mut body) = request.into_parts();
        let response = match self.address.route(&head.method, head.uri.path()) {
            Ok(Route::Invoke(skill)) => self.invoke(&head, &mut body, skill.map(Cow::into_owned)).await,
            Ok(Route::Healthz) => answer::of_health(self.health.alive(&self.workers)),
            Ok(Route::Readyz) => answer::of_health(self.health.ready(&self.workers, &self.admission)),
            Ok(Route::Metrics) => answer::of_metrics(self.metrics.text()),
            Err(Unrouted::NotFound) => answer::not_found(&self.address.described()),
            Err(Unrouted::MethodNotAllowed(allowed)) => answer::method_not_allowed(&allowed),
        };
        request::discard_rest(&head, body, self.body_timeout, &self.shutdown).await;
        response
    }

    /// Answers a request for an invocation.
    async fn invoke(self: &Arc<Self>, parts: &Parts, body: &mut Incoming, skill: Option<String>) -> Response<Answer> {
        let mut held = self.buffered.hold();
        let headers = &parts.headers;
        // What is wrong with a request is said before it counts.
        let limit = self.host.limits().message;
        let read = async {
            let granted = request::granted(headers)?;
            let message = request::message(headers, body, limit, self.body_timeout, &self.shutdown, &mut held).await?;
            Ok::<_, Error>((message, granted, self.enter()?))
        };
        let (message, granted, entrance) = match read.await {
            Ok(read) => read,
            Err(error) => return self.refused(error),
        };
        let (accepted, arrived) = (self.counts.accept(), Instant::now());
        let timeout = granted.map_or(self.timeout, |granted| granted.min(self.timeout));
        let how = How { skill, timeout, shutdown: self.shutdown.clone(), trace_parent: request::trace_parent(headers) };
        let prepared = self.prepare(&message, how, entrance, arrived, held).await;
        // The message has been read: its bytes are of no more use.
        drop(message);
        match prepared {
            Err(error) => {
                let outcome = self.host.refuse(error, arrived.elapsed());
                self.metrics.ended(None, outcome.as_str(), arrived.elapsed());
                self.finished(&outcome, parts.version, accepted)
            }
            // A kept answer is nobody's whose token has ended meanwhile.
            Ok(prepared) => match self.repeats.as_ref().filter(|_| !self.host.is_expired(&prepared.message)) {
                None => self.finished(&self.run(prepared).await, parts.version, accepted),
                Some(repeats) => {
                    let fingerprint = Fingerprint::of(&prepared.message, &prepared.running.skill);
                    let daemon = Arc::clone(self);
                    let outcome = repeats.first(fingerprint, async move { daemon.run(prepared).await }).await;
                    self.finished(&outcome, parts.version, accepted)
                }
            },
        }
    }

    /// Lets an invocation in, or into the queue.
    fn enter(&self) -> Result<Entrance<'_>, Error> {
        match self.health.phase() {
            Phase::Starting => Err(Error::new(Code::Overloaded, "the host is not ready: its self-test has not passed")),
            Phase::Serving | Phase::Leaving => self.admission.enter(),
            Phase::Draining => Err(Error::new(Code::ShuttingDown, "the host was told to stop")),
        }
    }

    /// Waits for an invocation's turn, and reads its message.
    async fn prepare(
        &self,
        message: &[u8],
        mut how: How,
        entrance: Entrance<'_>,
        arrived: Instant,
        held: Held,
    ) -> Result<Prepared, Error> {
        let place = match entrance {
            Entrance::Free(place) => place,
            Entrance::Queued(turn) => {
                let late = |_| Err(timed_out(how.timeout));
                let place = tokio::time::timeout(how.timeout, turn.place()).await.unwrap_or_else(late)?;
                how.timeout = how.timeout.saturating_sub(arrived.elapsed());
                place
            }
        };
        let message = self.host.read(message)?;
        let skill = self.host.skills().place(how.skill.as_deref(), message.skill_name());
        let running = Arc::new(Running {
            activation_id: message.activation_id().unwrap_or_default().to_owned(),
            skill: skill.and_then(|place| self.host.skills().name(place)).unwrap_or_default().to_owned(),
        });
        Ok(Prepared { message, how, skill, running, arrived, _place: place, _held: held })
    }

    /// Runs an invocation.
    async fn run(&self, prepared: Prepared) -> Outcome {
        let Prepared { message, how, skill, running, arrived, _place, _held } = prepared;
        let pending = Pending { daemon: self, running: &running, skill, arrived, is_over: false };
        let answer = AssertUnwindSafe(self.host.answer(message, &how)).catch_unwind();
        // A panic of a skill is caught and is an outcome. One that gets here is our own.
        let outcome = self.workers.watched(Arc::clone(&running), answer).await.unwrap_or_else(|_| {
            let error = Error::new(Code::Internal, "the host panicked; its log says where");
            Outcome::new(running.activation_id.clone(), None, Err(error))
        });
        pending.end(&outcome);
        outcome
    }

    /// The answer to an invocation that was accepted.
    fn finished(&self, outcome: &Outcome, version: Version, mut accepted: Accepted) -> Response<Answer> {
        accepted.set(match outcome.code() {
            None => Fate::Finished,
            Some(Code::ShuttingDown) if self.shutdown.is_cancelled() => Fate::CancelledByDrain,
            Some(_) => Fate::Failed,
        });
        let mut response = answer::of_outcome(outcome);
        let size = response.body().size();
        if size > LARGE || version >= Version::HTTP_2 {
            let mut held = self.buffered.hold();
            match held.add(size) {
                Ok(()) => response.body_mut().until_written.held = Some(held),
                Err(error) => {
                    response = self.refused(error);
                    accepted.set(Fate::Failed);
                }
            }
        }
        response.body_mut().until_written.accepted = Some(accepted);
        response
    }

    /// Answers a request on a connection that is one too many.
    pub(super) async fn refuse_connection(&self, request: Request<Incoming>) -> Response<Answer> {
        let (head, body) = request.into_parts();
        request::discard_rest(&head, body, REFUSAL_PATIENCE, &self.shutdown).await;
        self.refused(Error::new(Code::Overloaded, "there are too many connections"))
    }

    /// The answer to a request that has become no invocation.
    fn refused(&self, error: Error) -> Response<Answer> {
        let outcome = self.host.refuse(error, Duration::ZERO);
        self.metrics.ended(None, outcome.as_str(), Duration::ZERO);
        answer::of_outcome(&outcome)
    }
}
