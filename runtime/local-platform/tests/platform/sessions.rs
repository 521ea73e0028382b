//! Sessions (fabric-api section 6).

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::support::{Local, PATIENCE, each};

async fn start(local: &Local, body: Value) -> String {
    local.save("/sessions", body).await["sessionId"].as_str().unwrap().to_owned()
}

/// Waits until a session is not found.
async fn expired(local: &Local, id: &str) {
    let gone = async { while local.call(Method::GET, &format!("/sessions/{id}"), None).await.0 != 404 {} };
    timeout(PATIENCE, gone).await.expect("the session expires");
}

#[tokio::test]
async fn a_session_is_started_with_an_id_and_a_time() {
    let local = Local::start().await;
    let a = start(&local, json!({"description": "No description given"})).await;
    let b = start(&local, json!({"ttl": 0})).await;
    let c = start(&local, json!({"sessionId": "s/1", "ttl": 1000, "description": "mine", "success": false})).await;
    assert!(a != b && c == "s/1");
    let listed = local.read("/sessions?limit=20").await;
    assert_eq!(each(&listed["sessions"], "sessionId").len(), 3);
    assert!(listed["sessions"].as_array().unwrap().iter().all(|session| session.get("state").is_none()));
    for (id, ttl, description) in
        [(&*a, 900, json!("No description given")), (&*b, 900, json!(null)), ("s%2F1", 1000, json!("mine"))]
    {
        for query in ["", "?verbose=true", "?verbose=undefined"] {
            let session = local.read(&format!("/sessions/{id}{query}")).await;
            assert_eq!((&session["ttl"], &session["description"]), (&json!(ttl), &description));
            assert_eq!((&session["state"], &session["success"]), (&json!({}), &json!(true)));
            assert!(session["createdAt"].is_string() && session["createdBy"].is_string());
        }
    }
}

#[tokio::test]
async fn a_put_merges_the_keys_at_the_top() {
    let local = Local::start().await;
    let path = format!("/sessions/{}", start(&local, json!({})).await);
    local.save(&path, json!({"state": {"a": 1, "deep": {"x": 1}, "": 0, "a\u{0}b": "nul"}})).await;
    local.save(&path, json!({"state": {"a": null, "deep": {"y": 2}, "b&c": [1.5, {"z": 1}]}})).await;
    local.save(&path, json!({"state": {}})).await;
    let state = json!({"a": null, "deep": {"y": 2}, "": 0, "a\u{0}b": "nul", "b&c": [1.5, {"z": 1}]});
    assert_eq!(local.read(&path).await["state"], state);
    for (key, state) in [
        ("deep", json!({"deep": {"y": 2}})),
        ("a", json!({"a": null})),
        ("b%26c", json!({"b&c": [1.5, {"z": 1}]})),
        ("absent", json!({})),
        ("dee", json!({})),
        ("", json!({"": 0})),
    ] {
        assert_eq!(local.read(&format!("{path}?key={key}")).await["state"], state, "{key}");
    }
    assert_eq!(local.restart().await.read(&path).await["state"], state);
}

#[tokio::test]
async fn a_session_is_not_found_after_its_time() {
    let local = Local::start().await;
    for id in ["short", "short/other"] {
        start(&local, json!({"sessionId": id, "ttl": 900})).await;
        local.save(&format!("/sessions/{id}"), json!({"state": {"k": "old"}})).await;
    }
    // It is saved once more with a time that is over at once.
    start(&local, json!({"sessionId": "short", "ttl": 0.001})).await;
    expired(&local, "short").await;
    for (method, body) in [(Method::POST, Some(json!({"state": {"k": 1}}))), (Method::DELETE, None)] {
        let (status, answer) = local.call(method, "/sessions/short", body).await;
        assert_eq!((status, &answer["message"]), (404, &json!("short not found")));
    }
    assert_eq!(each(&local.read("/sessions").await["sessions"], "sessionId"), ["short/other"]);
    // Another of that id has nothing of it, and the one beside it is whole.
    start(&local, json!({"sessionId": "short"})).await;
    assert_eq!(local.read("/sessions/short").await["state"], json!({}));
    assert_eq!(local.read("/sessions/short/other").await["state"], json!({"k": "old"}));
}

