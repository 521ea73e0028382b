//! What callers may do, before a skill runs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use whole_program_tests::{Ended, Run, built, program, root, skill_runtime};

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

    /// One that says that every token is good for these in the project `test-project`.
    async fn granting(capabilities: &[Value]) -> Self {
        let entry = |capability: &Value| {
            let mut entry = capability.clone();
            entry["projectScope"] = json!({"projects": ["test-project"]});
            entry
        };
        let capabilities: Vec<Value> = capabilities.iter().map(entry).collect();
        Self::start(200, json!({"subject": "u", "projects": [], "capabilities": capabilities})).await
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Runs the example.
    async fn end(&self, run: Run) -> Ended {
        let maintenance = json!({"asset": 7, "start": 60_000, "minutes": 1, "what": "Look at it"});
        let mut message = message(&maintenance);
        message["apiEndpoint"] = self.url.as_str().into();
        let run = run.args(["--skill", "guarded", &message.to_string()]).env("RUST_LOG", "info");
        tokio::task::spawn_blocking(move || { run }.end()).await.unwrap()
    }
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

const INSPECTED: [&str; 1] = ["GET /api/v1/token/inspect"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_what_is_required_is_answered() {
    let platform = Platform::granting(&[assets(), events(&[7, 123])]).await;
    for (form, run) in forms() {
        let ended = platform.end(run).await;
        assert_eq!(ended.answer()["externalId"], "maintenance-7-60000", "{form}");
        assert!(has_run(&ended), "{form}: {}", ended.stderr);
        assert_eq!(platform.asked(), INSPECTED, "{form}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lacks_something_is_told_what_and_nothing_runs() {
    for (granted, missing) in [
        (vec![assets(), events(&[7])], vec![events(&[123])]),
        (vec![events(&[123])], vec![assets()]),
        (vec![], vec![assets(), events(&[123])]),
    ] {
        let platform = Platform::granting(&granted).await;
        for (form, run) in forms() {
            let ended = platform.end(run).await;
            let problem = ended.problem("missing_capabilities");
            assert_eq!(problem["missing"], json!(missing), "{form}");
            assert!(!has_run(&ended), "{form}: {}", ended.stderr);
            assert_eq!(platform.asked(), INSPECTED, "{form}");
        }
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
