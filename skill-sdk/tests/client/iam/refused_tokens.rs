//! What becomes of calls whose token is refused.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skill_sdk::auth::from_fn;
use skill_sdk::iam::Iam;
use skill_sdk::{Client, Code, Error, testing};

use super::{PROJECT, answer, iam};
use crate::server::{Noted, Server};

const INSPECT: &str = "/api/v1/token/inspect";
const REFUSED: &str = "cannot list groups: Authentication error: Unauthorized (request r1). The token may have expired, \
                       be invalid, or not be for the project `test-project`.";

fn unauthorized() -> Response {
    let body = json!({"error": {"code": 401, "message": "Unauthorized"}});
    (StatusCode::UNAUTHORIZED, [("x-request-id", "r1")], body.to_string()).into_response()
}

/// A server that refuses all tokens, and answers inspections so.
async fn refusing(inspection: impl Fn() -> Response + Send + Sync + 'static) -> Server {
    Server::start(move |noted| if noted.target == INSPECT { inspection() } else { unauthorized() }).await
}

fn inspection(projects: &[&str]) -> Response {
    let projects: Vec<Value> = projects.iter().map(|name| json!({"projectUrlName": name, "groups": [1]})).collect();
    answer(200, &json!({"subject": "s", "projects": projects, "capabilities": []}))
}

fn targets(server: &Server) -> Vec<String> {
    server.noted.lock().unwrap().iter().map(|noted| noted.target.clone()).collect()
}

async fn list(iam: &Iam) -> Error {
    iam.groups().list().await.unwrap_err()
}

#[tokio::test]
async fn the_projects_that_the_token_is_for_are_named() {
    let many: Vec<String> = (1..=12).map(|n| format!("p{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (projects, told) in [
        (&["alpha", "beta"][..], " It works for `alpha`, `beta`."),
        (&[], " It works for no project."),
        (&many, " It works for `p1`, `p2`, `p3`, `p4`, `p5`, `p6`, `p7`, `p8`, `p9`, `p10` and 2 more."),
    ] {
        let projects: Vec<String> = projects.iter().map(|name| (*name).to_owned()).collect();
        let server = refusing(move || inspection(&projects.iter().map(String::as_str).collect::<Vec<_>>())).await;
        let error = list(&iam(&server)).await;
        assert_eq!(error.detail(), format!("{REFUSED}{told}"));
        assert_eq!((error.code(), error.http_status()), (Code::TokenInvalid, Some(401)));
        assert!(error.is_unauthorized() && !error.is_not_found());
        assert_eq!(targets(&server), [format!("{PROJECT}/groups?all=false"), INSPECT.to_owned()]);
        let noted = server.noted.lock().unwrap();
        assert_eq!(noted[1].sent(), ("GET", INSPECT, None));
    }
}

#[tokio::test]
async fn that_they_cannot_be_found_out_does_not_matter() {
    for status in [401, 403, 500, 503] {
        let server = refusing(move || answer(status, &json!({"error": "no"}))).await;
        assert_eq!(list(&iam(&server)).await.detail(), REFUSED);
        assert_eq!(targets(&server).len(), 2, "asked once");
    }
    let server = refusing(|| "not JSON".into_response()).await;
    assert_eq!(list(&iam(&server)).await.detail(), REFUSED);
}

#[tokio::test]
async fn an_inspection_that_is_refused_is_not_looked_into() {
    let server = refusing(unauthorized).await;
    let error = iam(&server).token().inspect().await.unwrap_err();
    assert_eq!(error.detail(), "cannot inspect the token: Authentication error: Unauthorized (request r1)");
    assert!(error.is_unauthorized());
    assert_eq!(targets(&server), [INSPECT]);
}

#[tokio::test]
async fn names_of_projects_hold_no_secrets() {
    let server = Server::start(|noted: &Noted| {
        if noted.target != INSPECT {
            return unauthorized();
        }
        let token = noted.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        inspection(&[token, "a\nb"])
    })
    .await;
    let error = list(&iam(&server)).await;
    assert!(error.detail().ends_with(", `a b`.") && !format!("{error:?}").contains("eyJ"), "{error}");
}

#[tokio::test]
async fn all_requests_of_a_call_are_looked_into_once() {
    let server = refusing(|| inspection(&["alpha"])).await;
    let error = iam(&server).groups().delete((1..=4500).collect::<Vec<_>>()).await.unwrap_err();
    assert!(error.detail().ends_with("It works for `alpha`."), "{error}");
    let targets = targets(&server);
    assert_eq!(targets.iter().filter(|target| *target == INSPECT).count(), 1);
    let items = error.items().unwrap();
    assert_eq!((items.failed.len() + items.skipped.len(), items.unknown.len()), (4500, 0));
}

/// A client whose source gives another token each time.
fn renewing(server: &Server) -> Client {
    let given = AtomicUsize::new(0);
    let source = from_fn(move || {
        let number = given.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, Error>(format!("eyJ-{number}").into()) }
    });
    let builder = Client::builder().api_endpoint(&server.url).project("test-project").token_source(source);
    builder.without_environment().without_profile().build().unwrap()
}

#[tokio::test]
async fn a_token_is_renewed_once_where_there_is_another() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => unauthorized(),
        _ => answer(200, &json!({"items": []})),
    })
    .await;
    assert!(renewing(&server).iam().groups().list().await.unwrap().is_empty());
    let tokens: Vec<_> = {
        let noted = server.noted.lock().unwrap();
        noted.iter().map(|noted| noted.header("authorization").unwrap().to_owned()).collect()
    };
    assert_eq!(tokens, ["Bearer eyJ-0", "Bearer eyJ-1"]);

    let server = refusing(unauthorized).await;
    assert!(list(&renewing(&server).iam()).await.is_unauthorized());
    let groups = format!("{PROJECT}/groups?all=false");
    assert_eq!(targets(&server), [groups.as_str(), &groups, INSPECT], "the inspection renews nothing");

    // What was not done before is done once.
    let client = testing::message(&()).with_api_endpoint(&server.url);
    server.noted.lock().unwrap().clear();
    assert!(list(&Client::from_message(client).unwrap().iam()).await.is_unauthorized());
    assert_eq!(targets(&server), [groups.as_str(), INSPECT], "a fixed token is not renewed");
}

#[tokio::test]
async fn an_expired_token_is_told_as_such() {
    let server = Server::start(|_| {
        let body = json!({"error": {"code": 401, "message": "Token expired"}});
        (StatusCode::UNAUTHORIZED, body.to_string()).into_response()
    })
    .await;
    let error = list(&iam(&server)).await;
    assert!(error.is_token_expired() && error.is_unauthorized());
}
