//! Sessions: what is sent, and how answers are read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use skill_sdk::client::{ListOptions, Order};
use skill_sdk::{Code, testing};

use crate::names;
use crate::server::Server;

const PATH: &str = "/fabric/v4/projects/test-project/sessions";

#[tokio::test]
async fn a_session_is_started() {
    let server = Server::answering(|| r#"{"success": true, "sessionId": "s 1"}"#).await;
    let sessions = server.client().sessions();
    assert_eq!(sessions.start(None, None).await.unwrap(), "s 1");
    assert_eq!(server.only().sent(), ("POST", PATH, Some(json!({"description": "No description given"}))));
    for (ttl, seconds) in [
        (Duration::from_secs(900), 900),
        (Duration::from_millis(1001), 2),
        (Duration::from_nanos(1), 1),
        (Duration::MAX, u64::MAX),
    ] {
        sessions.start(Some(ttl), Some("An order")).await.unwrap();
        let body = json!({"ttl": seconds, "description": "An order"});
        assert_eq!(server.only().sent(), ("POST", PATH, Some(body)), "{ttl:?}");
    }
    let error = sessions.start(Some(Duration::ZERO), None).await.unwrap_err();
    assert_eq!(error.code(), Code::SkillFailed);
    assert_eq!(error.detail(), "cannot start a session: its time to live must not be zero");
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_start_without_an_id_is_no_answer() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    let error = server.client().sessions().start(None, None).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().starts_with("cannot start a session: the answer is not the JSON"), "{error}");
}

#[tokio::test]
async fn sessions_are_listed() {
    let list = json!({"sessions": [
        {"sessionId": "s1", "ttl": 900, "description": "one", "new": {"x": [1]}},
        {"sessionId": "s2", "ttl": null, "description": null},
        {"sessionId": "s3", "ttl": 1.5},
    ]});
    let text = list.to_string();
    let server = Server::answering(move || text.clone()).await;
    let sessions = server.client().sessions();
    let records = sessions.list().await.unwrap();
    assert_eq!(server.only().sent(), ("GET", PATH, None));
    assert_eq!((records[0].session_id.as_str(), records[0].description.as_deref()), ("s1", Some("one")));
    assert_eq!(records[0].ttl, Some(900.into()));
    assert_eq!(records[0].other["new"], json!({"x": [1]}));
    assert_eq!((&records[1].ttl, &records[1].description), (&None, &None));
    assert_eq!(serde_json::to_value(&records[0]).unwrap(), list["sessions"][0]);
    let options = ListOptions::new().filter("sessionId", "s 1").sort("ttl", Order::Descending).limit(20).skip(0);
    sessions.list_with(&options).await.unwrap();
    let query = "filter=%7B%22sessionId%22%3A%22s+1%22%7D&sort=%7B%22ttl%22%3A-1%7D&limit=20&skip=0";
    assert_eq!(server.only().sent(), ("GET", format!("{PATH}?{query}").as_str(), None));
}

