//! Misbehaviour on request, as clients meet it.

use std::time::{Duration, Instant};

use local_platform::{Faults, Options};
use reqwest::Method;
use serde_json::json;
use skill_sdk::Code;

use crate::support::{Local, content, header, json as body};

async fn with(rules: &[&str]) -> Local {
    let faults = Faults::new(rules, 7).unwrap();
    Local::start_with(|options: Options| options.with_faults(faults)).await
}

#[tokio::test]
async fn a_status_is_answered_in_the_form_of_its_api() {
    let local = with(&["* *: status=503"]).await;
    let fabric = local.request(Method::POST, &content("/k")).body("v").send().await.unwrap();
    assert_eq!(fabric.status(), 503);
    assert_eq!(body(fabric).await, json!({"success": false, "message": "a fault that was asked for"}));
    let cdf = local.get("/api/v1/token/inspect").await;
    assert_eq!((cdf.status().as_u16(), body(cdf).await["error"]["code"].clone()), (503, json!(503)));
}

#[tokio::test]
async fn only_what_fits_is_hit_and_only_so_often() {
    let local = with(&["GET /fabric/v4/projects/local/content/a*: status=500, count=2"]).await;
    local.put(&content("/a"), "v").await;
    local.put(&content("/b"), "v").await;
    let mut statuses = Vec::new();
    for path in ["/b", "/a", "/b", "/a", "/a"] {
        statuses.push(local.get(&content(path)).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 200, 500, 200]);
}

#[tokio::test]
async fn the_same_seed_hits_the_same_requests() {
    let hits = async || {
        let local = with(&["GET *: status=500, rate=0.5"]).await;
        let mut hits = Vec::new();
        for _ in 0..40 {
            hits.push(local.get(&content("")).await.status() == 500);
        }
        hits
    };
    let first = hits().await;
    assert_eq!(first, hits().await);
    assert!(first.contains(&true) && first.contains(&false));
}

#[tokio::test]
async fn a_delay_comes_before_everything_else() {
    let local = with(&["* *: delay=30ms", "* *: delay=30ms", "* *: status=500"]).await;
    let began = Instant::now();
    assert_eq!(local.get(&content("")).await.status(), 500);
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_cut_answer_breaks_off_after_the_work_is_done() {
    let local = with(&["* /fabric/v4/projects/local/content/k: cut=50%"]).await;
    let stored = local.request(Method::POST, &content("/k")).body("0123456789").send().await.unwrap();
    assert!(stored.bytes().await.is_err());
    assert_eq!(local.keys("").await, ["k"]);
    let mut response = local.get(&content("/k")).await;
    assert_eq!(header(&response, "content-length"), "10");
    assert_eq!(response.chunk().await.unwrap().unwrap(), "01234");
    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn a_reset_connection_has_done_nothing() {
    let local = with(&["POST *: reset"]).await;
    let error = local.request(Method::POST, &content("/k")).body("v").send().await.unwrap_err();
    let mut cause = std::error::Error::source(&error);
    let mut is_reset = false;
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        is_reset |= io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        cause = error.source();
    }
    assert!(is_reset, "{error:?}");
    assert!(local.keys("").await.is_empty());
}

#[tokio::test]
async fn a_token_is_refused_for_the_reason_that_was_asked_for() {
    let local = with(&["* *: x-auth-error=token expired"]).await;
    let fabric = local.get(&content("")).await;
    assert_eq!((fabric.status().as_u16(), header(&fabric, "x-auth-error")), (302, "token expired"));
    let cdf = local.get("/api/v1/token/inspect").await;
    assert_eq!(cdf.status(), 401);
    assert_eq!(body(cdf).await["error"]["message"], "token expired");
    let error = local.client().with_retries(0).content().exists("k").await.unwrap_err();
    assert_eq!(error.code(), Code::TokenExpired);
}

#[tokio::test]
async fn a_client_gets_over_what_passes() {
    let local = with(&[
        "GET /fabric/v4/projects/local/content/k: status=503, count=1",
        "GET /fabric/v4/projects/local/content/k: status=500, count=1",
        "GET /fabric/v4/projects/local/content/k: reset, count=1",
    ])
    .await;
    local.put(&content("/k"), "0123456789").await;
    let download = local.client().with_retries(5).content().download("k").await.unwrap();
    assert_eq!(download.bytes().await.unwrap(), "0123456789");
}
