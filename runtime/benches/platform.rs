//! The embedded platform under load: many clients at once, a share of whose requests is made to fail, on a platform that is killed in
//! the end.
//!
//! Each client has keys of its own, writes them anew, reads them back, and notes what was acknowledged. When the time is over the
//! platform is killed (`kill -9`) and started again on its data, without faults, and all that was acknowledged is looked for. A write that
//! was not acknowledged may have been done or not.
//!
//! ```sh
//! cargo bench -p skill-runtime --bench platform                    # 200 clients, 60 s
//! cargo bench -p skill-runtime --bench platform -- 50 10           # 50 clients, 10 s
//! ```
//!
//! Ends with 1 when a write was lost, when the platform answered 5xx of its own, or when its memory has no bound.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends at the first fault")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::{Client, Method, StatusCode, redirect};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::client::VerifySslCert;
use tokio::task::JoinSet;

/// A fault for one request in a hundred, of each kind a quarter.
const FAULTS: [&str; 4] = [
    "* *: status=503, rate=0.0025",
    "* *: reset, rate=0.0025",
    "* *: cut=50%, rate=0.0025",
    "* *: x-auth-error=expired, rate=0.0025",
];
/// What a status that was asked for says.
const ASKED_FOR: &str = "a fault that was asked for";
/// How far memory may grow from the first fifth of the time to its end: what the records need in the database's cache, and
/// what the allocator keeps.
const GROWTH: f64 = 1.5;
/// Keys of one client in each store.
const KEYS: usize = 4;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let clients = numbers.next().unwrap_or(200);
    let seconds = Duration::from_secs(numbers.next().unwrap_or(60));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(load(clients, seconds))
}

async fn load(clients: u64, duration: Duration) -> ExitCode {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start(data.path(), &FAULTS);
    let token = platform.token().await;
    let askers: Vec<_> = (0..clients).map(|number| Asker::new(&platform.url, &token, number)).collect();
    let began = Instant::now();
    let mut work = JoinSet::new();
    for asker in askers {
        work.spawn(asker.until(began + duration));
    }
    let memory = tokio::spawn(platform.memory(began, duration));
    let mut done = Vec::new();
    while let Some(asker) = work.join_next().await {
        done.push(asker.expect("a client ends by itself"));
    }
    let took = began.elapsed();
    let memory = memory.await.expect("memory can be read");
    platform.kill();

    let again = Platform::start(data.path(), &[]);
    let token = again.token().await;
    let mut counted = Counts::default();
    let mut lost = Vec::new();
    for asker in &mut done {
        counted.add(&asker.counts);
        lost.extend(asker.lost(&again.url, &token).await);
    }
    again.kill();

    counted.milliseconds.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = (counted.milliseconds.len().saturating_sub(1) as f64 * part) as usize;
        counted.milliseconds.get(index).copied().unwrap_or_default()
    };
    let all = counted.milliseconds.len();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = all as f64 / took.as_secs_f64();
    println!("{clients} clients for {:.0} s, 1 % of requests with a fault:\n", took.as_secs_f64());
    println!("| what | how much |\n|---|---|");
    println!("| requests | {all}, {rate:.0} a second |");
    println!("| time of a request | p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms |", at(0.5), at(0.99), at(1.0));
    println!("| faults met | {} |", counted.faults);
    println!("| writes acknowledged | {} |", counted.acknowledged);
    println!("| of them lost, after `kill -9` | {} |", lost.len());
    println!("| answers 5xx of its own | {} |", counted.own_failures);
    println!(
        "| resident memory | {:.1} MB after a fifth, {:.1} MB at the end, {:.1} MB at most |",
        memory.early, memory.last, memory.peak
    );
    for what in lost.iter().chain(&counted.surprises).take(20) {
        println!("{what}");
    }
    let is_bounded = memory.last <= memory.early * GROWTH;
    if lost.is_empty() && counted.own_failures == 0 && counted.surprises.is_empty() && is_bounded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// `skill-runtime platform` in a process of its own.
struct Platform {
    child: Child,
    url: String,
    pat: String,
}

/// Resident memory in megabytes.
struct Memory {
    early: f64,
    last: f64,
    peak: f64,
}

impl Platform {
    fn start(data: &Path, faults: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_skill-runtime"))
            .args(["platform", "--fault-seed", "1", "--data"])
            .arg(data)
            .args(faults.iter().flat_map(|rule| ["--fault", rule]))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the platform says that it is ready");
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { child, url: text("url"), pat: text("pat") }
    }

