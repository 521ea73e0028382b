//! Sessions through the client.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use skill_sdk::client::{ListOptions, Order};

use crate::support::Local;

#[tokio::test]
async fn a_session_from_its_start_to_its_end() {
    let local = Local::start().await;
    let sessions = local.client().sessions();
    assert!(sessions.list().await.unwrap().is_empty());
    let id = sessions.start(Some(Duration::from_secs(60)), Some("An order")).await.unwrap();
    assert!(sessions.get(&id).await.unwrap().is_empty());

    sessions.put(&id, &json!({"a": 1, "b/&#": {"x": [null]}})).await.unwrap();
    sessions.put(&id, &json!({"a": 2})).await.unwrap();
    let state = Map::from_iter([("a".to_owned(), json!(2)), ("b/&#".to_owned(), json!({"x": [null]}))]);
    assert_eq!(sessions.get(&id).await.unwrap(), state);
    assert_eq!(sessions.get_opt(&id).await.unwrap(), Some(state));
    assert_eq!(sessions.get_key(&id, "b/&#").await.unwrap(), json!({"x": [null]}));
    assert_eq!(sessions.get_key_opt(&id, "a").await.unwrap(), Some(json!(2)));
    assert_eq!(sessions.get_key_opt(&id, "absent").await.unwrap(), None);
    let error = sessions.get_key(&id, "absent").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), format!("the session `{id}` has no key `absent`"));

    let described = sessions.describe(&id).await.unwrap();
    assert_eq!((&described["sessionId"], &described["ttl"]), (&json!(id), &json!(60)));
    assert_eq!((&described["description"], &described["state"]["a"]), (&json!("An order"), &json!(2)));
    assert_eq!(sessions.describe_opt(&id).await.unwrap(), Some(described));
    let listed = sessions.list().await.unwrap();
    assert_eq!((listed.len(), &listed[0].session_id), (1, &id));
    assert_eq!((listed[0].ttl.clone(), listed[0].description.as_deref()), (Some(60.into()), Some("An order")));

    sessions.delete(&id).await.unwrap();
    assert!(sessions.list().await.unwrap().is_empty());
    for error in [
        sessions.get(&id).await.unwrap_err(),
        sessions.get_key(&id, "a").await.unwrap_err(),
        sessions.describe(&id).await.unwrap_err(),
        sessions.put(&id, &json!({})).await.unwrap_err(),
        sessions.delete(&id).await.unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error}");
        assert!(error.detail().ends_with(&format!("the platform answered 404: {id} not found")), "{error}");
    }
    assert!(sessions.get_opt(&id).await.unwrap().is_none());
    assert!(sessions.get_key_opt(&id, "a").await.unwrap().is_none());
    assert!(sessions.describe_opt(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_handle_of_a_session_does_the_same() {
    let local = Local::start().await;
    let sessions = local.client().sessions();
    let session = sessions.session(sessions.start(None, None).await.unwrap());
    session.put(&json!({"a": 1})).await.unwrap();
    assert_eq!(Value::from(session.get().await.unwrap()), json!({"a": 1}));
    assert_eq!(Value::from(session.get_opt().await.unwrap().unwrap()), json!({"a": 1}));
    assert_eq!(session.get_key("a").await.unwrap(), 1);
    assert_eq!(session.get_key_opt("b").await.unwrap(), None);
    let described = sessions.describe(session.id()).await.unwrap();
    assert_eq!((&described["ttl"], &described["description"]), (&json!(900), &json!("No description given")));
    session.delete().await.unwrap();
    assert!(session.get_opt().await.unwrap().is_none());
}

#[tokio::test]
async fn sessions_are_listed_in_parts() {
    let local = Local::start().await;
    let sessions = local.client().sessions();
    for description in ["b", "a", "c"] {
        sessions.start(None, Some(description)).await.unwrap();
    }
    let by_description = ListOptions::new().sort("description", Order::Ascending);
    for (options, expected) in [
        (by_description.clone(), &["a", "b", "c"][..]),
        (by_description.clone().skip(1).limit(1), &["b"]),
        (by_description.filter("description", json!({"$gt": "a"})), &["b", "c"]),
    ] {
        let listed = sessions.list_with(&options).await.unwrap();
        assert_eq!(listed.iter().filter_map(|one| one.description.as_deref()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn skills_that_share_a_session_lose_nothing() {
    let local = Local::start().await;
    let sessions = local.client().sessions();
    let session = sessions.session(sessions.start(None, None).await.unwrap());
    let put = async |n: usize| session.put(&json!({format!("k{n}"): n})).await;
    assert!(join_all((0..50).map(put)).await.into_iter().all(|done| done.is_ok()));
    let state = session.get().await.unwrap();
    assert_eq!(state.len(), 50);
    assert!((0..50).all(|n| state[&format!("k{n}")] == n));
}
