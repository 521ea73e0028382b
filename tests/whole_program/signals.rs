//! Being told to stop.

use serde_json::{Value, json};
use std::io::Read;
use whole_program_tests::{built, start};

/// Starts a skill, waits until it says that it is there, sends the signal, and gives the exit code and the problem.
fn interrupted(skill: &str, word: &str, signal: &str) -> (Option<i32>, Value) {
    let library = built().misbehaving.to_str().unwrap();
    let message = json!({"payload": 1, "activationId": "a-1"}).to_string();
    let mut running = start(&["invoke", library, "--skill", skill, &message]);
    let mut stderr = running.wait_for(word);
    running.signal(signal);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let mut stdout = String::new();
    running.stdout().read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout, "");
    (running.end(), serde_json::from_str(rest.trim_end()).unwrap())
}

#[test]
fn a_job_gives_its_work_up() {
    for (signal, exit_code) in [("TERM", 143), ("INT", 130)] {
        let (code, problem) = interrupted("hangs", "hanging", signal);
        assert_eq!(
            (code, &problem["code"], &problem["activationId"]),
            (Some(exit_code), &json!("shutting_down"), &json!("a-1"))
        );
    }
}

#[test]
fn a_job_that_never_yields_is_left_behind() {
    let (code, problem) = interrupted("spins", "spinning", "TERM");
    assert_eq!((code, &problem["code"], &problem["activationId"]), (Some(143), &json!("shutting_down"), &json!("a-1")));
}
