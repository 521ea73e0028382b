//! What all requests have: headers, and bodies that are compressed.

use serde_json::json;
use skill_sdk::Code;
use skill_sdk::iam::{GroupWrite, Iam};

use super::{answering, iam};
use crate::server::{Noted, Server};

const SDK: &str = concat!("SkillSDK:", env!("CARGO_PKG_VERSION"));

/// A server of one group, and a request without and one with a body.
async fn requests(of: impl Fn(Iam) -> Iam) -> [Noted; 2] {
    let server = answering(json!({"items": [{"id": 1, "name": "g"}]})).await;
    let groups = of(iam(&server)).groups();
    groups.list().await.unwrap();
    let get = server.only();
    groups.create(GroupWrite::new("g")).await.unwrap();
    [get, server.only()]
}

#[tokio::test]
async fn every_request_has_the_headers_of_the_contract() {
    for request in requests(|iam| iam).await {
        for (name, value) in [
            ("x-cdp-sdk", Some(SDK)),
            ("x-cdp-app", Some("skill-sdk")),
            ("cdf-version", Some("20230101")),
            ("accept", Some("application/json")),
            ("content-type", Some("application/json")),
            ("cookie", None),
        ] {
            assert_eq!(request.header(name), value, "{} {name}", request.method);
        }
        assert!(request.header("authorization").unwrap().starts_with("Bearer eyJ"));
    }
}

#[tokio::test]
async fn an_application_has_a_name() {
    for request in requests(|iam| iam.with_application("order-reports")).await {
        assert_eq!(request.header("x-cdp-app"), Some("order-reports"));
    }
    let server = answering(json!({"items": []})).await;
    let error = iam(&server).with_application("a\nb").groups().list().await.unwrap_err();
    let detail = r#"cannot list groups: "a\nb" cannot be the name of an application"#;
    assert_eq!((error.code(), error.detail()), (Code::SkillFailed, detail));
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bodies_are_compressed_unless_that_is_switched_off() {
    let body = json!({"items": [{"name": "g"}]});
    let [get, post] = requests(|iam| iam).await;
    assert_eq!((get.header("content-encoding"), get.plain().len()), (None, 0));
    assert_eq!(post.header("content-encoding"), Some("gzip"));
    assert_eq!(post.body.as_ref().unwrap()[..2], [0x1f, 0x8b]);
    assert_eq!(post.sent().2, Some(body.clone()));
    let [_, post] = requests(|iam| iam.with_gzip(false)).await;
    assert_eq!(post.header("content-encoding"), None);
    assert_eq!(post.body.as_deref(), Ok(body.to_string().as_bytes()));
}

#[tokio::test]
async fn a_chunk_may_be_larger_than_other_bodies() {
    let server = answering(json!({"items": []})).await;
    let group = |n: usize| GroupWrite::new(format!("group-{n}")).source_id("x".repeat(1000));
    let groups: Vec<GroupWrite> = (0..1000).map(group).collect();
    for gzip in [false, true] {
        iam(&server).with_gzip(gzip).groups().create(&groups).await.unwrap();
        let request = server.only();
        assert!(request.plain().len() > 1_000_000);
        assert_eq!(request.sent().2, Some(json!({"items": groups})));
    }
}

#[tokio::test]
async fn a_platform_may_be_below_a_path() {
    let server = answering(json!({"items": []})).await;
    let message = skill_sdk::testing::message(&()).with_api_endpoint(format!("{}/base/", server.url));
    let client = skill_sdk::Client::from_message(message).unwrap().with_project("a b").unwrap();
    client.iam().groups().list().await.unwrap();
    assert_eq!(server.only().target, "/base/api/v1/projects/a%20b/groups?all=false");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Server::answering(|| (axum::http::StatusCode::FOUND, [("location", "/elsewhere")])).await;
    let error = iam(&server).groups().list().await.unwrap_err();
    assert_eq!(error.http_status(), Some(302));
    assert!(server.noted.lock().unwrap().iter().all(|noted| noted.target.starts_with("/api/v1/")));
}
