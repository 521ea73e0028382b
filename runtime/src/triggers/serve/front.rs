//! The thread in front of the workers: it accepts connections, answers for the daemon's health, watches over connections and
//! workers, and sees to the stop. None of that waits for a worker, whatever the skills do.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{self, JoinHandle, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Overdue};
use super::address::{HEALTHZ, METRICS, READYZ};
use super::answer;
use super::clock::{TICK, Tick};
use super::connection::{self, Protocol};
use super::daemon::Daemon;
use super::workers::Blocked;

/// How often a worker is asked to run a task that does nothing.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Connections whose first bytes are awaited, beyond those that count: so that somebody who asks for the daemon's health gets an
/// answer when all others are taken.
const SPARE: usize = 64;

/// How long the first bytes of a connection that does not count may take.
const SPARE_PATIENCE: Duration = Duration::from_secs(1);

/// How long whoever asks for the daemon's health may take, and when many do.
const HEALTH_PATIENCE: Duration = Duration::from_secs(10);
const SHORT_HEALTH_PATIENCE: Duration = Duration::from_secs(1);

/// How many of them are many, and how many too many: further ones have no answer.
const MANY: usize = 64;
const TOO_MANY: usize = 512;

/// Most connections that are taken when no more are to come: there are not more that the system keeps waiting.
const MOST_WAITING: usize = 4096;

/// How long connections may take to end that were aborted.
const ABORT_PATIENCE: Duration = Duration::from_millis(250);