    /// A token that lasts as long as the load.
    async fn token(&self) -> String {
        let config = PersonalAccessConfig::from_file(Path::new(&self.pat)).unwrap();
        // What is asked for the clock may meet a fault.
        for _ in 0..20 {
            if let Ok(token) = config.mint(Duration::from_hours(1), &VerifySslCert::default()).await {
                return token.secret().expose_secret().to_owned();
            }
        }
        unreachable!("the platform does not tell its clock");
    }

    /// Watches the memory for as long as the load lasts.
    fn memory(&self, began: Instant, duration: Duration) -> impl Future<Output = Memory> + Send + use<> {
        let path = format!("/proc/{}/status", self.child.id());
        async move {
            let resident = || {
                let status = std::fs::read_to_string(&path).unwrap_or_default();
                let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
                let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
                kilobytes.unwrap_or_default() / 1024.0
            };
            let mut memory = Memory { early: 0.0, last: 0.0, peak: 0.0 };
            let mut ticks = tokio::time::interval(Duration::from_millis(200));
            while began.elapsed() < duration {
                ticks.tick().await;
                memory.last = resident();
                memory.peak = memory.peak.max(memory.last);
                if began.elapsed() <= duration / 5 {
                    memory.early = memory.early.max(memory.last);
                }
            }
            memory
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a client met.
#[derive(Default)]
struct Counts {
    milliseconds: Vec<f64>,
    faults: u64,
    acknowledged: u64,
    own_failures: u64,
    /// Answers that nothing explains.
    surprises: Vec<String>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.milliseconds.extend(&other.milliseconds);
        self.faults += other.faults;
        self.acknowledged += other.acknowledged;
        self.own_failures += other.own_failures;
        self.surprises.extend(other.surprises.iter().cloned());
    }
}

/// What may be under a key: the last value that was acknowledged, and those that were sent after it without an answer.
#[derive(Clone, Default)]
struct Expected {
    acknowledged: Option<u64>,
    perhaps: Vec<u64>,
}

impl Expected {
    fn allows(&self, found: Option<u64>) -> bool {
        match found {
            None => self.acknowledged.is_none(),
            Some(value) => self.acknowledged == Some(value) || self.perhaps.contains(&value),
        }
    }
}

/// Where values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Content,
    Secret,
    Model,
    Session,
    Run,
}

const KINDS: [Kind; 5] = [Kind::Content, Kind::Secret, Kind::Model, Kind::Session, Kind::Run];

/// One client.
struct Asker {
    http: Client,
    url: Arc<str>,
    token: Arc<str>,
    number: u64,
    random: Rng,
    counts: Counts,
    expected: BTreeMap<(Kind, usize), Expected>,
}

/// What is under a key.
enum Found {
    Value(Option<u64>),
    NobodyKnows,
}

/// What came of a request.
enum Answer {
    Fine(Value),
    Absent,
    /// It was done or not.
    Unknown,
    /// It was not done.
    Refused,
}

impl Asker {
    fn new(url: &str, token: &str, number: u64) -> Self {
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(Duration::from_secs(30));
        Self {
            http: http.build().unwrap(),
            url: url.into(),
            token: token.into(),
            number,
            random: Rng::with_seed(number),
            counts: Counts::default(),
            expected: BTreeMap::new(),
        }
    }

    async fn until(mut self, end: Instant) -> Self {
        // The things that hold the values of sessions and runs.
        for (path, body) in self.holders() {
            while let Answer::Unknown | Answer::Refused = self.ask(Method::POST, &path, Some(body.clone())).await {}
        }
        let mut value = 0;
        while Instant::now() < end {
            let kind = KINDS[self.random.usize(..KINDS.len())];
            let key = self.random.usize(..KEYS);
            if self.random.u8(..3) == 0 {
                if let Found::Value(found) = self.read(kind, key).await {
                    let fault = self.fault(kind, key, found);
                    self.counts.surprises.extend(fault);
                }
            } else {
                value += 1;
                self.write(kind, key, value).await;
            }
        }
        self
    }