#[tokio::test]
async fn a_session_that_is_saved_again_keeps_its_data() {
    let local = Local::start().await;
    start(&local, json!({"sessionId": "s", "description": "first", "more": 1})).await;
    local.save("/sessions/s", json!({"state": {"a": 1, "b": 1}})).await;
    let first = local.read("/sessions/s").await;
    start(&local, json!({"sessionId": "s", "ttl": 1000, "state": {"b": 2}})).await;
    let second = local.read("/sessions/s").await;
    assert_eq!((&second["ttl"], &second["description"], &second["more"]), (&json!(1000), &json!(null), &json!(null)));
    assert_eq!((&second["state"], &second["createdAt"]), (&json!({"a": 1, "b": 2}), &first["createdAt"]));
}

#[tokio::test]
async fn a_deleted_session_is_gone_with_its_data() {
    let local = Local::start().await;
    for id in ["s", "s2"] {
        start(&local, json!({"sessionId": id, "state": {"k": id}})).await;
    }
    let (status, answer) = local.call(Method::DELETE, "/sessions/s", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    for (method, body) in [(Method::GET, None), (Method::DELETE, None), (Method::POST, Some(json!({"state": {}})))] {
        assert_eq!(local.call(method, "/sessions/s", body).await.0, 404);
    }
    start(&local, json!({"sessionId": "s"})).await;
    assert_eq!(local.read("/sessions/s").await["state"], json!({}));
    assert_eq!(local.read("/sessions/s2").await["state"], json!({"k": "s2"}));
}

#[tokio::test]
async fn what_is_no_session_is_refused() {
    let local = Local::start().await;
    start(&local, json!({"sessionId": "s"})).await;
    for body in [
        json!({"ttl": -1}),
        json!({"ttl": "1000"}),
        json!({"state": []}),
        json!({"sessionId": 1}),
        json!({"sessionId": ""}),
        json!({"sessionId": "a\nb"}),
        json!([]),
    ] {
        let (status, answer) = local.call(Method::POST, "/sessions", Some(body.clone())).await;
        assert_eq!((status, &answer["success"]), (400, &json!(false)), "{body}");
    }
    for body in [json!({}), json!({"state": [1]}), json!({"state": null}), json!(["state"])] {
        assert_eq!(local.call(Method::POST, "/sessions/s", Some(body.clone())).await.0, 400, "{body}");
    }
    let (status, answer) = local.call(Method::GET, "/sessions/s?key=a&key=b", None).await;
    assert_eq!((status, &answer["success"]), (400, &json!(false)));
    let large = json!({"state": {"k": "x".repeat(500 << 10)}});
    assert_eq!(local.call(Method::POST, "/sessions/s", Some(large)).await.0, 413);
    assert_eq!(local.read("/sessions/s").await["state"], json!({}));
    // As long as a number says, and be it for ever.
    start(&local, json!({"sessionId": "long", "ttl": 1e300})).await;
    local.read("/sessions/long").await;
}

#[tokio::test]
async fn writers_at_once_keep_all_their_keys() {
    let local = Local::start().await;
    start(&local, json!({"sessionId": "s"})).await;
    let put = async |n: usize| local.save("/sessions/s", json!({"state": {format!("k{n}"): n, "shared": n}})).await;
    join_all((0..50).map(put)).await;
    let state = local.read("/sessions/s").await["state"].clone();
    assert_eq!(state.as_object().unwrap().len(), 51);
    for n in 0..50 {
        assert_eq!(state[format!("k{n}")], n);
    }
    assert!(state["shared"].as_u64().unwrap() < 50);
}

#[tokio::test]
async fn a_session_has_room_for_many_keys() {
    let local = Local::start().await;
    start(&local, json!({"sessionId": "s"})).await;
    let keys = |range: std::ops::Range<usize>| range.map(|n| (format!("k{n}"), Value::from(n))).collect::<Map<_, _>>();
    for step in 0..10 {
        local.save("/sessions/s", json!({"state": keys(step * 1000..(step + 1) * 1000)})).await;
    }
    assert!(local.read("/sessions/s").await["state"] == Value::Object(keys(0..10_000)));
    assert_eq!(local.read("/sessions/s?key=k9999").await["state"], json!({"k9999": 9999}));
    assert_eq!(local.call(Method::DELETE, "/sessions/s", None).await.0, 200);
}
