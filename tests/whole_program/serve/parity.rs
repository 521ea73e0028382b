//! Equal messages have equal outcomes, through `invoke` and through `serve`, linked and as a library.

use std::path::Path;

use serde_json::Value;
use whole_program_tests::daemon::{Daemon, Serve};
use whole_program_tests::{Ended, Run, built, http, program, skill_runtime};

use super::cases::{self, Case};
use super::platform::Platform;

/// What came of an invocation.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The payload as JSON text, to the last digit.
    Answer(String),
    /// The problem document, without an id that was made up.
    Problem(Value),
}

impl Outcome {
    /// Of a run that was to end so.
    fn of_run(ended: &Ended, case: &Case) -> Self {
        if case.expected == "ok" {
            ended.answer();
            return Self::Answer(ended.stdout.trim_end().to_owned());
        }
        Self::problem(ended.problem(case.expected), case)
    }

    /// Of an invocation of a daemon that was to end so.
    fn of_daemon(daemon: &Daemon, case: &Case) -> Self {
        let path = case.skill.map_or("/invoke".to_owned(), |skill| format!("/skills/{skill}/invoke"));
        let timeout = case.timeout.map(|timeout| format!("X-Timeout: {timeout}"));
        let headers: Vec<&str> = timeout.as_deref().into_iter().collect();
        let answer = daemon.send(http::request("POST", &path, &headers, &case.message));
        if case.expected == "ok" {
            return Self::Answer(answer.payload_json());
        }
        Self::problem(answer.problem(case.expected), case)
    }

    fn problem(mut problem: Value, case: &Case) -> Self {
        let given =
            serde_json::from_slice::<Value>(&case.message).is_ok_and(|message| message["activationId"].is_string());
        if !given {
            problem["activationId"].take();
        }
        // How long ago a token has expired is another time each time.
        if let Some((detail, _)) = problem["detail"].as_str().and_then(|detail| detail.split_once("Z, ")) {
            problem["detail"] = detail.into();
        }
        Self::Problem(problem)
    }
}

/// A program of linked skills, and the library of the same.
struct Forms {
    linked: &'static str,
    library: &'static Path,
}

impl Forms {
    fn misbehaving() -> Self {
        Self { linked: env!("CARGO_BIN_EXE_linked-misbehaving"), library: &built().misbehaving }
    }

    fn runs(&self) -> [(&'static str, Run); 2] {
        let linked = program(Path::new(self.linked)).arg("invoke");
        [("invoke, linked", linked), ("invoke, library", skill_runtime().arg("invoke").arg(self.library))]
    }

    /// Asserts that all of them are alike, and what was expected. Each daemon serves all cases.
    fn are_alike(&self, options: &[&str], cases: &[Case]) {
        let daemons = [
            ("serve, linked", Serve::of(Path::new(self.linked)).args(options).start()),
            ("serve, library", Serve::libraries(&[self.library]).args(options).start()),
        ];
        for case in cases {
            let mut outcomes = Vec::new();
            for (how, run) in self.runs() {
                let skill = case.skill.map(|skill| ["--skill", skill]);
                let run = run.args(skill.iter().flatten()).args(options).arg("--deployed");
                // Jobs have lower limits, and more time.
                let run = run.args(["--max-payload", "500KiB", "--max-response", "512KiB"]);
                let run = run.args(["--timeout", case.timeout.unwrap_or("30s"), "-"]).stdin(case.message.clone());
                outcomes.push((how, Outcome::of_run(&{ run }.end(), case)));
            }
            for (how, daemon) in &daemons {
                outcomes.push((how, Outcome::of_daemon(daemon, case)));
            }
            let (first, outcome) = &outcomes[0];
            for (how, other) in &outcomes[1..] {
                assert_eq!(outcome, other, "{first} beside {how}: {}", case.text());
            }
        }
        for (how, daemon) in daemons {
            let stopped = daemon.stop();
            assert_eq!(stopped.code, Some(0), "{how}: {stopped:?}");
            // A message that cannot be read is accepted too: it was read whole.
            let finished = cases.iter().filter(|case| case.expected == "ok").count();
            let counts = stopped.counts();
            assert_eq!((counts.finished, counts.accepted), (finished as u64, cases.len() as u64), "{how}: {stopped:?}");
        }
    }
}

#[test]
fn skills_of_every_kind() {
    Forms::misbehaving().are_alike(&[], &[cases::skills(), cases::bad_skills()].concat());
}

#[test]
fn messages_of_every_kind() {
    Forms::misbehaving().are_alike(&[], &[cases::bad_messages(), cases::tokens()].concat());
}

#[test]
fn platforms_of_every_kind() {
    let platform = Platform::start();
    Forms::misbehaving().are_alike(&[], &cases::platforms(&platform.url));
}

#[test]
fn hosts_that_ask_more_of_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, cases::key_set().to_string()).unwrap();
    let options = [&["--jwks", file.to_str().unwrap()][..], &cases::STRICT].concat();
    Forms::misbehaving().are_alike(&options, &cases::strict());
}

#[test]
fn hosts_of_one_skill() {
    let forms = Forms { linked: env!("CARGO_BIN_EXE_linked-word-count"), library: &built().word_count };
    forms.are_alike(&[], &cases::word_count());
}
