//! What is logged, and how.

use super::invoke;
use serde_json::{Value, json};

fn logs_of(format: &str, filter: Option<&str>) -> whole_program_tests::Ended {
    let run = invoke("logs").args(["--log-format", format, r#"{"payload": 1, "activationId": "a-1"}"#]);
    match filter {
        Some(filter) => { run }.env("RUST_LOG", filter),
        None => run,
    }
    .end()
}

#[test]
fn every_line_of_a_library_carries_the_activation_id() {
    let ended = logs_of("auto", None);
    assert_eq!(ended.answer(), Value::Null);
    let mut lines = ended.logs();
    assert_eq!(lines.len(), ended.stderr.lines().count(), "all lines are JSON: {}", ended.stderr);
    for line in &mut lines {
        let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(
        lines,
        [
            json!({
                "level": "WARN", "target": "misbehaving", "message": "a warning", "order": 17, "activationId": "a-1",
                "sessionId": "a-1", "skill": "logs"
            }),
            json!({
                "level": "INFO", "target": "misbehaving", "message": "from a task", "number": 2, "activationId": "a-1",
                "sessionId": "a-1", "skill": "logs"
            }),
        ]
    );
}

#[test]
fn tasks_and_threads_outside_the_span_carry_the_activation_id() {
    let ended = invoke("logs-apart").arg(r#"{"payload": 1, "activationId": "a-1"}"#).end();
    assert_eq!(ended.answer(), true);
    let said = |line: &Value| (line["message"].as_str().unwrap().to_owned(), line["activationId"] == "a-1");
    let expected = ["from a task apart", "from a thread", "panicked: in a task"].map(|text| (text.to_owned(), true));
    assert_eq!(ended.logs().iter().map(said).collect::<Vec<_>>(), expected);
}

#[test]
fn levels_are_set_by_target() {
    let messages = |filter| -> Vec<String> {
        let logs = logs_of("json", Some(filter)).logs();
        assert!(logs.iter().all(|line| line["activationId"] == "a-1"), "{logs:?}");
        logs.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(messages("error"), [""; 0]);
    assert_eq!(messages("error,misbehaving=debug"), ["a warning", "from a task", "a detail"]);
    assert_eq!(messages("misbehaving=warn"), ["a warning"]);
    assert_eq!(messages("warn,skill_runtime=debug"), ["a warning", "the invocation is over"]);
    assert_eq!(messages("off"), [""; 0]);
}

#[test]
fn people_get_text() {
    let ended = logs_of("human", None);
    let first = ended.stderr.lines().next().unwrap();
    assert!(
        first.ends_with(" WARN misbehaving: a warning order=17 sessionId=a-1 skill=logs activationId=a-1"),
        "{first}"
    );
}

#[test]
fn a_filter_that_makes_no_sense_is_left_aside() {
    let ended = logs_of("json", Some("misbehaving=loud"));
    assert!(ended.logs()[0]["message"].as_str().unwrap().starts_with("RUST_LOG is not understood"), "{}", ended.stderr);
    assert_eq!(ended.logs()[1]["message"], "a warning");
}

#[test]
fn a_job_says_what_came_of_it_at_debug() {
    let line = |skill: &str| {
        let mut run =
            invoke(skill).arg(r#"{"payload": 1, "activationId": "a-1"}"#).env("RUST_LOG", "skill_runtime=debug");
        let mut lines = run.end().logs();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let mut line = lines.remove(0);
        let took = line.as_object_mut().unwrap().remove("durationMs").unwrap();
        assert!(took.as_f64().is_some_and(|took| took > 0.0), "{took}");
        line.as_object_mut().unwrap().remove("timestamp").unwrap();
        line
    };
    let common = json!({
        "level": "DEBUG", "target": "skill_runtime::outcome", "message": "the invocation is over", "activationId": "a-1",
        "sessionId": "a-1",
    });
    let with = |fields: Value| {
        let mut line = common.clone();
        line.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        line
    };
    assert_eq!(line("echo"), with(json!({"outcome": "ok", "skill": "echo"})));
    let failed =
        json!({"outcome": "skill_failed", "error": "cannot save the order: the disk is full", "skill": "fails"});
    assert_eq!(line("fails"), with(failed));
}
