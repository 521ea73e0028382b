//! The same activation, sent twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use skill_sdk::testing::Token;
use whole_program_tests::daemon::Daemon;
use whole_program_tests::http::{Answer, post};

use super::{Gate, forms, library, linked, says};
use crate::{message, token_text};

const COUNTS: &str = "/skills/counts/invoke";

/// A message of the activation `id`, by somebody.
fn activation(id: &str, token: &str, payload: &Value) -> Value {
    let mut message = message(payload);
    message["activationId"] = id.into();
    message["token"] = token.into();
    message
}

fn token_of(subject: &str) -> String {
    token_text(&Token::new().with("sub", subject))
}

fn count(daemon: &Daemon, message: &Value) -> Answer {
    daemon.post(COUNTS, message.to_string())
}

#[test]
fn the_second_gets_the_answer_of_the_first() {
    for (form, serve) in forms() {
        let daemon = serve.args(["--dedup-window", "5m"]).start();
        let message = activation("a-1", &token_of("u"), &json!({}));
        for _ in 0..3 {
            assert_eq!(count(&daemon, &message).payload(), 1, "{form}");
        }
        let other = activation("a-2", &token_of("u"), &json!({}));
        assert_eq!(count(&daemon, &other).payload(), 2, "{form}");
        // By whichever path it comes.
        let mut named = message.clone();
        named["skillName"] = "counts".into();
        assert_eq!(daemon.post("/invoke", named.to_string()).payload(), 1, "{form}");
    }
}

#[test]
fn one_that_comes_meanwhile_waits_for_the_first() {
    for (form, serve) in forms() {
        let gate = Gate::new();
        let daemon = serve.args(["--dedup-window", "5m"]).start();
        let message = activation("a-1", &token_of("u"), &json!({"until": gate.path()})).to_string();
        let mut connections: Vec<_> = (0..8).map(|_| daemon.connect()).collect();
        for connection in &mut connections {
            connection.write(post(COUNTS, &message));
        }
        daemon.wait_for(says("counting"));
        // Whatever was written before this has been read too, or comes when the first has been answered.
        daemon.assert_well();
        gate.open();
        for connection in &mut connections {
            assert_eq!(connection.answer().payload(), 1, "{form}");
        }
        let logs = daemon.stop().logs;
        assert_eq!(logs.iter().filter(|line| says("counting")(line)).count(), 1, "{form}");
    }
}

#[test]
fn one_whose_first_caller_has_gone_is_answered() {
    let gate = Gate::new();
    let daemon = linked().args(["--dedup-window", "5m"]).start();
    let message = activation("a-1", &token_of("u"), &json!({"until": gate.path()})).to_string();
    let mut first = daemon.connect();
    first.write(post(COUNTS, &message));
    daemon.wait_for(says("counting"));
    let mut second = daemon.connect();
    second.write(post(COUNTS, &message));
    daemon.assert_well();
    drop(first);
    daemon.assert_well();
    gate.open();
    // It ran once if the second had come to wait for it, and anew if not.
    assert!(matches!(second.answer().payload().as_u64(), Some(1 | 2)));
}

#[test]
fn others_get_answers_of_their_own() {
    let daemon = library().args(["--dedup-window", "5m"]).start();
    let mine = activation("a-1", &token_of("u"), &json!({}));
    let somebody_else = activation("a-1", &token_of("v"), &json!({}));
    let mut another_project = mine.clone();
    another_project["projectId"] = "other".into();
    let mut another_platform = mine.clone();
    another_platform["apiEndpoint"] = "http://127.0.0.1:10".into();
    let mut without_token = mine.clone();
    without_token["token"].take();
    let all = [&mine, &somebody_else, &another_project, &another_platform, &without_token];
    let runs: BTreeSet<u64> = all.iter().map(|message| count(&daemon, message).payload().as_u64().unwrap()).collect();
    assert_eq!(runs, BTreeSet::from([1, 2, 3, 4, 5]));
    // Another skill is another invocation.
    let other = daemon.post("/skills/echo/invoke", mine.to_string());
    assert_eq!(other.payload(), json!({}));
    // Whose id was made up here, is nobody's repetition.
    for expected in [6, 7] {
        let anonymous = daemon.post(COUNTS, r#"{"payload": {}}"#);
        assert_eq!(anonymous.payload(), expected);
    }
    assert_eq!(count(&daemon, &mine).payload(), 1);
}

#[test]
fn an_expired_token_gets_no_answer_that_was_kept() {
    let daemon = library().args(["--dedup-window", "5m"]).start();
    let message = activation("a-1", &token_of("u"), &json!(1));
    let post = |message: &Value| daemon.post("/skills/caller/invoke", message.to_string());
    assert_eq!(post(&message).payload()["subject"], "u");
    let expired = token_text(&Token::new().with("sub", "u").with("exp", 1_718_000_000));
    post(&activation("a-1", &expired, &json!(1))).problem("token_expired");
    post(&activation("a-1", "forged", &json!(1))).problem("token_invalid");
}

#[test]
fn failures_that_may_pass_are_not_kept() {
    let daemon = linked().args(["--dedup-window", "5m"]).start();
    let fails_with = |code: &str| json!({"fails_with": code});
    for (id, code, kept) in [
        ("a-1", "overloaded", false),
        ("a-2", "platform_unavailable", false),
        ("a-3", "timeout", false),
        ("a-4", "skill_failed", true),
        ("a-5", "invalid_payload", true),
    ] {
        let message = activation(id, &token_of("u"), &fails_with(code));
        let (first, second) = (count(&daemon, &message).problem(code), count(&daemon, &message).problem(code));
        assert_eq!(first["detail"] == second["detail"], kept, "{code}: {first} {second}");
    }
}

#[test]
fn the_window_ends() {
    let daemon = linked().args(["--dedup-window", "1ms"]).start();
    let message = activation("a-1", &token_of("u"), &json!({}));
    let first = count(&daemon, &message).payload();
    daemon.get_until("/healthz", |_| count(&daemon, &message).payload() != first);
}

#[test]
fn it_is_off_unless_asked_for() {
    let daemon = library().start();
    let message = activation("a-1", &token_of("u"), &json!({}));
    assert_eq!((count(&daemon, &message).payload(), count(&daemon, &message).payload()), (json!(1), json!(2)));
}
