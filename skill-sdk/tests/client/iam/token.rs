//! The inspection of a token.

use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, ProjectScope, Scope, compare_capabilities};

use super::{answering, iam, sent};

/// The example of the contract, section 6.
fn inspection() -> Value {
    json!({
        "subject": "9a3f-svc",
        "projects": [{"projectUrlName": "alpha", "groups": [11, 12]}],
        "capabilities": [
            {"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}, "projectScope": {"projects": ["alpha"]}},
            {"groupsAcl": {"actions": ["LIST"], "scope": {"currentuserscope": {}}}, "projectScope": {"allProjects": {}}}
        ]
    })
}

#[tokio::test]
async fn a_token_is_inspected_each_time() {
    let server = answering(inspection()).await;
    let token = iam(&server).token();
    let inspected = token.inspect().await.unwrap();
    assert_eq!(inspected.subject, "9a3f-svc");
    let project = &inspected.projects[0];
    assert_eq!((project.url_name.as_str(), &project.groups[..]), ("alpha", &[11, 12][..]));
    assert_eq!(inspected.capabilities[0].project_scope, ProjectScope::projects(["alpha"]));
    assert_eq!(serde_json::to_value(&inspected).unwrap(), inspection());
    assert_eq!(token.inspect().await.unwrap(), inspected);
    let request = || ("GET".to_owned(), "/api/v1/token/inspect".to_owned(), None);
    assert_eq!(sent(&server), [request(), request()], "nothing is remembered");
}

#[tokio::test]
async fn what_is_not_known_is_kept() {
    let mut answer = inspection();
    answer["new"] = json!({"x": 1});
    let future = json!({"futureAcl": {"actions": ["FLY"], "scope": {"sky": {}}}, "projectScope": {"allProjects": {}}});
    answer["capabilities"].as_array_mut().unwrap().push(future);
    let server = answering(answer.clone()).await;
    assert_eq!(serde_json::to_value(iam(&server).token().inspect().await.unwrap()).unwrap(), answer);
    let server = answering(json!({"subject": "s", "projects": null, "capabilities": []})).await;
    let inspected = iam(&server).token().inspect().await.unwrap();
    assert!(inspected.projects.is_empty() && inspected.capabilities.is_empty());
}

#[tokio::test]
async fn an_inspection_can_be_compared() {
    let server = answering(inspection()).await;
    let inspected = iam(&server).token().inspect().await.unwrap();
    let wish = Capability::new(Acl::Assets, [Action::Read], Scope::all());
    for (project, missing) in [("alpha", 0), ("beta", 1)] {
        let compared = compare_capabilities(&inspected, &wish, &CompareOptions::new().project(project)).unwrap();
        assert_eq!(compared.missing.len(), missing, "{project}");
    }
}
