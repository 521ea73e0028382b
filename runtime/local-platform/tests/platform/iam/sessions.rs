//! Sessions.

use serde_json::{Value, json};

use super::{administrator, assert_refused, capability, principal};
use crate::support::Local;

#[tokio::test]
async fn a_session_is_created_in_each_way_and_keeps_no_secret() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let mut nonces = Vec::new();
    for (item, session_type, client) in [
        (json!({"clientId": "c-1", "clientSecret": "p4ssw0rd"}), "CLIENT_CREDENTIALS", json!("c-1")),
        (json!({"tokenExchange": true}), "TOKEN_EXCHANGE", Value::Null),
        (json!({"oneshotTokenExchange": true}), "ONESHOT_TOKEN_EXCHANGE", Value::Null),
    ] {
        let (status, created) = owner.post("sessions", &json!({"items": [item]})).await;
        assert_eq!(status, 200, "{created}");
        let mut session = created["items"][0].clone();
        nonces.push(session["nonce"].as_str().unwrap().to_owned());
        assert_eq!((&session["type"], &session["status"]), (&json!(session_type), &json!("READY")));
        // With `clientId` only where there is one.
        assert_eq!(session.get("clientId"), Some(&client).filter(|client| !client.is_null()));
        let (_, found) = owner.post("sessions/byids", &json!({"items": [{"id": session["id"]}]})).await;
        let found = &found["items"][0];
        let (begin, end) = (found["creationTime"].as_i64().unwrap(), found["expirationTime"].as_i64().unwrap());
        assert!(begin > 1_700_000_000_000 && end > begin, "{found}");
        session.as_object_mut().unwrap().remove("nonce");
        session["creationTime"] = begin.into();
        session["expirationTime"] = end.into();
        assert_eq!(*found, session);
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
    // Neither is on the disk.
    let records = local.folder.path().join("data/records.redb");
    local.platform.shutdown().await;
    let bytes = std::fs::read(records).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("c-1") && !holds("p4ssw0rd") && !nonces.iter().any(|nonce| holds(nonce)));
}

#[tokio::test]
async fn what_creates_no_session_is_refused_without_its_secret() {
    let local = Local::start().await;
    let owner = administrator(&local);
    for items in [
        json!([{}]),
        json!([{"clientId": "c"}]),
        json!([{"clientSecret": "p4ssw0rd"}]),
        json!([{"clientId": "c", "clientSecret": ""}]),
        json!([{"clientId": "", "clientSecret": "p4ssw0rd"}]),
        json!([{"clientId": "c", "clientSecret": ["p4ssw0rd"]}]),
        json!([{"clientId": "c", "clientSecret": "p4ssw0rd", "tokenExchange": true}]),
        json!([{"tokenExchange": false}]),
        json!([{"tokenExchange": "p4ssw0rd"}]),
        json!([{"tokenExchange": true, "oneshotTokenExchange": true}]),
        json!([{"tokenExchange": true}, {"tokenExchange": true}]),
        json!([]),
        json!({"clientSecret": "p4ssw0rd"}),
    ] {
        let refused = owner.post("sessions", &json!({"items": items})).await;
        assert_refused(&refused, 400, &json!({}));
        assert!(!refused.1.to_string().contains("p4ssw0rd"), "{}", refused.1);
    }
    assert!(owner.items("sessions").await.is_empty());
}

#[tokio::test]
async fn sessions_are_listed_by_status_in_pages() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.extend(owner.create("sessions", &json!([{"tokenExchange": true}])).await);
    }
    let revoked = json!({"items": [{"id": ids[3]}, {"id": ids[1]}]});
    let (status, answer) = owner.post("sessions/revoke", &revoked).await;
    assert_eq!((status, super::ids(&answer)), (200, vec![ids[3], ids[1]]));
    assert_eq!(answer["items"][0]["status"], "REVOKED");
    // Once more it changes nothing.
    assert_eq!(owner.post("sessions/revoke", &revoked).await, (200, answer));

    let listed = async |query: &str| {
        let items = owner.items(&format!("sessions?{query}")).await;
        items.iter().map(|session| session["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("status=READY").await, [ids[0], ids[2], ids[4]]);
    assert_eq!(listed("status=revoked").await, [ids[1], ids[3]]);
    for status in ["ACTIVE", "CANCELLED", "EXPIRED", "ACCESS_LOST"] {
        assert!(listed(&format!("status={status}")).await.is_empty(), "{status}");
    }
    let (_, page) = owner.get("sessions?status=READY&limit=2").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    assert_eq!(listed(&format!("status=READY&cursor={cursor}")).await, [ids[4]]);
    assert_refused(&owner.get(&format!("sessions?cursor={cursor}")).await, 400, &json!({}));
    assert_eq!(owner.items("sessions?limit=100").await.len(), 5);
    for query in ["limit=101", "status=DONE", "status="] {
        assert_refused(&owner.get(&format!("sessions?{query}")).await, 400, &json!({}));
    }
    assert_eq!(owner.get_in("other", "sessions").await, (200, json!({"items": []})));
}

#[tokio::test]
async fn sessions_that_are_not_there_are_named() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let ids = owner.create("sessions", &json!([{"tokenExchange": true}])).await;
    let asked = json!({"items": [{"id": 999}, {"id": ids[0]}, {"id": -1}]});
    for path in ["sessions/byids", "sessions/revoke"] {
        assert_refused(&owner.post(path, &asked).await, 400, &json!({"missing": [{"id": 999}, {"id": -1}]}));
        let in_other = owner.post_in("other", path, &json!({"items": [{"id": ids[0]}]})).await;
        assert_refused(&in_other, 400, &json!({"missing": [{"id": ids[0]}]}));
    }
    assert_eq!(owner.items("sessions").await[0]["status"], "READY");
    // As often as they are asked for, in that order.
    let (_, found) = owner.post("sessions/byids", &json!({"items": vec![json!({"id": ids[0]}); 1000]})).await;
    assert_eq!(super::ids(&found), vec![ids[0]; 1000]);
}

#[tokio::test]
async fn who_may_not_list_sessions_is_told_only_their_ids() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let delete = json!({"actions": ["DELETE"], "scope": {"all": {}}});
    owner
        .create("groups", &json!([{"name": "g", "members": ["ann"], "capabilities": [{"sessionsAcl": delete}]}]))
        .await;
    let ids = owner.create("sessions", &json!([{"tokenExchange": true}])).await;
    let ann = principal(&local, "ann", &[]).await;
    let revoke = json!({"items": [{"id": ids[0]}]});
    assert_eq!(ann.post("sessions/revoke", &revoke).await, (200, json!({"items": [{"id": ids[0]}]})));
    assert_eq!(owner.items("sessions").await[0]["status"], "REVOKED");
    let list = capability("sessionsAcl", "LIST", &json!({"all": {}}));
    owner.create("groups", &json!([{"name": "g", "members": ["ann"], "capabilities": [list]}])).await;
    assert_eq!(ann.post("sessions/revoke", &revoke).await.1["items"][0]["status"], "REVOKED");
}
