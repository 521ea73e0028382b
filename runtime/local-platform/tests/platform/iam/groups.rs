//! Groups.

use serde_json::{Value, json};

use super::{administrator, assert_refused, capability, names, principal};
use crate::support::Local;

#[tokio::test]
async fn a_group_comes_back_as_it_was_given() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let unknown = capability("moonAcl", "FLY", &json!({"orbitScope": {"of": [1]}}));
    let items = json!([
        {
            "name": "écriture", "sourceId": "7c2d", "metadata": {"team": "orders"}, "new": {"x": null},
            "attributes": {"token": {"appIds": ["a"], "y": 1}, "z": 2},
            "capabilities": [capability("labelsAcl", "READ", &json!({"all": {}})), unknown],
        },
        {"name": "m", "members": ["u", "v"], "metadata": null, "capabilities": null, "sourceId": null},
        {"name": "m", "members": "allUserAccounts", "sourceId": "", "id": 77, "isDeleted": true, "deletedTime": 5},
        {"name": "s", "sourceId": "", "attributes": null, "members": null},
    ]);
    let (status, created) = administrator.post("groups", &json!({"items": items})).await;
    assert_eq!(status, 200, "{created}");
    let mut expected = items;
    for (at, name) in
        [(1, "metadata"), (1, "capabilities"), (1, "sourceId"), (2, "sourceId"), (3, "attributes"), (3, "members")]
    {
        expected[at].as_object_mut().unwrap().remove(name);
    }
    for (at, group) in expected.as_array_mut().unwrap().iter_mut().enumerate() {
        group["id"] = created["items"][at]["id"].clone();
        group["isDeleted"] = false.into();
        group["deletedTime"] = (-1).into();
    }
    assert_eq!(created["items"], expected);
    assert_eq!(administrator.items("groups?all=true").await, *expected.as_array().unwrap());
    let mut ids = super::ids(&created);
    ids.dedup();
    assert!(ids.len() == 4 && ids.iter().all(|id| *id > 0) && !ids.contains(&77), "{ids:?}");
}

#[tokio::test]
async fn the_own_groups_are_listed_or_all_of_the_project() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let subject = administrator.inspection().await["subject"].clone();
    let items = json!([
        {"name": "by name"},
        {"name": "b", "sourceId": "by source"},
        {"name": "c", "members": [subject, "ann"]},
        {"name": "d", "members": "allUserAccounts"},
        {"name": "e", "members": ["bob"]},
        {"name": "f", "sourceId": "by"},
        {"name": "g"},
        {"name": "h", "sourceId": ""},
    ]);
    administrator.create("groups", &items).await;
    let ann = principal(&local, "ann", &["by name", "by source"]).await;
    assert_eq!(names(&ann.items("groups").await), ["by name", "b", "c", "d"]);
    assert_eq!(names(&administrator.items("groups?all=False").await), ["c", "d"]);
    for all in ["true", "True", "TRUE"] {
        assert_eq!(administrator.items(&format!("groups?all={all}")).await.len(), 8, "{all}");
    }
    assert_refused(&administrator.get("groups?all=yes").await, 400, &json!({}));
    assert_eq!(administrator.get_in("other", "groups?all=true").await, (200, json!({"items": []})));
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_all_or_nothing_is() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let ids = owner.create("groups", &json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])).await;
    let (_, other) = owner.post_in("other", "groups", &json!({"items": [{"name": "x"}]})).await;
    let foreign = other["items"][0]["id"].clone();
    let absent = 1_i64 << 53;
    let refused = owner.post("groups/delete", &json!({"items": [ids[0], absent, foreign, -1, 0]})).await;
    assert_refused(&refused, 400, &json!({"missing": [{"id": absent}, {"id": foreign}, {"id": -1}, {"id": 0}]}));
    assert_eq!(owner.items("groups?all=true").await.len(), 3);
    assert_eq!(owner.post("groups/delete", &json!({"items": [ids[0], ids[1], ids[0]]})).await, (200, json!({})));
    assert_refused(
        &owner.post("groups/delete", &json!({"items": [ids[0]]})).await,
        400,
        &json!({"missing": [{"id": ids[0]}]}),
    );

    // Groups, and which ids were given, outlive the process.
    let local = local.restart().await;
    let local = Local { token: crate::support::token(&local.platform), ..local };
    let owner = administrator(&local);
    assert_eq!(names(&owner.items("groups?all=true").await), ["c"]);
    let next = owner.create("groups", &json!([{"name": "d"}])).await;
    assert!(next[0] > ids[2] && json!(next[0]) != foreign, "{next:?}");
}

