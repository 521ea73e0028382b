//! Models (fabric-api section 9).

use reqwest::Method;
use serde_json::json;

use crate::support::{Local, each};

#[tokio::test]
async fn a_model_is_saved_with_what_the_platform_knows() {
    let local = Local::start().await;
    let tags = json!([{"label": "team", "value": "orders"}]);
    let model =
        json!({"camel": "1.0.0", "name": "acme/churn", "title": "T", "type": "tree", "source": {"a": 1}, "tags": tags});
    let saved = local.save("/models", model.clone()).await;
    assert_eq!((&saved["version"], &saved["modelId"]), (&json!(1), &json!("acme/churn")));
    assert!(saved["created"].is_string());
    for path in ["/models/acme%2Fchurn", "/models/acme/churn?verbose=true"] {
        let read = local.read(path).await;
        for (field, value) in model.as_object().unwrap() {
            assert_eq!(read[field], *value, "{field}");
        }
        assert!(read.get("modelId").is_none() && read["createdBy"].is_string());
    }
    local.save("/models", json!({"name": "other"})).await;
    assert_eq!(each(&local.read("/models").await["models"], "name"), ["other", "acme/churn"]);
    let (status, answer) = local.call(Method::DELETE, "/models/acme%2Fchurn", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(local.call(method, "/models/acme/churn", None).await.0, 404);
    }
}

#[tokio::test]
async fn models_are_listed_by_tag_filter_and_order() {
    let local = Local::start().await;
    for (name, tags) in [
        ("a", json!([{"label": "team", "value": "orders"}, {"label": "stage", "value": "dev"}])),
        ("b", json!([{"label": "team", "value": "billing"}])),
        ("c", json!(["team"])),
        ("d", json!(null)),
    ] {
        local.save("/models", json!({"name": name, "tags": tags})).await;
    }
    let sorted = "sort=%7B%22name%22%3A1%7D&limit=20&skip=0";
    for (query, expected) in [
        ("tags=", &["a", "b", "c", "d"][..]),
        ("tags=team", &["a", "b", "c"]),
        ("tags=orders", &["a"]),
        ("tags=team,dev", &["a"]),
        ("tags=tea", &[]),
        ("tags=team&filter=%7B%22name%22%3A%22b%22%7D", &["b"]),
    ] {
        let listed = local.read(&format!("/models?{sorted}&{query}")).await;
        assert_eq!(each(&listed["models"], "name"), expected, "{query}");
    }
}

#[tokio::test]
async fn models_are_published_by_split_and_encoded_names() {
    let local = Local::start().await;
    for name in ["acme/churn", "acme/publish", "publish"] {
        local.save("/models", json!({"name": name})).await;
    }
    for (path, name, status) in [
        ("/models/acme/churn/publish", "acme/churn", "published"),
        ("/models/acme%2Fchurn/unpublish", "acme/churn", "unpublished"),
        ("/models/acme%2Fchurn/publish", "acme/churn", "published"),
        ("/models/acme%2Fpublish/publish", "acme/publish", "published"),
        ("/models/publish/publish", "publish", "published"),
        ("/models/publish/unpublish", "publish", "unpublished"),
    ] {
        local.save(path, json!({})).await;
        assert_eq!(local.read(&format!("/models/{name}")).await["status"], status, "{path}");
    }
    // A save that says no status changes none.
    let saved = local.save("/models", json!({"name": "acme/churn", "title": "T"})).await;
    assert_eq!((&saved["status"], &saved["_version"]), (&json!("published"), &json!(2)));
    let saved = local.save("/models", json!({"name": "acme/churn", "status": "draft"})).await;
    assert_eq!(saved["status"], "draft");
    for (path, status) in [("/models/absent/publish", 404), ("/models/acme/churn", 404), ("/models/publish", 400)] {
        assert_eq!(local.call(Method::POST, path, Some(json!({}))).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn the_runs_of_a_model_are_those_of_all_its_experiments() {
    let local = Local::start().await;
    let model = local.save("/models", json!({"name": "acme/churn"})).await;
    let by_id = model["_id"].as_str().unwrap();
    for (experiment, of) in [("e1", "acme/churn"), ("e2", by_id), ("e3", "other"), ("e10", "acme/churn")] {
        local.save("/experiments", json!({"name": experiment, "modelId": of})).await;
        local.save(&format!("/experiments/{experiment}/runs"), json!({"runId": format!("r-{experiment}")})).await;
    }
    for path in ["/models/acme/churn/experiments/runs", "/models/acme%2Fchurn/experiments/runs"] {
        let runs = local.read(path).await;
        assert_eq!(each(&runs["runs"], "runId"), ["r-e10", "r-e2", "r-e1"]);
        assert_eq!(each(&runs["runs"], "experimentName"), ["e10", "e2", "e1"]);
    }
    let one =
        local.read("/models/acme/churn/experiments/runs?limit=1&filter=%7B%22experimentName%22%3A%22e1%22%7D").await;
    assert_eq!(each(&one["runs"], "runId"), ["r-e1"]);
    assert_eq!(local.call(Method::GET, "/models/absent/experiments/runs", None).await.0, 404);
}
