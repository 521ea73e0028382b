//! Principals beside the first one, and the personal access configs they authenticate with.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use local_platform::Options;
use reqwest::Method;
use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::{Client, Code};

use crate::support::{Local, content, header, json as body, token};

const PRINCIPALS: &str = "/local-platform/v1/principals";

/// Adds a principal; gives the personal access config it may use.
async fn add(local: &Local, name: &str, pat: Option<&Path>) -> Value {
    let pair = Ed25519KeyPair::generate().unwrap();
    let seed: Curve25519SeedBin<'_> = pair.seed().unwrap().as_be_bytes().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let sent = json!({"name": name, "x": x, "groups": ["readers"], "pat": pat});
    let added = local.request(Method::POST, PRINCIPALS).body(sent.to_string()).send().await.unwrap();
    assert_eq!(added.status(), 200, "{name}");
    let added = body(added).await;
    json!({
        "jwk": {"crv": "Ed25519", "kty": "OKP", "x": x, "d": URL_SAFE_NO_PAD.encode(seed.as_ref())},
        "issuer": added["issuer"], "audience": added["audience"], "username": name, "url": added["url"],
        "project": added["project"],
    })
}

fn client(config: &Value) -> Client {
    let config = PersonalAccessConfig::from_json(&config.to_string()).unwrap();
    Client::builder().without_environment().without_profile().config(config).build().unwrap()
}

#[tokio::test]
async fn each_acts_in_its_own_name() {
    let local = Local::start().await;
    let (ann, bob) = (add(&local, "ann", None).await, add(&local, "bob/ü", None).await);
    for (config, name) in [(&ann, "ann"), (&bob, "bob/ü")] {
        assert_eq!(client(config).iam().token().inspect().await.unwrap().subject, name);
    }
    let listed = body(local.get(PRINCIPALS).await).await;
    let names: Vec<_> =
        listed["principals"].as_array().unwrap().iter().map(|one| one["administrator"].clone()).collect();
    assert_eq!(names.iter().filter(|is| **is == true).count(), 1);
    assert_eq!(names.len(), 3);
    let ann_listed = listed["principals"].as_array().unwrap().iter().find(|one| one["name"] == "ann").unwrap();
    assert_eq!(ann_listed, &json!({"name": "ann", "groups": ["readers"], "administrator": false}));
}

#[tokio::test]
async fn nobody_speaks_for_another() {
    let local = Local::start().await;
    let (ann, mut forged) = (add(&local, "ann", None).await, add(&local, "bob", None).await);
    forged["username"] = "ann".into();
    let error = client(&forged).content().exists("k").await.unwrap_err();
    assert_eq!((error.code(), error.detail().contains("unknown key")), (Code::TokenInvalid, true), "{error}");
    let mut nobody = ann.clone();
    nobody["username"] = "nobody".into();
    let error = client(&nobody).content().exists("k").await.unwrap_err();
    assert_eq!(error.code(), Code::TokenInvalid);
    assert!(client(&ann).content().list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn only_the_administrator_sees_to_principals() {
    let local = Local::start().await;
    let ann = client(&add(&local, "ann", None).await);
    let token = secrecy::ExposeSecret::expose_secret(ann.token().await.unwrap().secret()).to_owned();
    for (method, path) in [(Method::GET, PRINCIPALS), (Method::DELETE, "/local-platform/v1/principals/ann")] {
        let request = local.http.request(method, format!("{}{path}", local.platform.url())).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    let added = local.http.post(format!("{}{PRINCIPALS}", local.platform.url())).bearer_auth(&token);
    let sent = json!({"name": "eve", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ"});
    assert_eq!(added.body(sent.to_string()).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_removed_principal_is_refused() {
    let local = Local::start().await;
    let ann = client(&add(&local, "ann", None).await);
    assert!(!ann.content().exists("k").await.unwrap());
    let remove = |name: &str| local.request(Method::DELETE, &format!("{PRINCIPALS}/{name}")).send();
    assert_eq!(remove("ann").await.unwrap().status(), 200);
    assert_eq!(ann.content().exists("k").await.unwrap_err().code(), Code::TokenInvalid);
    assert_eq!(remove("ann").await.unwrap().status(), 404);
    let config: Value = serde_json::from_slice(&std::fs::read(local.platform.pat_path()).unwrap()).unwrap();
    assert_eq!(remove(config["username"].as_str().unwrap()).await.unwrap().status(), 400);
}

#[tokio::test]
async fn what_is_no_principal_is_refused() {
    let local = Local::start().await;
    add(&local, "ann", None).await;
    let x = "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ";
    for (sent, status) in [
        (json!({"name": "ann", "x": x}), 409),
        (json!({"name": "", "x": x}), 400),
        (json!({"name": "..", "x": x}), 400),
        (json!({"name": "a\nb", "x": x}), 400),
        (json!({"name": "n".repeat(513), "x": x}), 400),
        (json!({"name": "bob", "x": ""}), 400),
        (json!({"name": "bob", "x": &x[1..]}), 400),
        (json!({"name": "bob"}), 400),
        (json!({"name": "bob", "x": x, "groups": [""]}), 400),
        (json!({"name": "bob", "x": x, "groups": vec!["g"; 1001]}), 400),
    ] {
        let response = local.request(Method::POST, PRINCIPALS).body(sent.to_string()).send().await.unwrap();
        assert_eq!(response.status(), status, "{sent}");
    }
}

#[tokio::test]
async fn principals_stay_and_their_configs_learn_the_url() {
    let local = Local::start().await;
    let pat = local.folder.path().join("ann.json");
    let config = add(&local, "ann", Some(&pat)).await;
    std::fs::write(&pat, config.to_string()).unwrap();
    // What somebody else keeps in such a place is left alone.
    let other = local.folder.path().join("bob.json");
    add(&local, "bob", Some(&other)).await;
    std::fs::write(&other, config.to_string()).unwrap();

    let local = local.restart().await;
    let told: Value = serde_json::from_slice(&std::fs::read(&pat).unwrap()).unwrap();
    assert_eq!(told["url"], local.platform.url());
    assert_eq!(told["jwk"], config["jwk"]);
    assert_eq!(client(&told).iam().token().inspect().await.unwrap().subject, "ann");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), config.to_string());
}

#[tokio::test]
async fn an_old_token_is_refused_whatever_it_says() {
    let local = Local::start_with(|options: Options| options.with_token_ttl(Duration::ZERO)).await;
    let config = PersonalAccessConfig::from_file(local.platform.pat_path()).unwrap();
    let minted = config.mint(Duration::from_mins(10), &skill_sdk::client::VerifySslCert::default()).await.unwrap();
    let request = local.http.get(format!("{}{}", local.platform.url(), content("")));
    let refused = request.bearer_auth(secrecy::ExposeSecret::expose_secret(minted.secret())).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "x-auth-error")), (302, "token expired"));
    // What the platform mints does not say that it lives longer.
    let own = token(&local.platform);
    let claims = URL_SAFE_NO_PAD.decode(own.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["exp"], claims["iat"]);
}
