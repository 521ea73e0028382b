//! A job from start to exit, beside a bare program that parses the message and prints the payload.
//!
//! All programs are built with the profile `dist` and run in turn, round by round, so that whatever else the machine does meets
//! all of them. What counts is the ratio of the medians.
//!
//! ```sh
//! cargo bench -p skill-runtime --bench invoke
//! ```

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench ends at the first fault")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skill_sdk::testing;

const ROUNDS: usize = 1000;

struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<PathBuf>,
    times: Vec<Duration>,
}

fn main() {
    let folder = build();
    let library = folder.join(format!("libecho.{}", std::env::consts::DLL_EXTENSION));
    println!("A job from start to exit, medians of {ROUNDS} rounds:\n");
    println!("| payload | program | median | times the bare program | target |");
    println!("|---|---|---|---|---|");
    for size in [200, 10_000] {
        let program = |name, file: &str, arguments| Program {
            name,
            path: folder.join(file),
            arguments,
            times: Vec::with_capacity(ROUNDS),
        };
        let mut programs = [
            program("bare", "bare", vec![]),
            program("linked", "linked-echo", vec!["invoke".into()]),
            program("library", "skill-runtime", vec!["invoke".into(), library.clone()]),
        ];
        measure(&mut programs, &message(size));
        report(size, &mut programs);
    }
}

/// Builds everything that is measured, and gives the folder it is in.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository");
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--profile", "dist", "--message-format=json-render-diagnostics"])
        .args(["-p", "skill-runtime", "-p", "echo", "-p", "whole-program-tests"])
        .args(["--lib", "--bin", "skill-runtime", "--bin", "bare", "--bin", "linked-echo"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the build failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut artifacts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let executable = artifacts.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    executable.expect("a program was built").parent().expect("it is in a folder").to_owned()
}

/// A complete message whose payload has about this size.
fn message(size: usize) -> String {
    let line = json!({"id": 17, "color": "red", "text": "a line of a payload", "ok": true});
    let lines = size.div_ceil(line.to_string().len());
    testing::message(&json!({"lines": vec![line; lines]})).to_json_with_token()
}

fn measure(programs: &mut [Program], message: &str) {
    let mut answers = Vec::new();
    for round in 0..=ROUNDS {
        for program in &mut *programs {
            let mut command = Command::new(&program.path);
            command.args(&program.arguments).arg(message).stdin(Stdio::null());
            if round == 0 {
                // Warms up, and shows that all do the same.
                let output = command.output().unwrap();
                assert!(output.status.success(), "{}: {}", program.name, String::from_utf8_lossy(&output.stderr));
                answers.push(output.stdout);
                continue;
            }
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let began = Instant::now();
            let status = command.status().unwrap();
            program.times.push(began.elapsed());
            assert!(status.success());
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "the answers differ");
}

fn report(size: usize, programs: &mut [Program]) {
    for program in &mut *programs {
        program.times.sort_unstable();
    }
    let median = |program: &Program| program.times[program.times.len() / 2].as_secs_f64() * 1e3;
    let bare = median(&programs[0]);
    for program in &*programs {
        let target = match program.name {
            "linked" => "≤ 1.3",
            "library" => "≤ 1.6",
            _ => "",
        };
        let own = median(program);
        println!("| {size} B | {} | {own:.2} ms | {:.2} | {target} |", program.name, own / bare);
    }
}
