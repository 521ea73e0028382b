//! Calls with many items: how they are divided, what becomes of each item, and in which order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use proptest::prelude::*;
use serde_json::{Value, json};
use skill_sdk::iam::{GroupWrite, SecurityCategoryWrite};
use skill_sdk::{Client, Code, Error, testing};
use tokio::sync::watch;

use super::{PROJECT, answer, iam, scripted, sent};
use crate::faults::{Fault, Faulty};
use crate::server::{Noted, Server};

fn items(noted: &Noted) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&noted.plain()).unwrap();
    body["items"].as_array().unwrap().clone()
}

/// A server that gives every item back, and the sizes of requests.
async fn echo() -> Server {
    Server::start(|noted| answer(200, &json!({"items": items(noted)}))).await
}

fn sizes(server: &Server) -> Vec<usize> {
    let mut sizes: Vec<usize> = server.noted.lock().unwrap().iter().map(|noted| items(noted).len()).collect();
    sizes.sort_unstable();
    sizes
}

fn categories(count: usize) -> Vec<SecurityCategoryWrite> {
    (0..count).map(|n| SecurityCategoryWrite::new(n.to_string())).collect()
}

#[tokio::test]
async fn many_items_go_in_several_requests() {
    for (count, expected) in
        [(0, vec![]), (1, vec![1]), (1000, vec![1000]), (1001, vec![1, 1000]), (2500, vec![500, 1000, 1000])]
    {
        let server = echo().await;
        let ids: Vec<i64> = (1..=count).collect();
        iam(&server).groups().delete(&ids).await.unwrap();
        assert_eq!(sizes(&server), expected);
        let server = echo().await;
        let sessions = iam(&server).sessions().retrieve(&ids).await.unwrap();
        assert_eq!(sizes(&server), expected);
        assert_eq!(sessions.iter().map(|session| session.id).collect::<Vec<_>>(), ids);
    }
    let server = echo().await;
    iam(&server).sessions().revoke((1..=250).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(sizes(&server), [50, 100, 100]);
}

#[tokio::test]
async fn nothing_is_sent_for_nothing() {
    let server = echo().await;
    let iam = iam(&server);
    assert!(iam.groups().create(Vec::new()).await.unwrap().is_empty());
    assert!(iam.security_categories().create([]).await.unwrap().is_empty());
    assert!(iam.sessions().retrieve(Vec::new()).await.unwrap().is_empty());
    assert!(iam.sessions().revoke([]).await.unwrap().is_empty());
    assert!(iam.user_profiles().retrieve(Vec::<String>::new()).await.unwrap().is_empty());
    iam.groups().delete([]).await.unwrap();
    iam.security_categories().delete(Vec::new()).await.unwrap();
    assert!(server.noted.lock().unwrap().is_empty());
}

/// A server that answers the requests to revoke sessions in the opposite order, once all five are there.
async fn backwards() -> String {
    async fn revoke(State(answered): State<Arc<watch::Sender<i64>>>, headers: HeaderMap, body: Bytes) -> Response {
        let noted = Noted { method: "POST".to_owned(), target: String::new(), headers, body: Ok(body) };
        let items = items(&noted);
        let chunk = items[0]["id"].as_i64().unwrap() / 100;
        answered.subscribe().wait_for(|answered| *answered == 4 - chunk).await.unwrap();
        answered.send_modify(|answered| *answered += 1);
        answer(200, &json!({"items": items}))
    }

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(revoke).with_state(Arc::new(watch::Sender::new(0)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn five_requests_are_under_way_and_results_are_in_the_order_of_items() {
    let message = testing::message(&()).with_api_endpoint(backwards().await);
    let sessions = Client::from_message(message).unwrap().iam().sessions();
    let ids: Vec<i64> = (0..500).collect();
    let revoked = tokio::time::timeout(Duration::from_secs(20), sessions.revoke(&ids)).await.unwrap().unwrap();
    assert_eq!(revoked.into_iter().map(|session| session.id).collect::<Vec<_>>(), ids);
}

/// A server that refuses the requests with one of these items so.
async fn refusing(refused: Vec<(i64, u16, Value)>) -> Server {
    Server::start(move |noted| {
        let items = items(noted);
        match refused.iter().find(|(id, _, _)| items.contains(&json!(id))) {
            Some((_, status, body)) => answer(*status, body),
            None => answer(200, &json!({})),
        }
    })
    .await
}

fn lengths(error: &Error) -> [usize; 4] {
    let items = error.items().unwrap();
    [&items.successful, &items.unknown, &items.failed, &items.skipped].map(Vec::len)
}

#[tokio::test]
async fn what_became_of_each_item_is_told() {
    let ids: Vec<i64> = (1..=1501).collect();
    let server = refusing(vec![(1501, 400, json!({"error": {"code": 400, "message": "m"}}))]).await;
    let error = iam(&server).groups().delete(&ids).await.unwrap_err();
    assert_eq!(
        error.detail(),
        "cannot delete groups: the platform answered 400: m (items: 1000 successful, 501 failed)"
    );
    assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(400)));
    let items = error.items().unwrap();
    assert_eq!((json!(items.successful), json!(items.failed)), (json!(ids[..1000]), json!(ids[1000..])));
    assert!(items.unknown.is_empty() && items.skipped.is_empty());

    let server = refusing(vec![(1, 500, json!({"error": "down"}))]).await;
    let error = iam(&server).groups().delete(&ids).await.unwrap_err();
    assert_eq!((lengths(&error), error.code()), ([501, 1000, 0, 0], Code::PlatformUnavailable));

    let server = refusing(vec![(1, 400, json!({})), (1501, 500, json!({}))]).await;
    let error = iam(&server).groups().delete(&ids).await.unwrap_err();
    assert_eq!((lengths(&error), error.http_status()), ([0, 501, 1000, 0], Some(400)));
}

#[tokio::test]
async fn after_a_failure_no_further_request_is_begun() {
    // One after the other five are begun, of which the first fails. When the next ones come, it has.
    let server = refusing(vec![(1, 400, json!({}))]).await;
    let ids: Vec<i64> = (1..=20_000).collect();
    let error = iam(&server).groups().delete(&ids).await.unwrap_err();
    let [successful, unknown, failed, skipped] = lengths(&error);
    assert_eq!((unknown, failed, successful + failed + skipped), (0, 1000, 20_000));
    assert!(skipped > 0, "{error}");
    assert_eq!(sizes(&server).len() * 1000, successful + failed);
}

#[tokio::test]
async fn what_is_missing_or_duplicated_of_all_requests_is_told() {
    let missing = |id: i64| json!({"error": {"code": 400, "message": "no", "missing": [{"id": id}]}});
    let server = refusing(vec![(1, 400, missing(1)), (1500, 400, missing(1500))]).await;
    let error = iam(&server).groups().delete((1..=1500).collect::<Vec<_>>()).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"id": 1}), json!({"id": 1500})]);

    let taken = Server::start(|noted| {
        let first = items(noted)[0].clone();
        answer(409, &json!({"error": {"code": 409, "message": "taken", "duplicated": [first]}}))
    })
    .await;
    let error = iam(&taken).security_categories().create(categories(1001)).await.unwrap_err();
    assert!(error.is_duplicated());
    assert_eq!(error.duplicated(), [json!({"name": "0"}), json!({"name": "1000"})]);
    let items = error.items().unwrap();
    assert_eq!((items.failed.len(), &items.failed[7]), (1001, &json!({"name": "7"})));
}

