//! Where clients get their tokens from, on a platform that refuses some, forgets some and does not always tell its clock.

use std::time::Duration;

use local_platform::{Faults, Options};
use reqwest::Method;
use secrecy::ExposeSecret;
use skill_sdk::auth::{Environment, PersonalAccessConfig};
use skill_sdk::client::VerifySslCert;
use skill_sdk::{Client, Code};

use crate::support::{Local, content};

async fn with(rules: &[&str]) -> Local {
    let faults = Faults::new(rules, 7).unwrap();
    Local::start_with(|options: Options| options.announced().with_faults(faults)).await
}

fn config(local: &Local) -> PersonalAccessConfig {
    PersonalAccessConfig::from_file(local.platform.pat_path()).unwrap()
}

/// A client that makes its tokens itself.
fn renewable(local: &Local) -> Client {
    Client::builder().without_environment().without_profile().config(config(local)).build().unwrap()
}

#[tokio::test]
async fn a_config_is_all_that_a_client_needs() {
    let local = Local::start().await;
    local.put(&content("/k"), "v").await;
    let client = renewable(&local);
    assert_eq!((client.project(), client.api_endpoint()), ("local", local.platform.url()));
    assert!(client.content().exists("k").await.unwrap());
}

/// An environment that holds these variables.
#[derive(Debug)]
struct Variables(Vec<(&'static str, String)>);

impl Environment for Variables {
    fn raw(&self, name: &str) -> Option<std::ffi::OsString> {
        let found = self.0.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.into())
    }
}

#[tokio::test]
async fn the_environment_says_who_asks_and_where() {
    let local = Local::start().await;
    local.put(&content("/k"), "v").await;
    let path = local.platform.pat_path().display().to_string();
    let text = std::fs::read_to_string(local.platform.pat_path()).unwrap();
    let of = |variables| Client::builder().environment(Variables(variables)).without_profile().build().unwrap();
    for config in [path, text] {
        let client = of(vec![("CORTEX_PERSONAL_ACCESS_CONFIG", config)]);
        assert!(client.content().exists("k").await.unwrap());
    }
    let variables =
        [("CORTEX_URI", local.platform.url()), ("CORTEX_TOKEN", &local.token), ("CORTEX_PROJECT", "another")];
    let client = of(variables.map(|(name, value)| (name, value.to_owned())).to_vec());
    assert!(!client.content().exists("k").await.unwrap());
}

#[tokio::test]
async fn a_refused_token_is_made_anew_once() {
    let local = with(&["* *content*: x-auth-error=token expired, count=1"]).await;
    let client = renewable(&local);
    let first = client.token().await.unwrap().secret().expose_secret().to_owned();
    assert!(!client.content().exists("k").await.unwrap());
    assert_ne!(client.token().await.unwrap().secret().expose_secret(), first);

    let local = with(&["* *content*: x-auth-error=token expired, count=2"]).await;
    let error = renewable(&local).content().exists("k").await.unwrap_err();
    assert_eq!((error.code(), error.is_token_expired()), (Code::TokenExpired, true));
}

#[tokio::test]
async fn a_token_that_was_given_is_not_made_anew() {
    let local = with(&["* *content*: x-auth-error=token expired, count=1"]).await;
    let client = local.client();
    assert_eq!(client.content().exists("k").await.unwrap_err().code(), Code::TokenExpired);
    // The platform would take it now.
    assert!(!client.content().exists("k").await.unwrap());
}

#[tokio::test]
async fn an_upload_that_was_refused_for_its_token_is_done_with_the_next() {
    let local = with(&["POST *content*: x-auth-error=token expired, count=1"]).await;
    renewable(&local).content().upload("k", "v", "text/plain").await.unwrap();
    assert_eq!(local.get(&content("/k")).await.text().await.unwrap(), "v");
}

#[tokio::test]
async fn without_the_platform_s_clock_there_is_no_token() {
    let local = with(&["GET /fabric/v4/info: status=500"]).await;
    let error = renewable(&local).with_retries(0).content().exists("k").await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().contains("/fabric/v4/info") && error.detail().contains("500"), "{error}");

    let local = with(&["GET /fabric/v4/info: cut=50%"]).await;
    let error = renewable(&local).with_retries(0).content().exists("k").await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable, "{error}");
}

#[tokio::test]
async fn a_platform_may_give_tokens_a_shorter_life_than_they_say() {
    // Shorter than a token's first use is away: even a new one is too old.
    let local = Local::start_with(|options: Options| options.with_token_ttl(Duration::ZERO)).await;
    let token = config(&local).mint(Duration::from_hours(1), &VerifySslCert::default()).await.unwrap();
    assert!(token.time_left().unwrap() > jiff::SignedDuration::from_mins(50));
    let error = renewable(&local).content().exists("k").await.unwrap_err();
    assert_eq!(error.code(), Code::TokenExpired);
    let info = local.http.request(Method::GET, format!("{}/fabric/v4/info", local.platform.url()));
    assert_eq!(info.send().await.unwrap().status(), 200);
}
