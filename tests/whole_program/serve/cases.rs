//! Invocations whose outcome is the same however they arrive: the messages of the suite, in one table.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::testing::Token;

use crate::{message, samples, token_text};

/// An invocation, and what comes of it.
#[derive(Clone)]
pub(crate) struct Case {
    /// The skill that is named beside the message; `None` where the message chooses.
    pub(crate) skill: Option<&'static str>,
    pub(crate) message: Vec<u8>,
    pub(crate) timeout: Option<&'static str>,
    /// `ok`, or the code of the error table.
    pub(crate) expected: &'static str,
}

impl Case {
    fn within(self, timeout: &'static str) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// The message, for whoever reads that a case has failed.
    pub(crate) fn text(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.message).chars().take(300).collect();
        format!("{:?}: {text}", self.skill)
    }
}

fn raw(skill: &'static str, message: impl Into<Vec<u8>>, expected: &'static str) -> Case {
    Case { skill: Some(skill), message: message.into(), timeout: None, expected }
}

fn case(skill: &'static str, message: &Value, expected: &'static str) -> Case {
    raw(skill, message.to_string(), expected)
}

/// A complete message with other fields.
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

/// Skills of every kind.
pub(crate) fn skills() -> Vec<Case> {
    let complete = message(&json!({"a": [1, 2.50, null]}));
    vec![
        case("echo", &complete, "ok"),
        case("caller", &complete, "ok"),
        case("caller", &json!({"payload": 1, "token": ""}), "token_missing"),
        case("caller", &message(&json!(1)), "ok"),
        case("fails", &complete, "skill_failed"),
        case("fails-with", &message(&json!({"code": "overloaded", "detail": "d"})), "overloaded"),
        case("fails-with", &message(&json!({"code": 1})), "invalid_payload"),
        case("wraps", &message(&json!("enum in anyhow")), "token_expired"),
        case("panics", &complete, "skill_panicked"),
        case("panics-later", &complete, "skill_panicked"),
        case("hurries", &complete, "timeout"),
        case("floods", &message(&json!(600_000)), "response_too_large"),
        case("logs", &complete, "ok"),
        case("uses-tokio", &complete, "ok"),
        case("leaks", &complete, "skill_failed"),
        case("nope", &complete, "skill_not_found"),
    ]
}

/// Skills that do not behave.
pub(crate) fn bad_skills() -> Vec<Case> {
    let codes = skill_sdk::Code::ALL.iter().map(|code| {
        let failure = json!({"code": code.as_str(), "detail": "so it is"});
        case("fails-with", &json!({"payload": failure}), code.as_str())
    });
    let wrapped = ["bare", "anyhow", "context", "enum", "enum in anyhow", "io"];
    let wrapped = wrapped.map(|how| case("wraps", &json!({"payload": how}), "token_expired"));
    let mut cases: Vec<Case> = codes.chain(wrapped).collect();
    cases.extend([
        case("nope", &json!({"payload": 1}), "token_missing"),
        case("hangs", &json!({"payload": 1}), "timeout").within("100ms"),
        case("dawdles", &json!({"payload": 200}), "timeout").within("50ms"),
        case("dawdles", &json!({"payload": 1}), "ok"),
        case("panics-with-token", &message(&json!(1)), "skill_panicked"),
        case("logs-apart", &json!({"payload": 1}), "ok"),
        // At the limit of 512 KiB, and one over.
        case("floods", &json!({"payload": (512 << 10) - 2}), "ok"),
        case("floods", &json!({"payload": (512 << 10) - 1}), "response_too_large"),
    ]);
    let named = |name: &str, expected| {
        let message = with(&json!({"skillName": name})).to_string().into();
        Case { skill: None, message, timeout: None, expected }
    };
    cases.extend([named("echo", "ok"), named("acme/echo", "ok"), named("acme/nope", "skill_not_found")]);
    let nobody = message(&json!(1)).to_string().into();
    cases.push(Case { skill: None, message: nobody, timeout: None, expected: "skill_not_found" });
    cases
}