#[tokio::test]
async fn items_of_creates_are_known_by_their_names() {
    let server = scripted([(400, json!({"error": "no"}))]).await;
    let group = GroupWrite::new("g").source_id("s");
    let error = iam(&server).groups().create([group.clone(), GroupWrite::new("h")]).await.unwrap_err();
    assert_eq!(error.detail(), "cannot create groups: the platform answered 400: no (items: 2 failed)");
    assert_eq!(error.items().unwrap().failed, [json!({"name": "g"}), json!({"name": "h"})]);
    // Of one there is nothing to count.
    let server = scripted([(400, json!({"error": "no"}))]).await;
    let error = iam(&server).groups().create(group).await.unwrap_err();
    assert_eq!(error.detail(), "cannot create groups: the platform answered 400: no");
    assert_eq!(error.items().unwrap().failed, [json!({"name": "g"})]);
}

#[tokio::test]
async fn what_may_have_been_done_is_unknown() {
    const ODD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
    const LONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\nconnection: close\r\n\r\n";
    for fault in [Fault::Close(""), Fault::Close(ODD), Fault::Close(LONG), Fault::Silence("")] {
        let server = Faulty::start(Box::leak(Box::new([fault]))).await;
        let client = server.client().with_retries(0).with_timeout(Duration::from_millis(200));
        let error = client.iam().security_categories().create(categories(2)).await.unwrap_err();
        assert_eq!(lengths(&error), [0, 2, 0, 0], "{error}");
    }
    // The last attempt was refused, but one before it may have had its effect.
    let server = scripted([(503, json!({})), (409, json!({"error": {"duplicated": [{"name": "0"}]}}))]).await;
    let categories = iam(&server).with_repeated_creates().security_categories().create(categories(2)).await;
    let error = categories.unwrap_err();
    assert_eq!((lengths(&error), error.is_duplicated()), ([0, 2, 0, 0], true));
}

