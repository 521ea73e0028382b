//! What errors say.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use skill_sdk::{Code, Error, SkillError};

use super::{iam, scripted};
use crate::server::Server;

/// The error of a list of groups that is refused so.
async fn refused(status: u16, body: &'static str, request_id: Option<&'static str>) -> Error {
    let server = Server::start(move |_| {
        let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
        if let Some(id) = request_id {
            response.headers_mut().insert("x-request-id", id.parse().unwrap());
        }
        response
    })
    .await;
    iam(&server).groups().list().await.unwrap_err()
}

#[tokio::test]
async fn all_forms_of_bodies_are_read() {
    for (body, said) in [
        (r#"{"error": {"code": 400, "message": "m"}}"#, ": m"),
        (r#"{"error": "text"}"#, ": text"),
        (r#"{"other": 1}"#, r#": {"other": 1}"#),
        ("plain words", ": plain words"),
        ("", ""),
        (r#"{"error": {"code": 400, "missing": [{"id": 7}]}}"#, r#": missing: {"id":7}"#),
        (r#"{"error": {"message": "m", "missing": [{"id": 7}, 8]}}"#, r#": m (missing: {"id":7}, 8)"#),
        (r#"{"error": {"message": "m", "duplicated": [{"name": "x"}]}}"#, r#": m (duplicated: {"name":"x"})"#),
        (
            r#"{"error": {"message": "m", "missing": [1,2,3,4,5,6,7,8,9,10,11,12]}}"#,
            ": m (missing: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more)",
        ),
    ] {
        let error = refused(400, body, None).await;
        assert_eq!(error.detail(), format!("cannot list groups: the platform answered 400{said}"));
        assert_eq!((error.code(), error.request_id()), (Code::SkillFailed, None));
    }
}

#[tokio::test]
async fn the_id_of_the_request_is_kept_and_shown() {
    let error = refused(403, r#"{"error": {"message": "m"}}"#, Some("r1")).await;
    assert_eq!(error.detail(), "cannot list groups: the platform answered 403: m (request r1)");
    assert_eq!(error.request_id(), Some("r1"));
    let error = refused(500, "", Some("r2")).await;
    assert_eq!(error.detail(), "cannot list groups: the platform answered 500 (request r2)");
}

#[tokio::test]
async fn what_is_missing_is_not_found() {
    let missing = r#"{"error": {"code": 400, "message": "m", "missing": [{"id": 7}]}}"#;
    for (status, body, not_found) in [
        (400, missing, true),
        (422, missing, true),
        (404, missing, true),
        (404, r#"{"error": {"message": "m"}}"#, true),
        (400, r#"{"error": {"message": "m", "missing": []}}"#, false),
        (400, r#"{"error": {"message": "m", "missing": null}}"#, false),
        (409, missing, false),
        (403, missing, false),
        (500, missing, false),
    ] {
        let error = refused(status, body, None).await;
        assert_eq!(error.is_not_found(), not_found, "{status} {body}");
        let expected: &[Value] = if body == missing { &[json!({"id": 7})] } else { &[] };
        assert_eq!(error.missing(), expected);
    }
}

#[tokio::test]
async fn what_is_there_already_is_duplicated() {
    let duplicated = r#"{"error": {"code": 409, "message": "m", "duplicated": [{"name": "x"}]}}"#;
    for (status, body, expected) in
        [(409, duplicated, true), (409, r#"{"error": {"message": "m"}}"#, false), (400, duplicated, false)]
    {
        let error = refused(status, body, None).await;
        assert_eq!((error.is_duplicated(), error.is_not_found()), (expected, false), "{status} {body}");
        assert_eq!(error.duplicated().is_empty(), body != duplicated);
    }
}

#[tokio::test]
async fn what_else_is_said_is_kept() {
    let body = r#"{"error": {"code": 400, "message": "m", "missing": [1], "duplicated": [2], "requestId": "r\nx", "more": [1]}}"#;
    let error = refused(400, body, None).await;
    assert_eq!(Value::from(error.extra().clone()), json!({"requestId": "r x", "more": [1]}));
    assert!(refused(400, r#"{"error": "text", "more": 1}"#, None).await.extra().is_empty());
}

#[tokio::test]
async fn nothing_that_is_said_shows_a_token() {
    let server = Server::start(|noted| {
        let token = noted.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let error = json!({"message": token, "missing": [{"id": token}], "duplicated": [token], "more": {"m": token}});
        (StatusCode::BAD_REQUEST, [("x-request-id", token)], json!({"error": error}).to_string()).into_response()
    })
    .await;
    let error = iam(&server).groups().list().await.unwrap_err();
    assert_eq!((error.missing().len(), error.duplicated().len(), error.extra().len()), (1, 1, 1));
    let shown = format!("{error:?} {error} {}", error.chain());
    assert!(!shown.contains("eyJ"), "{shown}");
}

#[tokio::test]
async fn a_refusal_may_name_all_items_of_a_call() {
    let users: Vec<String> = (0..1000).map(|n| format!("{n:0>100}")).collect();
    let missing: Vec<Value> = users.iter().map(|user| json!({"userIdentifier": user})).collect();
    let server = scripted([(400, json!({"error": {"code": 400, "message": "m", "missing": missing}}))]).await;
    let error = iam(&server).user_profiles().retrieve(users).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), missing);
}

#[tokio::test]
async fn a_handler_may_pass_it_on() {
    async fn handler(server: &Server) -> skill_sdk::Result<()> {
        iam(server).groups().delete([7, 8]).await?;
        Ok(())
    }
    let body = json!({"error": {"code": 400, "message": "m", "missing": [{"id": 7}], "more": 1}});
    let server = scripted([(400, body)]).await;
    let error = handler(&server).await.unwrap_err().context("cannot clean up");
    let wrapped = SkillError::from(anyhow::Error::from(Error::from(error)).context("while cleaning"));
    let error = Error::from(wrapped);
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"id": 7})]);
    assert_eq!(error.extra()["more"], 1);
    assert_eq!(error.items().unwrap().failed, [7, 8]);
}
