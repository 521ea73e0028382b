//! Connections (fabric-api section 5).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{self, Local, each};

fn connection(name: &str) -> Value {
    json!({
        "name": name, "title": "Orders", "description": null, "connectionType": "mongo", "contentType": "json",
        "allowRead": true, "allowWrite": false,
        "params": [
            {"name": "uri", "value": "mongodb://db/orders"},
            {"name": "password", "value": "#SECURE.db/password"},
            {"name": "options", "value": "#SECURE.options"},
            {"name": "empty"},
        ],
    })
}

async fn inside(local: &Local, name: &str) -> (u16, Value) {
    let response = local.get(&format!("/internal/projects/local/connections/{name}")).await;
    (response.status().as_u16(), support::json(response).await)
}

#[tokio::test]
async fn a_connection_is_what_was_saved_and_what_the_platform_knows() {
    let local = Local::start().await;
    let mut sent = connection("acme/orders");
    for field in ["_id", "_version", "createdAt", "createdBy", "success", "_projectId"] {
        sent[field] = json!(false);
    }
    let first = local.save("/connections", sent).await;
    for (field, value) in connection("acme/orders").as_object().unwrap() {
        assert_eq!(first[field], *value, "{field}");
    }
    assert_eq!((&first["_version"], &first["_projectId"]), (&json!(1), &json!("local")));
    assert!(first["createdBy"].is_string() && first["_id"].is_string());
    first["createdAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for path in ["/connections/acme%2Forders", "/connections/acme/orders"] {
        assert_eq!(local.read(path).await, first);
    }
    // A save replaces all that a client said before.
    let second = local.save("/connections", json!({"name": "acme/orders", "title": "New"})).await;
    assert_eq!((&second["title"], &second["params"], &second["_version"]), (&json!("New"), &json!(null), &json!(2)));
    for field in ["_id", "createdAt", "createdBy"] {
        assert_eq!(second[field], first[field]);
    }
    assert_eq!(local.restart().await.read("/connections/acme/orders").await, second);
}

#[tokio::test]
async fn inside_the_cluster_secrets_are_resolved() {
    let local = Local::start().await;
    local.save("/connections", connection("acme/orders")).await;
    let (status, answer) = inside(&local, "acme%2Forders").await;
    assert_eq!((status, &answer["missing"]), (400, &json!(["db/password", "options"])));
    local.save("/secrets/db/password", json!("top secret")).await;
    local.save("/secrets/options", json!({"value": {"tls": true}})).await;
    for name in ["acme%2Forders", "acme/orders"] {
        let (status, answer) = inside(&local, name).await;
        assert_eq!(status, 200);
        let values = answer["params"].as_array().unwrap().iter().map(|param| &param["value"]);
        let expected = [&json!("mongodb://db/orders"), &json!("top secret"), &json!({"tls": true}), &json!(null)];
        assert_eq!(values.collect::<Vec<_>>(), expected);
    }
    // From outside they are not.
    let outside = local.read("/connections/acme/orders").await;
    assert_eq!(outside["params"][1]["value"], "#SECURE.db/password");
    let listed = local.read("/connections").await;
    assert_eq!(listed["connections"][0]["params"][1]["value"], "#SECURE.db/password");
}

#[tokio::test]
async fn connections_are_listed_and_deleted() {
    let local = Local::start().await;
    assert_eq!(local.read("/connections").await, json!({"success": true, "connections": []}));
    for (name, kind) in [("b", "mongo"), ("a", "s3FileStream"), ("c", "mongo")] {
        local.save("/connections", json!({"name": name, "connectionType": kind})).await;
    }
    for (query, expected) in [
        ("", &["c", "a", "b"][..]),
        ("?sort=%7B%22name%22%3A1%7D", &["a", "b", "c"]),
        ("?limit=20&skip=1&sort=%7B%22updatedAt%22%3A-1%7D&compat=true", &["a", "b"]),
        ("?filter=%7B%22connectionType%22%3A%22mongo%22%7D&limit=1", &["c"]),
    ] {
        let listed = local.read(&format!("/connections{query}")).await;
        assert_eq!(each(&listed["connections"], "name"), expected, "{query}");
    }
    let (status, answer) = local.call(Method::DELETE, "/connections/a", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    for (method, status) in [(Method::GET, 404), (Method::DELETE, 404)] {
        assert_eq!(local.call(method, "/connections/a", None).await.0, status);
    }
    assert_eq!(inside(&local, "a").await.0, 404);
    assert_eq!(each(&local.read("/connections").await["connections"], "name"), ["c", "b"]);
}

#[tokio::test]
async fn what_is_no_connection_is_refused() {
    let local = Local::start().await;
    for (body, field) in [
        (json!({}), "body.name"),
        (json!({"name": null}), "body.name"),
        (json!({"name": 1}), "body.name"),
        (json!({"name": "n", "params": {}}), "body.params"),
        (json!({"name": "n", "params": [{"value": 1}]}), "body.params"),
        (json!({"name": "n", "params": ["a"]}), "body.params"),
    ] {
        let (status, answer) = local.call(Method::POST, "/connections", Some(body.clone())).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["details"][field]["message"].is_string(), "{answer}");
    }
    for body in [json!([]), json!("n"), json!({"name": ""}), json!({"name": "a\nb"}), json!({"name": "n".repeat(513)})]
    {
        assert_eq!(local.call(Method::POST, "/connections", Some(body)).await.0, 400);
    }
    for query in ["?filter=x", "?sort=x", "?limit=-1", "?filter=%7B%22%24where%22%3A1%7D"] {
        assert_eq!(local.call(Method::GET, &format!("/connections{query}"), None).await.0, 400, "{query}");
    }
    assert_eq!(local.read("/connections").await["connections"], json!([]));
}

#[tokio::test]
async fn the_usual_types_are_listed() {
    let local = Local::start().await;
    let all = support::json(local.get("/fabric/v4/connectiontypes?limit=20&skip=0").await).await;
    assert_eq!(all["success"], true);
    let names = each(&all["connectionTypes"], "name");
    assert!(names.contains(&"mongo") && names.is_sorted());
    for kind in all["connectionTypes"].as_array().unwrap() {
        assert!(kind["title"].is_string() && kind["description"].is_string());
    }
    let two = support::json(local.get("/fabric/v4/connectiontypes?limit=1&skip=1").await).await;
    assert_eq!(each(&two["connectionTypes"], "name"), names[1..2]);
}
