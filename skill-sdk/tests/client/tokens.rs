//! Where the tokens of requests come from, and what happens when one is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::ExposeSecret;
use serde::Deserialize;
use skill_sdk::auth::{ClientCredentials, PersonalAccessConfig, TokenSource, from_fn};
use skill_sdk::{Client, Code, Error, testing};

use crate::server::{Noted, Server};

const PUBLIC_KEY: &str = "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ";

/// The config of the contract, section 3, for a platform.
fn config(url: &str) -> PersonalAccessConfig {
    let json = serde_json::json!({
        "jwk": {"crv": "Ed25519", "kty": "OKP", "x": PUBLIC_KEY, "d": "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU"},
        "issuer": "cognitivescale.com", "audience": "cortex", "username": "u", "url": url, "project": "p"
    });
    PersonalAccessConfig::from_json(&json.to_string()).unwrap()
}

fn client(server: &Server) -> Client {
    client_with_ttl(server, Duration::from_mins(2))
}

fn client_with_ttl(server: &Server, ttl: Duration) -> Client {
    Client::builder().without_environment().config(config(&server.url)).token_ttl(ttl).build().unwrap()
}

fn info(now: Timestamp) -> Response {
    format!(r#"{{"serverTs": {}}}"#, now.as_millisecond()).into_response()
}

fn is_info(request: &Noted) -> bool {
    request.target == "/fabric/v4/info"
}

fn refused(why: &'static str) -> Response {
    (StatusCode::FOUND, [("x-auth-error", why)]).into_response()
}

fn found() -> Response {
    StatusCode::OK.into_response()
}

fn count(server: &Server, which: impl Fn(&Noted) -> bool) -> usize {
    server.noted.lock().unwrap().iter().filter(|request| which(request)).count()
}

/// The tokens of the calls, in their order.
fn tokens(server: &Server) -> Vec<String> {
    let noted = server.noted.lock().unwrap();
    let calls = noted.iter().filter(|request| !is_info(request));
    calls.map(|call| call.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()).collect()
}

async fn exists(client: &Client) -> Result<bool, Error> {
    client.content().exists("k").await
}

async fn exists_owned(client: Client) -> Result<bool, Error> {
    exists(&client).await
}

/// A platform whose clock is not ours, and which checks tokens by its own.
async fn platform_with_clock(offset: SignedDuration) -> Server {
    #[derive(Deserialize)]
    struct Claims {
        iat: i64,
        nbf: i64,
        exp: i64,
    }

    Server::start(move |request| {
        let now = Timestamp::now() + offset;
        if is_info(request) {
            return info(now);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.set_audience(&["cortex"]);
        let key = DecodingKey::from_ed_components(PUBLIC_KEY).unwrap();
        let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).unwrap().claims;
        let now = now.as_second();
        if claims.iat <= now && claims.nbf <= now && now < claims.exp { found() } else { refused("not now") }
    })
    .await
}

#[tokio::test]
async fn tokens_follow_the_clock_of_the_platform() {
    for minutes in [-5, 0, 5] {
        let server = platform_with_clock(SignedDuration::from_mins(minutes)).await;
        let client = client(&server);
        assert!(exists(&client).await.unwrap() && exists(&client).await.unwrap(), "{minutes}");
        assert_eq!(count(&server, is_info), 1, "a clock that differs is no reason to make tokens anew");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_make_one_token() {
    let server = platform_with_clock(SignedDuration::ZERO).await;
    let client = client(&server);
    let calls: Vec<_> = (0..64).map(|_| tokio::spawn(exists_owned(client.clone()))).collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap());
    }
    assert_eq!(count(&server, is_info), 1);
    let tokens = tokens(&server);
    assert_eq!(tokens.len(), 64);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
}

#[tokio::test]
async fn many_callers_share_a_failure() {
    let server = Server::answering(|| StatusCode::SERVICE_UNAVAILABLE).await;
    let client = client(&server);
    // On one thread every task has asked before the server can answer.
    let calls: Vec<_> = (0..64).map(|_| tokio::spawn(exists_owned(client.clone()))).collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable);
        let expected = "Unable to generate a JWT token, check PAT config or cortex profile: the info call failed: ";
        let expected = format!("{expected}GET {}/fabric/v4/info: the platform answered 503", server.url);
        assert_eq!(error.detail(), expected);
    }
    // One call, and its repetitions.
    assert_eq!(count(&server, is_info), 4);
}

