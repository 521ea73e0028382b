//! The load: connections that send one request after the other, driven by one thread that does nothing else.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::{ClockId, clock_gettime};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a round runs before it counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// What is sent, one request after the other.
pub(crate) trait Requests {
    /// The bytes of the next request on a connection, the status of its answer, and the length of the body where that is known.
    fn next(&mut self, connection: usize) -> (&[u8], u16, Option<usize>);
}

/// When requests are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// Each as soon as its connection has the answer to the one before.
    AsFastAsAnswered,
    /// So many a second, whether or not answers come. The time of a request begins when it was due.
    ASecond(f64),
}

/// What a round found.
pub(crate) struct Round {
    /// Answers in the time that counts.
    pub(crate) answers: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds from a request to the end of its answer.
    pub(crate) times: Histogram<u64>,
    /// All requests, with those before and after that time.
    pub(crate) all: f64,
    /// Of a core, what this thread took.
    pub(crate) own_share: f64,
}

impl Round {
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which this part of the requests were answered, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "a time")]
    pub(crate) fn time(&self, part: f64) -> f64 {
        self.times.value_at_quantile(part) as f64 / 1e6
    }
}

pub(crate) struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    events: Vec<Event>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// When the request was due that is being answered.
    began: Option<Instant>,
    status: u16,
    length: Option<usize>,
    /// The beginning of an answer whose head has not come whole.
    head: Vec<u8>,
    /// What is to come of a body.
    missing: usize,
}

impl Load {
    pub(crate) fn connect(address: SocketAddr, connections: usize) -> Self {
        let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let connections = (0..connections).map(|number| {
            let stream = TcpStream::connect(address).expect("the server listens");
            stream.set_nodelay(true).unwrap();
            stream.set_nonblocking(true).unwrap();
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN).unwrap();
            Connection { stream, began: None, status: 0, length: None, head: Vec::new(), missing: 0 }
        });
        let connections = connections.collect();
        Self { epoll, connections, events: Vec::with_capacity(256), buffer: vec![0; 256 << 10] }
    }

    /// Sends for this long, after a warm-up.
    pub(crate) fn run_for(&mut self, duration: Duration, pace: Pace, requests: &mut impl Requests) -> Round {
        self.run(WARM_UP, duration, u64::MAX, pace, requests)
    }

    /// Sends so many requests.
    pub(crate) fn run_through(&mut self, count: u64, requests: &mut impl Requests) -> Round {
        self.run(Duration::ZERO, Duration::from_hours(24), count, Pace::AsFastAsAnswered, requests)
    }

    fn run(
        &mut self,
        warm_up: Duration,
        duration: Duration,
        count: u64,
        pace: Pace,
        requests: &mut impl Requests,
    ) -> Round {
        let began = Instant::now();
        let counts_from = began + warm_up;
        let end = counts_from + duration;
        let mut times = Histogram::new_with_max(PATIENCE.as_nanos().try_into().unwrap(), 3).unwrap();
        let (mut sent, mut answered) = (0_u64, 0_u64);
        let mut idle: Vec<usize> = (0..self.connections.len()).rev().collect();
        let mut own = None;
        let mut now = began;
        while now < end {
            if own.is_none() && now >= counts_from {
                own = Some((clock(ClockId::ThreadCPUTime), now));
            }
            match pace {
                Pace::AsFastAsAnswered => {
                    while sent < count
                        && let Some(number) = idle.pop()
                    {
                        self.send(number, Instant::now(), requests);
                        sent += 1;
                    }
                }
                Pace::ASecond(rate) => {
                    #[expect(clippy::cast_precision_loss, reason = "a time")]
                    while let due = began + Duration::from_secs_f64(sent as f64 / rate)
                        && due <= now
                        && let Some(number) = idle.pop()
                    {
                        self.send(number, due, requests);
                        sent += 1;
                    }
                }
            }
            if idle.len() == self.connections.len() && sent == count {
                break;
            }
            self.wait(pace);
            let events = std::mem::take(&mut self.events);
            now = Instant::now();
            for event in &events {
                let number = usize::try_from(event.data.u64()).unwrap();
                if let Some(began) = self.receive(number) {
                    now = Instant::now();
                    if now >= counts_from && now < end {
                        times.saturating_record((now - began).as_nanos().try_into().unwrap());
                        answered += 1;
                    }
                    idle.push(number);
                }
            }
            self.events = events;
        }
        let (own_before, from) = own.expect("a round lasts longer than its warm-up");
        let own = clock(ClockId::ThreadCPUTime).checked_sub(own_before).unwrap_or_default();
        let elapsed = now - from;
        self.finish();
        #[expect(clippy::cast_precision_loss, reason = "a number to divide by")]
        let all = sent as f64;
        Round { answers: answered, elapsed, times, all, own_share: own.as_secs_f64() / elapsed.as_secs_f64() }
    }

    /// Waits for what is still to be answered.
    fn finish(&mut self) {
        while self.connections.iter().any(|connection| connection.began.is_some()) {
            self.wait(Pace::AsFastAsAnswered);
            let events = std::mem::take(&mut self.events);
            for event in &events {
                self.receive(usize::try_from(event.data.u64()).unwrap());
            }
            self.events = events;
        }
    }

    /// Waits for something to read. Those who send at times of their own do not sleep.
    fn wait(&mut self, pace: Pace) {
        let timeout = match pace {
            Pace::AsFastAsAnswered => PATIENCE,
            Pace::ASecond(_) => Duration::ZERO,
        };
        let timeout = Timespec::try_from(timeout).unwrap();
        self.events.clear();
        let found = epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)).unwrap();
        assert!(found > 0 || matches!(pace, Pace::ASecond(_)), "a request was not answered in {PATIENCE:?}");
    }

    fn send(&mut self, number: usize, due: Instant, requests: &mut impl Requests) {
        let connection = &mut self.connections[number];
        let (bytes, status, length) = requests.next(number);
        (connection.began, connection.status, connection.length) = (Some(due), status, length);
        let written = connection.stream.write(bytes).expect("the server reads");
        // What is on its way is less than any socket takes.
        assert_eq!(written, bytes.len(), "the socket takes no whole request");
    }

    /// Reads what has come, and gives the beginning of the request when that was all of its answer.
    fn receive(&mut self, number: usize) -> Option<Instant> {
        let connection = &mut self.connections[number];
        let read = match connection.stream.read(&mut self.buffer) {
            Ok(0) => unreachable!("the server has closed a connection"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => unreachable!("the server cannot be read: {error}"),
        };
        connection.take(&self.buffer[..read])
    }
}

