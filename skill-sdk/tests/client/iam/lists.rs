//! Lists in pages, and their limits.

use axum::http::Uri;
use proptest::prelude::*;
use serde_json::json;
use skill_sdk::iam::{Limit, SecurityCategoryOptions, UserProfile};
use skill_sdk::{Code, Error};

use super::{PROJECT, answer, iam, scripted, sent};
use crate::server::Server;

/// The pairs of the query of a target.
fn query(target: &str) -> Vec<(String, String)> {
    let uri: Uri = target.parse().unwrap();
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

fn number(query: &[(String, String)], name: &str) -> Option<u64> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.parse().unwrap())
}

fn profile(n: u64) -> serde_json::Value {
    json!({"userIdentifier": n.to_string(), "lastUpdatedTime": 1})
}

/// A list of so many entries, of which no page has more than `most`.
async fn list_of(entries: u64, most: u64) -> Server {
    Server::start(move |noted| {
        let query = query(&noted.target);
        let (start, asked) = (number(&query, "cursor").unwrap_or(0), number(&query, "limit").unwrap());
        let end = entries.min(start + asked.min(most));
        let mut page = json!({"items": (start..end).map(profile).collect::<Vec<_>>()});
        if end < entries {
            page["nextCursor"] = end.to_string().into();
        }
        answer(200, &page)
    })
    .await
}

/// The queries of all requests so far.
fn queries(server: &Server) -> Vec<String> {
    let noted = std::mem::take(&mut *server.noted.lock().unwrap());
    noted.iter().map(|noted| noted.target.split_once('?').unwrap().1.to_owned()).collect()
}

#[tokio::test]
async fn each_request_asks_for_what_is_missing() {
    for (entries, most, limit, asked) in [
        (2600, 1000, Limit::default(), &["limit=25"][..]),
        (2600, 1000, 7.into(), &["limit=7"]),
        (2600, 2, 3.into(), &["limit=3", "limit=1&cursor=2"]),
        (2600, 1000, 1500.into(), &["limit=1000", "limit=500&cursor=1000"]),
        (2600, 1000, Limit::Unlimited, &["limit=1000", "limit=1000&cursor=1000", "limit=1000&cursor=2000"]),
        (1000, 1000, (-1).into(), &["limit=1000"]),
        (3, 1000, None.into(), &["limit=1000"]),
        (3, 1000, 5.into(), &["limit=5"]),
        (0, 1000, 5.into(), &["limit=5"]),
    ] {
        let server = list_of(entries, most).await;
        let list = iam(&server).user_profiles().list_with(limit).await.unwrap();
        assert_eq!(queries(&server), asked, "{limit:?}");
        let expected = match limit {
            Limit::AtMost(limit) => entries.min(limit.unsigned_abs()),
            Limit::Unlimited => entries,
        };
        let ids: Vec<String> = list.into_iter().map(|profile| profile.user_identifier).collect();
        assert_eq!(ids, (0..expected).map(|n| n.to_string()).collect::<Vec<_>>(), "{limit:?}");
    }
}