#[tokio::test]
async fn a_token_is_renewed_30_s_before_its_end() {
    for (ttl, infos) in [(31, 1), (3600, 1), (30, 3), (1, 3)] {
        let server = platform_with_clock(SignedDuration::ZERO).await;
        let client = client_with_ttl(&server, Duration::from_secs(ttl));
        for _ in 0..3 {
            assert!(exists(&client).await.unwrap());
        }
        assert_eq!(count(&server, is_info), infos, "{ttl}");
    }
}

#[tokio::test]
async fn a_token_that_lives_is_used_when_no_other_can_be_made() {
    let infos = AtomicUsize::new(0);
    let server = Server::start(move |request| match is_info(request) {
        true if infos.fetch_add(1, Ordering::SeqCst) == 0 => info(Timestamp::now()),
        true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        false => found(),
    })
    .await;
    let client = client_with_ttl(&server, Duration::from_secs(29));
    assert!(exists(&client).await.unwrap() && exists(&client).await.unwrap());
    let tokens = tokens(&server);
    assert_eq!((count(&server, is_info), &tokens[0]), (1 + 4, &tokens[1]));
}

#[tokio::test]
async fn a_renewal_goes_on_when_whoever_asked_goes_away() {
    let server = platform_with_clock(SignedDuration::ZERO).await;
    let client = client(&server);
    let mut given_up = Box::pin(exists(&client));
    assert!(std::future::poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context))).await.is_pending());
    drop(given_up);
    assert!(exists(&client).await.unwrap());
    assert_eq!(count(&server, is_info), 1);
}

#[tokio::test]
async fn the_same_token_again_is_no_other() {
    let server = Server::start(|request| match request.target.as_str() {
        "/token" => r#"{"access_token": "opaque-token", "expires_in": 3600}"#.into_response(),
        _ => refused("expired"),
    })
    .await;
    let credentials = ClientCredentials::new(&format!("{}/token", server.url), "id", "secret").unwrap();
    let builder = Client::builder().without_environment().without_profile().api_endpoint(&server.url).project("p");
    let client = builder.token_source(Arc::new(credentials)).build().unwrap();
    assert!(exists(&client).await.unwrap_err().is_token_expired());
    assert_eq!(count(&server, |request| request.target != "/token"), 1);
}

type Refuse = Box<dyn Fn() -> Response + Send + Sync>;

