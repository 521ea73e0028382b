//! Sessions.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::auth;
use skill_sdk::iam::{ClientCredentials, Session, SessionOptions, SessionType};
use skill_sdk::{Client, Code};

use super::{PROJECT, answer, answering, assert_only, iam, scripted, sent};
use crate::faults::calls;
use crate::server::Server;

const SECRET: &str = "hunter2-hunter2";

fn created() -> Value {
    json!({"id": 7, "status": "READY", "nonce": "n0nce", "type": "TOKEN_EXCHANGE", "clientId": null, "new": 1})
}

fn credentials() -> ClientCredentials {
    ClientCredentials::new("id", SECRET)
}

#[tokio::test]
async fn a_session_is_created() {
    let server = answering(json!({"items": [created()]})).await;
    let session = iam(&server).sessions().create(None).await.unwrap();
    assert_only(&server, "POST", "sessions", Some(json!({"items": [{"tokenExchange": true}]})));
    assert_eq!((session.id, session.status.as_str(), session.nonce.expose_secret()), (7, "READY", "n0nce"));
    assert_eq!((session.session_type.as_deref(), session.client_id.as_deref()), (Some("TOKEN_EXCHANGE"), None));
    assert!(!format!("{session:?}").contains("n0nce"), "{session:?}");
    let exposed = json!({"id": 7, "status": "READY", "nonce": "n0nce", "type": "TOKEN_EXCHANGE", "new": 1});
    assert_eq!(Value::from(session.expose_secret()), exposed);
    let server = answering(json!({"items": []})).await;
    let error = iam(&server).sessions().create(None).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
}

#[tokio::test]
async fn the_type_says_with_what_a_session_is_created() {
    use SessionType::{ClientCredentials as Credentials, Default, OneshotTokenExchange, TokenExchange};
    let given = credentials();
    let (exchange, oneshot) = (json!({"tokenExchange": true}), json!({"oneshotTokenExchange": true}));
    let with = json!({"clientId": "id", "clientSecret": SECRET});
    let server = answering(json!({"items": [created()]})).await;
    let sessions = iam(&server).sessions();
    for (session_type, credentials, item) in [
        (Default, None, &exchange),
        (Default, Some(&given), &with),
        (Credentials, Some(&given), &with),
        (TokenExchange, None, &exchange),
        (TokenExchange, Some(&given), &exchange),
        (OneshotTokenExchange, None, &oneshot),
        (OneshotTokenExchange, Some(&given), &oneshot),
    ] {
        sessions.create_with(session_type, credentials).await.unwrap();
        assert_only(&server, "POST", "sessions", Some(json!({"items": [item]})));
    }
    let error = sessions.create_with(Credentials, None).await.unwrap_err();
    assert_eq!(error.code(), Code::SkillFailed);
    assert_eq!(
        error.detail(),
        "cannot create a session: for the type CLIENT_CREDENTIALS either client credentials must be given, or the \
         client's tokens must come from client credentials"
    );
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_clients_own_credentials_are_used() {
    let server = Server::start(|noted| match noted.target.as_str() {
        "/token" => answer(200, &json!({"access_token": "eyJ-opaque", "expires_in": 3600})),
        _ => answer(200, &json!({"items": [created()]})),
    })
    .await;
    let own = auth::ClientCredentials::new(&format!("{}/token", server.url), "own", "own-secret").unwrap();
    let builder = Client::builder().api_endpoint(&server.url).project("test-project").token_source(own);
    let sessions = builder.without_environment().without_profile().build().unwrap().iam().sessions();
    let given = credentials();
    let own = json!({"clientId": "own", "clientSecret": "own-secret"});
    for (session_type, credentials, item) in [
        (SessionType::Default, None, own.clone()),
        (SessionType::ClientCredentials, None, own),
        (SessionType::Default, Some(&given), json!({"clientId": "id", "clientSecret": SECRET})),
        (SessionType::TokenExchange, None, json!({"tokenExchange": true})),
    ] {
        sessions.create_with(session_type, credentials).await.unwrap();
        let noted = server.noted.lock().unwrap();
        let sent = noted.last().unwrap().sent();
        assert_eq!(sent, ("POST", format!("{PROJECT}/sessions").as_str(), Some(json!({"items": [item]}))));
    }
}

#[tokio::test]
async fn no_refusal_repeats_a_secret() {
    for own in [false, true] {
        let server = Server::start(|noted| {
            if noted.target == "/token" {
                return answer(200, &json!({"access_token": "eyJ-opaque", "expires_in": 3600}));
            }
            let error = json!({"message": format!("bad {SECRET}"), "missing": [SECRET], "more": SECRET});
            let headers = [("x-request-id", SECRET)];
            (StatusCode::BAD_REQUEST, headers, json!({"error": error}).to_string()).into_response()
        })
        .await;
        let source = auth::ClientCredentials::new(&format!("{}/token", server.url), "own", SECRET).unwrap();
        let builder = Client::builder().api_endpoint(&server.url).project("test-project").token_source(source);
        let sessions = builder.without_environment().without_profile().build().unwrap().iam().sessions();
        let given = credentials();
        assert!(!format!("{given:?} {sessions:?}").contains("hunter2"));
        let error = sessions.create((!own).then_some(&given)).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("its words are left out") && !shown.contains("hunter2"), "{shown}");
        assert_eq!((error.http_status(), error.missing(), error.request_id()), (Some(400), &[][..], None));
    }
}

