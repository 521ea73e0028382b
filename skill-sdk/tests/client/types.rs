//! Types: what is sent, and how answers are read.

use axum::http::StatusCode;
use serde_json::{Value, json};
use skill_sdk::Code;
use skill_sdk::client::{ListOptions, Order, TypeDefinition};

use crate::names;
use crate::server::Server;

const PATH: &str = "/fabric/v4/projects/test-project/types";

/// A type with every field, and some that nobody knows.
fn complete() -> Value {
    json!({
        "camel": "1.0.0", "name": "acme/order", "title": "Order", "description": "What is ordered",
        "updatedAt": "2024-05-01T10:00:00.000Z", "createdBy": "ann",
        "parameters": [{"name": "number", "type": "integer", "required": true}], "_version": 2,
    })
}

/// The same without what the platform adds.
fn definition() -> Value {
    let mut order = complete();
    order.as_object_mut().unwrap().retain(|field, _| !["updatedAt", "createdBy", "_version"].contains(&field.as_str()));
    order
}

#[tokio::test]
async fn types_are_saved_together() {
    let server = Server::answering(|| r#"{"success": true, "message": "saved"}"#).await;
    let types = server.client().types();
    assert_eq!(types.save(&[complete(), json!({"name": "line", "success": true})]).await.unwrap()["message"], "saved");
    let body = json!({"camel": "1.0.0", "types": [definition(), {"name": "line"}]});
    assert_eq!(server.only().sent(), ("POST", PATH, Some(body)));
    let order = TypeDefinition::new("order").with_parameters(json!([{"name": "line", "type": "object"}]));
    let line = TypeDefinition::new("line").with_parameters(json!({"$ref": "order"}));
    types.save(&[order, line, TypeDefinition::new("bare")]).await.unwrap();
    let body = json!({"camel": "1.0.0", "types": [
        {"name": "order", "parameters": [{"name": "line", "type": "object"}]},
        {"name": "line", "parameters": {"$ref": "order"}},
        {"name": "bare"},
    ]});
    assert_eq!(server.only().sent(), ("POST", PATH, Some(body)));
    let error = types.save(&[json!({"name": "order"}), json!("line")]).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::SkillFailed, "cannot save types: it must be a JSON object"));
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_type_is_read_with_all_its_fields() {
    let server = Server::answering(|| complete().to_string()).await;
    let types = server.client().types();
    let order = types.get("t").await.unwrap();
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}/t").as_str(), None));
    assert_eq!(types.get_opt("t").await.unwrap().as_ref(), Some(&order));
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}/t").as_str(), None));
    assert_eq!((order.name.as_str(), order.title.as_deref()), ("acme/order", Some("Order")));
    assert_eq!((order.camel.as_deref(), order.other.len()), (Some("1.0.0"), 1));
    assert_eq!(order.parameters.as_ref().unwrap()[0]["name"], "number");
    assert_eq!(serde_json::to_value(&order).unwrap(), complete());
    // Saved again, it is without what the platform has added.
    types.save(&[order]).await.unwrap();
    let body = json!({"camel": "1.0.0", "types": [definition()]});
    assert_eq!(server.only().sent(), ("POST", PATH, Some(body)));
}

#[test]
fn what_may_be_left_out_may_be_null() {
    let null = json!({
        "camel": null, "name": "a", "title": null, "description": null, "parameters": null, "updatedAt": null,
        "createdBy": null,
    });
    for json in [json!({"name": "a"}), null] {
        let definition: TypeDefinition = serde_json::from_value(json).unwrap();
        assert_eq!(serde_json::to_value(&definition).unwrap(), json!({"name": "a"}));
    }
}

#[tokio::test]
async fn types_are_listed() {
    let list = r#"{"types": [{"name": "a", "updatedAt": 17, "createdBy": ["ann"]}, {"name": "b", "title": "B"}]}"#;
    let server = Server::answering(move || list).await;
    let types = server.client().types();
    let listed = types.list().await.unwrap();
    assert_eq!(server.only().sent(), ("GET", PATH, None));
    assert_eq!((listed[0].updated_at.as_ref(), listed[1].title.as_deref()), (Some(&json!(17)), Some("B")));
    let options = ListOptions::new().filter("name", "a/b").sort("updatedAt", Order::Descending).limit(20).skip(0);
    let query = "filter=%7B%22name%22%3A%22a%2Fb%22%7D&sort=%7B%22updatedAt%22%3A-1%7D&limit=20&skip=0";
    assert_eq!(types.list_with(&options).await.unwrap(), listed);
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}?{query}").as_str(), None));
}

#[tokio::test]
async fn a_type_is_deleted() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    server.client().types().delete("t").await.unwrap();
    assert_eq!(server.only().sent(), ("DELETE", format!("{PATH}/t").as_str(), None));
    let server = Server::answering(|| r#"{"success": false, "message": "in use"}"#).await;
    let error = server.client().types().delete("t").await.unwrap_err();
    assert_eq!(error.detail(), "cannot delete the type `t`: the platform did not do it: in use");
}

#[tokio::test]
async fn a_type_that_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"message": "t not found"}"#)).await;
    let types = server.client().types();
    let error = types.get("t").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the type `t`: the platform answered 404: t not found");
    assert_eq!(types.get_opt("t").await.unwrap(), None);
    assert!(types.delete("t").await.unwrap_err().is_not_found());
    let refusing = Server::answering(|| StatusCode::FORBIDDEN).await;
    assert_eq!(refusing.client().types().get_opt("t").await.unwrap_err().http_status(), Some(403));
}

#[tokio::test]
async fn names_stand_whole_in_paths() {
    let (path, answer) = (format!("{PATH}/"), r#"{"name": "a"}"#);
    names::check(answer, (&path, ""), async |client, name| client.types().get(name).await).await;
    names::check(answer, (&path, ""), async |client, name| client.types().delete(name).await).await;
}
