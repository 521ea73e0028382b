//! Models: what is sent, and how answers are read.

use axum::http::StatusCode;
use serde_json::{Value, json};
use skill_sdk::Code;
use skill_sdk::client::{ListOptions, Model, Order};

use crate::names;
use crate::server::Server;

const PATH: &str = "/fabric/v4/projects/test-project/models";

/// A model with every field, and some that nobody knows.
fn complete() -> Value {
    json!({
        "camel": "1.0.0", "name": "acme/churn", "title": "Churn", "description": "Who leaves", "type": "tree",
        "source": {"repo": "churn"}, "status": "published",
        "tags": [{"label": "team", "value": "growth"}, {"label": "tier", "value": 1, "color": "red"}],
        "updatedAt": "2024-05-01T10:00:00.000Z", "createdBy": "ann", "_version": 2, "meta": {"a": [1]},
    })
}

/// The same without what the platform adds.
fn definition() -> Value {
    let mut model = complete();
    model.as_object_mut().unwrap().retain(|field, _| !["updatedAt", "createdBy", "_version"].contains(&field.as_str()));
    model
}

#[tokio::test]
async fn a_model_is_saved() {
    let server = Server::answering(|| r#"{"success": true, "version": 2, "created": false, "modelId": "m"}"#).await;
    let models = server.client().models();
    assert_eq!(models.save(&definition()).await.unwrap()["modelId"], "m");
    assert_eq!(server.only().sent(), ("POST", PATH, Some(definition())));
    let mut model = Model::new("churn").with_tag("team", "growth");
    model.model_type = Some("tree".to_owned());
    models.save(&model).await.unwrap();
    let sent = json!({
        "camel": "1.0.0", "name": "churn", "type": "tree", "tags": [{"label": "team", "value": "growth"}],
    });
    assert_eq!(server.only().sent(), ("POST", PATH, Some(sent)));
    let error = models.save(&std::collections::BTreeMap::from([((1, 2), 3)])).await.unwrap_err();
    assert_eq!(error.detail(), "cannot save a model: the value cannot be written as JSON");
    let error = models.save(&[Model::new("churn")]).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::SkillFailed, "cannot save a model: it must be a JSON object"));
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_model_is_read_with_all_its_fields() {
    let server = Server::answering(|| complete().to_string()).await;
    let models = server.client().models();
    let model = models.get("m").await.unwrap();
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}/m").as_str(), None));
    assert_eq!(models.get_opt("m").await.unwrap().as_ref(), Some(&model));
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}/m").as_str(), None));
    assert_eq!((model.name.as_str(), model.model_type.as_deref()), ("acme/churn", Some("tree")));
    assert_eq!((model.tags[0].label.as_str(), &model.tags[0].value), ("team", &json!("growth")));
    assert_eq!((&model.other["meta"], model.other.len()), (&json!({"a": [1]}), 2));
    assert_eq!(serde_json::to_value(&model).unwrap(), complete());
    // Saved again, it is without what the platform has added.
    models.save(&model).await.unwrap();
    assert_eq!(server.only().sent(), ("POST", PATH, Some(definition())));
}

#[test]
fn what_may_be_left_out_may_be_null() {
    let null = json!({
        "camel": null, "name": "a", "title": null, "description": null, "type": null, "source": null, "status": null,
        "tags": null, "updatedAt": null, "createdBy": null,
    });
    for json in [json!({"name": "a"}), null] {
        let model: Model = serde_json::from_value(json).unwrap();
        assert_eq!(serde_json::to_value(&model).unwrap(), json!({"name": "a"}));
    }
}

