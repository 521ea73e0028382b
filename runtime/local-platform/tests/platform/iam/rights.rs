//! Who may do what: the rights of a principal are those of its groups.

use serde_json::{Value, json};

use super::{Principal, administrator, assert_refused, capability, names, principal};
use crate::support::Local;

/// A call, with what it needs.
type Call = (&'static str, Value, &'static str, &'static str);

/// Every call that needs something; a GET has no body.
fn calls() -> Vec<Call> {
    let enable = json!({"update": {"userProfilesConfiguration": {"set": {"enabled": true}}}});
    vec![
        ("groups?all=true", Value::Null, "groupsAcl", "LIST"),
        ("groups", json!({"items": [{"name": "new"}]}), "groupsAcl", "CREATE"),
        ("groups/delete", json!({"items": [999]}), "groupsAcl", "DELETE"),
        ("securitycategories", Value::Null, "securityCategoriesAcl", "LIST"),
        ("securitycategories", json!({"items": [{"name": "new"}]}), "securityCategoriesAcl", "CREATE"),
        ("securitycategories/delete", json!({"items": [999]}), "securityCategoriesAcl", "DELETE"),
        ("sessions", Value::Null, "sessionsAcl", "LIST"),
        ("sessions", json!({"items": [{"tokenExchange": true}]}), "sessionsAcl", "CREATE"),
        ("sessions/byids", json!({"items": [{"id": 999}]}), "sessionsAcl", "LIST"),
        ("sessions/revoke", json!({"items": [{"id": 999}]}), "sessionsAcl", "DELETE"),
        ("profiles", Value::Null, "userProfilesAcl", "READ"),
        ("profiles/byids", json!({"items": [{"userIdentifier": "ann"}]}), "userProfilesAcl", "READ"),
        ("profiles/search", json!({"search": {"name": "ann"}}), "userProfilesAcl", "READ"),
        ("update", enable, "projectsAcl", "UPDATE"),
    ]
}

async fn answer(principal: &Principal<'_>, (path, body, ..): &Call) -> (u16, Value) {
    if body.is_null() { principal.get(path).await } else { principal.post(path, body).await }
}

/// A group of the project `local` that gives its members these, each for everything.
async fn grant(administrator: &Principal<'_>, name: &str, granted: &[(&str, &str)]) -> i64 {
    let all = json!({"all": {}});
    let capabilities: Vec<Value> = granted.iter().map(|(acl, action)| capability(acl, action, &all)).collect();
    administrator.create("groups", &json!([{"name": name, "capabilities": capabilities}])).await[0]
}

#[tokio::test]
async fn who_is_in_no_group_may_ask_who_they_are_and_nothing_else() {
    let local = Local::start().await;
    let nobody = principal(&local, "nobody", &[]).await;
    for call in calls() {
        let (path, _, acl, action) = &call;
        let refused = answer(&nobody, &call).await;
        assert_refused(&refused, 403, &json!({}));
        let message = refused.1["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("nobody lacks {\"") && message.ends_with("} in the project local"), "{message}");
        assert!(message.contains(acl) && message.contains(action), "{path}: {message}");
    }
    assert_eq!(nobody.get("groups").await, (200, json!({"items": []})));
    assert_eq!(nobody.get("profiles/me").await.0, 200);
    assert_eq!(nobody.inspection().await["projects"], json!([]));
    // Nothing has come of it.
    let administrator = administrator(&local);
    for path in ["groups?all=true", "securitycategories", "sessions"] {
        assert!(administrator.items(path).await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn each_call_needs_one_action_and_no_other() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let needs: Vec<(&str, &str)> = calls().iter().map(|(.., acl, action)| (*acl, *action)).collect();
    for (at, call) in calls().iter().enumerate() {
        let others: Vec<(&str, &str)> = needs.iter().filter(|need| **need != needs[at]).copied().collect();
        let (with, without) = (format!("with {at}"), format!("without {at}"));
        let names = [with.as_str(), without.as_str()];
        let one = grant(&administrator, names[0], &[needs[at]]).await;
        let all_others = grant(&administrator, names[1], &others).await;
        let (path, .., acl, action) = call;
        let (status, body) = answer(&principal(&local, names[0], &[names[0]]).await, call).await;
        // Of what is not there it is said that it is missing: that is no matter of rights.
        assert!(matches!(status, 200 | 400), "{path} with {acl} {action}: {body}");
        assert_eq!(answer(&principal(&local, names[1], &[names[1]]).await, call).await.0, 403, "{path}");
        // A group that is gone gives nothing.
        administrator.post("groups/delete", &json!({"items": [one, all_others]})).await;
        let (_, created) = administrator.get("securitycategories").await;
        let ids = super::ids(&created);
        if !ids.is_empty() {
            administrator.post("securitycategories/delete", &json!({"items": ids})).await;
        }
    }
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let reads = [
        ("groupsAcl", "LIST"),
        ("securityCategoriesAcl", "LIST"),
        ("sessionsAcl", "LIST"),
        ("userProfilesAcl", "READ"),
    ];
    let group = grant(&administrator, "readers", &reads).await;
    let category = administrator.create("securitycategories", &json!([{"name": "secret"}])).await[0];
    let session = administrator.create("sessions", &json!([{"tokenExchange": true}])).await[0];
    let reader = principal(&local, "reader", &["readers"]).await;
    assert_eq!(names(&reader.items("groups?all=true").await), ["readers"]);
    assert_eq!(names(&reader.items("securitycategories").await), ["secret"]);
    assert_eq!(super::ids(&reader.get("sessions").await.1), [session]);
    assert_eq!(reader.items("profiles").await.len(), 2);
    for (path, body) in [
        ("groups", json!({"items": [{"name": "mine", "members": ["reader"]}]})),
        ("groups/delete", json!({"items": [group]})),
        ("securitycategories", json!({"items": [{"name": "mine"}]})),
        ("securitycategories/delete", json!({"items": [category]})),
        ("sessions", json!({"items": [{"tokenExchange": true}]})),
        ("sessions/revoke", json!({"items": [{"id": session}]})),
        ("update", json!({"update": {"userProfilesConfiguration": {"set": {"enabled": false}}}})),
    ] {
        assert_refused(&reader.post(path, &body).await, 403, &json!({}));
    }
    assert_eq!(reader.items("groups?all=true").await.len(), 1);
    assert_eq!(reader.items("sessions").await[0]["status"], "READY");
    // Rights are those of the project, and end with the group.
    assert_eq!(reader.get_in("other", "groups?all=true").await.0, 403);
    administrator.post("groups/delete", &json!({"items": [group]})).await;
    assert_eq!(reader.get("sessions").await.0, 403);
}

#[tokio::test]
async fn the_scope_of_the_current_user_is_that_of_the_own_groups() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let own = json!({"currentuserscope": {}});
    let capabilities = ["LIST", "CREATE", "DELETE"].map(|action| capability("groupsAcl", action, &own));
    administrator.create("groups", &json!([{"name": "self-service", "capabilities": capabilities}])).await;
    let others = administrator.create("groups", &json!([{"name": "others", "members": ["bob"]}])).await[0];
    let ann = principal(&local, "ann", &["self-service"]).await;
    assert_eq!(names(&ann.items("groups").await), ["self-service"]);
    assert_eq!(ann.get("groups?all=true").await.0, 403);

    let mine = ann.create("groups", &json!([{"name": "mine", "members": ["ann", "bob"]}])).await[0];
    let mixed = json!({"items": [{"name": "mine", "members": ["ann"]}, {"name": "bobs", "members": ["bob"]}]});
    assert_refused(&ann.post("groups", &mixed).await, 403, &json!({}));
    for ids in [json!([others]), json!([mine, others])] {
        assert_refused(&ann.post("groups/delete", &json!({"items": ids})).await, 403, &json!({}));
    }
    assert_eq!(administrator.items("groups?all=true").await.len(), 3);
    assert_eq!(ann.post("groups/delete", &json!({"items": [mine]})).await.0, 200);
    assert_eq!(names(&administrator.items("groups?all=true").await), ["self-service", "others"]);
}

#[tokio::test]
async fn of_security_categories_some_may_be_granted() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let ids = administrator.create("securitycategories", &json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])).await;
    let scope = json!({"idscope": {"ids": [ids[0], ids[2]]}});
    let granted = ["LIST", "DELETE", "CREATE"].map(|action| capability("securityCategoriesAcl", action, &scope));
    administrator.create("groups", &json!([{"name": "g", "members": ["ann"], "capabilities": granted}])).await;
    let ann = principal(&local, "ann", &[]).await;
    assert_eq!(names(&ann.items("securitycategories").await), ["a", "c"]);
    let (_, page) = ann.get("securitycategories?limit=1").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    assert_eq!(names(&ann.items(&format!("securitycategories?cursor={cursor}")).await), ["c"]);
    let delete = |ids: Value| json!({"items": ids});
    assert_refused(&ann.post("securitycategories/delete", &delete(json!([ids[0], ids[1]]))).await, 403, &json!({}));
    assert_eq!(ann.post("securitycategories/delete", &delete(json!([ids[0]]))).await.0, 200);
    // What is new has no id yet.
    assert_refused(&ann.post("securitycategories", &json!({"items": [{"name": "d"}]})).await, 403, &json!({}));
    assert_eq!(names(&administrator.items("securitycategories").await), ["b", "c"]);
}

#[tokio::test]
async fn what_is_not_known_grants_nothing() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let all = json!({"all": {}});
    let unknown = json!([
        capability("sessionAcl", "LIST", &all),
        capability("sessionsAcl", "list", &all),
        capability("sessionsAcl", "LIST", &json!({"everythingScope": {}})),
        {"sessionsAcl": {"actions": [], "scope": all}},
    ]);
    administrator
        .create("groups", &json!([{"name": "g", "members": "allUserAccounts", "capabilities": unknown}]))
        .await;
    let ann = principal(&local, "ann", &[]).await;
    assert_eq!(ann.items("groups").await[0]["capabilities"], unknown);
    assert_refused(&ann.get("sessions").await, 403, &json!({}));
}
