//! Secrets through the client.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::Code;
use skill_sdk::client::SecretValue;

use crate::support::Local;

#[tokio::test]
async fn a_secret_is_posted_read_and_deleted() {
    let local = Local::start().await;
    let secrets = local.client().secrets();
    assert!(secrets.list().await.unwrap().is_empty());
    for (key, value) in [
        ("db/main-password", json!("s3cret ü \"\\\n")),
        ("a.b_c", json!({"user": "u", "success": false, "more": [1.5, null]})),
        ("wrapped", json!({"value": "v"})),
        ("twice", json!({"value": {"value": 1}})),
        ("nothing", json!(null)),
        ("0", json!([])),
    ] {
        secrets.post(key, value.clone()).await.unwrap();
        assert_eq!(secrets.get(key).await.unwrap().expose_secret::<Value>().unwrap(), value, "{key}");
        let described = secrets.describe(key).await.unwrap();
        assert_eq!(described.expose_secret::<Value>().unwrap(), value, "{key}");
    }
    let keys = ["0", "a.b_c", "db/main-password", "nothing", "twice", "wrapped"];
    assert_eq!(secrets.list().await.unwrap(), keys);
    secrets.post("0", "new").await.unwrap();
    assert_eq!(secrets.get_opt("0").await.unwrap().unwrap().text().unwrap().expose_secret(), "new");
    let passed_on = secrets.describe_opt("0").await.unwrap().unwrap();
    secrets.post("1", &passed_on).await.unwrap();
    assert_eq!(secrets.get("1").await.unwrap().text().unwrap().expose_secret(), "new");

    secrets.delete("db/main-password").await.unwrap();
    for error in [
        secrets.get("db/main-password").await.unwrap_err(),
        secrets.describe("db/main-password").await.unwrap_err(),
        secrets.delete("db/main-password").await.unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error}");
    }
    assert!(secrets.get_opt("db/main-password").await.unwrap().is_none());
    assert!(secrets.describe_opt("db/main-password").await.unwrap().is_none());
    assert_eq!(secrets.post("a b", "v").await.unwrap_err().code(), Code::SkillFailed);
}

#[tokio::test]
async fn a_number_has_all_its_digits() {
    let local = Local::start().await;
    let secrets = local.client().secrets();
    let digits = "123456789012345678901234567890.10";
    let number: Box<serde_json::value::RawValue> = serde_json::from_str(digits).unwrap();
    secrets.post("pin", SecretValue::new(&number).unwrap()).await.unwrap();
    let read: Box<serde_json::value::RawValue> = secrets.get("pin").await.unwrap().expose_secret().unwrap();
    assert_eq!(read.get(), digits);
}

#[tokio::test]
async fn a_secret_that_is_too_large_is_refused_and_not_shown() {
    let local = Local::start().await;
    let secrets = local.client().with_body_limit(1 << 20).secrets();
    let error = secrets.post("k", "hush".repeat(150_000)).await.unwrap_err();
    assert_eq!(error.http_status(), Some(413));
    assert!(!format!("{error:?} {}", error.chain()).contains("hush"), "{error}");
    assert!(secrets.list().await.unwrap().is_empty());
}
