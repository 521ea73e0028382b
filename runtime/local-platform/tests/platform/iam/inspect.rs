//! What a token is good for.

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, Scope, ScopeKind, compare_capabilities};

use super::{administrator, capability, principal};
use crate::support::{Local, content, header, json as body};

const INSPECT: &str = "/api/v1/token/inspect";

async fn inspection(local: &Local) -> Value {
    let response = local.get(INSPECT).await;
    assert_eq!(response.status(), 200);
    body(response).await
}

#[tokio::test]
async fn the_token_of_the_personal_access_config_is_the_administrators() {
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

/// The capability of a token entry, and its projects.
fn entry(mut capability: Value, projects: &[&str]) -> Value {
    capability["projectScope"] = json!({"projects": projects});
    capability
}

#[tokio::test]
async fn a_principal_has_what_its_groups_give_in_each_project() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let ann = principal(&local, "ann", &["readers"]).await;
    let found = ann.inspection().await;
    assert_eq!(found, json!({"subject": "ann", "projects": [], "capabilities": []}));

    let all = json!({"all": {}});
    let (assets, events) = (capability("assetsAcl", "READ", &all), capability("eventsAcl", "WRITE", &all));
    let of_next_year = capability("moonAcl", "FLY", &json!({"orbitScope": {"of": 1}}));
    let mut ids = Vec::new();
    for (project, group) in [
        ("local", json!({"name": "readers", "capabilities": [assets, of_next_year]})),
        ("local", json!({"name": "again", "members": ["ann"], "capabilities": [assets]})),
        ("local", json!({"name": "others", "members": ["bob"], "capabilities": [capability("rawAcl", "READ", &all)]})),
        ("a b/ü", json!({"name": "x", "sourceId": "readers", "capabilities": [assets, events]})),
        ("gone", json!({"name": "readers", "capabilities": [events]})),
    ] {
        let project = project.replace(' ', "%20").replace('/', "%2F");
        let (status, created) = administrator.post_in(&project, "groups", &json!({"items": [group]})).await;
        assert_eq!(status, 200, "{created}");
        ids.push(created["items"][0]["id"].clone());
    }
    administrator.post_in("gone", "groups/delete", &json!({"items": [ids[4]]})).await;

    let found = ann.inspection().await;
    assert_eq!(
        found["projects"],
        json!([
            {"projectUrlName": "a b/ü", "groups": [ids[3]]},
            {"projectUrlName": "local", "groups": [ids[0], ids[1]]},
        ])
    );
    let entries = [entry(assets, &["a b/ü", "local"]), entry(events, &["a b/ü"]), entry(of_next_year, &["local"])];
    assert_eq!(found["capabilities"], json!(entries));
    // The administrator is told of all projects with groups, and of the own groups alone.
    let projects = administrator.inspection().await["projects"].clone();
    assert_eq!(projects, json!([{"projectUrlName": "a b/ü", "groups": []}, {"projectUrlName": "local", "groups": []}]));
}
