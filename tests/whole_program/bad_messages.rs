//! Messages that are refused, each with its row of the error table.

use super::{invoke, invoke_with, message, token_text};
use serde_json::{Value, json};
use skill_sdk::testing::Token;
use std::time::Duration;
use whole_program_tests::{Ended, built, skill_runtime};

fn invoke_message(message: &Value) -> Ended {
    let text = message.to_string();
    let ended = invoke("caller").arg(&text).end();
    if let Some(token) = message["token"].as_str().filter(|token| token.len() > 1) {
        assert!(!ended.stderr.contains(token), "the token is in: {}", ended.stderr);
    }
    // A refusal is one line and nothing else.
    assert_eq!(ended.stderr.trim_end().lines().count(), usize::from(ended.code != Some(0)), "{}", ended.stderr);
    ended
}

fn with(changes: &Value) -> Value {
    let mut whole = message(&json!(1));
    for (key, value) in changes.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole
}

fn without(keys: &[&str]) -> Value {
    let mut whole = message(&json!(1));
    for key in keys {
        whole.as_object_mut().unwrap().remove(*key);
    }
    whole
}

#[test]
fn a_complete_message_is_answered() {
    let message = message(&json!(1));
    assert_eq!(
        invoke_message(&message).answer(),
        json!({
            "endpoint": "http://127.0.0.1:9", "project": "test-project", "subject": "test-user",
            "activation": "test-activation", "session": "test-activation", "has_deadline": true
        })
    );
}

#[test]
fn no_message() {
    let problem = invoke("echo").end().problem("invalid_message");
    assert!(problem["detail"].as_str().unwrap().starts_with("Message/payload argument is required"), "{problem}");
    let deployed = skill_runtime().args(["invoke", "examples/word-count", "--deployed"]);
    let problem = deployed.current_dir(whole_program_tests::root()).end().problem("invalid_message");
    assert_eq!(problem["detail"], "Message/payload argument is required");
}

#[test]
fn what_is_no_object() {
    for text in ["", "  ", "not json", "[1]", "42", "null", "\"text\"", "{", r#"{"a":1,}"#, "{} {}", "\u{0}"] {
        for by_stdin in [false, true] {
            if text == "\u{0}" && !by_stdin {
                continue;
            }
            let run = if by_stdin { invoke("echo").arg("-").stdin(text) } else { invoke("echo").arg(text) };
            let problem = { run }.end().problem("invalid_message");
            assert!(problem["detail"].as_str().unwrap().starts_with("the message is not valid: "), "{text}: {problem}");
        }
    }
    let latin1 = invoke("echo").arg("-").stdin(*b"{\"payload\": \"\xe9\"}").end();
    latin1.problem("invalid_message");
}

