//! Types (fabric-api section 8).

use reqwest::Method;
use serde_json::json;

use crate::support::{Local, each};

#[tokio::test]
async fn types_are_saved_alone_or_together() {
    let local = Local::start().await;
    let two = [json!({"name": "acme/text", "title": "Text"}), json!({"camel": "2.0.0", "name": "b", "parameters": []})];
    let saved = local.save("/types", json!({"camel": "1.0.0", "types": two})).await;
    assert_eq!(each(&saved["types"], "name"), ["acme/text", "b"]);
    local.save("/types", json!({"types": [{"name": "c"}]})).await;
    local.save("/types", json!({"camel": "1.0.0", "name": "d"})).await;
    for (path, camel) in [("acme%2Ftext", "1.0.0"), ("acme/text", "1.0.0"), ("b", "2.0.0"), ("d", "1.0.0")] {
        let kept = local.read(&format!("/types/{path}")).await;
        assert_eq!((&kept["camel"], &kept["success"]), (&json!(camel), &json!(true)), "{path}");
        assert!(kept["createdBy"].is_string() && kept["updatedAt"].is_string());
    }
    assert_eq!(local.read("/types/c").await["camel"], json!(null));
    assert_eq!(each(&local.read("/types").await["types"], "name"), ["d", "c", "b", "acme/text"]);
    let title = local.read("/types?filter=%7B%22title%22%3A%22Text%22%7D").await;
    assert_eq!(each(&title["types"], "name"), ["acme/text"]);

    local.save("/types", json!({"types": [{"name": "b", "description": "again"}]})).await;
    let again = local.read("/types/b").await;
    assert_eq!((&again["_version"], &again["parameters"]), (&json!(2), &json!(null)));
    assert_eq!(each(&local.read("/types?limit=1").await["types"], "name"), ["b"]);
}

#[tokio::test]
async fn types_are_saved_all_or_none() {
    let local = Local::start().await;
    for types in [json!([{"name": "a"}, {}]), json!([{"name": "a"}, 1]), json!({"name": "a"}), json!("a")] {
        let (status, answer) = local.call(Method::POST, "/types", Some(json!({"types": types}))).await;
        assert_eq!((status, &answer["success"]), (400, &json!(false)));
        assert!(answer["details"].as_object().unwrap().keys().all(|path| path.starts_with("body.")));
    }
    assert_eq!(local.read("/types").await, json!({"success": true, "types": []}));
}

#[tokio::test]
async fn types_are_deleted() {
    let local = Local::start().await;
    local.save("/types", json!({"name": "acme/text"})).await;
    let (status, answer) = local.call(Method::DELETE, "/types/acme%2Ftext", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    for method in [Method::GET, Method::DELETE] {
        let (status, answer) = local.call(method, "/types/acme/text", None).await;
        assert_eq!((status, &answer["message"]), (404, &json!("acme/text not found")));
    }
}