#[tokio::test]
async fn models_are_listed() {
    let list = r#"{"models": [{"name": "a", "updatedAt": 17, "createdBy": {"id": 1}}, {"name": "b", "title": "B"}]}"#;
    let server = Server::answering(move || list).await;
    let models = server.client().models();
    let listed = models.list().await.unwrap();
    assert_eq!(server.only().sent(), ("GET", PATH, None));
    assert_eq!((listed[0].updated_at.as_ref(), listed[1].title.as_deref()), (Some(&json!(17)), Some("B")));
    let options = ListOptions::new().filter("status", "a b").sort("updatedAt", Order::Descending).limit(20).skip(0);
    let query = "filter=%7B%22status%22%3A%22a+b%22%7D&sort=%7B%22updatedAt%22%3A-1%7D&limit=20&skip=0";
    assert_eq!(models.list_with(&options).await.unwrap(), listed);
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}?{query}").as_str(), None));
    assert_eq!(models.list_tagged("team,ü&", &ListOptions::new().limit(1)).await.unwrap(), listed);
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}?tags=team%2C%C3%BC%26&limit=1").as_str(), None));
}

#[tokio::test]
async fn a_model_is_published_and_unpublished_and_deleted() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    let models = server.client().models();
    models.publish("m").await.unwrap();
    assert_eq!(server.only().sent(), ("POST", format!("{PATH}/m/publish").as_str(), Some(json!({}))));
    models.unpublish("m").await.unwrap();
    assert_eq!(server.only().sent(), ("POST", format!("{PATH}/m/unpublish").as_str(), Some(json!({}))));
    models.delete("m").await.unwrap();
    assert_eq!(server.only().sent(), ("DELETE", format!("{PATH}/m").as_str(), None));
    let server = Server::answering(|| r#"{"success": false, "message": "in use"}"#).await;
    let models = server.client().models();
    for error in [models.publish("m").await, models.unpublish("m").await, models.delete("m").await] {
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        assert!(error.detail().ends_with(" the model `m`: the platform did not do it: in use"), "{error}");
    }
}

#[tokio::test]
async fn runs_of_a_model_are_listed() {
    let server = Server::answering(|| r#"{"success": true, "runs": [{"runId": "r1", "took": null}]}"#).await;
    let models = server.client().models();
    let path = format!("{PATH}/m/experiments/runs");
    let runs = models.runs("m").await.unwrap();
    assert_eq!((runs.len(), runs[0].run_id.as_str(), runs[0].took), (1, "r1", None));
    assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
    let options = ListOptions::new().sort("_updatedAt", Order::Descending).limit(1);
    models.runs_with("m", &options).await.unwrap();
    let query = "sort=%7B%22_updatedAt%22%3A-1%7D&limit=1";
    assert_eq!(server.only().sent(), ("GET", format!("{path}?{query}").as_str(), None));
}

#[tokio::test]
async fn a_model_that_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"message": "m not found"}"#)).await;
    let models = server.client().models();
    let error = models.get("m").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the model `m`: the platform answered 404: m not found");
    assert_eq!(models.get_opt("m").await.unwrap(), None);
    assert!(models.delete("m").await.unwrap_err().is_not_found());
    assert!(models.publish("m").await.unwrap_err().is_not_found());
    assert!(models.unpublish("m").await.unwrap_err().is_not_found());
    assert!(models.runs("m").await.unwrap_err().is_not_found());
    let refusing = Server::answering(|| StatusCode::FORBIDDEN).await;
    assert_eq!(refusing.client().models().get_opt("m").await.unwrap_err().http_status(), Some(403));
}

#[tokio::test]
async fn names_stand_whole_in_paths() {
    let (path, answer) = (format!("{PATH}/"), r#"{"name": "a"}"#);
    names::check(answer, (&path, ""), async |client, name| client.models().get(name).await).await;
    names::check(answer, (&path, ""), async |client, name| client.models().delete(name).await).await;
    names::check(answer, (&path, "/publish"), async |client, name| client.models().publish(name).await).await;
    names::check(answer, (&path, "/unpublish"), async |client, name| client.models().unpublish(name).await).await;
    let runs = r#"{"runs": []}"#;
    names::check(runs, (&path, "/experiments/runs"), async |client, name| client.models().runs(name).await).await;
}