/// Messages that are none, or not as they should be.
pub(crate) fn bad_messages() -> Vec<Case> {
    let texts = ["", "  ", "not json", "[1]", "42", "null", "\"text\"", "{", r#"{"a":1,}"#, "{} {}", "\u{0}"];
    let mut cases: Vec<Case> = texts.map(|text| raw("echo", text, "invalid_message")).into();
    cases.extend([
        raw("echo", *b"{\"payload\": \"\xe9\"}", "invalid_message"),
        raw("echo", r#"{"payload": 1, "payload": 2}"#, "invalid_message"),
        raw("echo", r#"{"payload": {"a": 1, "a": 2}}"#, "ok"),
        raw("echo", "{}", "ok"),
        raw("echo", format!(r#"{{"payload":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)), "invalid_payload"),
        raw("echo", format!(r#"{{"other":{}{}, "payload": 1}}"#, "[".repeat(100), "]".repeat(100)), "ok"),
        raw("echo", format!(r#"{{"payload":{}"#, "[".repeat(10_000)), "invalid_message"),
        raw("echo", format!(r#"{{"token":{}"#, "{\"a\":".repeat(10_000)), "invalid_message"),
        raw("echo", r#"{"payload": [1.50, 12345678901234567890, 0.1e-7]}"#, "ok"),
        raw("echo", r#"{"payload": 1e400}"#, "invalid_payload"),
        raw("echo", r#"{"payload": "\ud800"}"#, "invalid_payload"),
        raw("echo", r#"{"payload": "\u0000\u2028 \"", "more": 1}"#, "ok"),
    ]);
    for (key, value) in [
        ("token", json!(5)),
        ("token", json!(["a"])),
        ("apiEndpoint", json!({})),
        ("projectId", json!(true)),
        ("properties", json!([])),
        ("properties", json!("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln")),
        ("activationId", json!(7)),
        ("timestamp", json!([])),
        ("apiEndpoint", json!("somewhere")),
        ("apiEndpoint", json!("ftp://example.com")),
        ("apiEndpoint", json!("http://user:password@example.com")),
        ("apiEndpoint", json!("")),
        ("apiEndpoint", Value::Null),
        ("projectId", json!("")),
        ("projectId", Value::Null),
        ("projectId", json!("..")),
    ] {
        cases.push(case("caller", &with(&json!({ key: value })), "invalid_message"));
    }
    for (absent, expected) in [
        (&["token"][..], "token_missing"),
        (&["apiEndpoint"], "invalid_message"),
        (&["projectId"], "invalid_message"),
        (&["apiEndpoint", "token"], "token_missing"),
        (&["apiEndpoint", "projectId"], "invalid_message"),
        (&["token", "projectId"], "token_missing"),
        (&["apiEndpoint", "token", "projectId"], "token_missing"),
    ] {
        cases.push(case("caller", &without(absent), expected));
    }
    cases
}

/// Tokens of every kind.
pub(crate) fn tokens() -> Vec<Case> {
    let invalid = [
        "asda-asda-asda".to_owned(),
        " ".to_owned(),
        "one.two".to_owned(),
        token_text(&Token::new().without("exp")),
        token_text(&Token::new().without("aud")),
        token_text(&Token::new().without("sub")),
        token_text(&Token::new().with("exp", "tomorrow")),
    ];
    let invalid = invalid.into_iter().map(|token| (json!(token), "token_invalid"));
    let others = [
        (json!(""), "token_missing"),
        (Value::Null, "token_missing"),
        (json!(token_text(&Token::new().with("exp", 1_718_000_000))), "token_expired"),
        // Within the leeway.
        (json!(token_text(&Token::new().expired_for(Duration::from_secs(2)))), "ok"),
    ];
    invalid.chain(others).map(|(token, expected)| case("caller", &with(&json!({"token": token})), expected)).collect()
}

/// What a platform says of tokens. Its answer is the name of the project: see [`Platform`](super::platform::Platform).
pub(crate) fn platforms(url: &str) -> Vec<Case> {
    let ask = |how: &str, project: &str, expected| {
        let config = samples::config_of_nobody(url);
        let changes = json!({
            "apiEndpoint": url, "projectId": project, "payload": {"how": how, "config": config},
        });
        case("asks-platform", &with(&changes), expected)
    };
    vec![
        ask("plainly", "says-200", "ok"),
        ask("plainly", "says-404", "ok"),
        ask("plainly", "says-401", "token_expired"),
        ask("plainly", "says-302", "token_expired"),
        ask("plainly", "says-400", "skill_failed"),
        ask("in-anyhow", "says-302", "token_expired"),
        ask("in-an-enum", "says-302", "token_expired"),
        ask("deep", "says-401", "token_expired"),
        ask("swallowing", "says-302", "ok"),
        ask("with-config", "says-200", "ok"),
    ]
}

/// The public key of `samples::config_of_nobody`, as a set.
pub(crate) fn key_set() -> Value {
    let mut jwk = samples::config_of_nobody("http://h")["jwk"].clone();
    jwk.as_object_mut().unwrap().remove("d");
    json!({"keys": [jwk]})
}

/// What a host is told so that the next are its cases, beside the keys.
pub(crate) const STRICT: [&str; 6] = ["--issuer", "i", "--audience", "a", "--allow-endpoint", "http://127.0.0.1:9"];

/// Messages to a host that checks signatures and acts on one platform.
pub(crate) fn strict() -> Vec<Case> {
    let config = PersonalAccessConfig::from_json(&samples::config_of_nobody("http://h").to_string()).unwrap();
    let token = config.sign(jiff::Timestamp::now(), Duration::from_mins(2)).unwrap();
    let signed = token.expose_secret();
    let parts: Vec<&str> = signed.split('.').collect();
    let other = message(&json!(1));
    let claims = other["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let forged = [parts[0], claims, parts[2]].join(".");
    let good = with(&json!({"token": signed}));
    let elsewhere = |url: &str| with(&json!({"token": signed, "apiEndpoint": url}));
    let unasked = |token: &str| with(&json!({"token": token, "payload": {"how": "plainly"}}));
    vec![
        case("caller", &good, "ok"),
        case("caller", &other, "token_invalid"),
        case("caller", &with(&json!({"token": forged})), "token_invalid"),
        case("caller", &elsewhere("http://127.0.0.1:90"), "endpoint_not_allowed"),
        case("caller", &elsewhere("http://evil.example:9"), "endpoint_not_allowed"),
        case("caller", &elsewhere("http://127.0.0.1:9@evil.example"), "invalid_message"),
        case("asks-platform-unasked", &unasked(&forged), "token_invalid"),
        // It needs nobody.
        case("echo", &other, "ok"),
    ]
}

/// Messages to `word-count` alone.
pub(crate) fn word_count() -> Vec<Case> {
    let one = |changes: &Value, expected| {
        let message = with(changes).to_string().into();
        Case { skill: None, message, timeout: None, expected }
    };
    let mut cases: Vec<Case> = [json!({"text": 5}), json!({}), json!([]), json!(null), json!("text")]
        .map(|payload| one(&json!({ "payload": payload }), "invalid_payload"))
        .into();
    let text = json!({"text": "a b a"});
    cases.extend([
        one(&json!({"payload": text}), "ok"),
        // A host with one skill runs it under any name.
        one(&json!({"payload": text, "skillName": "acme/other"}), "ok"),
        one(&json!({"payload": text, "properties": {"top": 1}}), "ok"),
        one(&json!({"payload": text, "properties": {"top": "s3cret"}}), "invalid_message"),
    ]);
    cases
}