#[tokio::test]
async fn what_was_never_sent_was_skipped() {
    // It has the port, but does not listen.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = crate::faults::client_of(&format!("http://{}", socket.local_addr().unwrap())).with_retries(0);
    let error = client.iam().groups().delete([1, 2]).await.unwrap_err();
    assert_eq!((lengths(&error), error.code()), ([0, 0, 0, 2], Code::PlatformUnavailable));
}

#[tokio::test]
async fn what_is_gone_when_it_is_deleted_again_was_deleted() {
    let missing = |ids: &[i64]| {
        let entries: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        (400, json!({"error": {"code": 400, "message": "no", "missing": entries}}))
    };
    let bare = (400, json!({"error": {"message": "no", "missing": [1, 2]}}));
    let (down, many) = ((502, json!({})), (429, json!({})));
    for (answers, deleted) in [
        (vec![down.clone(), missing(&[1, 2])], true),
        (vec![down.clone(), missing(&[2, 1, 3])], true),
        (vec![down.clone(), many.clone(), bare], true),
        // One of them was not there before.
        (vec![down, missing(&[1])], false),
        (vec![missing(&[1, 2])], false),
        // Too many calls: it had no effect.
        (vec![many, missing(&[1, 2])], false),
    ] {
        let shown = format!("{answers:?}");
        let server = scripted(answers).await;
        let result = iam(&server).groups().delete([1, 2]).await;
        assert_eq!(result.map_err(|error| error.is_not_found()), if deleted { Ok(()) } else { Err(true) }, "{shown}");
        assert!(sent(&server).iter().all(|(_, target, _)| *target == format!("{PROJECT}/groups/delete")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// However many there are, each item is sent once, and comes back where it stood.
    #[test]
    fn results_are_in_the_order_of_items(ids in proptest::collection::vec(1i64..1000, 0..650)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (revoked, sizes) = runtime.block_on(async {
            let server = echo().await;
            let revoked = iam(&server).sessions().revoke(&ids).await.unwrap();
            (revoked, sizes(&server))
        });
        prop_assert_eq!(revoked.into_iter().map(|session| session.id).collect::<Vec<_>>(), ids.clone());
        prop_assert_eq!(sizes.iter().sum::<usize>(), ids.len());
        prop_assert!(sizes.iter().all(|size| (1..=100).contains(size)));
        prop_assert_eq!(sizes.len(), ids.len().div_ceil(100));
    }
}
