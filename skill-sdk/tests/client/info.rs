//! What a platform says about itself.

use axum::http::StatusCode;
use skill_sdk::Code;

use crate::server::Server;

#[tokio::test]
async fn info_is_asked_without_a_token() {
    let body =
        r#"{"success":true,"serverTs":1718000000000,"version":"6.3","deployType":"x","healths":[{"name":"db"}]}"#;
    let server = Server::answering(move || body).await;
    let info = server.client().info().await.unwrap();
    assert_eq!(info.server_time().unwrap().to_string(), "2024-06-10T06:13:20Z");
    assert_eq!((info.version.as_deref(), &info.other["healths"][0]["name"]), (Some("6.3"), &"db".into()));
    let again: serde_json::Value = serde_json::to_value(&info).unwrap();
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(body).unwrap());
    let noted = server.only();
    assert_eq!((noted.method.as_str(), noted.target.as_str()), ("GET", "/fabric/v4/info"));
    assert_eq!(noted.header("authorization"), None);
    assert!(noted.header("user-agent").unwrap().starts_with("skill-sdk/"));
}

#[tokio::test]
async fn info_without_a_clock_is_none() {
    for body in [r#"{"success": true}"#, r#"{"serverTs": "now"}"#, "[]", "<html>"] {
        let server = Server::answering(move || body).await;
        assert_eq!(server.client().info().await.unwrap_err().code(), Code::PlatformUnavailable, "{body}");
    }
    let server = Server::answering(|| StatusCode::NOT_FOUND).await;
    assert!(server.client().info().await.unwrap_err().is_not_found());
}
