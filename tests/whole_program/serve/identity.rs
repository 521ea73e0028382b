//! Invocations have nothing of each other.

use std::sync::Arc;

use serde_json::{Value, json};
use skill_sdk::testing::Token;

use super::metrics::wait_until;
use super::{Gate, forms, linked, says};
use crate::{message, token_text};
use whole_program_tests::daemon::invocation;

/// A message of somebody of that number, with everything of theirs.
fn message_of(number: usize) -> Value {
    let mut message = message(&json!(number));
    let token = Token::new().with("sub", format!("user-{number}"));
    message["token"] = token_text(&token).into();
    message["projectId"] = format!("project-{number}").into();
    message["apiEndpoint"] = format!("http://127.0.0.1:{}", 1000 + number).into();
    message["activationId"] = format!("activation-{number}").into();
    message["sessionId"] = format!("session-{number}").into();
    message
}

#[test]
fn callers_at_the_same_time_are_kept_apart() {
    for (form, serve) in forms() {
        let daemon = Arc::new(serve.start());
        std::thread::scope(|scope| {
            for client in 0..8 {
                let daemon = Arc::clone(&daemon);
                scope.spawn(move || {
                    let mut connection = daemon.connect();
                    for turn in 0..50 {
                        let number = client * 50 + turn;
                        let body = message_of(number).to_string();
                        let path = "/skills/caller/invoke";
                        let answer = connection.send(whole_program_tests::http::post(path, body)).payload();
                        assert_eq!(
                            answer,
                            json!({
                                "endpoint": format!("http://127.0.0.1:{}", 1000 + number),
                                "project": format!("project-{number}"), "subject": format!("user-{number}"),
                                "activation": format!("activation-{number}"),
                                "session": format!("session-{number}"), "has_deadline": true,
                            }),
                            "{form}"
                        );
                    }
                });
            }
        });
        let logs = Arc::into_inner(daemon).unwrap().stop().logs;
        for line in logs.iter().filter(|line| line["skill"] == "caller") {
            let number = line["activationId"].as_str().unwrap().strip_prefix("activation-").unwrap();
            let (project, session) = (format!("project-{number}"), format!("session-{number}"));
            assert_eq!((&line["project"], &line["sessionId"]), (&json!(project), &json!(session)), "{form}");
        }
    }
}

#[test]
fn a_message_without_a_token_gets_that_of_nobody_else() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        let mut connection = daemon.connect();
        for number in 0..20 {
            let path = "/skills/caller/invoke";
            let whole = whole_program_tests::http::post(path, message_of(number).to_string());
            assert_eq!(connection.send(&whole).payload()["subject"], format!("user-{number}"), "{form}");
            connection.send(invocation("caller", &json!(1))).problem("token_missing");
            let mut message = message_of(number);
            message.as_object_mut().unwrap().remove("projectId");
            let less = whole_program_tests::http::post(path, message.to_string());
            connection.send(less).problem("invalid_message");
        }
    }
}

#[test]
fn what_a_skill_leaves_behind_is_told_that_the_invocation_is_over() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        for number in 1..=3 {
            assert_eq!(daemon.invoke("leaves-a-task", &json!(1)).payload(), false, "{form}");
            daemon.wait_for_number(number, says("the task has ended"));
        }
    }
}

#[test]
fn a_handler_whose_caller_has_gone_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    for (form, serve) in forms() {
        let daemon = serve.start();
        let mark = folder.path().join(form);
        let mut connection = daemon.connect();
        connection.write(invocation("leaves-a-mark", &json!(mark)));
        wait_until(&daemon, "skill_invocations_in_flight", 1.0);
        assert!(!mark.exists());
        drop(connection);
        daemon.get_until("/metrics", |_| mark.exists());
        let counts = daemon.stop().counts();
        assert_eq!((counts.accepted, counts.cancelled), (1, 1), "{form}");
    }
}

#[test]
fn a_slow_caller_does_not_keep_others() {
    let gate = Gate::new();
    let daemon = linked().start();
    let mut slow = daemon.connect();
    slow.write(invocation("waits", &gate.path()));
    daemon.wait_for(says("waiting"));
    daemon.assert_well();
    gate.open();
    assert_eq!(slow.answer().payload(), "waited");
}
