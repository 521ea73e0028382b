//! Which calls are sent once more.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use skill_sdk::iam::{GroupWrite, Iam, SecurityCategoryWrite};
use skill_sdk::{Code, Error};

use super::{iam, scripted};
use crate::faults::{Fault, Faulty, calls};
use crate::server::Server;

/// All calls: those that make no difference the second time, and those that create something.
const SAFE: [&str; 14] = [
    "inspect",
    "list groups",
    "delete groups",
    "list categories",
    "delete categories",
    "list sessions",
    "retrieve sessions",
    "revoke sessions",
    "me",
    "list profiles",
    "retrieve profiles",
    "search profiles",
    "enable",
    "disable",
];
const CREATES: [&str; 3] = ["create groups", "create categories", "create session"];

async fn call(iam: &Iam, name: &str) -> Result<(), Error> {
    let (profiles, sessions) = (iam.user_profiles(), iam.sessions());
    match name {
        "inspect" => iam.token().inspect().await.map(drop),
        "list groups" => iam.groups().list().await.map(drop),
        "create groups" => iam.groups().create([GroupWrite::new("g")]).await.map(drop),
        "delete groups" => iam.groups().delete(1).await,
        "list categories" => iam.security_categories().list().await.map(drop),
        "create categories" => iam.security_categories().create([SecurityCategoryWrite::new("c")]).await.map(drop),
        "delete categories" => iam.security_categories().delete(1).await,
        "list sessions" => sessions.list().await.map(drop),
        "create session" => sessions.create(None).await.map(drop),
        "retrieve sessions" => sessions.retrieve([1]).await.map(drop),
        "revoke sessions" => sessions.revoke([1]).await.map(drop),
        "me" => profiles.me().await.map(drop),
        "list profiles" => profiles.list().await.map(drop),
        "retrieve profiles" => profiles.retrieve(["u"]).await.map(drop),
        "search profiles" => profiles.search("u").await.map(drop),
        "enable" => profiles.enable().await.map(drop),
        "disable" => profiles.disable().await.map(drop),
        other => unreachable!("{other}"),
    }
}

/// Whether a call comes again after this answer.
async fn is_repeated(name: &str, of: impl Fn(Iam) -> Iam, answer: (u16, Value)) -> bool {
    // What is gone when it is deleted again was deleted: here it is there.
    let server = scripted([answer, (418, json!({}))]).await;
    let error = call(&of(iam(&server)), name).await.unwrap_err();
    let again = calls(&server) > 1;
    assert_eq!(error.http_status() == Some(418), again, "{name}: {error}");
    again
}

#[tokio::test]
async fn calls_are_repeated_after_the_statuses_of_the_contract() {
    for (status, safe, creates) in [
        (429, true, true),
        (502, true, false),
        (503, true, false),
        (504, true, false),
        (500, false, false),
        (501, false, false),
        (400, false, false),
        (403, false, false),
        (409, false, false),
    ] {
        for (names, expected) in [(&SAFE[..], safe), (&CREATES[..], creates)] {
            for name in names {
                assert_eq!(is_repeated(name, |iam| iam, (status, json!({}))).await, expected, "{name} {status}");
            }
        }
        for name in CREATES {
            let again = is_repeated(name, Iam::with_repeated_creates, (status, json!({}))).await;
            assert_eq!(again, safe, "{name} {status}, repeated as others are");
        }
    }
}

#[tokio::test]
async fn whatever_the_platform_marks_is_repeated() {
    for (mark, again) in [
        (json!({"error": {"code": 400, "message": "m", "isAutoRetryable": true}}), true),
        (json!({"error": {"code": 400, "message": "m", "isAutoRetryable": false}}), false),
        (json!({"error": {"code": 400, "message": "m", "isAutoRetryable": "true"}}), false),
        (json!({"isAutoRetryable": true}), false),
        (json!({"error": "isAutoRetryable"}), false),
    ] {
        for name in ["list groups", "create groups", "create session", "delete groups"] {
            assert_eq!(is_repeated(name, |iam| iam, (400, mark.clone())).await, again, "{name} {mark}");
        }
        assert_eq!(is_repeated("create groups", |iam| iam, (500, mark.clone())).await, again, "500 {mark}");
    }
}

#[tokio::test]
async fn a_header_marks_too() {
    for (value, again) in [("true", true), ("True", true), ("false", false), ("1", false)] {
        let server = Server::start(move |_| {
            let headers = [("cdf-is-auto-retryable", value), ("retry-after", "0")];
            (StatusCode::CONFLICT, headers, "busy").into_response()
        })
        .await;
        let iam = server.client().with_retries(1).iam();
        let error = call(&iam, "create groups").await.unwrap_err();
        assert_eq!((error.http_status(), calls(&server)), (Some(409), if again { 2 } else { 1 }), "{value}");
    }
    // Other platforms have no such mark.
    let server = Server::answering(|| (StatusCode::CONFLICT, [("cdf-is-auto-retryable", "true")], "busy")).await;
    crate::faults::list(&server.client()).await.unwrap_err();
    assert_eq!(calls(&server), 1);
}

#[tokio::test]
async fn there_are_ten_attempts_unless_another_number_is_set() {
    let down = || std::iter::repeat_n((503, json!({})), 30);
    for (retries, attempts) in [(None, 10), (Some(0), 1), (Some(2), 3), (Some(12), 13)] {
        let server = scripted(down()).await;
        let client = retries.map_or_else(|| server.client(), |retries| server.client().with_retries(retries));
        let error = client.iam().groups().list().await.unwrap_err();
        assert_eq!((error.code(), error.http_status()), (Code::PlatformUnavailable, Some(503)));
        assert_eq!(calls(&server), attempts, "{retries:?}");
    }
    // Those of other platforms are fewer.
    let server = scripted(down()).await;
    crate::faults::list(&server.client()).await.unwrap_err();
    assert_eq!(calls(&server), 4);
}

#[tokio::test]
async fn who_asks_for_too_long_a_pause_is_not_asked_again() {
    let server = Server::answering(|| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "61")])).await;
    assert_eq!(iam(&server).groups().list().await.unwrap_err().http_status(), Some(429));
    assert_eq!(calls(&server), 1);
}

#[tokio::test]
async fn a_broken_or_silent_connection_is_tried_again_where_that_is_safe() {
    const EMPTY: Fault =
        Fault::Close("HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"items\":[]}");
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    for fault in [Fault::Close(""), Fault::Reset(HALF), Fault::Silence(""), Fault::Silence(HALF)] {
        let faults: &'static [Fault] = Box::leak(Box::new([fault, EMPTY]));
        for (name, repeats, attempts) in [
            ("list groups", false, 2),
            ("delete groups", false, 2),
            ("create groups", false, 1),
            ("create groups", true, 2),
        ] {
            let server = Faulty::start(faults).await;
            let iam = server.client().with_timeout(Duration::from_millis(300)).iam();
            let iam = if repeats { iam.with_repeated_creates() } else { iam };
            let result = call(&iam, name).await;
            assert_eq!((result.is_ok(), server.connections()), (attempts == 2, attempts), "{name} {result:?}");
        }
    }
}

#[tokio::test]
async fn each_attempt_carries_the_whole_body() {
    let server = scripted([(429, json!({})), (429, json!({}))]).await;
    call(&iam(&server), "create groups").await.unwrap();
    let noted = server.noted.lock().unwrap();
    assert_eq!(noted.len(), 3);
    assert!(noted.iter().all(|noted| noted.sent().2 == Some(json!({"items": [{"name": "g"}]}))));
}
