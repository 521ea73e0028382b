//! Identity and access management, family by family, and who may do what.

use std::time::Duration;

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::client::VerifySslCert;

use crate::support::{Local, json as body};

#[path = "iam/attacks.rs"]
mod attacks;
#[path = "iam/client.rs"]
mod client;
#[path = "iam/groups.rs"]
mod groups;
#[path = "iam/inspect.rs"]
mod inspect;
#[path = "iam/rights.rs"]
mod rights;
#[path = "iam/security_categories.rs"]
mod security_categories;
#[path = "iam/sessions.rs"]
mod sessions;
#[path = "iam/user_profiles.rs"]
mod user_profiles;

/// Somebody who asks.
struct Principal<'a> {
    local: &'a Local,
    token: String,
}

/// The principal of `pat.json`.
fn administrator(local: &Local) -> Principal<'_> {
    Principal { local, token: local.token.clone() }
}

/// Another principal, of these groups at the identity provider.
async fn principal<'a>(local: &'a Local, name: &str, groups: &[&str]) -> Principal<'a> {
    let pair = Ed25519KeyPair::generate().unwrap();
    let seed: Curve25519SeedBin<'_> = pair.seed().unwrap().as_be_bytes().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let added = local.request(Method::POST, "/local-platform/v1/principals");
    let added = added.body(json!({"name": name, "x": x, "groups": groups}).to_string()).send().await.unwrap();
    assert_eq!(added.status(), 200, "{name}");
    let config = json!({
        "jwk": {"crv": "Ed25519", "kty": "OKP", "x": x, "d": URL_SAFE_NO_PAD.encode(seed.as_ref())},
        "issuer": "local-platform", "audience": "cortex", "username": name, "url": local.platform.url(),
    });
    let config = PersonalAccessConfig::from_json(&config.to_string()).unwrap();
    let token = config.mint(Duration::from_mins(2), &VerifySslCert::default()).await.unwrap();
    Principal { local, token: token.secret().expose_secret().to_owned() }
}

impl Principal<'_> {
    /// The status and the JSON that a path in the project `local` answers.
    async fn get(&self, path: &str) -> (u16, Value) {
        self.get_in("local", path).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_in("local", path, body).await
    }

    async fn get_in(&self, project: &str, path: &str) -> (u16, Value) {
        self.send(Method::GET, &format!("/api/v1/projects/{project}/{path}"), &Value::Null).await
    }

    async fn post_in(&self, project: &str, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, &format!("/api/v1/projects/{project}/{path}"), body).await
    }

    async fn inspection(&self) -> Value {
        let (status, found) = self.send(Method::GET, "/api/v1/token/inspect", &Value::Null).await;
        assert_eq!(status, 200);
        found
    }

    async fn send(&self, method: Method, path: &str, content: &Value) -> (u16, Value) {
        let request = self.local.http.request(method, format!("{}{path}", self.local.platform.url()));
        let request = request.bearer_auth(&self.token);
        let request = if content.is_null() { request } else { request.body(content.to_string()) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), body(response).await)
    }

    /// The items of an answer that is expected to be one.
    async fn items(&self, path: &str) -> Vec<Value> {
        let (status, page) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {page}");
        page["items"].as_array().unwrap().clone()
    }

    /// Creates things, and gives their ids.
    async fn create(&self, path: &str, items: &Value) -> Vec<i64> {
        let (status, created) = self.post(path, &json!({"items": items})).await;
        assert_eq!(status, 200, "{path}: {created}");
        ids(&created)
    }

    fn client(&self) -> skill_sdk::Client {
        let client = skill_sdk::Client::builder().without_environment().without_profile();
        client.api_endpoint(self.local.platform.url()).project("local").token(self.token.clone()).build().unwrap()
    }
}

fn ids(answer: &Value) -> Vec<i64> {
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// A capability as JSON, with one action.
fn capability(acl: &str, action: &str, scope: &Value) -> Value {
    json!({acl: {"actions": [action], "scope": scope}})
}

/// A refusal as the API says one, with these fields beside its code and text.
fn assert_refused((status, body): &(u16, Value), code: u16, fields: &Value) {
    assert_eq!((*status, &body["error"]["code"]), (code, &json!(code)), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    let mut error = body["error"].as_object().unwrap().clone();
    error.remove("code");
    assert!(error.remove("message").is_some_and(|message| message != ""), "{body}");
    assert_eq!(Value::Object(error), *fields);
}
