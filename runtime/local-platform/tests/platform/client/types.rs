//! Types through the client.

use serde_json::json;
use skill_sdk::client::types::TypeDefinition;
use skill_sdk::client::{ListOptions, Order};

use crate::support::Local;

#[tokio::test]
async fn types_are_saved_read_listed_and_deleted() {
    let local = Local::start().await;
    let types = local.client().types();
    assert!(types.list().await.unwrap().is_empty());
    let parameters = json!([{"name": "text", "type": "string"}]);
    let mut text = TypeDefinition::new("acme/text").with_parameters(parameters.clone());
    text.title = Some("Text".to_owned());
    let answer = types.save(&[text, TypeDefinition::new("count")]).await.unwrap();
    assert_eq!((&answer["success"], &answer["types"][1]["name"]), (&json!(true), &json!("count")));

    let read = types.get("acme/text").await.unwrap();
    assert_eq!((read.title.as_deref(), read.parameters.as_ref()), (Some("Text"), Some(&parameters)));
    assert_eq!(read.camel.as_deref(), Some("1.0.0"));
    assert!(read.updated_at.is_some() && read.created_by.is_some());
    assert_eq!(types.get_opt("acme/text").await.unwrap(), Some(read.clone()));

    // What was read can be saved again.
    types.save(&[read]).await.unwrap();
    let names = |listed: Vec<TypeDefinition>| listed.into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(types.list().await.unwrap()), ["acme/text", "count"]);
    let by_name = ListOptions::new().sort("name", Order::Descending);
    assert_eq!(names(types.list_with(&by_name.clone().limit(1)).await.unwrap()), ["count"]);
    assert_eq!(names(types.list_with(&by_name.filter("title", "Text")).await.unwrap()), ["acme/text"]);

    types.delete("acme/text").await.unwrap();
    assert!(types.get("acme/text").await.unwrap_err().is_not_found());
    assert!(types.delete("acme/text").await.unwrap_err().is_not_found());
    assert!(types.get_opt("acme/text").await.unwrap().is_none());
    let error = types.save(&[json!({"title": "nameless"})]).await.unwrap_err();
    assert_eq!(error.http_status(), Some(400));
    assert!(error.detail().contains("is required"), "{error}");
}
