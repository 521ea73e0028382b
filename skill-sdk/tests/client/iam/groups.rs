//! Groups.

use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Capability, Group, GroupAttributes, GroupWrite, Members, Scope};
use skill_sdk::iam::{CompareOptions, compare_capabilities};
use skill_sdk::{Code, Error};

use super::{answering, assert_only, iam, scripted};

fn group() -> Value {
    json!({
        "name": "readers", "sourceId": "7c2d", "metadata": {"team": "orders"},
        "capabilities": [
            {"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}},
            {"futureAcl": {"actions": ["FLY"], "scope": {"sky": {"ids": [1]}}}},
        ],
        "attributes": {"token": {"appIds": ["a"], "new": 1}, "more": true},
        "id": 9_007_199_254_740_991_i64, "isDeleted": false, "deletedTime": -1, "new": {"x": [1]}
    })
}

#[tokio::test]
async fn groups_are_listed() {
    let server =
        answering(json!({"items": [group(), {"id": 2, "name": "n", "sourceId": "", "capabilities": null}]})).await;
    let groups = iam(&server).groups();
    let list = groups.list().await.unwrap();
    assert_only(&server, "GET", "groups?all=false", None);
    assert_eq!(list.len(), 2);
    let first = &list[0];
    assert_eq!((first.id, first.name.as_str()), (9_007_199_254_740_991, "readers"));
    assert_eq!(
        (first.source_id.as_deref(), first.is_deleted, first.deleted_time),
        (Some("7c2d"), Some(false), Some(-1))
    );
    assert_eq!((first.metadata["team"].as_str(), first.capabilities.len()), ("orders", 2));
    assert_eq!(first.attributes.as_ref().unwrap().token.as_ref().unwrap().app_ids, ["a"]);
    assert_eq!(first.other["new"], json!({"x": [1]}));
    assert_eq!(serde_json::to_value(first).unwrap(), group());
    assert_eq!((list[1].source_id.as_deref(), list[1].capabilities.len()), (Some(""), 0));
    assert_eq!(groups.list_all().await.unwrap(), list);
    assert_only(&server, "GET", "groups?all=true", None);
}

#[tokio::test]
async fn one_group_or_several_are_created() {
    let server = answering(json!({"items": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]})).await;
    let groups = iam(&server).groups();
    let read = Capability::new(Acl::Assets, [Action::Read], Scope::all());
    let write = GroupWrite::new("a").source_id("s").capabilities([read]).metadata("k", "v");
    let body = json!({
        "name": "a", "sourceId": "s", "metadata": {"k": "v"},
        "capabilities": [{"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}}]
    });
    let one: Group = groups.create(&write).await.unwrap();
    assert_eq!((one.id, one.name.as_str()), (1, "a"));
    assert_only(&server, "POST", "groups", Some(json!({"items": [body]})));
    let several: Vec<Group> = groups.create([write, GroupWrite::new("b")]).await.unwrap();
    assert_eq!(several.iter().map(|group| group.id).collect::<Vec<_>>(), [1, 2]);
    assert_only(&server, "POST", "groups", Some(json!({"items": [body, {"name": "b"}]})));
    for (members, sent) in
        [(Members::AllUserAccounts, json!("allUserAccounts")), (Members::users(["u", "v"]), json!(["u", "v"]))]
    {
        groups.create(vec![GroupWrite::new("m").members(members)]).await.unwrap();
        assert_only(&server, "POST", "groups", Some(json!({"items": [{"name": "m", "members": sent}]})));
    }
    groups.create(GroupWrite::new("t").attributes(GroupAttributes::of_applications(["a"]))).await.unwrap();
    let attributes = json!({"token": {"appIds": ["a"]}});
    assert_only(&server, "POST", "groups", Some(json!({"items": [{"name": "t", "attributes": attributes}]})));
}

#[tokio::test]
async fn an_answer_without_the_group_is_none() {
    let server = answering(json!({"items": []})).await;
    let error = iam(&server).groups().create(GroupWrite::new("g")).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().starts_with("cannot create groups: the answer is not the JSON"), "{error}");
}

#[tokio::test]
async fn what_no_platform_takes_is_not_sent() {
    let server = answering(json!({"items": []})).await;
    let groups = iam(&server).groups();
    let good = GroupWrite::new("good");
    let both = GroupWrite::new("bad").source_id("s").members(Members::AllUserAccounts);
    let long = GroupWrite::new("bad").metadata("k".repeat(33), "v");
    for bad in [both, long] {
        let error = groups.create([good.clone(), bad]).await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        assert!(error.detail().starts_with("cannot create groups: the group \"bad\": "), "{error}");
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_group_or_several_are_deleted() {
    let server = answering(json!("whatever")).await;
    let groups = iam(&server).groups();
    groups.delete(7).await.unwrap();
    assert_only(&server, "POST", "groups/delete", Some(json!({"items": [7]})));
    groups.delete([7, 8]).await.unwrap();
    assert_only(&server, "POST", "groups/delete", Some(json!({"items": [7, 8]})));
    let missing = json!({"error": {"code": 400, "message": "m", "missing": [{"id": 7}]}});
    for status in [400, 422] {
        let server = scripted([(status, missing.clone()), (status, missing.clone())]).await;
        let groups = iam(&server).groups();
        let errors = [groups.delete(7).await.unwrap_err(), groups.delete([7]).await.unwrap_err()];
        assert!(errors.iter().all(Error::is_not_found));
        assert!(errors.iter().all(|error| error.missing() == [json!({"id": 7})]));
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_told() {
    let taken = json!({"error": {"code": 409, "message": "m", "duplicated": [{"name": "g"}]}});
    let server = scripted([(409, taken)]).await;
    let error = iam(&server).groups().create(GroupWrite::new("g")).await.unwrap_err();
    assert!(error.is_duplicated());
    assert_eq!(error.duplicated(), [json!({"name": "g"})]);
}

fn read(fields: &Value) -> Group {
    let mut group = json!({"id": 1, "name": "g"});
    group.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(group).unwrap()
}

#[test]
fn who_manages_a_group_follows_from_its_members_and_source() {
    for (fields, by_idp, in_cdf) in [
        (json!({}), false, false),
        (json!({"sourceId": null, "members": null}), false, false),
        (json!({"sourceId": "s"}), true, false),
        (json!({"sourceId": ""}), true, false),
        (json!({"members": "allUserAccounts"}), false, true),
        (json!({"members": ["u"]}), false, true),
        (json!({"members": []}), false, true),
        (json!({"sourceId": "", "members": ["u"]}), true, true),
        (json!({"sourceId": "s", "members": []}), true, true),
    ] {
        let group = read(&fields);
        let managed = (group.is_managed_by_idp().unwrap(), group.is_managed_in_cdf().unwrap());
        assert_eq!(managed, (by_idp, in_cdf), "{fields}");
    }
    for members in [json!("allUserAccounts"), json!(["u"])] {
        let group = read(&json!({"sourceId": "s", "members": members}));
        for error in [group.is_managed_by_idp().unwrap_err(), group.is_managed_in_cdf().unwrap_err()] {
            assert!(error.detail().starts_with("Managed status is unknown"), "{error}");
        }
    }
}

#[test]
fn what_is_read_can_be_written() {
    let group: Group = serde_json::from_value(group()).unwrap();
    let write = serde_json::to_value(group.as_write()).unwrap();
    let mut expected = self::group();
    for field in ["id", "isDeleted", "deletedTime", "new"] {
        expected.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(write, expected);
    // An empty source beside members would be refused.
    let group = read(&json!({"sourceId": "", "members": ["u"]}));
    assert_eq!(serde_json::to_value(group.as_write()).unwrap(), json!({"name": "g", "members": ["u"]}));
    let group = read(&json!({"sourceId": ""}));
    assert_eq!(serde_json::to_value(group.as_write()).unwrap(), json!({"name": "g", "sourceId": ""}));
}

#[test]
fn members_of_another_form_are_kept() {
    for members in [json!("someUserAccounts"), json!({"group": 1}), json!([1])] {
        let group = read(&json!({"members": members}));
        assert_eq!(group.members, Some(Members::Other(members.clone())));
        assert_eq!(serde_json::to_value(&group).unwrap()["members"], members);
    }
}

#[test]
fn groups_can_be_compared() {
    let groups: Vec<Group> = vec![serde_json::from_value(group()).unwrap(), read(&json!({}))];
    let write = Capability::new(Acl::Assets, [Action::Read, Action::Write], Scope::all());
    let compared = compare_capabilities(&groups, &write, &CompareOptions::new()).unwrap();
    assert_eq!(compared.missing, [Capability::new(Acl::Assets, [Action::Write], Scope::all())]);
    let wish = groups[0].as_write();
    assert!(compare_capabilities(&groups, &wish, &CompareOptions::new()).unwrap().missing.is_empty());
}
