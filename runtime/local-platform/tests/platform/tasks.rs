//! Tasks and actions (fabric-api section 11).

use reqwest::Method;
use serde_json::json;

use crate::support::{Local, each, header, project};

#[tokio::test]
async fn a_deployed_job_is_a_task() {
    let local = Local::start().await;
    assert_eq!(local.read("/tasks").await, json!({"success": true, "tasks": []}));
    local.save("/actions?actionType=daemon", json!({"name": "service", "image": "i"})).await;
    for name in ["acme/etl", "other"] {
        local.save("/actions?actionType=job", json!({"name": name, "image": "i", "command": ["run"]})).await;
    }
    let listed = local.read("/tasks?limit=20&skip=0&compat=true&color=true&sort=%7B%22startTime%22%3A-1%7D").await;
    let mut names = each(&listed["tasks"], "name");
    names.sort_unstable();
    assert_eq!(names, ["acme/etl", "other"]);
    for path in ["/tasks/acme%2Fetl", "/tasks/acme/etl?k8s=true"] {
        let task = local.read(path).await;
        assert_eq!(
            (&task["name"], &task["actionName"], &task["jobType"]),
            (&json!("acme/etl"), &json!("acme/etl"), &json!("job"))
        );
        assert_eq!((&task["state"], &task["task"]["state"]), (&json!("PENDING"), &json!("PENDING")));
    }
    let logs = local.read("/tasks/acme/etl/logs?follow=false&verbose=false").await;
    assert_eq!(logs, json!({"success": true, "logs": []}));
    let followed = local.get(&project("/tasks/acme%2Fetl/logs?follow=true")).await;
    assert_eq!((followed.status().as_u16(), header(&followed, "content-type")), (200, "text/event-stream"));
    assert_eq!(followed.text().await.unwrap(), "");
    for (path, state) in [
        ("/tasks/acme/etl/pause?verbose=false", "PAUSED"),
        ("/tasks/acme%2Fetl/resume", "PENDING"),
        ("/tasks/acme%2Fetl/pause", "PAUSED"),
    ] {
        let (status, answer) = local.call(Method::POST, path, None).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)));
        assert_eq!(local.read("/tasks/acme/etl").await["state"], state);
    }
    let paused = local.read("/tasks?filter=%7B%22state%22%3A%22PAUSED%22%7D").await;
    assert_eq!(each(&paused["tasks"], "name"), ["acme/etl"]);
    let (status, answer) = local.call(Method::DELETE, "/tasks/acme/etl", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    for (method, path) in [
        (Method::GET, "/tasks/acme/etl"),
        (Method::GET, "/tasks/acme/etl/logs"),
        (Method::POST, "/tasks/acme/etl/pause"),
        (Method::POST, "/tasks/other/restart"),
        (Method::DELETE, "/tasks/acme/etl"),
    ] {
        assert_eq!(local.call(method, path, None).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn actions_are_listed_described_and_deleted() {
    let local = Local::start().await;
    local.save("/actions?actionType=job", json!({"name": "acme/etl", "image": "one"})).await;
    local.save("/actions", json!({"name": "acme/etl", "type": "job", "image": "two"})).await;
    let listed = local.read("/actions").await;
    assert_eq!((&listed["success"], each(&listed["actions"], "name")), (&json!(true), vec!["acme/etl"]));
    let described = local.read("/actions/acme%2Fetl").await;
    assert_eq!((&described["action"]["image"], &described["action"]["actionType"]), (&json!("two"), &json!("job")));
    local.call(Method::DELETE, "/actions/acme/etl", None).await;
    for path in ["/actions/acme/etl", "/tasks/acme/etl"] {
        assert_eq!(local.call(Method::GET, path, None).await.0, 404, "{path}");
    }
    assert_eq!(local.call(Method::DELETE, "/actions/acme/etl", None).await.0, 404);
    let (status, answer) = local.call(Method::POST, "/actions", Some(json!({"image": "i"}))).await;
    assert_eq!((status, &answer["details"]["body.name"]["message"]), (400, &json!("is required")));
}
