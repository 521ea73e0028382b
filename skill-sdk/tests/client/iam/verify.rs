//! What the caller lacks.

use serde_json::json;
use skill_sdk::Code;
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, Group, Scope};

use super::{answering, iam, scripted, sent};

fn reads(acl: Acl) -> Capability {
    Capability::new(acl, [Action::Read], Scope::all())
}

/// An inspection of a token that may read assets in the project, and files in another one.
fn inspection() -> serde_json::Value {
    json!({"subject": "s", "projects": [], "capabilities": [
        {"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}, "projectScope": {"projects": ["test-project"]}},
        {"filesAcl": {"actions": ["READ"], "scope": {"all": {}}}, "projectScope": {"projects": ["other"]}}
    ]})
}

#[tokio::test]
async fn the_token_of_the_client_is_compared_in_its_project() {
    let server = answering(inspection()).await;
    let (iam, usual) = (iam(&server), CompareOptions::new());
    let wish = [reads(Acl::Assets), reads(Acl::Files)];
    let lacking = iam.verify_capabilities(&wish, &usual).await.unwrap();
    assert_eq!(lacking.missing, [reads(Acl::Files)]);
    let error = lacking.check().unwrap_err();
    assert_eq!((error.code(), error.missing().len()), (Code::MissingCapabilities, 1));
    let lacking = iam.verify_capabilities(&wish, &CompareOptions::new().project("other")).await.unwrap();
    assert_eq!(lacking.missing, [reads(Acl::Assets)]);
    let narrow = json!([{"assetsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": [1]}}}}]);
    assert!(iam.verify_capabilities(&narrow, &usual).await.unwrap().is_granted());
    let exactly = CompareOptions::new().ignore_allscope_meaning();
    assert_eq!(iam.verify_capabilities(&narrow, &exactly).await.unwrap().missing.len(), 1);
    assert!(sent(&server).iter().all(|(_, target, _)| target == "/api/v1/token/inspect"));
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_is_not_asked_about() {
    let server = answering(inspection()).await;
    let error = iam(&server).verify_capabilities("[{\"assetAcl\": {}}]", &CompareOptions::new()).await.unwrap_err();
    assert!(error.detail().contains("Did you mean one of: assetsAcl"), "{error}");
    assert_eq!(sent(&server), []);
    let error = iam(&server).verify_capabilities(&(), &CompareOptions::new()).await.unwrap_err();
    assert_eq!(error.detail(), "No capabilities given");
}

#[tokio::test]
async fn groups_can_be_compared() {
    let group = json!({"name": "readers", "id": 1, "capabilities": [reads(Acl::Assets)]});
    let server = scripted([(200, json!({"items": [group, {"name": "none", "id": 2}]}))]).await;
    let iam = iam(&server);
    let groups: Vec<Group> = iam.groups().list().await.unwrap();
    let wish = [reads(Acl::Assets), reads(Acl::Files)];
    let lacking = iam.compare_capabilities(&groups, &wish, &CompareOptions::new()).unwrap();
    assert_eq!(lacking.missing, [reads(Acl::Files)]);
    // Entries of a token count in the project of the client.
    let lacking = iam.compare_capabilities(&inspection(), &wish, &CompareOptions::new()).unwrap();
    assert_eq!(lacking.missing, [reads(Acl::Files)]);
}
