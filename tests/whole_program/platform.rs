//! `skill-runtime platform`, and skills that talk to it.

mod crash;
mod options;

use super::message;
use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::client::VerifySslCert;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use whole_program_tests::{PlatformProcess, Run, built, root, skill_runtime};

/// A message for the platform, with a token that was made with its personal access config.
async fn message_for(platform: &PlatformProcess, payload: &Value) -> Value {
    use secrecy::ExposeSecret;

    let config = PersonalAccessConfig::from_file(platform.pat()).unwrap();
    let token = config.mint(Duration::from_secs(60), &VerifySslCert::default()).await.unwrap().secret().clone();
    let mut message = message(payload);
    message["apiEndpoint"] = platform.ready["url"].clone();
    message["projectId"] = platform.ready["project"].clone();
    message["token"] = token.expose_secret().into();
    message
}

fn count() -> Run {
    skill_runtime().arg("invoke").arg(&built().content_counter)
}

#[tokio::test]
async fn a_counter_is_kept_by_a_platform_that_runs_apart() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    assert_eq!(platform.ready["project"], "local");
    assert_eq!(platform.pat(), data.path().join("pat.json"));
    assert_eq!(platform.pat().metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let message = message_for(&platform, &json!({"op": "add", "by": 5})).await.to_string();
    assert_eq!(count().arg(&message).end().answer(), json!({"value": 5}));
    let package = skill_runtime().args(["invoke", "examples/content-counter", &message]).current_dir(root()).end();
    assert_eq!(package.answer(), json!({"value": 10}));
    let zero = message_for(&platform, &json!({"op": "divide", "by": 0})).await.to_string();
    let problem = count().arg(&zero).end().problem("skill_failed");
    assert_eq!(problem["detail"], "the counter cannot be divided by zero");

    assert_eq!(platform.stop(), Some(0));
    let again = PlatformProcess::start(data.path());
    let message = message_for(&again, &json!({"op": "add", "by": 0.5})).await.to_string();
    assert_eq!(count().arg(&message).end().answer(), json!({"value": 10.5}));
}

#[tokio::test]
async fn the_platform_checks_tokens() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    let mut forged = message_for(&platform, &json!({"op": "add", "by": 5})).await;
    forged["token"] = message(&json!(1))["token"].clone();
    let ended = count().arg(forged.to_string()).end();
    let problem = ended.problem("token_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("Authentication error: "), "{problem}");
    assert!(!ended.stderr.contains(forged["token"].as_str().unwrap()));
}

#[tokio::test]
async fn a_platform_that_is_gone_is_unavailable() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    let message = message_for(&platform, &json!({"op": "add", "by": 5})).await.to_string();
    assert_eq!(platform.stop(), Some(0));
    let problem = count().arg(&message).end().problem("platform_unavailable");
    assert!(problem["detail"].as_str().unwrap().starts_with("cannot download `content-counter/counter.json`: "));
}

#[test]
fn two_platforms_do_not_share_data() {
    let data = tempfile::tempdir().unwrap();
    let _platform = PlatformProcess::start(data.path());
    let second = skill_runtime().arg("platform").arg("--data").arg(data.path()).end();
    second.problem("platform_unavailable");
}

#[test]
fn data_that_is_none_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("pat.json"), "mine").unwrap();
    for command in [&["platform"][..], &["platform", "principal", "list"], &["content", "list"]] {
        let ended = skill_runtime().args(command).arg("--data").arg(data.path()).end();
        ended.problem_with_exit("platform_unavailable", 78);
    }
    assert_eq!(std::fs::read_to_string(data.path().join("pat.json")).unwrap(), "mine");
}

/// A platform that answers every request in the same way.
async fn answering(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) -> String {
    use axum::http::{HeaderName, HeaderValue, StatusCode};

    let answer = move || async move {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        (StatusCode::from_u16(status).unwrap(), headers.collect::<axum::http::HeaderMap>(), body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_platform_refuses_has_one_meaning() {
    for (status, headers, body, code, words) in [
        (401, &[][..], r#"{"message": "who are you"}"#, "token_invalid", "Authentication error: who are you"),
        (401, &[], r#"{"error": "jwt expired"}"#, "token_expired", "Authentication error: jwt expired"),
        (302, &[("x-auth-error", "token expired")], "", "token_expired", "Authentication error: token expired"),
        (302, &[("location", "/login")], "", "token_invalid", "Authentication error"),
        (200, &[("x-auth-error", "unknown user")], "", "token_invalid", "Authentication error: unknown user"),
        (403, &[], r#"{"message": "not yours"}"#, "skill_failed", "the platform answered 403: not yours"),
        (500, &[], "<html>oops</html>", "platform_unavailable", "the platform answered 500: <html>oops</html>"),
        (503, &[], "", "platform_unavailable", "the platform answered 503"),
        (429, &[], "", "platform_unavailable", "the platform answered 429"),
        (200, &[], "<html>hello</html>", "skill_failed", "holds no counter"),
    ] {
        let mut message = message(&json!({"op": "add", "by": 1}));
        message["apiEndpoint"] = answering(status, headers, body).await.into();
        let problem =
            tokio::task::spawn_blocking(move || count().arg(message.to_string()).end().problem(code)).await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(words), "{status} {words}: {problem}");
    }
}