#[tokio::test]
async fn data_is_read_whole_or_by_key() {
    let server = Server::answering(|| r#"{"sessionId": "s", "state": {"a": {"b": [1]}, "null": null}}"#).await;
    let sessions = server.client().sessions();
    let path = format!("{PATH}/s");
    let state = sessions.get("s").await.unwrap();
    assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
    assert_eq!(Value::from(state.clone()), json!({"a": {"b": [1]}, "null": null}));
    assert_eq!(sessions.get_opt("s").await.unwrap(), Some(state));
    assert_eq!(server.only().target, path);
    assert_eq!(sessions.describe("s").await.unwrap()["sessionId"], "s");
    assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
    assert_eq!(sessions.describe_opt("s").await.unwrap().unwrap()["state"]["a"]["b"][0], 1);
    assert_eq!(server.only().target, path);
    for (key, query, value) in [
        ("a", "a", Some(json!({"b": [1]}))),
        ("null", "null", Some(Value::Null)),
        ("b c&d=ü/%", "b+c%26d%3D%C3%BC%2F%25", None),
        ("", "", None),
    ] {
        let path = format!("{path}?key={query}");
        assert_eq!(sessions.get_key_opt("s", key).await.unwrap(), value, "{key}");
        assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
        match (sessions.get_key("s", key).await, value) {
            (Ok(read), Some(value)) => assert_eq!(read, value, "{key}"),
            (Err(error), None) => {
                assert!(error.is_not_found());
                assert_eq!(error.detail(), format!("the session `s` has no key `{key}`"));
            }
            (result, _) => panic!("{key}: {result:?}"),
        }
        assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
    }
}

#[tokio::test]
async fn a_session_without_data_is_empty() {
    for answer in [r#"{"state": {}}"#, r#"{"state": null}"#] {
        let server = Server::answering(move || answer).await;
        let sessions = server.client().sessions();
        assert!(sessions.get("s").await.unwrap().is_empty(), "{answer}");
        assert_eq!(sessions.get_key_opt("s", "a").await.unwrap(), None);
        assert!(sessions.get_key("s", "a").await.unwrap_err().is_not_found());
    }
    for answer in [r#"{"sessionId": "s"}"#, r#"{"state": [1]}"#] {
        let server = Server::answering(move || answer).await;
        let error = server.client().sessions().get("s").await.unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable, "{answer}");
    }
}

#[tokio::test]
async fn data_is_put_under_state() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    let sessions = server.client().sessions();
    sessions.put("s", &json!({"b": 1.5, "a": [null]})).await.unwrap();
    let body = Some(json!({"state": {"b": 1.5, "a": [null]}}));
    assert_eq!(server.only().sent(), ("POST", format!("{PATH}/s").as_str(), body));
    sessions.put("s", &std::collections::BTreeMap::from([("k", 2)])).await.unwrap();
    assert_eq!(server.only().sent().2, Some(json!({"state": {"k": 2}})));
    for value in [json!([1]), json!("text"), json!(null), json!(1)] {
        let error = sessions.put("s", &value).await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        assert_eq!(error.detail(), "cannot put data into the session `s`: it must be a JSON object", "{value}");
    }
    let keys_are_no_texts = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = sessions.put("s", &keys_are_no_texts).await.unwrap_err();
    assert_eq!(error.detail(), "cannot put data into the session `s`: it cannot be written as JSON");
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn neither_a_put_nor_a_start_is_repeated_when_it_may_have_had_its_effect() {
    let server = failing_once().await;
    assert_eq!(server.client().sessions().put("s", &json!({})).await.unwrap_err().http_status(), Some(503));
    assert_eq!(server.noted.lock().unwrap().len(), 1);
    let server = failing_once().await;
    assert_eq!(server.client().sessions().start(None, None).await.unwrap_err().http_status(), Some(503));
    assert_eq!(server.noted.lock().unwrap().len(), 1);
}

async fn failing_once() -> Server {
    let calls = AtomicUsize::new(0);
    Server::start(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
        _ => r#"{"success": true, "sessionId": "s"}"#.into_response(),
    })
    .await
}