#[tokio::test]
async fn a_mark_counts_although_it_is_not_shown() {
    let error = json!({"error": {"message": SECRET, "isAutoRetryable": true}});
    let server = scripted([(400, error), (200, json!({"items": [created()]}))]).await;
    iam(&server).sessions().create(Some(&credentials())).await.unwrap();
    assert_eq!(calls(&server), 2);
}

fn session() -> Value {
    json!({
        "id": 7, "type": "CLIENT_CREDENTIALS", "status": "ACTIVE", "creationTime": 1_700_000_000_000_i64,
        "expirationTime": 1_700_000_600_000_i64, "clientId": "c", "new": 1
    })
}

#[tokio::test]
async fn sessions_are_listed() {
    let server = answering(json!({"items": [session()]})).await;
    let sessions = iam(&server).sessions();
    let list = sessions.list().await.unwrap();
    assert_only(&server, "GET", "sessions?limit=25", None);
    let one = &list[0];
    assert_eq!(
        (one.id, one.session_type.as_deref(), one.status.as_deref()),
        (7, Some("CLIENT_CREDENTIALS"), Some("ACTIVE"))
    );
    assert_eq!((one.creation_time, one.expiration_time), (Some(1_700_000_000_000), Some(1_700_000_600_000)));
    assert_eq!(serde_json::to_value(one).unwrap(), session());
    sessions.list_with(&SessionOptions::new().status("active").limit(250)).await.unwrap();
    assert_only(&server, "GET", "sessions?status=ACTIVE&limit=100", None);
    sessions.list_with(&SessionOptions::new().limit(None)).await.unwrap();
    assert_only(&server, "GET", "sessions?limit=100", None);
}

#[tokio::test]
async fn pages_of_sessions_are_smaller() {
    let page = |from: i64, to: i64, next: Option<&str>| {
        let items: Vec<Value> = (from..to).map(|id| json!({"id": id})).collect();
        (200, json!({"items": items, "nextCursor": next}))
    };
    let server = scripted([page(0, 100, Some("a")), page(100, 150, None)]).await;
    let list = iam(&server).sessions().list_with(&SessionOptions::new().status("READY").limit(150)).await.unwrap();
    assert_eq!(list.iter().map(|session| session.id).collect::<Vec<_>>(), (0..150).collect::<Vec<_>>());
    let targets: Vec<String> = sent(&server).into_iter().map(|(_, target, _)| target).collect();
    let path = format!("{PROJECT}/sessions?status=READY");
    assert_eq!(targets, [format!("{path}&limit=100"), format!("{path}&limit=50&cursor=a")]);
}

#[tokio::test]
async fn one_session_or_several_are_retrieved() {
    let server = answering(json!({"items": [session()]})).await;
    let sessions = iam(&server).sessions();
    let one: Option<Session> = sessions.retrieve(7).await.unwrap();
    assert_eq!(one.unwrap().id, 7);
    assert_only(&server, "POST", "sessions/byids", Some(json!({"items": [{"id": 7}]})));
    let several: Vec<Session> = sessions.retrieve([7, 8]).await.unwrap();
    assert_eq!(several.len(), 1);
    assert_only(&server, "POST", "sessions/byids", Some(json!({"items": [{"id": 7}, {"id": 8}]})));
}

#[tokio::test]
async fn a_session_that_is_not_there_is_none() {
    let missing = json!({"error": {"code": 400, "message": "m", "missing": [{"id": 7}]}});
    for answer in [(200, json!({"items": []})), (400, missing.clone())] {
        let server = scripted([answer]).await;
        assert_eq!(iam(&server).sessions().retrieve(7).await.unwrap(), None);
    }
    let server = scripted([(400, missing)]).await;
    let error = iam(&server).sessions().retrieve(vec![7]).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"id": 7})]);
    let server = scripted([(400, json!({"error": "bad"}))]).await;
    assert_eq!(iam(&server).sessions().retrieve(7).await.unwrap_err().http_status(), Some(400));
}

#[tokio::test]
async fn sessions_are_revoked_and_listed() {
    let server = answering(json!({"items": [{"id": 7}]})).await;
    let sessions = iam(&server).sessions();
    let one: Vec<Session> = sessions.revoke(7).await.unwrap();
    assert_eq!((one[0].id, one[0].status.as_deref(), one.len()), (7, None, 1));
    assert_only(&server, "POST", "sessions/revoke", Some(json!({"items": [{"id": 7}]})));
    sessions.revoke([7, 8]).await.unwrap();
    assert_only(&server, "POST", "sessions/revoke", Some(json!({"items": [{"id": 7}, {"id": 8}]})));
}
