//! The daemon: `serve`, linked and with libraries.

#![expect(clippy::panic, reason = "a test is told by one")]

mod bounds;
pub(crate) mod cases;
mod connections;
mod contract;
mod dedup;
mod definition;
mod flood;
mod health;
mod identity;
mod metrics;
mod parity;
mod platform;
mod requests;
mod self_test;
mod stopping;
mod trace;
mod unfinished;

use std::path::Path;

use serde_json::{Value, json};
use whole_program_tests::built;
use whole_program_tests::daemon::{Daemon, Serve};
use whole_program_tests::http::{self, Answer};

/// `serve` of the skills that misbehave, linked.
fn linked() -> Serve {
    Serve::of(Path::new(env!("CARGO_BIN_EXE_linked-misbehaving")))
}

/// The same as a library.
fn library() -> Serve {
    Serve::libraries(&[&built().misbehaving])
}

/// Both.
fn forms() -> [(&'static str, Serve); 2] {
    [("linked", linked()), ("library", library())]
}

/// Reads a log line: what it says.
fn says(text: &str) -> impl Fn(&Value) -> bool {
    move |line| line["message"] == text
}

/// Invokes `echo` with headers.
fn echo_with(daemon: &Daemon, headers: &[&str], payload: &Value) -> Answer {
    daemon.send(http::request("POST", "/skills/echo/invoke", headers, json!({"payload": payload}).to_string()))
}

/// A file that is not there yet, for skills that wait for one.
struct Gate(tempfile::TempDir);

impl Gate {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> Value {
        json!(self.0.path().join("gate"))
    }

    fn open(&self) {
        std::fs::write(self.0.path().join("gate"), "").unwrap();
    }
}