#[tokio::test]
async fn a_project_has_so_many_groups_with_those_that_were_deleted() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let groups = |count: usize| json!(vec![json!({"name": "g"}); count]);
    administrator.create("groups", &groups(1000)).await;
    let ids = administrator.create("groups", &groups(499)).await;
    assert_refused(&administrator.post("groups", &json!({"items": groups(2)})).await, 400, &json!({}));
    administrator.create("groups", &groups(1)).await;
    let one_more = json!({"items": groups(1)});
    assert_refused(&administrator.post("groups", &one_more).await, 400, &json!({}));
    assert_eq!(administrator.post("groups/delete", &json!({"items": ids})).await.0, 200);
    assert_eq!(administrator.items("groups?all=true").await.len(), 1001);
    assert_refused(&administrator.post("groups", &one_more).await, 400, &json!({}));
    assert_eq!(administrator.post_in("other", "groups", &one_more).await.0, 200);
}

#[tokio::test]
async fn metadata_has_limits() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let pair = |key: usize, value: usize| json!({"k".repeat(key): "v".repeat(value)});
    let pairs = |count: usize, value: usize| {
        let pairs = (0..count).map(|n| (format!("{n:02}"), Value::from("v".repeat(value))));
        Value::Object(pairs.collect())
    };
    for (metadata, status) in [
        (pair(32, 512), 200),
        (pair(33, 1), 400),
        (pair(1, 513), 400),
        (json!({"ä".repeat(17): ""}), 400),
        (pairs(16, 254), 200),
        (pairs(16, 255), 400),
        (pairs(17, 1), 400),
        (json!({}), 200),
        (json!({"k": 1}), 400),
        (json!({"k": null}), 400),
        (json!(["k"]), 400),
    ] {
        let (found, answer) =
            administrator.post("groups", &json!({"items": [{"name": "g", "metadata": metadata}]})).await;
        assert_eq!(found, status, "{metadata}: {answer}");
    }
    assert_eq!(administrator.items("groups?all=true").await.len(), 3);
}

#[tokio::test]
async fn what_is_no_group_is_refused_with_all_others_of_the_request() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let (all, no_id) = (json!({"all": {}}), json!({"datasetScope": {"ids": ["x"]}}));
    for group in [
        json!({}),
        json!({"name": ""}),
        json!({"name": null}),
        json!({"name": 1}),
        json!({"name": "a\nb"}),
        json!({"name": "n".repeat(513)}),
        json!({"name": "g", "sourceId": 1}),
        json!({"name": "g", "sourceId": "s", "members": ["u"]}),
        json!({"name": "g", "sourceId": "s", "members": "allUserAccounts"}),
        json!({"name": "g", "members": "somebody"}),
        json!({"name": "g", "members": [1]}),
        json!({"name": "g", "members": {}}),
        json!({"name": "g", "attributes": []}),
        json!({"name": "g", "attributes": {"token": {"appIds": 1}}}),
        json!({"name": "g", "capabilities": {}}),
        json!({"name": "g", "capabilities": [{}]}),
        json!({"name": "g", "capabilities": [capability("labelsAcl", "READ", &all).to_string()]}),
        json!({"name": "g", "capabilities": [{"labelsAcl": {"actions": ["READ"]}}]}),
        json!({"name": "g", "capabilities": [{"labelsAcl": {"scope": all}}]}),
        json!({"name": "g", "capabilities": [{"labelsAcl": {"actions": ["READ"], "scope": {}}}]}),
        json!({"name": "g", "capabilities": [capability("eventsAcl", "READ", &no_id)]}),
        json!({"name": "g", "capabilities": [{"moonAcl": {"scope": all}}]}),
        json!({"name": "g", "capabilities": [{"moonAcl": {"actions": []}}]}),
        json!({"name": "g", "capabilities": [{"moonAcl": {"actions": [], "scope": all}, "x": 1}]}),
        json!({"name": "g", "capabilities": [capability("projectScope", "READ", &all)]}),
    ] {
        let refused = administrator.post("groups", &json!({"items": [{"name": "good"}, group]})).await;
        assert_refused(&refused, 400, &json!({}));
    }
    assert!(administrator.items("groups?all=true").await.is_empty());
}
