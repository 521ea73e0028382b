//! Secrets: where they are asked for, what is sent, and that they do not show.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use skill_sdk::client::SecretValue;
use skill_sdk::secrecy::{ExposeSecret, SecretString};
use skill_sdk::{Code, Error};

use crate::names;
use crate::server::Server;

const PUBLIC: &str = "/fabric/v4/projects/test-project/secrets";
const INTERNAL: &str = "/internal/projects/test-project/secrets";

#[tokio::test]
async fn secrets_are_listed_by_their_keys() {
    let server = Server::answering(|| r#"["a", "db/password"]"#).await;
    assert_eq!(server.client().secrets().list().await.unwrap(), ["a", "db/password"]);
    assert_eq!(server.only().sent(), ("GET", format!("{PUBLIC}?list=true").as_str(), None));
}

#[tokio::test]
async fn a_secret_is_got_from_the_internal_address_and_described_at_the_public_one() {
    let server = Server::answering(|| r#"{"value": "hunter2"}"#).await;
    let secrets = server.client().secrets();
    let text = |secret: SecretValue| secret.text().unwrap().expose_secret().to_owned();
    let (internal, public) = (format!("{INTERNAL}/a"), format!("{PUBLIC}/a"));
    assert_eq!(text(secrets.get("a").await.unwrap()), "hunter2");
    assert_eq!(server.only().sent(), ("GET", internal.as_str(), None));
    assert_eq!(text(secrets.get_opt("a").await.unwrap().unwrap()), "hunter2");
    assert_eq!(server.only().sent(), ("GET", internal.as_str(), None));
    assert_eq!(text(secrets.describe("a").await.unwrap()), "hunter2");
    assert_eq!(server.only().sent(), ("GET", public.as_str(), None));
    assert_eq!(text(secrets.describe_opt("a").await.unwrap().unwrap()), "hunter2");
    assert_eq!(server.only().sent(), ("GET", public.as_str(), None));
}

#[tokio::test]
async fn a_value_is_unwrapped_and_anything_else_is_whole() {
    for (answer, value) in [
        (r#" {"value": "v"} "#, json!("v")),
        (r#"{"value": {"u": [1, null]}}"#, json!({"u": [1, null]})),
        (r#"{"value": {"value": 1}}"#, json!({"value": 1})),
        (r#"{"value": null}"#, json!(null)),
        (r#"{"success": true, "value": "v"}"#, json!("v")),
        (r#"{"value": 1, "u": 2}"#, json!({"value": 1, "u": 2})),
        (r#"{"u": 1}"#, json!({"u": 1})),
        ("{}", json!({})),
        (r#""v""#, json!("v")),
        (r#"[{"value": 1}]"#, json!([{"value": 1}])),
    ] {
        let server = Server::answering(move || answer).await;
        let secrets = server.client().secrets();
        let secret = secrets.get("a").await.unwrap();
        assert_eq!(secret.expose_secret::<Value>().unwrap(), value, "{answer}");
        let described = secrets.describe("a").await.unwrap();
        assert_eq!(described.expose_secret::<Value>().unwrap(), value, "{answer}");
        assert_eq!(secret.text().is_ok(), value.is_string(), "{answer}");
    }
}

#[tokio::test]
async fn a_value_that_was_got_does_not_show() {
    let server = Server::answering(|| r#"{"value": {"password": "hunter2"}}"#).await;
    let secret = server.client().secrets().get("a").await.unwrap();
    let misfit = secret.expose_secret::<BTreeMap<String, u8>>().unwrap_err();
    assert_eq!(misfit.code(), Code::SkillFailed);
    assert!(misfit.detail().starts_with("the secret does not fit the type that is asked for (line 1, column "));
    for shown in [format!("{secret:?}"), all_of(&misfit), all_of(&secret.text().unwrap_err())] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let server = Server::answering(|| "hunter2").await;
    let error = server.client().secrets().get("a").await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(!all_of(&error).contains("hunter2"), "{error:?}");
}

/// All that an error can show.
fn all_of(error: &Error) -> String {
    format!("{error} {error:?} {}", error.chain())
}

#[tokio::test]
async fn a_secret_is_posted_as_a_value() {
    let server = Server::answering(|| r#"{"success": true, "message": "saved"}"#).await;
    let secrets = server.client().secrets();
    for value in [json!("v"), json!({"u": 1}), json!({"value": 1}), json!(null), json!([1.5])] {
        secrets.post("db/main-password", value.clone()).await.unwrap();
        let target = format!("{PUBLIC}/db%2Fmain-password");
        assert_eq!(server.only().sent(), ("POST", target.as_str(), Some(json!({"value": value}))));
    }
    for key in ["", "..", "a/", "a//b", "a b", "100%", "%2e%2e", "日本", "a\n"] {
        let error = secrets.post(key, "v").await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        let words = format!("Failed to write secret : keyName did not conform to regex: {key:?}");
        assert_eq!(error.detail(), words);
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

#[test]
fn what_cannot_be_written_as_json_is_no_secret() {
    let error = SecretValue::new(&BTreeMap::from([(("hunter2", 1), 2)])).unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::SkillFailed, "the secret cannot be written as JSON"));
}

#[tokio::test]
async fn a_secret_is_passed_on_as_it_is() {
    let value = r#"{"password":"hunter2", "id":12345678901234567890123, "rate":1.50}"#;
    let server = Server::answering(move || format!(r#"{{"value": {value}}}"#)).await;
    let secrets = server.client().secrets();
    let secret = secrets.get("a").await.unwrap();
    server.only();
    secrets.post("b", &secret).await.unwrap();
    assert_eq!(server.only().body.unwrap(), format!(r#"{{"value":{value}}}"#));
    secrets.post("b", secret).await.unwrap();
    assert_eq!(server.only().target, format!("{PUBLIC}/b"));
    for text in [SecretValue::from("a\"b"), "a\"b".to_owned().into(), SecretString::from("a\"b").into()] {
        secrets.post("b", text.text().unwrap()).await.unwrap();
        assert_eq!(server.only().sent().2, Some(json!({"value": "a\"b"})));
    }
}

#[tokio::test]
async fn a_refusal_does_not_show_what_was_posted() {
    let left_out = "its words are left out, because they may repeat what is secret";
    for (status, body) in [
        (400, r#"{"success": false, "message": "bad value hunter2"}"#),
        (400, r#"{"error": {"message": "bad value hunter2"}}"#),
        (422, r#"{"details": [{"path": "value", "message": "hunt\u0065r2 is weak"}]}"#),
        (500, "<p>hunter2</p>"),
        (401, r#"{"message": "hunter2"}"#),
    ] {
        let server = Server::answering(move || (StatusCode::from_u16(status).unwrap(), body)).await;
        let error = server.client().secrets().post("a", "hunter2").await.unwrap_err();
        assert_eq!(error.http_status(), Some(status), "{body}");
        assert!(error.detail().contains(left_out), "{error}");
        assert!(!all_of(&error).contains("hunt"), "{error:?}");
        let other = server.client().secrets().post("a", "another").await.unwrap_err();
        assert!(!other.detail().contains(left_out), "{other}");
    }
    let header = [("x-auth-error", "hunter2 is no good"), ("www-authenticate", "Bearer error=\"hunter2\"")];
    let server = Server::answering(move || (StatusCode::UNAUTHORIZED, header, "{}")).await;
    let error = server.client().secrets().post("a", "hunter2").await.unwrap_err();
    assert!(error.code() == Code::TokenInvalid && !all_of(&error).contains("hunter2"), "{error:?}");
    let server = Server::answering(|| r#"{"success": false, "message": "bad value hunter2"}"#).await;
    let error = server.client().secrets().post("a", json!({"password": ["hunter2"]})).await.unwrap_err();
    assert_eq!(error.detail(), format!("cannot post the secret `a`: the platform did not do it: {left_out}"));
}

#[tokio::test]
async fn a_refusal_with_many_details_of_a_large_secret() {
    let secret = (10_000..60_000).map(|n| n.to_string()).collect::<Vec<_>>().join("s");
    let answering = async |last: &'static str| {
        let details: Vec<Value> = (0..6_000).map(|n| json!({"n": n})).chain([json!({"last": last})]).collect();
        let body = json!({"message": "too large", "details": details}).to_string();
        let server = Server::answering(move || (StatusCode::BAD_REQUEST, body.clone())).await;
        server.client().secrets().post("a", secret.as_str()).await.unwrap_err()
    };
    let error = answering("s1000").await;
    assert_eq!(error.detail(), "cannot post the secret `a`: the platform answered 400: too large");
    assert_eq!(error.details().unwrap()[5_999]["n"], 5_999);
    // One that repeats a part of the secret takes the others along.
    let error = answering("10001s10").await;
    assert!(error.detail().contains("words are left out") && error.details().is_none(), "{error}");
}

#[tokio::test]
async fn a_secret_is_deleted() {
    let server = Server::answering(|| r#"{"success": true, "message": "gone"}"#).await;
    server.client().secrets().delete("a").await.unwrap();
    assert_eq!(server.only().sent(), ("DELETE", format!("{PUBLIC}/a").as_str(), None));
}

#[tokio::test]
async fn a_secret_that_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"message": "a not found"}"#)).await;
    let secrets = server.client().secrets();
    let error = secrets.get("a").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the secret `a`: the platform answered 404: a not found");
    assert!(secrets.get_opt("a").await.unwrap().is_none());
    assert!(secrets.describe("a").await.unwrap_err().is_not_found());
    assert!(secrets.describe_opt("a").await.unwrap().is_none());
    assert!(secrets.delete("a").await.unwrap_err().is_not_found());
    let refusing = Server::answering(|| StatusCode::FORBIDDEN).await;
    let secrets = refusing.client().secrets();
    assert_eq!(secrets.get_opt("a").await.unwrap_err().http_status(), Some(403));
    assert_eq!(secrets.describe_opt("a").await.unwrap_err().http_status(), Some(403));
}

#[tokio::test]
async fn keys_stand_whole_in_paths() {
    let (internal, public) = (format!("{INTERNAL}/"), format!("{PUBLIC}/"));
    names::check("{}", (&internal, ""), async |client, key| client.secrets().get(key).await).await;
    names::check("{}", (&public, ""), async |client, key| client.secrets().describe(key).await).await;
    names::check("{}", (&public, ""), async |client, key| client.secrets().delete(key).await).await;
}
