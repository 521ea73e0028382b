//! Experiments (fabric-api section 10).

use reqwest::Method;
use serde_json::json;

use crate::support::{Local, each};

#[tokio::test]
async fn an_experiment_is_saved_with_what_the_platform_knows() {
    let local = Local::start().await;
    let sent = json!({
        "name": "acme/churn", "camel": "1.0.0", "title": null, "description": null, "tags": [], "meta": {"k": [1]},
        "modelId": "m", "_version": 7, "_projectId": "other", "createdAt": 1, "success": false,
    });
    let saved = local.save("/experiments", sent).await;
    assert_eq!(
        (&saved["_version"], &saved["_projectId"], &saved["meta"]),
        (&json!(1), &json!("local"), &json!({"k": [1]}))
    );
    assert!(saved["createdAt"].is_string() && saved["updatedAt"].is_string() && saved["createdBy"].is_string());
    for path in ["/experiments/acme%2Fchurn", "/experiments/acme/churn"] {
        assert_eq!(local.read(path).await, saved);
    }
    let again = local.save("/experiments", json!({"name": "acme/churn", "title": "T"})).await;
    assert_eq!((&again["_version"], &again["title"], &again["meta"]), (&json!(2), &json!("T"), &json!(null)));
    assert_eq!((&again["_id"], &again["createdAt"]), (&saved["_id"], &saved["createdAt"]));
    assert_eq!(local.restart().await.read("/experiments/acme/churn").await, again);
}

#[tokio::test]
async fn experiments_are_listed() {
    let local = Local::start().await;
    assert_eq!(local.read("/experiments").await, json!({"success": true, "experiments": []}));
    for (name, model) in [("b", "m1"), ("a", "m2"), ("c", "m1")] {
        local.save("/experiments", json!({"name": name, "modelId": model})).await;
    }
    for (query, expected) in [
        ("", &["c", "a", "b"][..]),
        ("?modelId=m1", &["c", "b"]),
        ("?modelId=m1&limit=1&skip=1", &["b"]),
        ("?modelId=&sort=%7B%22name%22%3A-1%7D", &["c", "b", "a"]),
        ("?filter=%7B%22modelId%22%3A%7B%22%24ne%22%3A%22m1%22%7D%7D", &["a"]),
    ] {
        let listed = local.read(&format!("/experiments{query}")).await;
        assert_eq!(each(&listed["experiments"], "name"), expected, "{query}");
    }
}

#[tokio::test]
async fn an_experiment_goes_with_its_runs_and_artifacts() {
    let local = Local::start().await;
    for (name, run) in [("a", "r1"), ("a", "r2"), ("ab", "r1"), ("a/runs/r1", "r1")] {
        local.save("/experiments", json!({"name": name})).await;
        let encoded = name.replace('/', "%2F");
        local.save(&format!("/experiments/{encoded}/runs"), json!({"runId": run})).await;
        let path = format!("/experiments/{encoded}/runs/{run}/artifacts/model");
        let put = local.request(Method::PUT, &crate::support::project(&path)).body("bytes");
        assert_eq!(put.send().await.unwrap().status(), 200);
    }
    let (status, answer) = local.call(Method::DELETE, "/experiments/a", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    let kept = ["experiments/a/runs/r1/r1/artifacts/model", "experiments/ab/r1/artifacts/model"];
    assert_eq!(local.keys("").await, kept);
    assert_eq!(local.files().len(), 2);
    for path in ["/experiments/a", "/experiments/a/runs", "/experiments/a/runs/r1"] {
        let (status, answer) = local.call(Method::GET, path, None).await;
        assert_eq!((status, &answer["success"]), (404, &json!(false)), "{path}");
    }
    assert_eq!(local.call(Method::DELETE, "/experiments/a", None).await.0, 404);
    // Another of that name has none of its runs.
    local.save("/experiments", json!({"name": "a"})).await;
    assert_eq!(local.read("/experiments/a/runs").await["runs"], json!([]));
    assert_eq!(each(&local.read("/experiments/a%2Fruns%2Fr1/runs").await["runs"], "runId"), ["r1"]);
}

#[tokio::test]
async fn what_is_nested_too_deeply_is_refused_wherever_it_is_kept() {
    let local = Local::start().await;
    local.save("/experiments", json!({"name": "e"})).await;
    local.save("/experiments/e/runs", json!({"runId": "r"})).await;
    local.save("/sessions", json!({"sessionId": "s"})).await;
    for levels in [100, 101, 127] {
        // `#` is where it is deep; the array that is around it counts too.
        for (method, path, body, around) in [
            (Method::POST, "/experiments", r#"{"name": "e", "deep": #}"#, 1),
            (Method::POST, "/experiments/e/runs", r#"{"runId": "r", "deep": #}"#, 1),
            (Method::PUT, "/experiments/e/runs/r", r#"{"params": {"\"[": #}}"#, 2),
            (Method::PUT, "/experiments/e/runs/r/meta/k", r#"{"value": #}"#, 1),
            (Method::POST, "/models", r#"{"name": "m", "deep": #}"#, 1),
            (Method::POST, "/types", r#"{"types": [{"name": "t", "deep": #}]}"#, 3),
            (Method::POST, "/connections", r#"{"name": "c", "params": [{"name": "p", "value": #}]}"#, 3),
            (Method::POST, "/sessions", r#"{"sessionId": "s", "deep": #}"#, 1),
            (Method::POST, "/sessions/s", r#"{"state": {"k": #}}"#, 2),
            (Method::POST, "/secrets/k", "#", 0),
            (Method::POST, "/actions?actionType=job", r#"{"name": "a", "deep": #}"#, 1),
        ] {
            let deep = levels - around;
            let body = body.replace('#', &format!("{}{}", "[".repeat(deep), "]".repeat(deep)));
            let sent = local.request(method, &crate::support::project(path)).body(body).send().await.unwrap();
            assert_eq!(sent.status(), if levels == 100 { 200 } else { 400 }, "{levels} {path}");
        }
        for path in
            ["/experiments", "/experiments/e/runs", "/models", "/types", "/connections", "/sessions", "/secrets/k"]
        {
            local.read(path).await;
        }
        for path in ["/experiments/e/runs/r", "/sessions/s", "/actions", "/tasks"] {
            local.read(path).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_experiment_is_refused() {
    let local = Local::start().await;
    for body in [json!({}), json!([]), json!({"name": 1}), json!({"name": ""}), json!({"name": "a\u{0}b"})] {
        assert_eq!(local.call(Method::POST, "/experiments", Some(body.clone())).await.0, 400, "{body}");
    }
    let large = json!({"name": "large", "description": "x".repeat(500 << 10)});
    assert_eq!(local.call(Method::POST, "/experiments", Some(large)).await.0, 413);
    local.save("/experiments", json!({"name": "e"})).await;
    for (method, path) in [
        (Method::POST, "/experiments/e"),
        (Method::PUT, "/experiments/e"),
        (Method::PUT, "/experiments/e/runs"),
        (Method::GET, "/experiments/e/runs/r/meta/k"),
        (Method::POST, "/experiments/e/runs/r/artifacts/k"),
        (Method::DELETE, "/experiments/e/runs/r/artifacts/k"),
        (Method::PATCH, "/experiments/e"),
        (Method::PUT, "/experiments"),
    ] {
        let (status, answer) = local.call(method.clone(), path, Some(json!({}))).await;
        assert_eq!((status, &answer["success"]), (405, &json!(false)), "{method} {path}");
    }
    assert_eq!(each(&local.read("/experiments").await["experiments"], "name"), ["e"]);
}
