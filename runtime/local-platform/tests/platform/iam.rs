//! What a token is good for.

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, Scope, ScopeKind, compare_capabilities};

use crate::support::{Local, content, header, json as body};

const INSPECT: &str = "/api/v1/token/inspect";

async fn inspection(local: &Local) -> Value {
    let response = local.get(INSPECT).await;
    assert_eq!(response.status(), 200);
    body(response).await
}

#[tokio::test]
async fn whoever_has_a_token_is_the_administrator() {
    let local = Local::start().await;
    let pat: Value = serde_json::from_slice(&std::fs::read(local.platform.pat_path()).unwrap()).unwrap();
    let found = inspection(&local).await;
    assert_eq!(found["subject"], pat["username"]);
    assert_eq!(found["projects"], json!([{"projectUrlName": "local", "groups": []}]));
    assert_eq!(
        found["capabilities"][0],
        json!({
            "agentsAcl": {"actions": ["READ", "WRITE", "RUN"], "scope": {"all": {}}},
            "projectScope": {"allProjects": {}}
        })
    );
    assert_eq!(found.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn the_administrator_may_do_everything_in_every_project() {
    let local = Local::start().await;
    let found = inspection(&local).await;
    let (narrow, wide): (Vec<Acl>, Vec<Acl>) = Acl::ALL.iter().partition(|acl| !acl.scopes().contains(&ScopeKind::All));
    let wish = |acl: &Acl| Capability::new(*acl, acl.actions().iter().cloned(), Scope::all());
    let wishes: Vec<Capability> = wide.iter().map(wish).collect();
    for project in ["local", "another"] {
        let options = CompareOptions::new().project(project);
        assert_eq!(compare_capabilities(&found, &wishes, &options).unwrap().missing, [], "{project}");
    }
    // What is no longer used is nothing to have, and of experiments there are none.
    let names: Vec<String> = found["capabilities"].as_array().unwrap().iter().map(name).collect();
    let current = wide.iter().filter(|acl| !acl.is_legacy()).map(|acl| acl.as_str());
    assert_eq!(names, current.collect::<Vec<_>>());
    assert_eq!(narrow, [Acl::Experiments]);
    let wish = Capability::new(Acl::Experiments, [Action::Use], Scope::experiments(["e"]));
    let compared = compare_capabilities(&found, &wish, &CompareOptions::new().project("local")).unwrap();
    assert_eq!(compared.missing, [wish]);
}

/// The ACL of a token entry.
fn name(entry: &Value) -> String {
    entry.as_object().unwrap().keys().next().unwrap().clone()
}

#[tokio::test]
async fn a_token_that_is_no_good_is_refused_as_that_api_does() {
    let local = Local::start().await;
    let expired = local.platform.mint_token(std::time::Duration::ZERO).unwrap();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    for (authorization, reason) in [
        (None, "missing token"),
        (bearer("a.b.c"), "malformed token"),
        (bearer(expired.expose_secret()), "token expired"),
        (bearer(&Local::start().await.token), "unknown key"),
    ] {
        let mut request = local.http.get(format!("{}{INSPECT}", local.platform.url()));
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{reason}");
        assert_eq!(header(&response, "www-authenticate"), r#"Bearer error="invalid_token""#);
        assert_eq!(header(&response, "content-type"), "application/json");
        assert!(response.headers().get("x-auth-error").is_none());
        assert_eq!(body(response).await, json!({"error": {"code": 401, "message": reason}}));
    }
    // The other paths keep their way.
    let other = local.http.get(format!("{}{}", local.platform.url(), content(""))).send().await.unwrap();
    assert_eq!(other.status(), 302);
    assert_eq!(local.request(Method::POST, INSPECT).send().await.unwrap().status(), 405);
}