#[tokio::test]
async fn limits_that_are_none_are_refused_before_anything_is_sent() {
    let server = list_of(3, 3).await;
    let (iam, zero) = (iam(&server), Limit::from(0));
    let profiles = iam.user_profiles();
    let categories = SecurityCategoryOptions::new().limit(zero);
    let sessions = skill_sdk::iam::SessionOptions::new().limit(zero);
    for (what, error) in [
        ("list user profiles", profiles.list_with(0).await.unwrap_err()),
        ("list user profiles", profiles.list_with(-2).await.unwrap_err()),
        ("search for user profiles", profiles.search_with("a", 0).await.unwrap_err()),
        ("list security categories", iam.security_categories().list_with(&categories).await.unwrap_err()),
        ("list sessions", iam.sessions().list_with(&sessions).await.unwrap_err()),
    ] {
        let detail = format!("cannot {what}: limit must be strictly positive");
        assert_eq!((error.code(), error.detail()), (Code::SkillFailed, detail.as_str()));
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

/// Lists all profiles of a server that gives these pages.
async fn all(pages: Vec<serde_json::Value>, limit: Limit) -> (Result<Vec<UserProfile>, Error>, usize) {
    let server = scripted(pages.into_iter().map(|page| (200, page))).await;
    let list = iam(&server).user_profiles().list_with(limit).await;
    (list, sent(&server).len())
}

#[tokio::test]
async fn a_list_that_has_no_end_ends() {
    let page = |cursor: &str| json!({"items": [profile(1)], "nextCursor": cursor});
    for (cursors, requests) in [(&["a", "a", "a"][..], 2), (&["a", "b", "a", "b"], 3)] {
        let (list, sent) = all(cursors.iter().map(|cursor| page(cursor)).collect(), Limit::Unlimited).await;
        let error = list.unwrap_err();
        let detail = "cannot list user profiles: the platform gives a page of the list for the second time";
        assert_eq!((error.code(), error.detail(), sent), (Code::PlatformUnavailable, detail, requests));
    }
    // There are enough before that matters.
    let (list, sent) = all(vec![page("a"), page("a")], Limit::from(2)).await;
    assert_eq!((list.unwrap().len(), sent), (2, 2));
}

#[tokio::test]
async fn more_than_was_asked_for_is_left_out() {
    let page = json!({"items": [profile(1), profile(2), profile(3)], "nextCursor": "a"});
    let (list, sent) = all(vec![page.clone()], Limit::from(2)).await;
    assert_eq!((list.unwrap().len(), sent), (2, 1));
    let (list, sent) = all(vec![page, json!({"items": [], "nextCursor": null})], Limit::Unlimited).await;
    assert_eq!((list.unwrap().len(), sent), (3, 2));
}

#[tokio::test]
async fn a_page_that_fails_fails_the_list() {
    let page = json!({"items": [profile(1)], "nextCursor": "a b&c"});
    let server = scripted([(200, page), (400, json!({"error": {"code": 400, "message": "bad cursor"}}))]).await;
    let error = iam(&server).user_profiles().list_with(None).await.unwrap_err();
    assert_eq!(error.detail(), "cannot list user profiles: the platform answered 400: bad cursor");
    assert_eq!(sent(&server)[1].1, format!("{PROJECT}/profiles?limit=1000&cursor=a+b%26c"));
}

#[test]
fn numbers_and_nothing_are_limits() {
    let limits =
        [Limit::from(7i32), 7i64.into(), 7u32.into(), 7u64.into(), 7usize.into(), Some(7).into(), Limit::AtMost(7)];
    assert_eq!(limits, [Limit::AtMost(7); 7]);
    assert_eq!([Limit::from(-1), (-1i64).into(), None.into(), Some(-1).into()], [Limit::Unlimited; 4]);
    assert_eq!(Limit::from(u64::MAX), Limit::AtMost(i64::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the sizes of pages are, a list has its first entries in their order, and no entry is asked for that is not
    /// wanted.
    #[test]
    fn a_list_is_the_beginning_of_what_there_is(entries in 0u64..60, most in 1u64..20, limit in 1u64..80) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (list, asked) = runtime.block_on(async {
            let server = list_of(entries, most).await;
            let list = iam(&server).user_profiles().list_with(limit).await.unwrap();
            let asked: Vec<_> = server.noted.lock().unwrap().iter().map(|noted| query(&noted.target)).collect();
            (list, asked)
        });
        let ids: Vec<u64> = list.iter().map(|profile| profile.user_identifier.parse().unwrap()).collect();
        prop_assert_eq!(ids, (0..entries.min(limit)).collect::<Vec<_>>());
        for query in asked {
            let come = number(&query, "cursor").unwrap_or(0);
            prop_assert_eq!(number(&query, "limit"), Some(limit - come));
        }
    }
}
