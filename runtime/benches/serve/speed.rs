//! Speed: requests a second, the time of a request, and the peak of resident memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::CONNECTIONS;
use crate::load::{Load, Pace, Round};
use crate::messages::{Repeated, Signer, payload, request};
use crate::servers::{Cores, Server, app_folder, build, python};

/// Of what the second bound answers, the part that all are asked for when the times at one rate are compared.
const PART: f64 = 0.4;

/// A form of skills.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Linked,
    Library,
}

impl Form {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Library => "library",
        }
    }
}

/// The daemon with the skills of a crate, which checks tokens with the keys.
pub(crate) fn daemon(form: Form, skills: &str, programs: &Path, keys: &Path, address: SocketAddr) -> Command {
    let mut command;
    match form {
        Form::Linked => {
            command = Command::new(programs.join(format!("linked-{skills}")));
            command.arg("serve");
        }
        Form::Library => {
            command = Command::new(programs.join("skill-runtime"));
            command.arg("serve").arg(programs.join(format!("lib{skills}.{}", std::env::consts::DLL_EXTENSION)));
        }
    }
    command.args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--jwks"]).arg(keys);
    command.env_remove("RUST_LOG");
    command
}

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Axum alone.
    Value,
    Text,
    Linked,
    LinkedQuiet,
    Library,
    LibraryQuiet,
    Plain,
    Fast,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Value,
        Self::Text,
        Self::Linked,
        Self::LinkedQuiet,
        Self::Library,
        Self::LibraryQuiet,
        Self::Plain,
        Self::Fast,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Value => "axum alone, `serde_json::Value`",
            Self::Text => "axum alone, payload as text",
            Self::Linked => "linked",
            Self::LinkedQuiet => "linked, `RUST_LOG=warn`",
            Self::Library => "library",
            Self::LibraryQuiet => "library, `RUST_LOG=warn`",
            Self::Plain => "FastAPI, uvicorn with h11",
            Self::Fast => "FastAPI, uvicorn with uvloop and httptools",
        }
    }

    fn is_python(self) -> bool {
        matches!(self, Self::Plain | Self::Fast)
    }

    fn target(self) -> &'static str {
        match self {
            Self::Linked => "≥ 0.7",
            Self::Library => "≥ 0.6",
            _ => "",
        }
    }

    fn command(self, programs: &Programs, address: SocketAddr) -> Command {
        let bare = |kind: &str| {
            let mut command = Command::new(programs.folder.join("bare-echo"));
            command.arg(kind).arg(address.to_string());
            command
        };
        let daemon = |form| daemon(form, "echo", &programs.folder, &programs.keys, address);
        let quiet = |mut command: Command| {
            command.env("RUST_LOG", "warn");
            command
        };
        match self {
            Self::Value => bare("value"),
            Self::Text => bare("text"),
            Self::Linked => daemon(Form::Linked),
            Self::LinkedQuiet => quiet(daemon(Form::Linked)),
            Self::Library => daemon(Form::Library),
            Self::LibraryQuiet => quiet(daemon(Form::Library)),
            Self::Plain => programs.uvicorn("asyncio", "h11", address),
            Self::Fast => programs.uvicorn("uvloop", "httptools", address),
        }
    }
}

struct Programs {
    folder: PathBuf,
    keys: PathBuf,
    python: Result<PathBuf, String>,
}

