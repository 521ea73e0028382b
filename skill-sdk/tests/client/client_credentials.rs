//! Tokens of an OAuth server.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use skill_sdk::auth::{ClientCredentials, TokenSource};
use skill_sdk::{Client, Code};

use crate::server::{Noted, Server};

const SECRET: &str = "s3cr+t / &";

fn credentials(server: &Server) -> ClientCredentials {
    ClientCredentials::new(&format!("{}/token", server.url), "my id", SECRET).unwrap()
}

/// A server that numbers the tokens it gives.
async fn server_of(expires_in: &'static str) -> Server {
    let given = AtomicUsize::new(0);
    Server::start(move |request| match request.target.as_str() {
        "/token" => {
            let number = given.fetch_add(1, Ordering::SeqCst);
            format!(r#"{{"access_token": "opaque-{number}", "token_type": "Bearer"{expires_in}}}"#).into_response()
        }
        _ => StatusCode::OK.into_response(),
    })
    .await
}

fn form(request: &Noted) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.body.as_ref().unwrap()).into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn id_and_secret_go_as_basic_authentication() {
    let server = server_of(r#", "expires_in": 3600"#).await;
    let source = credentials(&server).scope("a").scope("b/.default").argument("audience", "https://x").unwrap();
    assert_eq!(source.token().await.unwrap().secret().expose_secret(), "opaque-0");
    let request = server.only();
    assert_eq!(
        (request.method.as_str(), request.header("content-type")),
        ("POST", Some("application/x-www-form-urlencoded"))
    );
    // base64 of `my+id:s3cr%2Bt+%2F+%26`, both parts form-encoded first.
    assert_eq!(request.header("authorization"), Some("Basic bXkraWQ6czNjciUyQnQrJTJGKyUyNg=="));
    let expected = [("grant_type", "client_credentials"), ("scope", "a b/.default"), ("audience", "https://x")];
    assert_eq!(form(&request), pairs(&expected));
}

#[tokio::test]
async fn or_in_the_body() {
    let server = server_of(r#", "expires_in": 3600"#).await;
    credentials(&server).secret_in_body().token().await.unwrap();
    let request = server.only();
    assert_eq!(request.header("authorization"), None);
    let expected = [("grant_type", "client_credentials"), ("client_id", "my id"), ("client_secret", SECRET)];
    assert_eq!(form(&request), pairs(&expected));
}

#[tokio::test]
async fn what_is_set_here_cannot_be_an_argument() {
    let server = server_of("").await;
    for name in ["grant_type", "scope", "client_id", "client_secret"] {
        let error = credentials(&server).argument(name, "x").unwrap_err();
        assert!(error.detail().contains(name), "{error}");
    }
    for url in ["login", "ftp://h/token", "http://u:p@h/token"] {
        assert_eq!(ClientCredentials::new(url, "i", "s").unwrap_err().code(), Code::TokenInvalid, "{url}");
    }
}

#[tokio::test]
async fn a_token_is_kept_until_30_s_before_its_end() {
    for (expires_in, fetched) in [
        (r#", "expires_in": 3600"#, 1),
        (r#", "expires_in": "3600""#, 1),
        (r#", "expires_in": 29"#, 3),
        (r#", "expires_in": 0"#, 3),
        // Nobody knows when it ends: it is used until it is refused.
        ("", 1),
    ] {
        let server = server_of(expires_in).await;
        let source = credentials(&server);
        for _ in 0..3 {
            source.token().await.unwrap();
        }
        assert_eq!(server.noted.lock().unwrap().len(), fetched, "{expires_in}");
    }
}

#[tokio::test]
async fn a_refused_token_is_fetched_again() {
    let given = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.header("authorization") {
        Some("Bearer opaque-0") => StatusCode::UNAUTHORIZED.into_response(),
        Some("Bearer opaque-1") => StatusCode::OK.into_response(),
        _ => format!(r#"{{"access_token": "opaque-{}", "expires_in": 3600}}"#, given.fetch_add(1, Ordering::SeqCst))
            .into_response(),
    })
    .await;
    let builder = Client::builder().without_environment().without_profile().api_endpoint(&server.url).project("p");
    let client = builder.token_source(credentials(&server)).build().unwrap();
    assert!(client.content().exists("k").await.unwrap());
    assert_eq!(server.noted.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_failure_says_what_the_server_says() {
    let invalid_client = || {
        let body = r#"{"error": "invalid_client", "error_description": "no such client"}"#;
        (StatusCode::UNAUTHORIZED, body).into_response()
    };
    for (answer, code, detail) in [
        (
            invalid_client as fn() -> Response,
            Code::TokenInvalid,
            "Error generating access token: invalid_client, 401, no such client",
        ),
        (
            || (StatusCode::BAD_GATEWAY, "<html>down</html>").into_response(),
            Code::PlatformUnavailable,
            "Error generating access token: , 502, <html>down</html>",
        ),
        (
            || (StatusCode::BAD_REQUEST, format!(r#"{{"error": "what is {SECRET}?"}}"#)).into_response(),
            Code::TokenInvalid,
            "Error generating access token: what is [token]?, 400, ",
        ),
        (
            || StatusCode::PROXY_AUTHENTICATION_REQUIRED.into_response(),
            Code::PlatformUnavailable,
            "Error generating access token: , 407, ",
        ),
        (|| "{}".into_response(), Code::TokenInvalid, "Error generating access token: the answer has no access_token"),
        (|| "hey".into_response(), Code::TokenInvalid, "Error generating access token: the answer has no JSON object"),
    ] {
        let server = Server::answering(answer).await;
        let error = credentials(&server).token().await.unwrap_err();
        assert_eq!((error.code(), error.detail()), (code, detail));
        assert!(!format!("{error:?} {:?}", credentials(&server)).contains("s3cr"));
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_question_is_not_believed() {
    let server = Server::start(|request| {
        let header = request.header("authorization").unwrap_or_default();
        let body = String::from_utf8_lossy(request.body.as_ref().unwrap()).into_owned();
        (StatusCode::NOT_FOUND, format!("what is {header} {body}?")).into_response()
    })
    .await;
    for credentials in [credentials(&server), credentials(&server).secret_in_body()] {
        let error = credentials.token().await.unwrap_err();
        assert!(error.code() == Code::TokenInvalid && !error.is_not_found(), "{error}");
        assert!(error.detail().contains("[token]"), "{error}");
        for secret in [SECRET, "s3cr%2Bt", "bXkraWQ6czNjciUyQnQrJTJGKyUyNg"] {
            assert!(!error.detail().contains(secret), "{error}");
        }
    }
}

#[test]
fn azure_has_a_url_for_everybody() {
    let shown = format!("{:?}", ClientCredentials::azure("my-tenant", "westeurope-1", "i", "s").unwrap());
    assert!(
        shown.contains("https://login.microsoftonline.com") && shown.contains("https://westeurope-1.cognitedata.com")
    );
    for (tenant, cluster) in
        [("", "c"), ("a/../x", "c"), ("t?x", "c"), ("t#", "c"), ("..", "c"), ("t", "e/x"), ("t", "")]
    {
        assert!(ClientCredentials::azure(tenant, cluster, "i", "s").is_err(), "{tenant} {cluster}");
    }
}
