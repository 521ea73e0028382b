//! The forms of a skill, and that they are alike.

use super::serve::cases;
use super::{invoke_with, message};
use serde_json::{Value, json};
use skill_runtime::{Host, How, Limits, Skills};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use whole_program_tests::{Ended, built, program, root, skill_runtime};

/// What can be compared of a run: everything but ids that were made up.
fn comparable(ended: &Ended) -> (Option<i32>, String, Vec<Value>) {
    let lines = ended.stderr.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for varying in ["activationId", "sessionId", "timestamp"] {
            line.as_object_mut().unwrap().remove(varying);
        }
        line
    });
    (ended.code, ended.stdout.clone(), lines.collect())
}

#[test]
fn linked_and_library_are_alike() {
    let library = || skill_runtime().arg("invoke").arg(&built().misbehaving);
    let linked = || program(Path::new(env!("CARGO_BIN_EXE_linked-misbehaving"))).arg("invoke");
    for case in cases::skills() {
        let args = ["--skill", case.skill.unwrap(), std::str::from_utf8(&case.message).unwrap()];
        let (library, linked) = (library().args(args).end(), linked().args(args).end());
        assert_eq!(comparable(&library), comparable(&linked), "{}", case.text());
    }
}

#[test]
fn word_count_is_the_same_in_every_form() {
    let sample = std::fs::read_to_string(root().join("examples/word-count/message.json")).unwrap();
    let payload: Value = serde_json::from_str(&sample).unwrap();
    let message = message(&payload["payload"]).to_string();
    let library = skill_runtime().arg("invoke").arg(&built().word_count).arg(&message).end();
    let linked = program(Path::new(env!("CARGO_BIN_EXE_linked-word-count"))).args(["invoke", &message]).end();
    let package = skill_runtime().args(["invoke", "examples/word-count", &message]).current_dir(root()).end();
    assert_eq!(library.answer()["words"], 278);
    assert_eq!(library.stdout, linked.stdout);
    assert_eq!(library.stdout, package.stdout);
    assert_eq!((library.stderr.as_str(), linked.stderr.as_str()), ("", ""));
}

#[test]
fn skills_of_several_crates_link_into_one_program() {
    let examples = || program(Path::new(env!("CARGO_BIN_EXE_linked-examples"))).arg("invoke");
    let mut message = message(&json!({"text": "a b c"}));
    message["skillName"] = "word-count".into();
    assert_eq!(examples().arg(message.to_string()).end().answer()["words"], 3);
    message["skillName"] = "content-counter".into();
    examples().arg(message.to_string()).end().problem("invalid_payload");
}

#[test]
fn a_package_is_its_folder_or_its_manifest() {
    for path in ["examples/word-count", "examples/word-count/Cargo.toml", "./examples/word-count/"] {
        let message = message(&json!({"text": "a b"})).to_string();
        let ended = skill_runtime().args(["invoke", path, &message]).current_dir(root()).end();
        assert_eq!(ended.answer()["words"], 2, "{path}");
    }
}

#[test]
fn handlers_in_a_library_have_all_of_tokio() {
    assert_eq!(invoke_with("uses-tokio", &json!(1)).end().answer(), json!("served"));
}

#[test]
fn a_library_exports_one_symbol() {
    for library in [&built().word_count, &built().misbehaving] {
        let output = std::process::Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().unwrap();
        let symbols = String::from_utf8(output.stdout).unwrap();
        let names: Vec<&str> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
        assert_eq!(names, ["skill_sdk_plugin"], "{}", library.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_of_one_library_run_at_once() {
    let skills = Skills::load(&built().misbehaving).unwrap();
    let host = std::sync::Arc::new(Host::new(skills, Limits::default()));
    let how = How {
        skill: None,
        timeout: Duration::from_secs(60),
        shutdown: CancellationToken::default(),
        trace_parent: None,
    };
    let calls = (0..500).map(|number| {
        let (host, how) = (host.clone(), how.clone());
        tokio::spawn(async move {
            let skill = ["echo", "panics", "uses-tokio", "panics-later"][number % 4];
            let message = json!({"payload": number, "skillName": skill, "activationId": number.to_string()});
            let outcome = host.handle(message.to_string().as_bytes(), &how).await;
            (number, outcome)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (number, outcome) = call.await.unwrap();
        match number % 4 {
            0 => assert_eq!(outcome.response(), Some(number.to_string().as_str())),
            2 => assert_eq!(outcome.response(), Some("\"served\"")),
            _ => assert_eq!(outcome.code(), Some(skill_sdk::Code::SkillPanicked)),
        }
    }
}
