//! User profiles.

use serde_json::{Value, json};

use super::{Principal, administrator, assert_refused, principal};
use crate::support::Local;

const NAMES: [&str; 4] = ["ann Lee", "Bob", "Émile van Dyck", "zoe"];

async fn with_users(local: &Local) -> Principal<'_> {
    for name in NAMES {
        principal(local, name, &[]).await;
    }
    administrator(local)
}

fn identifiers(items: &[Value]) -> Vec<&str> {
    items.iter().map(|profile| profile["userIdentifier"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_principal_has_a_profile() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let user = principal(&local, "Émile van Dyck", &[]).await;
    let (status, profile) = user.get("profiles/me").await;
    assert_eq!(status, 200);
    assert!(profile["lastUpdatedTime"].as_i64().unwrap() > 1_700_000_000_000, "{profile}");
    let expected = json!({
        "userIdentifier": "Émile van Dyck", "lastUpdatedTime": profile["lastUpdatedTime"],
        "displayName": "Émile van Dyck", "givenName": "Émile", "surname": "van Dyck",
    });
    assert_eq!(profile, expected);
    assert_eq!(user.get_in("other", "profiles/me").await, (200, profile.clone()));
    let (_, found) = owner.post("profiles/byids", &json!({"items": [{"userIdentifier": "Émile van Dyck"}]})).await;
    assert_eq!(found, json!({"items": [profile]}));
    // A name of one word is shown, and is no first name.
    let (_, own) = owner.get("profiles/me").await;
    assert_eq!(own["userIdentifier"], owner.inspection().await["subject"]);
    assert_eq!(own.as_object().unwrap().len(), 3, "{own}");
}

#[tokio::test]
async fn profiles_are_listed_by_name_in_pages() {
    let local = Local::start().await;
    let owner = with_users(&local).await;
    let all = owner.items("profiles").await;
    let mut found = identifiers(&all);
    assert_eq!(found.len(), 5);
    let administrators = found.iter().position(|name| !NAMES.contains(name)).unwrap();
    found.remove(administrators);
    assert_eq!(found, ["ann Lee", "Bob", "zoe", "Émile van Dyck"]);
    let (_, page) = owner.get("profiles?limit=3").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = owner.items(&format!("profiles?limit=3&cursor={cursor}")).await;
    assert_eq!([page["items"].as_array().unwrap().as_slice(), &rest].concat(), all);
    assert_refused(&owner.get("profiles?limit=1001").await, 400, &json!({}));
}

#[tokio::test]
async fn profiles_are_found_by_the_beginning_of_any_name() {
    let local = Local::start().await;
    let owner = with_users(&local).await;
    for (name, expected) in [
        ("ann", &["ann Lee"][..]),
        ("LE", &["ann Lee"]),
        ("ée", &[]),
        ("ee", &[]),
        ("b", &["Bob"]),
        ("dyck", &["Émile van Dyck"]),
        ("é", &["Émile van Dyck"]),
        ("van ém", &["Émile van Dyck"]),
        ("ann van", &[]),
        ("%", &[]),
    ] {
        let (status, found) = owner.post("profiles/search", &json!({"search": {"name": name}, "filter": {}})).await;
        assert_eq!(status, 200);
        // The administrator's name may begin so too: it is a UUID.
        let found = found["items"].as_array().unwrap();
        let users: Vec<&str> = identifiers(found).into_iter().filter(|found| NAMES.contains(found)).collect();
        assert_eq!(users, expected, "{name}");
    }
    let search = |limit: Value| json!({"search": {"name": ""}, "limit": limit});
    for (limit, expected) in [(1, 1), (1000, 5)] {
        let (_, found) = owner.post("profiles/search", &search(limit.into())).await;
        assert_eq!(found["items"].as_array().unwrap().len(), expected);
    }
    for refused in [search(0.into()), search(1001.into()), search((-1).into()), search("x".into()), json!({})] {
        assert_refused(&owner.post("profiles/search", &refused).await, 400, &json!({}));
    }
}

#[tokio::test]
async fn users_that_are_not_there_are_named() {
    let local = Local::start().await;
    let owner = with_users(&local).await;
    let user = |name: &str| json!({"userIdentifier": name});
    let refused = owner.post("profiles/byids", &json!({"items": [user("x"), user("Bob"), user("bob")]})).await;
    assert_refused(&refused, 400, &json!({"missing": [user("x"), user("bob")]}));
    let (_, found) = owner.post("profiles/byids", &json!({"items": [user("zoe"), user("Bob"), user("zoe")]})).await;
    assert_eq!(identifiers(found["items"].as_array().unwrap()), ["zoe", "Bob", "zoe"]);
    // With its principal the profile goes.
    let removed = local.request(reqwest::Method::DELETE, "/local-platform/v1/principals/zoe").send().await.unwrap();
    assert_eq!(removed.status(), 200);
    let refused = owner.post("profiles/byids", &json!({"items": [user("zoe")]})).await;
    assert_refused(&refused, 400, &json!({"missing": [user("zoe")]}));
}

#[tokio::test]
async fn a_project_keeps_profiles_until_that_is_disabled() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let set = |enabled: Value| json!({"update": {"userProfilesConfiguration": {"set": {"enabled": enabled}}}});
    let answer = |enabled: bool| (200, json!({"userProfilesConfiguration": {"enabled": enabled}}));
    assert_eq!(owner.post("update", &set(false.into())).await, answer(false));
    assert_refused(&owner.get("profiles/me").await, 404, &json!({}));
    assert_eq!(owner.get("profiles").await, (200, json!({"items": []})));
    let nobody = owner.post("profiles/search", &json!({"search": {"name": ""}})).await;
    assert_eq!(nobody, (200, json!({"items": []})));
    assert_eq!(owner.get_in("other", "profiles/me").await.0, 200);
    assert_eq!(owner.post("update", &set(true.into())).await, answer(true));
    assert_eq!(owner.get("profiles/me").await.0, 200);
    for refused in [set("yes".into()), set(Value::Null), json!({}), json!({"update": {}}), json!({"update": []})] {
        assert_refused(&owner.post("update", &refused).await, 400, &json!({}));
    }
}
