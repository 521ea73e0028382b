//! No token, key or secret reaches an output, whatever happens and however much is logged.

use std::path::Path;

use axum::extract::Request;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use whole_program_tests::{Run, built, program, skill_runtime};

use super::{message, samples};

const CLIENT_SECRET: &str = "c1ient-s3cret-of-an-app";
const OPAQUE_TOKEN: &str = "0paque-t0ken-of-a-server";

/// A platform that repeats in its refusals everything that it was sent.
async fn telltale_platform() -> String {
    let answer = async |request: Request| -> Response {
        let authorization = request.headers().get("authorization").cloned();
        match request.uri().path() {
            "/fabric/v4/info" => r#"{"serverTs": 1718000000000}"#.into_response(),
            "/token" => json!({"access_token": OPAQUE_TOKEN, "expires_in": 3600}).to_string().into_response(),
            _ => {
                let header = (HeaderName::from_static("x-auth-error"), authorization.unwrap());
                (StatusCode::FOUND, [header]).into_response()
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    url
}

type Variables = Vec<(&'static str, String)>;

fn forms() -> [Run; 2] {
    let linked = program(Path::new(env!("CARGO_BIN_EXE_linked-misbehaving"))).arg("invoke");
    [linked, skill_runtime().arg("invoke").arg(&built().misbehaving)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_shown_however_much_is_logged() {
    let url = telltale_platform().await;
    let config = samples::config_of_nobody(&url);
    let ask = |how| json!({"how": how, "config": config, "client_secret": CLIENT_SECRET});
    let complete = |payload: &Value| {
        let mut message = message(payload);
        message["apiEndpoint"] = url.as_str().into();
        message
    };
    let keys = tempfile::tempdir().unwrap();
    let jwks = keys.path().join("jwks.json");
    std::fs::write(&jwks, json!({"keys": [config["jwk"]]}).to_string()).unwrap();
    let pat = keys.path().join("pat.json");
    std::fs::write(&pat, config.to_string()).unwrap();

    let token = message(&json!(1))["token"].as_str().unwrap().to_owned();
    let (unsigned, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(signature, "c2ln", "too short to be looked for");
    let claims = unsigned.split_once('.').unwrap().1.to_owned();
    let key = config["jwk"]["d"].as_str().unwrap().to_owned();
    let secrets = [unsigned.to_owned(), claims, key.clone(), CLIENT_SECRET.to_owned(), OPAQUE_TOKEN.to_owned()];

    let runs: Vec<(&str, Value, Variables)> = vec![
        ("asks-platform", complete(&ask("plainly")), vec![]),
        ("asks-platform", complete(&ask("in-anyhow")), vec![]),
        ("asks-platform", complete(&ask("deep")), vec![]),
        ("asks-platform", complete(&ask("with-config")), vec![]),
        ("asks-platform", complete(&ask("with-client-secret")), vec![]),
        ("leaks", complete(&json!(1)), vec![]),
        ("panics-with-token", complete(&json!(1)), vec![]),
        // A signature that cannot be checked, with keys that hold the private part.
        ("caller", complete(&json!(1)), vec![("SKILL_JWKS", jwks.display().to_string())]),
        // Samples, filled with what the environment has.
        (
            "asks-platform",
            json!({"payload": ask("plainly")}),
            vec![("CORTEX_PERSONAL_ACCESS_CONFIG", config.to_string())],
        ),
        (
            "asks-platform",
            json!({"payload": ask("plainly")}),
            vec![("SKILL_PERSONAL_ACCESS_CONFIG", pat.display().to_string())],
        ),
        (
            "asks-platform",
            json!({"payload": ask("plainly")}),
            vec![("CORTEX_TOKEN", token.clone()), ("CORTEX_URI", url.clone()), ("CORTEX_PROJECT", "p".to_owned())],
        ),
        // Everything in the wrong place.
        ("caller", json!({"payload": 1, "token": config, "apiEndpoint": url, "projectId": "p"}), vec![]),
        ("caller", json!({"payload": 1, "token": token, "apiEndpoint": token, "projectId": "p"}), vec![]),
        (
            "caller",
            json!({"payload": 1, "token": format!("{token}.{token}"), "apiEndpoint": url, "projectId": "p"}),
            vec![],
        ),
        (
            "caller",
            json!({"payload": 1}),
            vec![("CORTEX_TOKEN", format!("Bearer {token}")), ("CORTEX_URI", url.clone())],
        ),
        // A password in a URL.
        (
            "caller",
            json!({"payload": 1}),
            vec![
                ("CORTEX_URI", format!("http://u:{CLIENT_SECRET}@h")),
                ("CORTEX_URL", format!("http://u:{CLIENT_SECRET}@x")),
            ],
        ),
        ("caller", complete(&json!(1)), vec![("SKILL_JWKS", format!("http://u:{CLIENT_SECRET}@h"))]),
        // A config in quotation marks, and parts of one.
        ("caller", json!({"payload": 1}), vec![("CORTEX_PERSONAL_ACCESS_CONFIG", format!("'{config}'"))]),
        ("caller", json!({"payload": 1}), vec![("CORTEX_PERSONAL_ACCESS_CONFIG", key.clone())]),
        ("caller", json!({"payload": 1}), vec![("CORTEX_PERSONAL_ACCESS_CONFIG", token.clone())]),
        ("caller", json!({"payload": 1}), vec![("SKILL_PROFILE", config.to_string())]),
        // A config where a path belongs.
        ("caller", json!({"payload": 1}), vec![("SKILL_PERSONAL_ACCESS_CONFIG", config.to_string())]),
        ("caller", json!({"payload": 1}), vec![("CORTEX_PERSONAL_ACCESS_CONFIG", format!("{{\"jwk\": {config}}}"))]),
    ];
    let mut traced = 0;
    for (skill, message, variables) in runs {
        for run in forms() {
            let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value));
            let args = ["--skill".to_owned(), skill.to_owned(), message.to_string()];
            let mut run = run.args(args).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
            let ended = tokio::task::spawn_blocking(move || run.end()).await.unwrap();
            let output = format!("{}{}", ended.stdout, ended.stderr);
            traced += output.matches("\"TRACE\"").count();
            for secret in &secrets {
                assert!(!output.contains(secret), "{skill} {message} {variables:?} shows {secret}:\n{output}");
            }
        }
    }
    assert!(traced > 100, "much is logged: {traced}");
}
