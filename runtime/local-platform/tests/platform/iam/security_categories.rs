//! Security categories.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{administrator, assert_refused, names};
use crate::support::Local;

#[tokio::test]
async fn they_are_listed_in_pages_in_both_orders() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let all = ["d", "b", "c", "a", "e"];
    administrator.create("securitycategories", &json!(all.map(|name| json!({"name": name, "note": 1})))).await;
    let mut reversed = all;
    reversed.reverse();
    for (sort, expected) in [("", all), ("&sort=ASC", all), ("&sort=DESC", reversed), ("&sort=desc", reversed)] {
        let (mut found, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let (status, page) = administrator.get(&format!("securitycategories?limit=2{sort}{cursor}")).await;
            assert_eq!(status, 200, "{page}");
            let items = page["items"].as_array().unwrap();
            sizes.push(items.len());
            found.extend(names(items).into_iter().map(str::to_owned));
            let Some(next) = page.get("nextCursor") else { break };
            cursor = format!("&cursor={}", next.as_str().unwrap());
        }
        assert_eq!((found.as_slice(), sizes.as_slice()), (&expected.map(str::to_owned)[..], &[2, 2, 1][..]), "{sort}");
    }
    // A page that is just full is not followed by an empty one.
    assert!(administrator.get("securitycategories?limit=5").await.1.get("nextCursor").is_none());
    assert_eq!(administrator.items("securitycategories").await[0]["note"], 1);
}

#[tokio::test]
async fn what_comes_and_goes_between_pages_moves_no_other() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let ids = administrator.create("securitycategories", &json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])).await;
    let (_, page) = administrator.get("securitycategories?limit=2").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    // The one at which the page ended, and one before it.
    administrator.post("securitycategories/delete", &json!({"items": [ids[0], ids[1]]})).await;
    administrator.create("securitycategories", &json!([{"name": "d"}])).await;
    assert_eq!(names(&administrator.items(&format!("securitycategories?limit=2&cursor={cursor}")).await), ["c", "d"]);
}

#[tokio::test]
async fn twenty_five_are_listed_unless_said_otherwise() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let items: Vec<Value> = (0..1000).map(|n| json!({"name": format!("{n}")})).collect();
    administrator.create("securitycategories", &json!(items)).await;
    administrator.create("securitycategories", &json!([{"name": "one more"}])).await;
    for (query, expected) in [("", 25), ("?limit=1", 1), ("?limit=1000", 1000)] {
        assert_eq!(administrator.items(&format!("securitycategories{query}")).await.len(), expected, "{query}");
    }
    for limit in ["0", "-1", "1001", "99999999999999999999", "x", "", "1.5"] {
        assert_refused(&administrator.get(&format!("securitycategories?limit={limit}")).await, 400, &json!({}));
    }
    assert_refused(&administrator.get("securitycategories?sort=name").await, 400, &json!({}));
}

#[tokio::test]
async fn a_name_is_there_once_in_a_project() {
    let local = Local::start().await;
    let administrator = administrator(&local);
    let ids = administrator.create("securitycategories", &json!([{"name": "a"}, {"name": "b"}])).await;
    let create = |names: &[&str]| json!({"items": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
    for (names, duplicated) in
        [(&["b", "c", "a"][..], json!([{"name": "a"}, {"name": "b"}])), (&["c", "d", "c", "c"], json!([{"name": "c"}]))]
    {
        let refused = administrator.post("securitycategories", &create(names)).await;
        assert_refused(&refused, 409, &json!({"duplicated": duplicated}));
    }
    assert_eq!(names(&administrator.items("securitycategories").await), ["a", "b"]);
    assert_eq!(administrator.post_in("other", "securitycategories", &create(&["a"])).await.0, 200);
    // Once it is deleted the name is free, and the id is not.
    assert_eq!(administrator.post("securitycategories/delete", &json!({"items": [ids[0]]})).await, (200, json!({})));
    let again = administrator.create("securitycategories", &json!([{"name": "a"}])).await;
    assert!(!ids.contains(&again[0]), "{again:?}");
    let refused = administrator.post("securitycategories/delete", &json!({"items": [again[0], ids[0]]})).await;
    assert_refused(&refused, 400, &json!({"missing": [{"id": ids[0]}]}));
    assert_eq!(names(&administrator.items("securitycategories").await), ["b", "a"]);
}

#[tokio::test]
async fn of_many_who_take_a_name_at_once_one_has_it() {
    let local = Local::start().await;
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let request = local.request(reqwest::Method::POST, "/api/v1/projects/local/securitycategories");
        let request = request.body(json!({"items": [{"name": "wanted"}]}).to_string());
        requests.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    let mut statuses = requests.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1]), (200, 409));
    assert_eq!(administrator(&local).items("securitycategories").await.len(), 1);
}
