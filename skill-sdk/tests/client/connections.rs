//! Connections: where they are asked for, what is sent, and that their values do not show.

use axum::http::StatusCode;
use serde_json::{Value, json};
use skill_sdk::Code;
use skill_sdk::client::{Connection, ConnectionParam, ListOptions, Order, SecretValue};
use skill_sdk::secrecy::ExposeSecret;

use crate::names;
use crate::server::Server;

const PUBLIC: &str = "/fabric/v4/projects/test-project/connections";
const INTERNAL: &str = "/internal/projects/test-project/connections";

/// What stands in an error for words that may repeat a value.
const LEFT_OUT: &str = "its words are left out, because they may repeat what is secret";

/// A connection with every field, and some that nobody knows.
fn complete() -> Value {
    json!({
        "name": "orders", "title": "Orders", "description": "All of them", "connectionType": "mongo",
        "contentType": "application/json", "allowRead": true, "allowWrite": false,
        "params": [
            {"name": "uri", "value": "mongodb://ann:hunter2@db"},
            {"name": "retries", "value": 3, "secure": true},
            {"name": "options", "value": {"ssl": [true, "hunter3"]}},
        ],
        "createdAt": "2024-05-01T10:00:00.000Z", "_version": 2,
    })
}

#[tokio::test]
async fn a_connection_is_saved() {
    let server = Server::answering(|| r#"{"success": true, "version": 3}"#).await;
    let connections = server.client().connections();
    connections.save(&complete()).await.unwrap();
    // What the platform adds is not sent back.
    let mut saved = complete();
    saved.as_object_mut().unwrap().retain(|field, _| !matches!(field.as_str(), "createdAt" | "_version"));
    assert_eq!(server.only().sent(), ("POST", PUBLIC, Some(saved)));
    let mut connection = Connection::new("orders", "mongo").with_param("uri", "#SECURE.uri").with_param("n", json!(1));
    connection.allow_read = Some(true);
    connections.save(&connection).await.unwrap();
    let sent = json!({
        "name": "orders", "connectionType": "mongo", "allowRead": true,
        "params": [{"name": "uri", "value": "#SECURE.uri"}, {"name": "n", "value": 1}],
    });
    assert_eq!(server.only().sent(), ("POST", PUBLIC, Some(sent)));
}

#[tokio::test]
async fn a_connection_is_got_from_the_internal_address_and_described_at_the_public_one() {
    let server = Server::answering(|| complete().to_string()).await;
    let connections = server.client().connections();
    let (internal, public) = (format!("{INTERNAL}/orders"), format!("{PUBLIC}/orders"));
    let got = connections.get("orders").await.unwrap();
    assert_eq!(server.only().sent(), ("GET", internal.as_str(), None));
    let again = connections.get_opt("orders").await.unwrap().unwrap();
    assert_eq!(server.only().sent(), ("GET", internal.as_str(), None));
    let described = connections.describe("orders").await.unwrap();
    assert_eq!(server.only().sent(), ("GET", public.as_str(), None));
    let described_again = connections.describe_opt("orders").await.unwrap().unwrap();
    assert_eq!(server.only().sent(), ("GET", public.as_str(), None));
    for connection in [&got, &again, &described, &described_again] {
        assert_eq!(serde_json::to_value(connection).unwrap(), complete());
        assert_eq!(connection.title.as_deref(), Some("Orders"));
        assert_eq!((connection.allow_read, connection.allow_write), (Some(true), Some(false)));
        assert_eq!(connection.other["_version"], 2);
        let uri = connection.param("uri").unwrap().text().unwrap();
        assert_eq!(uri.expose_secret(), "mongodb://ann:hunter2@db");
        assert_eq!(connection.param("retries").unwrap().expose_secret::<u8>().unwrap(), 3);
        assert!(connection.param("other").is_none());
    }
}

#[test]
fn what_may_be_left_out_may_be_null() {
    let null = json!({
        "name": "a", "title": null, "description": null, "connectionType": null, "contentType": null,
        "allowRead": null, "allowWrite": null, "params": null, "createdAt": null,
    });
    for json in [json!({"name": "a"}), null] {
        let connection: Connection = serde_json::from_value(json).unwrap();
        assert_eq!(serde_json::to_value(&connection).unwrap(), json!({"name": "a"}));
    }
    let param: ConnectionParam = serde_json::from_value(json!({"name": "a"})).unwrap();
    assert_eq!(serde_json::to_value(&param).unwrap(), json!({"name": "a", "value": null}));
}

#[test]
fn values_do_not_show() {
    let mut json = complete();
    json["params"][0]["plain"] = json!("hunter4");
    json["uri"] = json!("hunter5");
    let connection: Connection = serde_json::from_value(json).unwrap();
    for shown in [format!("{connection:?}"), format!("{connection:#?}"), format!("{:?}", connection.params)] {
        assert!(shown.contains("retries") && !shown.contains("hunter"), "{shown}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_show_the_values() {
    for value in [json!("hunter2"), json!({"password": ["hunter2"]}), json!("mongodb://ann:hunter2@db")] {
        for status in [400, 500] {
            let body = r#"{"success": false, "message": "orders: bad value hunter2@db"}"#;
            let server = Server::answering(move || (StatusCode::from_u16(status).unwrap(), body)).await;
            let connection = Connection::new("orders", "mongo").with_param("uri", value.clone());
            let error = server.client().connections().save(&connection).await.unwrap_err();
            let detail = format!("cannot save a connection: the platform answered {status}: {LEFT_OUT}");
            assert_eq!((error.detail(), error.http_status()), (detail.as_str(), Some(status)));
            assert!(!format!("{error:?} {}", error.chain()).contains("hunter2"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn values_may_be_secrets() {
    let server = Server::answering(|| r#"{"value": "hunter2"}"#).await;
    let secret = server.client().secrets().get("a").await.unwrap();
    server.only();
    let connection = Connection::new("orders", "mongo")
        .with_param("got", &secret)
        .with_param("text", secret.text().unwrap())
        .with_param("structure", SecretValue::new(&("a", 1)).unwrap())
        .with_param("moved", secret);
    server.client().connections().save(&connection).await.unwrap();
    let sent = json!({
        "name": "orders", "connectionType": "mongo",
        "params": [
            {"name": "got", "value": "hunter2"}, {"name": "text", "value": "hunter2"},
            {"name": "structure", "value": ["a", 1]}, {"name": "moved", "value": "hunter2"},
        ],
    });
    assert_eq!(server.only().sent(), ("POST", PUBLIC, Some(sent)));
}

#[tokio::test]
async fn a_connection_that_is_not_saved() {
    let connection = Connection::new("orders", "mongo").with_param("uri", "hunter2");
    for (body, said) in [
        (r#"{"success": false, "message": "no such type"}"#, "no such type"),
        (r#"{"success": false, "error": {"uri": "hunter2"}}"#, LEFT_OUT),
    ] {
        let server = Server::answering(move || body).await;
        let error = server.client().connections().save(&connection).await.unwrap_err();
        assert_eq!(error.detail(), format!("cannot save a connection: the platform did not do it: {said}"));
    }
}

#[tokio::test]
async fn a_refusal_shows_what_is_no_value() {
    let body = r#"{"message": "no secret #SECURE.orders-uri for uri of orders, true, 1"}"#;
    let server = Server::answering(move || (StatusCode::BAD_REQUEST, body)).await;
    let connection = Connection::new("orders", "mongo").with_param("uri", "#SECURE.orders-uri");
    let error = server.client().connections().save(&connection).await.unwrap_err();
    assert!(error.detail().ends_with("400: no secret #SECURE.orders-uri for uri of orders, true, 1"), "{error}");
    // Values that say too little to be secret.
    let connection = Connection::new("orders", "mongo").with_param("retries", json!(1)).with_param("ssl", json!(true));
    let error = server.client().connections().save(&connection).await.unwrap_err();
    assert!(error.detail().ends_with("400: no secret #SECURE.orders-uri for uri of orders, true, 1"), "{error}");
    // Parameters of other forms are secret as a whole.
    for params in [json!({"uri": "orders-uri"}), json!("orders-uri"), json!(["orders-uri"])] {
        let error = server.client().connections().save(&json!({"name": "a", "params": params})).await.unwrap_err();
        assert!(!error.detail().contains("orders-uri"), "{error}");
    }
}

#[tokio::test]
async fn connections_are_listed() {
    let list = r#"{"success": true, "connections": [
        {"name": "a", "title": "A", "description": "d", "connectionType": "s3", "createdAt": 1714557600000},
        {"name": "b", "title": null, "createdBy": {"id": 1}}
    ]}"#;
    let server = Server::answering(move || list).await;
    let connections = server.client().connections();
    let listed = connections.list().await.unwrap();
    assert_eq!(server.only().sent(), ("GET", PUBLIC, None));
    assert_eq!((listed[0].name.as_str(), listed[0].connection_type.as_deref()), ("a", Some("s3")));
    assert_eq!(listed[0].created_at, Some(json!(1_714_557_600_000_i64)));
    assert_eq!((listed[1].title.as_deref(), &listed[1].other["createdBy"]), (None, &json!({"id": 1})));
    let options = ListOptions::new().filter("connectionType", "s3").sort("name", Order::Ascending).limit(2).skip(1);
    connections.list_with(&options).await.unwrap();
    let query = "filter=%7B%22connectionType%22%3A%22s3%22%7D&sort=%7B%22name%22%3A1%7D&limit=2&skip=1";
    assert_eq!(server.only().sent(), ("GET", format!("{PUBLIC}?{query}").as_str(), None));
}

#[tokio::test]
async fn types_are_those_of_the_platform() {
    let list = json!({"connectionTypes": [
        {"name": "s3", "title": "S3", "description": "A bucket", "params": [{"name": "uri"}]},
        {"name": "mongo", "title": null},
    ]});
    let text = list.to_string();
    let server = Server::answering(move || text.clone()).await;
    let connections = server.client().connections();
    let types = connections.types().await.unwrap();
    assert_eq!(server.only().sent(), ("GET", "/fabric/v4/connectiontypes", None));
    assert_eq!((types[0].name.as_str(), types[0].title.as_deref()), ("s3", Some("S3")));
    assert_eq!((types[1].title.as_deref(), types[1].description.as_deref()), (None, None));
    assert_eq!(serde_json::to_value(&types[0]).unwrap(), list["connectionTypes"][0]);
    connections.types_with(&ListOptions::new().limit(20).skip(40)).await.unwrap();
    assert_eq!(server.only().sent(), ("GET", "/fabric/v4/connectiontypes?limit=20&skip=40", None));
}

#[tokio::test]
async fn a_connection_is_deleted() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    server.client().connections().delete("a").await.unwrap();
    assert_eq!(server.only().sent(), ("DELETE", format!("{PUBLIC}/a").as_str(), None));
    let server = Server::answering(|| r#"{"success": false, "error": "in use"}"#).await;
    let error = server.client().connections().delete("a").await.unwrap_err();
    assert_eq!(error.detail(), "cannot delete the connection `a`: the platform did not do it: in use");
}

#[tokio::test]
async fn a_connection_that_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"message": "a not found"}"#)).await;
    let connections = server.client().connections();
    let error = connections.get("a").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the connection `a`: the platform answered 404: a not found");
    assert!(connections.get_opt("a").await.unwrap().is_none());
    assert!(connections.describe("a").await.unwrap_err().is_not_found());
    assert!(connections.describe_opt("a").await.unwrap().is_none());
    assert!(connections.delete("a").await.unwrap_err().is_not_found());
    let refusing = Server::answering(|| StatusCode::FORBIDDEN).await;
    let connections = refusing.client().connections();
    assert_eq!(connections.get_opt("a").await.unwrap_err().http_status(), Some(403));
    let error = connections.describe_opt("a").await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(403)));
}

#[tokio::test]
async fn names_stand_whole_in_paths() {
    let (internal, public, answer) = (format!("{INTERNAL}/"), format!("{PUBLIC}/"), r#"{"name": "a"}"#);
    names::check(answer, (&internal, ""), async |client, name| client.connections().get(name).await).await;
    names::check(answer, (&public, ""), async |client, name| client.connections().describe(name).await).await;
    names::check(answer, (&public, ""), async |client, name| client.connections().delete(name).await).await;
}