impl Programs {
    fn uvicorn(&self, event_loop: &str, http: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(self.python.as_ref().expect("nothing in Python is started without it"));
        command.args(["-m", "uvicorn", "app:app", "--workers", "2", "--no-access-log", "--log-level", "warning"]);
        command.args(["--loop", event_loop, "--http", http, "--host", "127.0.0.1", "--port"]);
        command.arg(address.port().to_string()).arg("--app-dir").arg(app_folder());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// A server and what was measured of it.
struct Entry {
    kind: Kind,
    server: Server,
    requests: Repeated,
    rounds: Vec<Round>,
    /// Microseconds of a request, in each round.
    processor: Vec<f64>,
}

/// Measures those in whose names the text stands, and the second bound.
pub(crate) fn run(rounds: u32, seconds: u32, wanted: &str) {
    let cores = Cores::pin();
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::new();
    let programs = Programs { folder: build(), keys: signer.write_keys(folder.path()), python: python() };
    if let Err(why) = &programs.python {
        println!("There is nothing in Python here: {why}\n");
    }
    println!("{CONNECTIONS} connections, medians of {rounds} rounds of {seconds} s; times are of whole requests:\n");
    println!(
        "| payload | server | requests a second | times the second | target | p50 | p99 | p99.9 | processor time of a request | \
         peak of memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut busiest: f64 = 0.0;
    let mut at_one_rate = Vec::new();
    for size in [200, 10_000] {
        let mut entries = start(cores, &programs, &signer, size, wanted);
        for round in 0..rounds {
            // In another order each time: the first to run may find a machine that is faster.
            if round % 2 == 1 {
                entries.reverse();
            }
            for entry in &mut entries {
                entry.measure(seconds, Pace::AsFastAsAnswered);
                busiest = busiest.max(entry.rounds.last().map_or(0.0, |round| round.own_share));
            }
            if round % 2 == 1 {
                entries.reverse();
            }
        }
        let bound =
            entries.iter().find(|entry| entry.kind == Kind::Text).map_or(f64::NAN, |entry| entry.median(Round::rate));
        for entry in &entries {
            entry.print(size, bound);
        }
        entries.retain_mut(|entry| {
            entry.rounds.clear();
            !entry.kind.is_python()
        });
        for _ in 0..rounds {
            for entry in &mut entries {
                entry.measure(seconds, Pace::ASecond(bound * PART));
            }
        }
        at_one_rate.extend(entries.iter().map(|entry| entry.line_at_rate(size, bound * PART)));
    }
    println!("\nTargets: p99 no worse than that of the second, and a peak of memory of ≤ 14 MB.");
    println!("The load took at most {busiest:.2} of its core.\n");
    println!("The same, with so many requests a second for all of them:\n");
    println!("| payload | server | requests a second | p50 | p99 | p99.9 |");
    println!("|---|---|---|---|---|---|");
    for line in at_one_rate {
        println!("{line}");
    }
}

/// Starts everything that is here, and looks whether all answer alike.
fn start(cores: Cores, programs: &Programs, signer: &Signer, size: usize, wanted: &str) -> Vec<Entry> {
    let payload = payload(size);
    let messages: Vec<_> = (0..CONNECTIONS).map(|number| signer.message(number, &payload)).collect();
    let expected = serde_json::json!({"payload": payload}).to_string();
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind == Kind::Text || kind.name().contains(wanted));
    let kinds = kinds.filter(|kind| !kind.is_python() || programs.python.is_ok());
    let entries = kinds.map(|kind| {
        let server = Server::start(kind.name(), cores, |address| kind.command(programs, address));
        let requests: Vec<_> = messages.iter().map(|message| request(server.address, "/invoke", message)).collect();
        let answer = server.ask(&requests[0]);
        assert_eq!(answer, expected, "{}", kind.name());
        let requests = Repeated { requests, answer: answer.len() };
        Entry { kind, server, requests, rounds: Vec::new(), processor: Vec::new() }
    });
    entries.collect()
}

impl Entry {
    fn measure(&mut self, seconds: u32, pace: Pace) {
        let before = self.server.processor_time();
        let mut load = Load::connect(self.server.address, CONNECTIONS);
        let round = load.run_for(Duration::from_secs(seconds.into()), pace, &mut self.requests);
        self.processor.push((self.server.processor_time() - before) * 1e6 / round.all);
        self.rounds.push(round);
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    /// Times that half, 99 % and 99.9 % of the requests keep within.
    fn times(&self) -> String {
        let times = [0.5, 0.99, 0.999].map(|part| format!("{:.2} ms", self.median(|round| round.time(part))));
        times.join(" | ")
    }

    fn print(&self, size: usize, bound: f64) {
        let rate = self.median(Round::rate);
        println!(
            "| {size} B | {} | {rate:.0} | {:.2} | {} | {} | {:.1} µs | {:.1} MB |",
            self.kind.name(),
            rate / bound,
            self.kind.target(),
            self.times(),
            median(self.processor.clone()),
            self.server.peak()
        );
    }

    fn line_at_rate(&self, size: usize, rate: f64) -> String {
        format!("| {size} B | {} | {rate:.0} | {} |", self.kind.name(), self.times())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
