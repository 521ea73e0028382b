//! The examples, run as their authors would: a folder and its sample message. The first two are in `samples` and `platform`.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use whole_program_tests::{Ended, Run, built, root, skill_runtime};

use super::local::Local;

/// The key that the samples of the chain share.
const KEY: &str = "job-chain-data-00000000-0000-4000-8000-000000000001.jsonl";

/// An example by its folder, with its sample message unless another is added.
fn example(name: &str) -> Run {
    skill_runtime().arg("invoke").arg(format!("examples/{name}")).current_dir(root())
}

#[test]
fn a_chain_runs_by_its_samples() {
    let data = tempfile::tempdir().unwrap();
    let run = |name| example(name).arg("--data").arg(data.path()).end();
    let problem = run("job-chain-consume").problem("skill_failed");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(KEY) && detail.contains("run job-chain-generate first"), "{detail}");

    assert_eq!(run("job-chain-generate").answer(), json!({"key": KEY, "lines": 10_000}));
    let colors = json!({"blue": 1666, "green": 1667, "orange": 1667, "red": 1667, "violet": 1666, "yellow": 1667});
    assert_eq!(run("job-chain-consume").answer(), json!({"lines": 10_000, "colors": colors}));
}

#[test]
fn the_embedded_platform_lets_its_administrator_do_everything() {
    let data = tempfile::tempdir().unwrap();
    let event = example("guarded").arg("--data").arg(data.path()).end().answer();
    assert_eq!((&event["externalId"], &event["dataSetId"]), (&json!("maintenance-7001-1718000000000"), &json!(123)));
    // Deployed, nothing is filled in: who asks must be known.
    let message = root().join("examples/guarded/message.json");
    let problem = example("guarded").arg("--deployed").arg(message).end().problem("token_missing");
    assert_eq!(problem["missing"], json!(["apiEndpoint", "token", "projectId"]));
}

#[tokio::test]
async fn a_guarded_skill_runs_for_those_whose_group_lets_them() {
    let local = Local::start();
    let run = |pat: &Path| local.as_principal(example("guarded"), pat, "local").end();
    let runs = |ended: Ended| assert_eq!(ended.answer()["externalId"], "maintenance-7001-1718000000000");
    let assets = json!({"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}});
    let events = json!({"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": [123]}}}});
    runs(run(local.administrator()));

    let planner = local.principal("planner", &["planners"]);
    let lacks = |missing: Value| {
        let problem = run(&planner).problem("missing_capabilities");
        assert_eq!((&problem["status"], &problem["missing"]), (&json!(403), &missing));
    };
    lacks(json!([assets, events]));
    local.group("local", "planners", &[assets]).await;
    lacks(json!([events]));
    let group = local.group("local", "planners", std::slice::from_ref(&events)).await;
    runs(run(&planner));
    local.client(local.administrator(), "local").iam().groups().delete(group.id).await.unwrap();
    lacks(json!([events]));
    // The administrator needs no group.
    runs(run(local.administrator()));
}

#[test]
fn what_one_skill_of_a_chain_answers_is_the_payload_of_the_next() {
    let data = tempfile::tempdir().unwrap();
    let run = |library: &Path, message: &Value| {
        let run = skill_runtime().arg("invoke").arg(library).arg(message.to_string());
        { run }.arg("--data").arg(data.path()).end()
    };
    let generated = run(&built().job_chain_generate, &json!({"payload": {"count": 500_000}})).answer();
    assert_eq!(generated["lines"], 500_000);
    // Without an activation id in the message the host makes one, and the key with it is another each time.
    assert_ne!(generated["key"], KEY);
    let counts = run(&built().job_chain_consume, &json!({"payload": generated})).answer();
    assert_eq!((&counts["lines"], &counts["colors"]["red"]), (&json!(500_000), &json!(83_334)));
}

/// A webhook that answers alike whatever is posted to `/hook`, and what was.
async fn webhook(status: u16, answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    use axum::http::StatusCode;
    use axum::routing::post;

    let noted = Arc::new(Mutex::new(Vec::new()));
    let posted = noted.clone();
    let hook = post(move |body: String| async move {
        posted.lock().unwrap().push(body);
        (StatusCode::from_u16(status).unwrap(), answer)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/hook", hook)).await });
    (origin, noted)
}

/// The sample message of the webhook, with another URL.
fn webhook_sample(url: &str) -> String {
    let sample = std::fs::read_to_string(root().join("examples/webhook/message.json")).unwrap();
    let mut sample: Value = serde_json::from_str(&sample).unwrap();
    sample["properties"]["webhook-URL"] = url.into();
    sample.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_posted_to() {
    let (origin, noted) = webhook(200, r#"{"ok": true}"#).await;
    let message = webhook_sample(&format!("{origin}/hook?s3cret"));
    let ended = tokio::task::spawn_blocking(move || {
        // Nothing but the webhook is called: there is no platform, and no proxy that could be asked.
        example("webhook").arg(message).env("RUST_LOG", "info").env("ALL_PROXY", "http://127.0.0.1:1").end()
    });
    let ended = ended.await.unwrap();
    assert_eq!(ended.answer(), json!({"status": 200, "body": {"ok": true}}));
    assert_eq!(*noted.lock().unwrap(), [r#"{"text": "Hello from a skill"}"#.replace(": ", ":")]);
    let logs = ended.logs();
    assert_eq!((logs.len(), &logs[0]["origin"]), (1, &json!(origin)), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_fails_is_told_of_without_its_secret() {
    let (origin, _) = webhook(500, "s3cret").await;
    let (refusing, _) = webhook(403, "s3cret").await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (origin, code, words) in [
        (origin, "platform_unavailable", "answered 500"),
        (refusing, "skill_failed", "answered 403"),
        (nobody, "platform_unavailable", "no answer from"),
    ] {
        let message = webhook_sample(&format!("{origin}/hook?s3cret"));
        let run =
            move || skill_runtime().arg("invoke").arg(&built().webhook).arg(message).env("RUST_LOG", "debug").end();
        let ended = tokio::task::spawn_blocking(run).await.unwrap();
        let problem = ended.problem(code);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words) && detail.contains(&origin), "{detail}");
        assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    }
    let none = || skill_runtime().arg("invoke").arg(&built().webhook).arg(r#"{"payload": 1}"#).end();
    let problem = tokio::task::spawn_blocking(none).await.unwrap().problem("invalid_message");
    assert!(problem["detail"].as_str().unwrap().contains("the property `webhook-URL` is missing"), "{problem}");
    assert_eq!(problem["pointer"], "/properties/webhook-URL");
}