impl Connection {
    fn take(&mut self, bytes: &[u8]) -> Option<Instant> {
        if self.missing > 0 {
            self.missing = self.missing.checked_sub(bytes.len()).expect("an answer is as long as it says");
        } else {
            let mut head = std::mem::take(&mut self.head);
            if !head.is_empty() {
                head.extend_from_slice(bytes);
            }
            let Some(missing) = self.begin(if head.is_empty() { bytes } else { &head }) else {
                self.head = if head.is_empty() { bytes.to_owned() } else { head };
                return None;
            };
            self.missing = missing;
        }
        if self.missing > 0 { None } else { self.began.take() }
    }

    /// Reads the head of an answer and gives what is missing of its body; `None` when the head is not whole.
    fn begin(&self, bytes: &[u8]) -> Option<usize> {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, body) = (&bytes[..head], &bytes[head + 4..]);
        let shown = || String::from_utf8_lossy(bytes);
        assert!(self.began.is_some(), "an answer to no request: {}", shown());
        let mut lines = head.split(|&byte| byte == b'\n');
        let status = lines.next().and_then(|line| number(line.get(9..12)?));
        assert_eq!(status, Some(self.status.into()), "{}", shown());
        let length = lines.find_map(|line| {
            let (name, value) = line.split_at_checked(15)?;
            name.eq_ignore_ascii_case(b"content-length:").then(|| number(value.trim_ascii())).flatten()
        });
        let length = length.unwrap_or_else(|| unreachable!("an answer without a length: {}", shown()));
        assert!(self.length.is_none_or(|expected| length == expected), "{}", shown());
        Some(length.checked_sub(body.len()).expect("an answer is as long as it says"))
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).try_into().unwrap()
}