#[test]
fn fields_of_the_wrong_type() {
    for changes in [
        json!({"token": 5}),
        json!({"token": ["a"]}),
        json!({"apiEndpoint": {}}),
        json!({"projectId": true}),
        json!({"properties": []}),
        json!({"properties": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln"}),
        json!({"activationId": 7}),
        json!({"timestamp": []}),
    ] {
        let ended = invoke_message(&with(&changes));
        let problem = ended.problem("invalid_message");
        let key = changes.as_object().unwrap().keys().next().unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(&format!("`{key}`")), "{problem}");
        assert!(!ended.stderr.contains("eyJ"), "{}", ended.stderr);
    }
    let twice = invoke("echo").arg(r#"{"payload": 1, "payload": 2}"#).end();
    twice.problem("invalid_message");
}

#[test]
fn absent_keys_are_named() {
    for (absent, code) in [
        (vec!["token"], "token_missing"),
        (vec!["apiEndpoint"], "invalid_message"),
        (vec!["projectId"], "invalid_message"),
        (vec!["apiEndpoint", "token"], "token_missing"),
        (vec!["apiEndpoint", "projectId"], "invalid_message"),
        (vec!["token", "projectId"], "token_missing"),
    ] {
        let problem = invoke_message(&without(&absent)).problem(code);
        assert_eq!(problem["missing"], json!(absent), "{problem}");
        assert_eq!(problem["activationId"], "test-activation");
    }
}

#[test]
fn empty_keys_are_named() {
    for (key, code) in
        [("token", "token_missing"), ("apiEndpoint", "invalid_message"), ("projectId", "invalid_message")]
    {
        for empty in [json!(""), Value::Null] {
            let problem = invoke_message(&with(&json!({ key: empty }))).problem(code);
            assert_eq!(problem["missing"], json!([key]), "{problem}");
        }
    }
    // A message whose keys are all there but empty is broken, and is not taken for a sample.
    let empty = json!({"apiEndpoint": "", "token": null, "projectId": ""});
    let problem = invoke_message(&with(&empty)).problem("token_missing");
    assert_eq!(problem["missing"], json!(["apiEndpoint", "token", "projectId"]));
}

#[test]
fn an_endpoint_that_is_none() {
    for url in ["somewhere", "ftp://example.com", "http://user:password@example.com"] {
        let ended = invoke_message(&with(&json!({"apiEndpoint": url})));
        assert!(ended.problem("invalid_message")["detail"].as_str().unwrap().starts_with("`apiEndpoint`"));
        assert!(!ended.stderr.contains("password@"), "{}", ended.stderr);
    }
}

#[test]
fn tokens_that_are_none() {
    let invalid = "Your Cortex Token is invalid: ";
    for (token, why) in [
        ("asda-asda-asda".to_owned(), "not a JWT"),
        (" ".to_owned(), "not a JWT"),
        ("one.two".to_owned(), "not a JWT"),
        (token_text(&Token::new().without("exp")), "claim exp is missing"),
        (token_text(&Token::new().without("aud")), "claim aud is missing"),
        (token_text(&Token::new().without("sub")), "claim sub is missing"),
        (token_text(&Token::new().with("exp", "tomorrow")), "claim exp is not a number"),
    ] {
        let problem = invoke_message(&with(&json!({"token": token}))).problem("token_invalid");
        assert_eq!(problem["detail"], format!("{invalid}{why}"));
    }
}

#[test]
fn an_expired_token_says_when() {
    let expired = token_text(&Token::new().with("exp", 1_718_000_000));
    let problem = invoke_message(&with(&json!({"token": expired}))).problem("token_expired");
    assert!(problem["detail"].as_str().unwrap().starts_with("Your Cortex Token expired at 2024-06-10T06:13:20Z, "));
    let just_now = token_text(&Token::new().expired_for(Duration::from_secs(2)));
    let ended = invoke("caller").arg(with(&json!({"token": just_now})).to_string()).end();
    ended.answer();
    assert_eq!(ended.logs()[0]["message"], "the token expires before the invocation's deadline");
}

#[test]
fn a_payload_of_the_wrong_type_is_pointed_at() {
    let word_count = |payload: &Value| {
        let text = message(payload).to_string();
        skill_runtime().arg("invoke").arg(&built().word_count).arg(text).end().problem("invalid_payload")
    };
    for (payload, pointer) in
        [(json!({"text": 5}), "/text"), (json!({}), "/text"), (json!([]), ""), (json!(null), ""), (json!("text"), "")]
    {
        assert_eq!(word_count(&payload)["pointer"], pointer, "{payload}");
    }
}

#[test]
fn twenty_megabytes_of_nesting() {
    const DEEP: usize = 10_000_000;
    let closed = format!(r#"{{"payload":{}{}}}"#, "[".repeat(DEEP), "]".repeat(DEEP));
    let problem = invoke("echo").arg("-").stdin(closed.clone()).end().problem("message_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("limit of 512000"), "{problem}");
    let allowed =
        |text: String| invoke("echo").args(["--max-message", "64MiB", "--max-payload", "64MiB", "-"]).stdin(text).end();
    let problem = allowed(closed).problem("invalid_payload");
    assert!(problem["detail"].as_str().unwrap().contains("recursion limit"), "{problem}");
    allowed(format!(r#"{{"payload":{}"#, "[".repeat(2 * DEEP))).problem("invalid_message");
    allowed(format!(r#"{{"token":{}"#, "{\"a\":".repeat(2 * DEEP / 5))).problem("invalid_message");
}

#[test]
fn limits_are_flags_and_variables() {
    let payload = json!("x".repeat(98));
    let problem = invoke_with("echo", &payload).args(["--max-payload", "99"]).end().problem("message_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("the payload is 100 bytes, over the limit of 99"));
    invoke_with("echo", &payload).env("SKILL_MAX_RESPONSE", "99").end().problem("response_too_large");
    invoke_with("echo", &payload).args(["--max-payload", "100", "--max-response", "100"]).end().answer();
    // The platform's limit for jobs.
    invoke("echo")
        .arg("-")
        .stdin(json!({"payload": "x".repeat(102_399)}).to_string())
        .end()
        .problem("message_too_large");
}

#[test]
fn variables_that_are_empty_are_not_set() {
    let names =
        ["SKILL_TIMEOUT", "SKILL_NAME", "SKILL_MAX_PAYLOAD", "SKILL_DEPLOYED", "SKILL_LOG_FORMAT", "SKILL_DATA"];
    let run = names.iter().fold(invoke_with("echo", &json!(1)), |run, name| run.env(name, ""));
    assert_eq!({ run }.end().answer(), 1);
}

#[test]
fn values_stay_out_of_refusals() {
    let text = json!({"payload": {"text": "a"}, "properties": {"top": "s3cret"}}).to_string();
    let ended = skill_runtime().arg("invoke").arg(&built().word_count).arg(text).end();
    assert_eq!(ended.problem("invalid_message")["pointer"], "/properties/top");
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
}

#[test]
fn a_file_that_cannot_be_read() {
    for path in ["no-such-file.json", "/no/such/file", "./no-such-file"] {
        let problem = invoke("echo").arg(path).end().problem_with_exit("invalid_message", 66);
        assert!(problem["detail"].as_str().unwrap().contains(path), "{problem}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense() {
    for args in
        [vec!["invoke"], vec!["no-such-command"], vec![], vec!["invoke", "x", "--timeout", "soon"], vec!["--nope"]]
    {
        let ended = skill_runtime().args(&args).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{args:?}");
        assert!(ended.stderr.contains("Usage") || ended.stderr.contains("--help"), "{args:?}: {}", ended.stderr);
    }
    let bad_variable = invoke_with("echo", &json!(1)).env("SKILL_TIMEOUT", "soon").end();
    assert_eq!(bad_variable.code, Some(64));
    let help = skill_runtime().arg("--help").end();
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    // Help goes to stdout also when something in it is not shown.
    let help = skill_runtime().args(["iam", "compare", "--help"]).env("SKILL_EXISTING", r#"{"key": "s"}"#).end();
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("Usage") && !help.stdout.contains("\"s\""), "{}", help.stdout);
}