    /// Where the values of this client are.
    fn path(&self, kind: Kind, key: usize) -> String {
        let number = self.number;
        match kind {
            Kind::Content => format!("content/load/{number}/{key}"),
            Kind::Secret => format!("secrets/load-{number}-{key}"),
            Kind::Model => format!("models/load-{number}-{key}"),
            Kind::Session => format!("sessions/load-{number}"),
            Kind::Run => format!("experiments/load-{number}/runs/r{number}"),
        }
    }

    fn holders(&self) -> [(String, Value); 3] {
        let number = self.number;
        let run = json!({"runId": format!("r{number}")});
        let session = json!({"sessionId": format!("load-{number}"), "ttl": 86400, "description": "load"});
        [
            ("sessions".to_owned(), session),
            ("experiments".to_owned(), json!({"name": format!("load-{number}")})),
            (format!("experiments/load-{number}/runs"), run),
        ]
    }

    async fn write(&mut self, kind: Kind, key: usize, value: u64) {
        let path = self.path(kind, key);
        let field = format!("k{key}");
        let (method, path, body) = match kind {
            // Long enough to come in several pieces.
            Kind::Content => (Method::POST, path, json!({"value": value, "filling": "x".repeat(20_000)})),
            Kind::Secret => (Method::POST, path, json!({"value": value})),
            Kind::Model => {
                let name = path.trim_start_matches("models/");
                (Method::POST, "models".to_owned(), json!({"name": name, "value": value}))
            }
            Kind::Session => (Method::POST, path, json!({"state": {field: value}})),
            Kind::Run => (Method::PUT, format!("{path}/params/{field}"), json!({"value": value})),
        };
        let answer = self.ask(method, &path, Some(body)).await;
        let expected = self.expected.entry((kind, key)).or_default();
        match answer {
            Answer::Fine(_) => {
                *expected = Expected { acknowledged: Some(value), perhaps: Vec::new() };
                self.counts.acknowledged += 1;
            }
            Answer::Unknown => expected.perhaps.push(value),
            Answer::Refused => {}
            Answer::Absent => self.counts.surprises.push(format!("404 for a write to {path}")),
        }
    }

    async fn read(&mut self, kind: Kind, key: usize) -> Found {
        let path = self.path(kind, key);
        let field = format!("k{key}");
        match self.ask(Method::GET, &path, None).await {
            Answer::Fine(answer) => Found::Value(match kind {
                Kind::Content | Kind::Secret | Kind::Model => answer["value"].as_u64(),
                Kind::Session => answer["state"][&field].as_u64(),
                Kind::Run => answer["params"][&field].as_u64(),
            }),
            Answer::Absent => Found::Value(None),
            Answer::Unknown | Answer::Refused => Found::NobodyKnows,
        }
    }

    /// What is wrong with what was found, if anything is.
    fn fault(&self, kind: Kind, key: usize, found: Option<u64>) -> Option<String> {
        let expected = self.expected.get(&(kind, key)).cloned().unwrap_or_default();
        let what = || format!("{} {key}: {found:?}, not {:?}", self.path(kind, key), expected.acknowledged);
        (!expected.allows(found)).then(what)
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}/fabric/v4/projects/load/{path}", self.url);
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let began = Instant::now();
        let answered = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let answer = answered.await;
        self.counts.milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        let (status, bytes) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                if error.is_timeout() {
                    self.counts.surprises.push(format!("no answer for {path}"));
                }
                self.counts.faults += 1;
                return Answer::Unknown;
            }
        };
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Answer::Fine(said);
        }
        if status == StatusCode::NOT_FOUND {
            return Answer::Absent;
        }
        if said["message"] == ASKED_FOR || (status == StatusCode::FOUND && said["message"] == "expired") {
            self.counts.faults += 1;
        } else if status.is_server_error() {
            self.counts.own_failures += 1;
            self.counts.surprises.push(format!("{status} for {path}: {}", said["message"]));
        } else {
            self.counts.surprises.push(format!("{status} for {path}: {}", said["message"]));
        }
        Answer::Refused
    }

    /// What was acknowledged and is not there.
    async fn lost(&mut self, url: &str, token: &str) -> Vec<String> {
        (self.url, self.token) = (url.into(), token.into());
        let mut lost = Vec::new();
        let keys: Vec<_> = self.expected.keys().copied().collect();
        for (kind, key) in keys {
            match self.read(kind, key).await {
                Found::Value(found) => lost.extend(self.fault(kind, key, found)),
                Found::NobodyKnows => lost.push(format!("{} {key}: no answer", self.path(kind, key))),
            }
        }
        lost
    }
}
