//! Profiles of users.

use serde_json::{Value, json};
use skill_sdk::iam::UserProfile;

use super::{answering, assert_only, iam, scripted};

fn profile() -> Value {
    json!({
        "userIdentifier": "u/1", "lastUpdatedTime": 1_700_000_000_000_i64, "givenName": "Ann", "surname": "Ok",
        "email": "a@x.org", "displayName": "Ann Ok", "jobTitle": "Engineer", "new": [1]
    })
}

#[tokio::test]
async fn profiles_are_enabled_and_disabled() {
    for enabled in [true, false] {
        let server = answering(json!({"userProfilesConfiguration": {"enabled": enabled}})).await;
        let profiles = iam(&server).user_profiles();
        let configuration = if enabled { profiles.enable().await } else { profiles.disable().await };
        assert_eq!(configuration.unwrap().enabled, enabled);
        let body = json!({"update": {"userProfilesConfiguration": {"set": {"enabled": enabled}}}});
        assert_only(&server, "POST", "update", Some(body));
    }
}

#[tokio::test]
async fn the_own_profile_is_read() {
    let server = answering(profile()).await;
    let me = iam(&server).user_profiles().me().await.unwrap();
    assert_only(&server, "GET", "profiles/me", None);
    assert_eq!((me.user_identifier.as_str(), me.last_updated_time), ("u/1", 1_700_000_000_000));
    assert_eq!((me.given_name.as_deref(), me.job_title.as_deref()), (Some("Ann"), Some("Engineer")));
    assert_eq!(serde_json::to_value(&me).unwrap(), profile());
    let server = scripted([(404, json!({"error": {"code": 404, "message": "none"}}))]).await;
    let error = iam(&server).user_profiles().me().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "cannot get the own user profile: the platform answered 404: none");
}

#[tokio::test]
async fn profiles_are_listed() {
    let server =
        answering(json!({"items": [profile(), {"userIdentifier": "v", "lastUpdatedTime": 1, "email": null}]})).await;
    let profiles = iam(&server).user_profiles();
    let list = profiles.list().await.unwrap();
    assert_only(&server, "GET", "profiles?limit=25", None);
    assert_eq!((list.len(), list[1].email.as_deref()), (2, None));
    assert_eq!(profiles.list_with(1).await.unwrap().len(), 1);
    assert_only(&server, "GET", "profiles?limit=1", None);
}

#[tokio::test]
async fn one_profile_or_several_are_retrieved() {
    let server = answering(json!({"items": [profile()]})).await;
    let profiles = iam(&server).user_profiles();
    let one: Option<UserProfile> = profiles.retrieve("u/1").await.unwrap();
    assert_eq!(one.unwrap().user_identifier, "u/1");
    let body = json!({"items": [{"userIdentifier": "u/1"}]});
    assert_only(&server, "POST", "profiles/byids", Some(body.clone()));
    assert!(profiles.retrieve(String::from("u/1")).await.unwrap().is_some());
    assert_only(&server, "POST", "profiles/byids", Some(body));
    let both = Some(json!({"items": [{"userIdentifier": "u"}, {"userIdentifier": "v"}]}));
    let several: Vec<UserProfile> = profiles.retrieve(["u", "v"]).await.unwrap();
    assert_eq!(several.len(), 1);
    assert_only(&server, "POST", "profiles/byids", both.clone());
    profiles.retrieve(vec!["u", "v"]).await.unwrap();
    assert_only(&server, "POST", "profiles/byids", both.clone());
    profiles.retrieve(&["u".to_owned(), "v".to_owned()][..]).await.unwrap();
    assert_only(&server, "POST", "profiles/byids", both);
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_none() {
    let entries = [json!({"userIdentifier": "u"})];
    let missing = json!({"error": {"code": 400, "message": "m", "missing": entries}});
    for answer in [(200, json!({"items": []})), (400, missing.clone()), (422, missing.clone())] {
        let server = scripted([answer]).await;
        assert_eq!(iam(&server).user_profiles().retrieve("u").await.unwrap(), None);
    }
    let server = scripted([(400, missing)]).await;
    let error = iam(&server).user_profiles().retrieve(["u"]).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), entries);
}

#[tokio::test]
async fn profiles_are_searched_by_name() {
    let server = answering(json!({"items": [profile(), profile()]})).await;
    let profiles = iam(&server).user_profiles();
    let body = |limit: u32| Some(json!({"search": {"name": "Alex"}, "filter": {}, "limit": limit}));
    assert_eq!(profiles.search("Alex").await.unwrap().len(), 2);
    assert_only(&server, "POST", "profiles/search", body(25));
    assert_eq!(profiles.search_with("Alex", 1).await.unwrap().len(), 1);
    assert_only(&server, "POST", "profiles/search", body(1));
    profiles.search_with("Alex", None).await.unwrap();
    assert_only(&server, "POST", "profiles/search", body(1000));
}