/// The ways in which a platform refuses a token, and what each means.
#[tokio::test]
async fn every_refusal_of_a_token_is_recognised() {
    let header = |status: StatusCode, why: &'static str| (status, [("x-auth-error", why)]).into_response();
    let rows: Vec<(Refuse, Code, &str)> = vec![
        (Box::new(|| StatusCode::UNAUTHORIZED.into_response()), Code::TokenInvalid, "the platform answered 401"),
        (Box::new(|| StatusCode::FOUND.into_response()), Code::TokenInvalid, ""),
        (Box::new(move || header(StatusCode::FOUND, "bad signature")), Code::TokenInvalid, "bad signature"),
        (Box::new(move || header(StatusCode::FOUND, "Token EXPIRED")), Code::TokenExpired, "Token EXPIRED"),
        (Box::new(move || header(StatusCode::OK, "expired")), Code::TokenExpired, "expired"),
        (Box::new(move || header(StatusCode::NOT_FOUND, "who?")), Code::TokenInvalid, "who?"),
        (Box::new(move || header(StatusCode::INTERNAL_SERVER_ERROR, "who?")), Code::TokenInvalid, "who?"),
        (
            Box::new(|| (StatusCode::UNAUTHORIZED, r#"{"message": "token has expired"}"#).into_response()),
            Code::TokenExpired,
            "token has expired",
        ),
        (
            Box::new(|| {
                let challenge = r#"Bearer error="invalid_token", error_description="The access token expired""#;
                (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
            }),
            Code::TokenExpired,
            "The access token expired",
        ),
        (
            Box::new(|| {
                let challenge = r#"Bearer error="invalid_token", error_description="expired""#;
                let headers = [("www-authenticate", "Basic"), ("www-authenticate", challenge)];
                let headers =
                    headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
                let headers: HeaderMap = headers.into_iter().collect();
                (StatusCode::UNAUTHORIZED, headers, r#"{"message": "Unauthorized"}"#).into_response()
            }),
            Code::TokenExpired,
            "Unauthorized; Basic; Bearer",
        ),
        (
            Box::new(|| (StatusCode::FOUND, [("x-auth-error", "unauthorized")], "jwt expired").into_response()),
            Code::TokenExpired,
            "unauthorized; jwt expired",
        ),
        (
            Box::new(|| {
                let body = r#"{"error": {"code": 401, "message": "Unauthorized"}}"#;
                (StatusCode::UNAUTHORIZED, body).into_response()
            }),
            Code::TokenInvalid,
            "Authentication error: Unauthorized",
        ),
    ];
    for (refuse, code, words) in rows {
        let server =
            Server::start(move |request| if is_info(request) { info(Timestamp::now()) } else { refuse() }).await;
        let error = server.client().content().download("k").await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.detail().contains("Authentication error: ") && error.detail().contains(words), "{error}");
        assert_eq!(tokens(&server).len(), 1, "a fixed token fails at once");

        // A refusal never means that there is nothing. An answer to HEAD has no body that could say more.
        let error = exists(&server.client()).await.unwrap_err();
        assert!(matches!(error.code(), Code::TokenExpired | Code::TokenInvalid), "{error}");
        assert!(!server.client().content().download_opt("k").await.unwrap_err().is_not_found());

        server.noted.lock().unwrap().clear();
        let error = client(&server).content().download("k").await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let tokens = tokens(&server);
        assert_eq!((tokens.len(), count(&server, is_info)), (2, 2), "one repeat, with a fresh token");
        assert_ne!(tokens[0], tokens[1]);
    }
}

#[tokio::test]
async fn other_refusals_say_nothing_of_the_token() {
    for status in [400, 403, 404, 407, 429, 500, 503] {
        let refusal = StatusCode::from_u16(status).unwrap();
        let server = Server::start(
            move |request| {
                if is_info(request) { info(Timestamp::now()) } else { refusal.into_response() }
            },
        )
        .await;
        let error = client(&server).with_retries(0).content().download("k").await.unwrap_err();
        let temporary = matches!(status, 407 | 429 | 500 | 503);
        let code = if temporary { Code::PlatformUnavailable } else { Code::SkillFailed };
        assert_eq!((error.code(), error.http_status()), (code, Some(status)), "{error}");
        assert_eq!(tokens(&server).len(), 1, "{status}");
    }
}

/// A platform that refuses the first token it sees.
async fn platform_that_refuses_once() -> Server {
    let calls = AtomicUsize::new(0);
    Server::start(move |request| match is_info(request) {
        true => info(Timestamp::now()),
        false if calls.fetch_add(1, Ordering::SeqCst) == 0 => refused("expired"),
        false => r#"{"Key": "k"}"#.into_response(),
    })
    .await
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_call_repeated() {
    let server = platform_that_refuses_once().await;
    let client = client(&server);
    client.content().upload("k", "hello", "text/plain").await.unwrap();
    let bodies: Vec<_> = {
        let noted = server.noted.lock().unwrap();
        noted.iter().filter(|request| !is_info(request)).map(|call| call.body.clone().unwrap()).collect()
    };
    assert_eq!(bodies, ["hello", "hello"]);
    // The fresh one stays.
    assert!(exists(&client).await.unwrap());
    let tokens = tokens(&server);
    assert_eq!(tokens[1], tokens[2]);
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_is_not_repeated() {
    let server = platform_that_refuses_once().await;
    let client = client(&server);
    let error = client.content().upload_streaming("k", &b"hello"[..], "text/plain").await.unwrap_err();
    assert!(error.is_token_expired());
    client.content().upload_streaming("k", &b"hello"[..], "text/plain").await.unwrap();
    let tokens = tokens(&server);
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1], "the next call has a fresh token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_refused_at_once_make_one_new_token() {
    // The first token is refused whoever has it.
    let first = std::sync::OnceLock::new();
    let server = Server::start(move |request| {
        if is_info(request) {
            return info(Timestamp::now());
        }
        let token = request.header("authorization").unwrap().to_owned();
        if *first.get_or_init(|| token.clone()) == token { refused("expired") } else { found() }
    })
    .await;
    let client = client(&server);
    client.token().await.unwrap();
    let calls: Vec<_> = (0..64).map(|_| tokio::spawn(exists_owned(client.clone()))).collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap());
    }
    assert_eq!(count(&server, is_info), 2);
}

#[tokio::test]
async fn a_function_is_asked_for_every_request() {
    let asked = Arc::new(AtomicUsize::new(0));
    let source = |same: bool| {
        let asked = Arc::clone(&asked);
        from_fn(move || {
            let turn = asked.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, Error>(testing::Token::new().with("turn", if same { 0 } else { turn }).text()) }
        })
    };
    let client = |server: &Server, same| {
        let builder = Client::builder().without_environment().without_profile().api_endpoint(&server.url).project("p");
        builder.token_source(source(same)).build().unwrap()
    };
    let server = platform_that_refuses_once().await;
    let changing = client(&server, false);
    assert!(exists(&changing).await.unwrap() && exists(&changing).await.unwrap());
    assert_eq!(asked.swap(0, Ordering::SeqCst), 3, "once for each call, and once for the repeat");

    let server = platform_that_refuses_once().await;
    assert!(exists(&client(&server, true)).await.unwrap_err().is_token_expired());
    assert_eq!((asked.load(Ordering::SeqCst), tokens(&server).len()), (2, 1), "the same token is not sent again");
}

#[tokio::test]
async fn a_function_may_fail_with_any_error() {
    let server = Server::answering(|| "").await;
    let client = |source: Box<dyn TokenSource>| {
        let builder = Client::builder().without_environment().without_profile().api_endpoint(&server.url).project("p");
        builder.token_source(source).build().unwrap()
    };
    let source = from_fn(async || Err::<secrecy::SecretString, _>(std::io::Error::other("no vault")));
    let error = exists(&client(Box::new(source))).await.unwrap_err();
    assert_eq!(
        (error.code(), &*error.chain()),
        (Code::TokenMissing, "the function that gives tokens failed: no vault")
    );
    let source = from_fn(async || Err::<secrecy::SecretString, _>(Error::new(Code::TokenExpired, "the vault's own")));
    assert!(exists(&client(Box::new(source))).await.unwrap_err().is_token_expired());
    let source = from_fn(async || Ok::<_, Error>(testing::Token::new().expired_for(Duration::from_mins(1)).text()));
    assert!(exists(&client(Box::new(source))).await.unwrap_err().is_token_expired());
    assert!(server.noted.lock().unwrap().is_empty(), "an expired token is not sent");
}

#[tokio::test]
async fn failures_to_make_a_token_say_why() {
    const UNABLE: &str = "Unable to generate a JWT token, check PAT config or cortex profile: ";
    for (answer, code, why) in [
        (
            (|| StatusCode::INTERNAL_SERVER_ERROR.into_response()) as fn() -> Response,
            Code::PlatformUnavailable,
            "the platform answered 500",
        ),
        (
            || "{}".into_response(),
            Code::PlatformUnavailable,
            "the answer is not the JSON that was expected (it has no serverTs)",
        ),
        // No token was sent, and the handler has nothing to do with it.
        (|| StatusCode::NOT_FOUND.into_response(), Code::TokenInvalid, "the platform answered 404"),
        (|| refused("expired"), Code::TokenInvalid, "Authentication error: expired"),
    ] {
        let server = Server::answering(answer).await;
        let error = exists(&client(&server)).await.unwrap_err();
        let what = format!("the info call failed: GET {}/fabric/v4/info", server.url);
        assert_eq!((error.code(), error.detail()), (code, &*format!("{UNABLE}{what}: {why}")));
    }
    let unreachable = Client::builder().without_environment().config(config("http://127.0.0.1:1")).build().unwrap();
    let error = exists(&unreachable).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().starts_with(UNABLE) && error.detail().contains("http://127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn the_token_of_a_client_can_be_had() {
    let server = platform_with_clock(SignedDuration::ZERO).await;
    let token = client(&server).token().await.unwrap();
    assert_eq!(token.claims().unwrap().subject, "u");
    assert!(token.time_left().unwrap() > SignedDuration::from_secs(100));
    let shown = format!("{token:?} {:?}", client(&server));
    assert!(!shown.contains(token.secret().expose_secret()) && !shown.contains("eyJ"), "{shown}");
}