#[tokio::test]
async fn a_session_is_deleted() {
    let server = Server::answering(|| r#"{"success": true, "message": "gone"}"#).await;
    server.client().sessions().delete("s").await.unwrap();
    assert_eq!(server.only().sent(), ("DELETE", format!("{PATH}/s").as_str(), None));
    let server = Server::answering(|| r#"{"success": false, "message": "in use"}"#).await;
    let error = server.client().sessions().delete("s").await.unwrap_err();
    assert_eq!(error.detail(), "cannot delete the session `s`: the platform did not do it: in use");
}

#[tokio::test]
async fn a_session_that_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"message": "s not found"}"#)).await;
    let sessions = server.client().sessions();
    let error = sessions.get("s").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the session `s`: the platform answered 404: s not found");
    assert_eq!(sessions.get_opt("s").await.unwrap(), None);
    assert!(sessions.describe("s").await.unwrap_err().is_not_found());
    assert_eq!(sessions.describe_opt("s").await.unwrap(), None);
    let error = sessions.get_key("s", "k").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the session `s`: the platform answered 404: s not found");
    assert_eq!(sessions.get_key_opt("s", "k").await.unwrap(), None);
    assert!(sessions.put("s", &json!({})).await.unwrap_err().is_not_found());
    assert!(sessions.delete("s").await.unwrap_err().is_not_found());
    let refusing = Server::answering(|| StatusCode::FORBIDDEN).await;
    let sessions = refusing.client().sessions();
    assert_eq!(sessions.get_opt("s").await.unwrap_err().http_status(), Some(403));
    assert_eq!(sessions.describe_opt("s").await.unwrap_err().http_status(), Some(403));
    assert_eq!(sessions.get_key_opt("s", "k").await.unwrap_err().http_status(), Some(403));
}

#[tokio::test]
async fn ids_stand_whole_in_paths() {
    let (path, answer) = (format!("{PATH}/"), r#"{"state": {}}"#);
    names::check(answer, (&path, ""), async |client, id| client.sessions().get(id).await).await;
    names::check(answer, (&path, "?key=k"), async |client, id| client.sessions().get_key_opt(id, "k").await).await;
    names::check(answer, (&path, ""), async |client, id| client.sessions().describe(id).await).await;
    names::check(answer, (&path, ""), async |client, id| client.sessions().put(id, &json!({})).await).await;
    names::check(answer, (&path, ""), async |client, id| client.sessions().delete(id).await).await;
}

#[tokio::test]
async fn a_skill_has_the_session_of_its_message() {
    let server = Server::answering(|| r#"{"state": {"k": 1}}"#).await;
    let context = |json: Value| {
        let message = testing::message(&()).with_api_endpoint(&server.url).with_activation_id("");
        let mut whole: Value = serde_json::from_str(&message.to_json_with_token()).unwrap();
        whole.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        testing::context_of(whole.to_string().parse().unwrap())
    };
    let session = context(json!({"sessionId": "s/1", "activationId": "a"})).session().unwrap();
    assert_eq!(session.id(), "s/1");
    let path = format!("{PATH}/s%2F1");
    assert_eq!(session.get().await.unwrap()["k"], 1);
    assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
    assert_eq!(session.get_opt().await.unwrap().unwrap()["k"], 1);
    assert_eq!(server.only().sent(), ("GET", path.as_str(), None));
    assert_eq!(session.get_key("k").await.unwrap(), 1);
    assert_eq!(server.only().sent(), ("GET", format!("{path}?key=k").as_str(), None));
    assert_eq!(session.get_key_opt("other").await.unwrap(), None);
    assert_eq!(server.only().sent(), ("GET", format!("{path}?key=other").as_str(), None));
    session.put(&json!({"k": 2})).await.unwrap();
    assert_eq!(server.only().sent(), ("POST", path.as_str(), Some(json!({"state": {"k": 2}}))));
    session.delete().await.unwrap();
    assert_eq!(server.only().sent(), ("DELETE", path.as_str(), None));

    assert_eq!(context(json!({"activationId": "a"})).session().unwrap().id(), "a");
    assert_eq!(context(json!({"sessionId": "", "activationId": "a"})).session().unwrap().id(), "a");
    let error = context(json!({})).session().unwrap_err();
    assert_eq!((error.code(), error.missing()), (Code::InvalidMessage, &[json!("sessionId")][..]));
    let error = context(json!({"sessionId": "s", "token": ""})).session().unwrap_err();
    assert_eq!(error.code(), Code::TokenMissing);
    assert!(server.noted.lock().unwrap().is_empty());
}
