//! A daemon under test: `serve` of `skill-runtime` or of a program of linked skills, as a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Answer, Connection};
use crate::{PATIENCE, built, clean};

/// A daemon that has not been started.
pub struct Serve {
    command: Command,
    home: TempDir,
}

/// A daemon that listens. It is killed when it is dropped.
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    _home: TempDir,
}

/// What has been read of a daemon's log.
#[derive(Default)]
struct Log {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Default)]
struct Lines {
    lines: Vec<Value>,
    over: bool,
}

/// What a daemon left behind.
#[derive(Debug)]
pub struct Stopped {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All lines of its log.
    pub logs: Vec<Value>,
}

/// What became of the invocations that a daemon had accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// All of them.
    pub accepted: u64,
    /// Those that were answered with 200.
    pub finished: u64,
    /// Those that were answered with a problem.
    pub failed: u64,
    /// Those that the drain ended, or that nobody waited for any more.
    pub cancelled: u64,
}

impl Serve {
    /// `skill-runtime serve` of these libraries.
    pub fn libraries(paths: &[&Path]) -> Self {
        Self::of(&built().runtime).args(paths)
    }

    /// `serve` of any program.
    pub fn of(program: &Path) -> Self {
        let mut command = Command::new(program);
        let home = tempfile::tempdir().unwrap();
        clean(|name| {
            command.env_remove(name);
        });
        command.env("HOME", home.path()).arg("serve");
        Self { command, home }
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Adds an argument.
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it at a free port of this machine, and waits until it listens.
    pub fn start(self) -> Daemon {
        self.args(["--port", "0"]).start_at_its_port()
    }

    /// The same, at the port that its arguments and variables say.
    pub fn start_at_its_port(self) -> Daemon {
        let Self { mut command, home } = self.args(["--host", "127.0.0.1"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Log::default());
        let taken = Arc::clone(&log);
        let reader = std::thread::spawn(move || taken.read(stderr));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut daemon = Daemon { child, address: nowhere, log, reader: Some(reader), _home: home };
        let listening = daemon.wait_for(|line| line["message"] == "listening");
        daemon.address = listening["address"].as_str().unwrap().parse().unwrap();
        daemon
    }

    /// Runs it to the end, because it cannot start: its exit code and what it wrote to stderr.
    pub fn refused(self) -> (Option<i32>, String) {
        self.args(["--port", "0"]).refused_at_its_port()
    }

    /// The same, at the port that its arguments and variables say.
    pub fn refused_at_its_port(self) -> (Option<i32>, String) {
        let Self { command, home: _home } = self.args(["--host", "127.0.0.1"]);
        let mut command = assert_cmd::Command::from_std(command);
        let output = command.timeout(PATIENCE).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Log {
    /// Every line is to be JSON.
    fn read(&self, stderr: impl BufRead) {
        for line in stderr.lines().map_while(Result::ok) {
            let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({"message": line, "not": "JSON"}));
            self.lock().lines.push(line);
            self.more.notify_all();
        }
        self.lock().over = true;
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap()
    }
}

impl Daemon {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A connection of its own.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// The same; `None` when it does not listen any more.
    pub fn try_connect(&self) -> Option<Connection> {
        Connection::try_open(self.address)
    }

    /// Makes a request on a connection of its own.
    pub fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        self.connect().send(request)
    }

    /// Gets a path.
    pub fn get(&self, path: &str) -> Answer {
        self.send(http::request("GET", path, &[], ""))
    }

    /// Posts a body of JSON to a path.
    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(http::post(path, body))
    }

    /// Invokes a skill with a payload and nothing else in the message.
    pub fn invoke(&self, skill: &str, payload: &Value) -> Answer {
        self.send(invocation(skill, payload))
    }

    /// The lines of its log so far.
    pub fn logs(&self) -> Vec<Value> {
        self.log.lock().lines.clone()
    }

    /// Waits for a line of its log, which may have come already.
    pub fn wait_for(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_number(1, wanted)
    }

    /// Waits until its log has so many of such lines, and gives the last.
    pub fn wait_for_number(&self, number: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lock();
        loop {
            if let Some(line) = lines.lines.iter().filter(|line| wanted(line)).nth(number - 1) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!lines.over && !left.is_zero(), "no such line in {:#?}", lines.lines);
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Asks until the answer is the one that is wanted, and gives it.
    pub fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} still answers {} {}", answer.status, answer.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asserts that it is alive and answers invocations of `echo`.
    pub fn assert_well(&self) {
        assert_eq!(self.get("/healthz").status, 200);
        assert_eq!(self.invoke("echo", &json!("well")).payload(), "well");
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        crate::signal(&self.child, name);
    }

    /// The largest amount of memory it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        peak.unwrap().trim().parse::<u64>().unwrap() << 10
    }

    /// Waits for its end.
    pub fn end(mut self) -> Stopped {
        let status = self.wait();
        self.reader.take().unwrap().join().unwrap();
        Stopped { code: status.code(), logs: self.logs() }
    }

    /// Tells it to stop, and waits for its end.
    pub fn stop(self) -> Stopped {
        self.signal("TERM");
        self.end()
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:#?}", self.logs());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stopped {
    /// The counts of the last line of its log, of which nothing may be dropped and which must add up.
    pub fn counts(&self) -> Counts {
        let last = self.logs.last().unwrap();
        assert_eq!((&last["message"], &last["level"]), (&json!("stopped"), &json!("INFO")), "{last}");
        let count = |name: &str| last[name].as_u64().unwrap_or_else(|| panic!("no {name} in {last}"));
        assert!(last["elapsedMs"].is_number(), "{last}");
        let counts = Counts {
            accepted: count("accepted"),
            finished: count("finished"),
            failed: count("failed"),
            cancelled: count("cancelled"),
        };
        assert_eq!(count("dropped"), 0, "{last}");
        assert_eq!(counts.accepted, counts.finished + counts.failed + counts.cancelled, "{last}");
        counts
    }
}

/// A request that invokes a skill with a payload and nothing else in the message.
pub fn invocation(skill: &str, payload: &Value) -> Vec<u8> {
    http::post(&format!("/skills/{skill}/invoke"), json!({"payload": payload}).to_string())
}
