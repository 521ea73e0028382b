//! What callers may do, before a skill runs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use whole_program_tests::{Ended, Run, built, program, root, skill_runtime};

use super::local::Local;
use super::message;

/// A platform that answers whoever inspects a token, and everybody alike.
struct Platform {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Platform {
    async fn start(status: u16, answer: Value) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let handle = async move |request: Request| {
            noted.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
            (StatusCode::from_u16(status).unwrap(), answer.to_string()).into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handle)).await });
        Self { url, asked }
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Runs the example in the name of somebody whom only this platform knows.
    async fn end(&self, run: Run) -> Ended {
        let mut message = message(&maintenance());
        message["apiEndpoint"] = self.url.as_str().into();
        end(run, message).await
    }
}

fn maintenance() -> Value {
    json!({"asset": 7, "start": 60_000, "minutes": 1, "what": "Look at it"})
}

/// Runs the example with a message.
async fn end(run: Run, message: Value) -> Ended {
    let run = run.args(["--skill", "guarded", &message.to_string()]).env("RUST_LOG", "info");
    tokio::task::spawn_blocking(move || { run }.end()).await.unwrap()
}

/// A message from a principal of the embedded platform who has these in the project `p`, and everything in another.
async fn message_from(local: &Local, name: &str, granted: &[Value]) -> Value {
    let pat = local.principal(name, &[name]);
    local.group("p", name, granted).await;
    local.group("other", name, &[assets(), events(&[123])]).await;
    let mut message = message(&maintenance());
    message["apiEndpoint"] = local.url().into();
    message["projectId"] = "p".into();
    message["token"] = local.token(&pat).await.into();
    message
}

fn assets() -> Value {
    json!({"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}})
}

fn events(data_sets: &[i64]) -> Value {
    json!({"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": data_sets}}}})
}

/// The triggers and forms of the example. A new one joins here.
fn forms() -> [(&'static str, Run); 3] {
    let linked = program(Path::new(env!("CARGO_BIN_EXE_linked-examples"))).arg("invoke");
    let library = skill_runtime().arg("invoke").arg(&built().guarded);
    let package = skill_runtime().args(["invoke", "examples/guarded"]).current_dir(root());
    [("linked", linked), ("library", library), ("package", package)]
}

/// Whether the handler of the example has run.
fn has_run(ended: &Ended) -> bool {
    ended.logs().iter().any(|line| line["message"] == "a maintenance was planned")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_what_is_required_is_answered() {
    let local = Local::start();
    let message = message_from(&local, "planner", &[assets(), events(&[7, 123])]).await;
    for (form, run) in forms() {
        let ended = end(run, message.clone()).await;
        assert_eq!(ended.answer()["externalId"], "maintenance-7-60000", "{form}");
        assert!(has_run(&ended), "{form}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lacks_something_is_told_what_and_nothing_runs() {
    let local = Local::start();
    for (name, granted, missing) in [
        ("another-data-set", vec![assets(), events(&[7])], vec![events(&[123])]),
        ("events-alone", vec![events(&[123])], vec![assets()]),
        ("nothing", vec![], vec![assets(), events(&[123])]),
    ] {
        let message = message_from(&local, name, &granted).await;
        for (form, run) in forms() {
            let ended = end(run, message.clone()).await;
            let problem = ended.problem("missing_capabilities");
            assert_eq!(problem["missing"], json!(missing), "{name} {form}");
            assert!(!has_run(&ended), "{form}: {}", ended.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_is_asked_once() {
    let platform = Platform::start(200, json!({"subject": "u", "projects": [], "capabilities": []})).await;
    for (form, run) in forms() {
        platform.end(run).await.problem("missing_capabilities");
        assert_eq!(platform.asked(), ["GET /api/v1/token/inspect"], "{form}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_does_not_tell_is_not_the_fault_of_the_skill() {
    for (status, said, code) in [
        (401, "The token has expired", "token_expired"),
        (401, "Unauthorized", "token_invalid"),
        (403, "Forbidden", "platform_unavailable"),
        (404, "Not found", "platform_unavailable"),
        (500, "Broken", "platform_unavailable"),
    ] {
        let platform = Platform::start(status, json!({"error": {"code": status, "message": said}})).await;
        for (form, run) in forms() {
            let ended = platform.end(run).await;
            let problem = ended.problem(code);
            assert!(problem["detail"].as_str().unwrap().contains(said), "{form}: {problem}");
            assert!(!has_run(&ended), "{form}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_requirement_is_described() {
    let describe = |run: Run| -> Value {
        let ended = run.args(["--skill", "guarded"]).end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    };
    let library = describe(skill_runtime().arg("describe").arg(&built().guarded));
    assert_eq!(library["requires"], json!([assets(), events(&[123])]));
    let linked = describe(program(Path::new(env!("CARGO_BIN_EXE_linked-examples"))).arg("describe"));
    assert_eq!(linked, library);
    let other = skill_runtime().arg("describe").arg(&built().word_count).end();
    assert!(!other.stdout.contains("requires"), "{}", other.stdout);
}
