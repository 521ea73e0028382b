//! Secrets (fabric-api section 4).

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{self, Local, header, project};

#[tokio::test]
async fn both_clients_forms_are_kept_as_the_value() {
    let local = Local::start().await;
    for (sent, value) in [
        (json!({"value": "v"}), json!("v")),
        (json!({"value": {"value": 1}}), json!({"value": 1})),
        (json!("v"), json!("v")),
        (json!({"u": 1}), json!({"u": 1})),
        (json!({"value": 1, "u": 2}), json!({"value": 1, "u": 2})),
        (json!(null), json!(null)),
        (json!([1]), json!([1])),
    ] {
        local.save("/secrets/k", sent).await;
        assert_eq!(local.read("/secrets/k").await, json!({"success": true, "value": value}));
        let inside = local.get("/internal/projects/local/secrets/k").await;
        assert_eq!(support::json(inside).await, json!({"success": true, "value": value}));
    }
}

#[tokio::test]
async fn a_value_stays_what_it_is_to_the_last_digit() {
    let local = Local::start().await;
    let text = r#"{"pin": 1.10, "large": 123456789012345678901234567890, "pin": "twice"}"#;
    let sent = local.request(Method::POST, &project("/secrets/k")).body(text);
    assert_eq!(sent.send().await.unwrap().status(), 200);
    let kept = local.get(&project("/secrets/k")).await.text().await.unwrap();
    assert_eq!(kept, format!(r#"{{"success":true,"value":{text}}}"#));
}

#[tokio::test]
async fn keys_are_encoded_or_split() {
    let local = Local::start().await;
    local.save("/secrets/db/main-password", json!("split")).await;
    local.save("/secrets/db%2Fother.1", json!("encoded")).await;
    for (path, value) in [
        ("/secrets/db%2Fmain-password", "split"),
        ("/secrets/db/main-password", "split"),
        ("/secrets/db/other.1", "encoded"),
    ] {
        assert_eq!(local.read(path).await["value"], value);
        let inside = local.get(&format!("/internal/projects/local{path}")).await;
        assert_eq!(support::json(inside).await["value"], value);
    }
    assert_eq!(local.read("/secrets?list=true").await, json!(["db/main-password", "db/other.1"]));
    let (status, answer) = local.call(Method::DELETE, "/secrets/db%2Fmain-password", None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    assert!(answer["message"].is_string());
    assert_eq!(local.read("/secrets").await, json!(["db/other.1"]));
}

#[tokio::test]
async fn what_is_absent_is_not_found() {
    let local = Local::start().await;
    assert_eq!(local.read("/secrets").await, json!([]));
    local.save("/secrets/k", json!("v")).await;
    for method in [Method::GET, Method::DELETE] {
        for path in ["/secrets/other", "/secrets/k/", "/secrets/K", "/secrets/k/k"] {
            let (status, answer) = local.call(method.clone(), path, None).await;
            assert_eq!((status, &answer["success"]), (404, &json!(false)), "{path}");
        }
    }
    let elsewhere = local.get("/fabric/v4/projects/other/secrets/k").await;
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test]
async fn keys_and_bodies_that_are_none_are_refused() {
    let local = Local::start().await;
    for key in ["a%20b", "a//b", "%2Fa", "a.", "%C3%BC", "a%00", "a:b", "..%2F..%2Fetc"] {
        let (status, answer) = local.call(Method::POST, &format!("/secrets/{key}"), Some(json!("v"))).await;
        assert_eq!(status, 400, "{key}");
        if key != "a%00" {
            assert_eq!(answer["message"], "Failed to write secret : keyName did not conform to regex");
        }
    }
    for body in ["", "top secret", r#"{"value": "top secret"#] {
        let refused = local.request(Method::POST, &project("/secrets/k")).body(body).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{body}");
        assert!(!refused.text().await.unwrap().contains("top"));
    }
    for body in ["1e400", r#"{"value": [-1e999]}"#, r#""\ud800""#] {
        let refused = local.request(Method::POST, &project("/secrets/k")).body(body).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{body}");
    }
    let large = "s".repeat(500 << 10);
    let (status, answer) = local.call(Method::POST, "/secrets/k", Some(large.into())).await;
    assert_eq!((status, &answer["success"]), (413, &json!(false)));
    assert!(answer["message"].as_str().unwrap().contains("512000"));
    assert_eq!(local.read("/secrets").await, json!([]));
}

#[tokio::test]
async fn nobody_reads_secrets_without_a_token() {
    let local = Local::start().await;
    local.save("/secrets/k", json!("v")).await;
    for path in [project("/secrets/k"), project("/secrets"), "/internal/projects/local/secrets/k".to_owned()] {
        let refused = local.http.get(format!("{}{path}", local.platform.url())).send().await.unwrap();
        assert_eq!(refused.status(), 302, "{path}");
        assert!(!header(&refused, "x-auth-error").is_empty());
        assert_eq!(support::json(refused).await["success"], false);
    }
}

#[tokio::test]
async fn many_writers_lose_nothing_even_by_a_restart() {
    let local = Local::start().await;
    let key = |n: usize| format!("/secrets/k-{n:02}");
    let save = async |n: usize| local.save(&key(n), json!(n)).await;
    join_all((0..50).map(save)).await;
    let local = local.restart().await;
    assert_eq!(local.read("/secrets").await.as_array().unwrap().len(), 50);
    for n in 0..50 {
        assert_eq!(local.read(&key(n)).await["value"], n);
    }
}
