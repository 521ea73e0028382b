//! What is logged, and how.

use super::{invoke, message, token};
use serde_json::{Value, json};
use std::path::Path;
use whole_program_tests::built;
use whole_program_tests::daemon::{Serve, Stopped};

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

#[test]
fn spans_need_a_build_that_can_export_them() {
    for given in ["http://127.0.0.1:4318", "http://me:secret@127.0.0.1:4318"] {
        let ended = invoke("echo").args(["--otlp-endpoint", given, r#"{"payload": 1}"#]).end();
        let problem = ended.problem_with_exit("internal", 78);
        assert!(problem["detail"].as_str().unwrap().contains("feature `otlp`"), "{problem}");
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}

/// Daemons of both forms with the skills that misbehave.
fn daemons() -> [Serve; 2] {
    let linked = Path::new(env!("CARGO_BIN_EXE_linked-misbehaving"));
    [Serve::libraries(&[&built().misbehaving]), Serve::of(linked)]
}

/// Invokes skills one after the other, and gives what is in the log of the daemon at the end.
fn logs_of_daemon(daemon: Serve, messages: &[(&str, &Value)]) -> Stopped {
    let daemon = daemon.start();
    for (skill, message) in messages {
        daemon.post(&format!("/skills/{skill}/invoke"), message.to_string());
    }
    let stopped = daemon.stop();
    assert_eq!(stopped.code, Some(0));
    stopped
}

/// The lines of invocations, without what varies.
fn of_invocations(stopped: &Stopped) -> Vec<Value> {
    let mut lines: Vec<Value> =
        stopped.logs.iter().filter(|line| line.get("activationId").is_some()).cloned().collect();
    for line in &mut lines {
        let fields = line.as_object_mut().unwrap();
        assert!(fields.remove("timestamp").is_some());
        if let Some(took) = fields.remove("durationMs") {
            let microseconds = took.as_f64().unwrap() * 1e3;
            assert!(microseconds > 0.0 && (microseconds - microseconds.round()).abs() < 1e-6, "{took}");
        }
    }
    lines
}

fn numbered(payload: &Value, number: u32) -> Value {
    let mut message = message(payload);
    message["activationId"] = json!(format!("a-{number}"));
    message["sessionId"] = json!("s-1");
    message
}

#[test]
fn each_invocation_of_a_daemon_has_a_line() {
    let messages: Vec<Value> = (0..4).map(|number| numbered(&json!(1), number)).collect();
    let skills = ["echo", "fails", "panics", "nope"];
    let sent: Vec<(&str, &Value)> = skills.into_iter().zip(&messages).collect();
    for daemon in daemons() {
        let stopped = logs_of_daemon(daemon, &sent);
        let lines = of_invocations(&stopped);
        let over: Vec<&Value> = lines.iter().filter(|line| line["message"] == "the invocation is over").collect();
        let line = |level: &str, number: u32, skill: &str, outcome: &str| {
            json!({
                "level": level, "target": "skill_runtime::outcome", "message": "the invocation is over",
                "activationId": format!("a-{number}"), "outcome": outcome, "sessionId": "s-1",
                "project": "test-project", "skill": skill,
            })
        };
        let failed = |mut line: Value, error: &str| {
            line["error"] = json!(error);
            line
        };
        assert_eq!(over.len(), 4, "{lines:#?}");
        assert_eq!(*over[0], line("INFO", 0, "echo", "ok"));
        let error = "cannot save the order: the disk is full";
        assert_eq!(*over[1], failed(line("WARN", 1, "fails", "skill_failed"), error));
        let error = "the skill panicked: what a mess";
        assert_eq!(*over[2], failed(line("ERROR", 2, "panics", "skill_panicked"), error));
        assert_eq!((&over[3]["outcome"], &over[3]["level"]), (&json!("skill_not_found"), &json!("WARN")));
        let panicked = lines.iter().find(|line| line["message"] == "panicked: what a mess").unwrap();
        assert_eq!((&panicked["activationId"], &panicked["skill"]), (&json!("a-2"), &json!("panics")));
    }
}

#[test]
fn what_a_skill_says_carries_its_invocation() {
    let sent = [numbered(&json!(1), 1), numbered(&json!(1), 2)];
    for daemon in daemons() {
        let stopped = logs_of_daemon(daemon, &[("logs", &sent[0]), ("logs", &sent[1])]);
        let lines = of_invocations(&stopped);
        let own: Vec<&Value> = lines.iter().filter(|line| line["target"] == "misbehaving").collect();
        let expected: Vec<Value> = ["a-1", "a-2"]
            .into_iter()
            .flat_map(|id| {
                let around = json!({
                    "target": "misbehaving", "activationId": id, "sessionId": "s-1", "project": "test-project",
                    "skill": "logs",
                });
                let said = [
                    json!({"level": "WARN", "message": "a warning", "order": 17}),
                    json!({"level": "INFO", "message": "from a task", "number": 2}),
                ];
                said.map(|mut line| {
                    line.as_object_mut().unwrap().extend(around.as_object().unwrap().clone());
                    line
                })
            })
            .collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_daemon_logs_what_its_levels_say() {
    let sent = numbered(&json!(1), 1);
    let messages = |filter: &str| -> Vec<Vec<String>> {
        let said = |stopped: &Stopped| {
            of_invocations(stopped).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
        };
        let logs = |daemon: Serve| said(&logs_of_daemon(daemon.env("RUST_LOG", filter), &[("logs", &sent)]));
        daemons().into_iter().map(logs).collect()
    };
    // A test knows by a line that a daemon listens.
    let listening = "skill_runtime::triggers::serve=info";
    for (filter, expected) in [
        (format!("warn,{listening}"), vec!["a warning"]),
        (format!("off,misbehaving=debug,{listening}"), vec!["a warning", "from a task", "a detail"]),
        (format!("off,skill_runtime::outcome=info,{listening}"), vec!["the invocation is over"]),
    ] {
        assert_eq!(messages(&filter), [expected.clone(), expected], "{filter}");
    }
}

#[test]
fn no_secret_stands_in_the_log_of_a_daemon() {
    let sent = message(&json!(1));
    let claims = &token(&sent).split('.').nth(1).unwrap()[..20];
    for daemon in daemons() {
        let stopped = logs_of_daemon(
            daemon.env("RUST_LOG", "trace"),
            &[("leaks", &sent), ("panics-with-token", &sent), ("asks-platform", &sent), ("echo", &sent)],
        );
        let all = json!(stopped.logs).to_string();
        assert!(all.contains("the token is [token]") && all.contains("panicked: the token is [token]"), "{all}");
        assert!(!all.contains(claims), "{all}");
    }
}
