//! Connections through the client.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::client::connections::Connection;
use skill_sdk::client::{ListOptions, Order};

use crate::support::Local;

fn text(connection: &Connection, param: &str) -> String {
    connection.param(param).unwrap().text().unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_connection_is_saved_read_and_deleted() {
    let local = Local::start().await;
    let client = local.client();
    let connections = client.connections();
    let mut new = Connection::new("acme/orders", "mongo").with_param("uri", "mongodb://db");
    new = new.with_param("password", "#SECURE.db/password").with_param("options", json!({"tls": true}));
    (new.title, new.allow_read) = (Some("Orders".to_owned()), Some(true));
    connections.save(&new).await.unwrap();

    let described = connections.describe("acme/orders").await.unwrap();
    assert_eq!((described.name.as_str(), described.title.as_deref()), ("acme/orders", Some("Orders")));
    assert_eq!((described.connection_type.as_deref(), described.allow_read), (Some("mongo"), Some(true)));
    assert!(described.created_at.as_ref().is_some_and(Value::is_string));
    assert_eq!(text(&described, "password"), "#SECURE.db/password");

    // Inside the cluster the secret is in place, once there is one.
    let error = connections.get("acme/orders").await.unwrap_err();
    assert_eq!(error.http_status(), Some(400));
    client.secrets().post("db/password", "top secret").await.unwrap();
    let got = connections.get("acme/orders").await.unwrap();
    assert_eq!((text(&got, "uri"), text(&got, "password")), ("mongodb://db".to_owned(), "top secret".to_owned()));
    assert_eq!(got.param("options").unwrap().expose_secret::<Value>().unwrap(), json!({"tls": true}));
    assert!(connections.get_opt("acme/orders").await.unwrap().is_some());
    assert!(!format!("{got:?}").contains("top secret"));

    // What was read can be saved again.
    connections.save(&described).await.unwrap();
    let again = connections.describe_opt("acme/orders").await.unwrap().unwrap();
    assert_eq!((&again.created_at, &again.other["_version"]), (&described.created_at, &json!(2)));

    connections.delete("acme/orders").await.unwrap();
    for error in [
        connections.get("acme/orders").await.unwrap_err(),
        connections.describe("acme/orders").await.unwrap_err(),
        connections.delete("acme/orders").await.unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error}");
    }
    assert!(connections.get_opt("acme/orders").await.unwrap().is_none());
    assert!(connections.describe_opt("acme/orders").await.unwrap().is_none());
}

#[tokio::test]
async fn connections_and_their_types_are_listed() {
    let local = Local::start().await;
    let connections = local.client().connections();
    assert!(connections.list().await.unwrap().is_empty());
    for (name, kind) in [("b", "mongo"), ("a", "jdbc_generic"), ("c", "mongo")] {
        connections.save(&Connection::new(name, kind)).await.unwrap();
    }
    let names = |listed: Vec<Connection>| listed.into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(connections.list().await.unwrap()), ["c", "a", "b"]);
    let mongo = ListOptions::new().filter("connectionType", "mongo").sort("name", Order::Ascending);
    assert_eq!(names(connections.list_with(&mongo).await.unwrap()), ["b", "c"]);
    assert_eq!(names(connections.list_with(&mongo.limit(1).skip(1)).await.unwrap()), ["c"]);

    let types = connections.types().await.unwrap();
    assert!(types.iter().any(|kind| kind.name == "mongo" && kind.title.is_some() && kind.description.is_some()));
    assert_eq!(connections.types_with(&ListOptions::new().limit(2)).await.unwrap(), types[..2]);
}

#[tokio::test]
async fn a_connection_that_is_refused_shows_no_value() {
    let local = Local::start().await;
    let connections = local.client().connections();
    let error = connections.save(&json!({"name": "n", "params": [{"value": "top secret"}]})).await.unwrap_err();
    assert_eq!(error.http_status(), Some(400));
    assert!(!format!("{error:?} {}", error.chain()).contains("top secret"), "{error}");
}