/// The pause after a failed accept, which most often means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often connections are looked at.
const LOOK_EVERY: u32 = 5;

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The thread's own side of a daemon.
pub(super) struct Front {
    daemon: Arc<Daemon>,
    workers: Handle,
    /// What has been accepted, and has not begun.
    beginning: JoinSet<Option<(TcpStream, Beginning)>>,
    /// Answers for the daemon's health, on this thread.
    health: JoinSet<()>,
    /// Those that the workers serve.
    connections: JoinSet<()>,
    watched: HashMap<task::Id, Watched>,
    /// The workers that are known to be blocked: their threads' invocations, and when that began.
    blocked: Vec<(String, Tick)>,
    most_connections: usize,
    ticks: Interval,
    ticked: u32,
    /// The task that says that the workers run tasks.
    probe: Option<JoinHandle<()>>,
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Beginning {
    Health,
    Of(Protocol),
    /// It is one too many.
    Refused,
}

/// A connection as it is watched.
struct Watched {
    activity: Arc<Activity>,
    ending: CancellationToken,
    /// Since when it was told to end.
    told: Option<Tick>,
    abort: task::AbortHandle,
    /// To answer on when no worker can; of HTTP/1.1 alone.
    stream: Option<net::TcpStream>,
}

impl Front {
    /// To be called within the thread's own runtime.
    pub(super) fn new(daemon: Arc<Daemon>, workers: Handle, most_connections: usize) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            daemon,
            workers,
            beginning: JoinSet::new(),
            health: JoinSet::new(),
            connections: JoinSet::new(),
            watched: HashMap::new(),
            blocked: Vec::new(),
            most_connections,
            ticks,
            ticked: 0,
            probe: None,
        }
    }

    /// Serves until `until` is over. Without a listener no further connection is accepted.
    pub(super) async fn serve<T>(&mut self, listener: Option<&TcpListener>, until: impl Future<Output = T>) -> T {
        let mut until = std::pin::pin!(until);
        loop {
            let may_accept =
                self.beginning.len() < SPARE + self.most_connections.saturating_sub(self.connections.len());
            tokio::select! {
                biased;
                over = until.as_mut() => return over,
                _ = self.ticks.tick() => self.tick(),
                Some(begun) = self.beginning.join_next() => {
                    if let Ok(Some((stream, beginning))) = begun {
                        self.begin(stream, beginning);
                    }
                }
                Some(ended) = self.connections.join_next_with_id() => {
                    let id = match &ended {
                        Ok((id, ())) => *id,
                        Err(error) => error.id(),
                    };
                    self.watched.remove(&id);
                    self.count();
                }
                Some(_) = self.health.join_next() => {}
                accepted = accept(listener), if may_accept => match accepted {
                    Ok(stream) => self.accepted(stream),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    /// Takes what has been connected and not been accepted yet.
    pub(super) fn accept_rest(&mut self, listener: TcpListener) {
        // The system is asked itself: the runtime may not have heard of the last ones.
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..MOST_WAITING {
            match listener.accept() {
                Ok((stream, _)) => {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    if let Ok(stream) = stream {
                        self.accepted(stream);
                    }
                }
                // One that has gone again; others may wait.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(_) => return,
            }
        }
    }

    /// Whether no connection is left.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.beginning.is_empty()
    }

    /// Tells all connections to end once they have answered what has come.
    pub(super) fn end_connections(&mut self) {
        // On these nothing has come.
        self.beginning.abort_all();
        let now = self.daemon.clock.now();
        for watched in self.watched.values_mut() {
            watched.told.get_or_insert(now);
            watched.ending.cancel();
        }
    }

    /// Ends the connections on which no request is whole: of these nothing was accepted.
    pub(super) fn abort_idle_connections(&mut self) {
        for watched in self.watched.values().filter(|watched| !watched.activity.is_busy()) {
            watched.abort.abort();
        }
    }

    /// Answers the requests whose workers do not come back, and says who keeps them. Gives the number of those that were answered.
    pub(super) fn answer_left_behind(&self) -> u64 {
        for Blocked { running, .. } in self.daemon.workers.blocked(Duration::ZERO) {
            let (activation, skill) = (running.activation_id.as_str(), running.skill.as_str());
            tracing::warn!(activationId = activation, skill, "the skill does not yield, and is left behind");
        }
        let answer = answer::left_behind();
        let waiting = self.watched.values().filter(|watched| watched.activity.is_answering());
        let answered = waiting.filter_map(|watched| watched.stream.as_ref()).filter(|stream| {
            // The worker has written nothing of an answer: it has none.
            let mut stream = *stream;
            let written = stream.write(&answer).is_ok_and(|length| length == answer.len());
            written && stream.shutdown(net::Shutdown::Write).is_ok()
        });
        answered.count() as u64
    }

    /// Ends all connections, and gives the number of those with answers that were not written.
    pub(super) async fn abort_connections(&mut self) -> usize {
        let unwritten = self.watched.values().filter(|watched| watched.activity.is_sending()).count();
        self.beginning.abort_all();
        self.health.abort_all();
        self.connections.abort_all();
        self.daemon.streams.close();
        let ended = async {
            while self.connections.join_next().await.is_some() {}
            self.daemon.streams.wait().await;
        };
        // One on a worker that is blocked does not end.
        let _ = timeout(ABORT_PATIENCE, ended).await;
        unwritten
    }

    /// Waits for the first bytes of a connection.
    fn accepted(&mut self, stream: TcpStream) {
        let counts = self.connections.len() + self.beginning.len() < self.most_connections;
        let patience = if counts { self.daemon.patience.header } else { SPARE_PATIENCE };
        self.beginning.spawn(async move {
            let beginning = timeout(patience, beginning(&stream)).await.ok()?.ok()?;
            let is_refused = !counts && beginning != Beginning::Health;
            Some((stream, if is_refused { Beginning::Refused } else { beginning }))
        });
    }

    /// Hands a connection to the workers, or answers for the daemon's health.
    fn begin(&mut self, stream: TcpStream, beginning: Beginning) {
        let daemon = Arc::clone(&self.daemon);
        let protocol = match beginning {
            Beginning::Of(protocol) if self.connections.len() < self.most_connections => protocol,
            Beginning::Health => return self.answer_here(stream, false),
            Beginning::Of(_) | Beginning::Refused => return self.answer_here(stream, true),
        };
        let Ok(stream) = stream.into_std() else { return };
        let spare = if protocol == Protocol::Http1 { stream.try_clone().ok() } else { None };
        let (activity, ending) = (Activity::new(Arc::clone(&daemon.clock)), CancellationToken::new());
        let served = {
            let (activity, ending) = (Arc::clone(&activity), ending.clone());
            async move {
                // From here on it belongs to the workers' reactor.
                if let Ok(stream) = TcpStream::from_std(stream) {
                    connection::serve(stream, protocol, daemon, activity, ending).await;
                }
            }
        };
        let abort = self.connections.spawn_on(served, &self.workers);
        self.watched.insert(abort.id(), Watched { activity, ending, told: None, abort, stream: spare });
        self.count();
    }

    /// Answers for the daemon's health, or that there are too many connections.
    fn answer_here(&mut self, stream: TcpStream, is_refused: bool) {
        let patience = match self.health.len() {
            ..MANY => HEALTH_PATIENCE,
            MANY..TOO_MANY => SHORT_HEALTH_PATIENCE,
            TOO_MANY.. => return,
        };
        let answered = answer_once(stream, Arc::clone(&self.daemon), is_refused);
        self.health.spawn(async move {
            // Who does not take the answer has none.
            let _ = timeout(patience, answered).await;
        });
    }

    fn count(&self) {
        self.daemon.connections.store(self.connections.len(), Ordering::Relaxed);
    }

    fn tick(&mut self) {
        self.ticked = self.ticked.wrapping_add(1);
        self.daemon.clock.wind();
        let probe_every = u32::try_from(PROBE_EVERY.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
        if self.ticked % probe_every == 1 && self.probe.as_ref().is_none_or(JoinHandle::is_finished) {
            let daemon = Arc::clone(&self.daemon);
            self.probe = Some(self.workers.spawn(async move { daemon.workers.say_alive() }));
        }
        if self.ticked.is_multiple_of(LOOK_EVERY) {
            self.look_at_connections();
        }
        self.look_at_workers();
    }

    fn look_at_connections(&mut self) {
        let (now, patience) = (self.daemon.clock.now(), self.daemon.patience);
        for watched in self.watched.values_mut() {
            let is_late = |told: Tick| !watched.activity.is_busy() && now.since(told) > patience.write;
            match watched.activity.overdue(patience) {
                Some(Overdue::Stuck) => watched.abort.abort(),
                _ if watched.told.is_some_and(is_late) => watched.abort.abort(),
                Some(Overdue::Idle) => {
                    watched.told.get_or_insert(now);
                    watched.ending.cancel();
                }
                None => {}
            }
        }
    }

    /// Logs which invocations block workers, once each.
    fn look_at_workers(&mut self) {
        let blocked = self.daemon.workers.blocked(self.daemon.health.stall());
        let is_known = |known: &[(String, Tick)], one: &Blocked| {
            known.iter().any(|(id, since)| *id == one.running.activation_id && *since == one.since)
        };
        for one in blocked.iter().filter(|one| !is_known(&self.blocked, one)) {
            let (running, seconds) = (&one.running, one.lasted.as_secs_f64());
            let (activation, skill) = (running.activation_id.as_str(), running.skill.as_str());
            tracing::warn!(activationId = activation, skill, seconds, "the skill blocks a worker");
        }
        for (id, since) in &self.blocked {
            let goes_on = blocked.iter().any(|one| one.running.activation_id == *id && one.since == *since);
            if !goes_on {
                tracing::info!(activationId = id.as_str(), "the worker is free again");
            }
        }
        self.blocked = blocked.into_iter().map(|one| (one.running.activation_id.clone(), one.since)).collect();
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Looks at what a connection begins with, and leaves it there.
async fn beginning(stream: &TcpStream) -> io::Result<Beginning> {
    let mut start = [0; 32];
    let length = stream.peek(&mut start).await?;
    if length == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(begins_with(&start[..length]))
}

/// What the first bytes of a connection mean. Whoever sends less than a word at a time is left to the workers.
fn begins_with(start: &[u8]) -> Beginning {
    let is_health = |path: &str| {
        let target = start.strip_prefix(b"GET ").or_else(|| start.strip_prefix(b"HEAD "));
        let after = target.and_then(|target| target.strip_prefix(path.as_bytes()));
        after.is_some_and(|after| matches!(after.first(), Some(b' ' | b'?')))
    };
    if [HEALTHZ, READYZ, METRICS].into_iter().any(is_health) {
        Beginning::Health
    } else if start.starts_with(&PREFACE[..start.len().min(PREFACE.len())]) && start.len() > 1 {
        Beginning::Of(Protocol::Http2)
    } else {
        Beginning::Of(Protocol::Http1)
    }
}

/// Answers one request on this thread, and ends the connection.
async fn answer_once(stream: TcpStream, daemon: Arc<Daemon>, is_refused: bool) {
    let service = service_fn(move |request| {
        let daemon = Arc::clone(&daemon);
        async move {
            let answer =
                if is_refused { daemon.refuse_connection(request).await } else { daemon.answer(request).await };
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke");
    }
}

/// The time after this much.
pub(super) fn after(duration: Duration) -> impl Future<Output = ()> {
    // What is too far off for the clock never comes.
    let at = Instant::now().checked_add(duration);
    async move {
        match at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_who_comes() {
        let of = |start: &str| begins_with(start.as_bytes());
        for health in ["GET /healthz HTTP/1.1\r\n", "HEAD /readyz HTTP/1.0\r\n", "GET /metrics?a=b HTTP/1.1"] {
            assert_eq!(of(health), Beginning::Health, "{health}");
        }
        for other in
            ["GET /healthzz HTTP/1.1", "POST /healthz HTTP/1.1", "GET /healthz", "P", "POST /invoke", "\0", "PRI x"]
        {
            assert_eq!(of(other), Beginning::Of(Protocol::Http1), "{other}");
        }
        assert_eq!(of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"), Beginning::Of(Protocol::Http2));
        assert_eq!(of("PRI * HT"), Beginning::Of(Protocol::Http2));
    }
}
