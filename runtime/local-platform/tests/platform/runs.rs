//! Runs of experiments (fabric-api section 10).

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Local, each};

async fn experiment() -> Local {
    let local = Local::start().await;
    local.save("/experiments", json!({"name": "acme/churn"})).await;
    local
}

const RUNS: &str = "/experiments/acme%2Fchurn/runs";

async fn put(local: &Local, path: &str, body: Value) -> (u16, Value) {
    local.call(Method::PUT, &format!("{RUNS}/{path}"), Some(body)).await
}

#[tokio::test]
async fn a_run_is_what_the_contract_shows() {
    let local = experiment().await;
    let made = local.save(RUNS, json!({})).await;
    let id = made["runId"].as_str().unwrap();
    let empty = json!({"meta": {}, "params": {}, "metrics": {}, "artifacts": {}});
    for (field, value) in empty.as_object().unwrap() {
        assert_eq!(made[field], *value, "{field}");
    }
    for (field, value) in [("_id", id), ("experimentName", "acme/churn"), ("_projectId", "local")] {
        assert_eq!(made[field], value, "{field}");
    }
    for field in ["_createdAt", "_updatedAt"] {
        made[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    assert_eq!(["startTime", "endTime", "took"].map(|field| &made[field]), [&Value::Null; 3]);
    for path in [format!("{RUNS}/{id}"), format!("/experiments/acme/churn/runs/{id}")] {
        assert_eq!(local.read(&path).await, made);
    }
    let times = json!({"took": 4.87, "startTime": 1_714_557_600, "endTime": 1_714_557_605});
    let (status, answer) = put(&local, id, times.clone()).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    for (path, value) in [("meta/k", json!("v")), ("params/depth", json!(3)), ("metrics/auc", json!(0.91))] {
        let (status, answer) = put(&local, &format!("{id}/{path}"), json!({"value": value})).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)));
    }
    let run = local.restart().await.read(&format!("{RUNS}/{id}")).await;
    for (field, value) in times.as_object().unwrap() {
        assert_eq!(run[field], *value, "{field}");
    }
    let entries = (&json!({"k": "v"}), &json!({"depth": 3}), &json!({"auc": 0.91}));
    assert_eq!((&run["meta"], &run["params"], &run["metrics"]), entries);
    assert_eq!((&run["_createdAt"], &run["_version"]), (&made["_createdAt"], &json!(5)));
}

#[tokio::test]
async fn a_put_changes_fields_and_a_post_replaces_the_run() {
    let local = experiment().await;
    let fields = json!({"runId": "r", "params": {"a": 1}, "more": 1, "artifacts": {"m": "elsewhere"}});
    local.save(RUNS, fields).await;
    put(&local, "r", json!({"took": 2, "params": {"b": 2}, "runId": "x", "_version": 0, "_id": "x", "metrics": null}))
        .await;
    let run = local.read(&format!("{RUNS}/r")).await;
    assert_eq!((&run["runId"], &run["_id"], &run["_version"]), (&json!("r"), &json!("r"), &json!(2)));
    assert_eq!((&run["params"], &run["more"], &run["took"]), (&json!({"b": 2}), &json!(1), &json!(2)));
    assert_eq!(run["metrics"], json!({}));

    for path in [format!("{RUNS}/r"), RUNS.to_owned()] {
        local.save(&path, json!({"runId": "r", "title": path, "artifacts": {"n": "other"}})).await;
        let replaced = local.read(&format!("{RUNS}/r")).await;
        assert_eq!((&replaced["title"], &replaced["params"]), (&json!(path), &json!({})));
        assert_eq!((&replaced["more"], &replaced["_createdAt"]), (&json!(null), &run["_createdAt"]));
        assert_eq!(replaced["artifacts"], json!({"m": "elsewhere", "n": "other"}));
    }
    assert_eq!(local.read(RUNS).await["runs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn entries_have_names_with_slashes() {
    let local = experiment().await;
    local.save(RUNS, json!({"runId": "r"})).await;
    for (path, value) in [("params/a/b", 1), ("params/a%2Fc", 2), ("params/%C3%BC%201", 3), ("params/meta/x", 4)] {
        assert_eq!(put(&local, &format!("r/{path}"), json!({"value": value})).await.0, 200, "{path}");
    }
    put(&local, "r/meta/gone", json!({"value": null})).await;
    let run = local.read(&format!("{RUNS}/r")).await;
    assert_eq!(run["params"], json!({"a/b": 1, "a/c": 2, "ü 1": 3, "meta/x": 4}));
    assert_eq!(run["meta"], json!({"gone": null}));
    for (path, body) in [("r/params/", json!({"value": 1})), ("r/params/k", json!({})), ("r/params/k", json!([1]))] {
        assert_eq!(put(&local, path, body.clone()).await.0, 400, "{path} {body}");
    }
}

#[tokio::test]
async fn runs_are_found() {
    let local = experiment().await;
    for (id, depth, end) in [("r1", 1, json!(10)), ("r2", 3, json!(30)), ("r3", 5, json!(20)), ("r4", 7, json!(null))] {
        local.save(RUNS, json!({"runId": id, "params": {"depth": depth}, "endTime": end})).await;
    }
    put(&local, "r1", json!({"took": 1.5})).await;
    let query = |filter: Value, sort: Value| {
        let pairs = [("filter", filter.to_string()), ("sort", sort.to_string())];
        reqwest::Url::parse_with_params("http://h/", pairs).unwrap().query().unwrap().to_owned()
    };
    for (query, expected) in [
        (String::new(), &["r1", "r4", "r3", "r2"][..]),
        ("limit=2&skip=1".to_owned(), &["r4", "r3"]),
        (query(json!({}), json!({"endTime": -1})) + "&limit=1", &["r2"]),
        (query(json!({"params.depth": 3}), json!({"runId": 1})), &["r2"]),
        (query(json!({"params.depth": {"$gt": 1, "$lt": 7}}), json!({"runId": 1})), &["r2", "r3"]),
        (query(json!({"endTime": null}), json!({"runId": 1})), &["r4"]),
        (query(json!({"experimentName": "acme/churn", "took": {"$gte": 1.5}}), json!({"runId": 1})), &["r1"]),
        (query(json!({"runId": {"$in": ["r4", "r1"]}}), json!({"params.depth": -1})), &["r4", "r1"]),
    ] {
        let found = local.read(&format!("{RUNS}?{query}")).await;
        assert_eq!(each(&found["runs"], "runId"), expected, "{query}");
    }
    for query in ["filter=x", "filter=%5B%5D", "sort=1", "limit=x"] {
        assert_eq!(local.call(Method::GET, &format!("{RUNS}?{query}"), None).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn runs_are_deleted_alone_by_filter_or_all() {
    let local = experiment().await;
    for n in 1..=5 {
        local.save(RUNS, json!({"runId": format!("r{n}"), "params": {"n": n}})).await;
    }
    let left =
        async || each(&local.read(&format!("{RUNS}?sort=%7B%22runId%22%3A1%7D")).await["runs"], "runId").join(" ");
    let (status, answer) = local.call(Method::DELETE, &format!("{RUNS}/r1"), None).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)));
    assert_eq!(left().await, "r2 r3 r4 r5");
    assert_eq!(local.call(Method::DELETE, &format!("{RUNS}?filter=x"), None).await.0, 400);
    assert_eq!(left().await, "r2 r3 r4 r5");
    let filtered = format!("{RUNS}?filter=%7B%22params.n%22%3A%7B%22%24gte%22%3A4%7D%7D");
    let (status, answer) = local.call(Method::DELETE, &filtered, None).await;
    assert_eq!((status, &answer["message"]), (200, &json!("Runs deleted")));
    assert_eq!(left().await, "r2 r3");
    assert_eq!(local.call(Method::DELETE, RUNS, None).await.0, 200);
    assert_eq!(left().await, "");
    assert_eq!(local.call(Method::DELETE, &format!("{RUNS}/r2"), None).await.0, 404);
}

#[tokio::test]
async fn what_is_below_nothing_is_not_found() {
    let local = experiment().await;
    for (method, path) in [
        (Method::GET, "/experiments/absent/runs"),
        (Method::POST, "/experiments/absent/runs"),
        (Method::DELETE, "/experiments/absent/runs"),
        (Method::GET, "/experiments/acme%2Fchurn/runs/r"),
        (Method::PUT, "/experiments/acme%2Fchurn/runs/r"),
        (Method::POST, "/experiments/acme%2Fchurn/runs/r"),
        (Method::GET, "/experiments/acme%2Fchurn/runs/r/artifacts/a"),
    ] {
        let (status, answer) = local.call(method, path, Some(json!({}))).await;
        assert_eq!((status, &answer["success"]), (404, &json!(false)), "{path}");
    }
    assert_eq!(put(&local, "r/metrics/auc", json!({"value": 1})).await.0, 404);
}

#[tokio::test]
async fn what_is_no_run_is_refused() {
    let local = experiment().await;
    for body in [
        json!([]),
        json!({"runId": 1}),
        json!({"runId": ""}),
        json!({"runId": "a/b"}),
        json!({"runId": "a\u{0}"}),
        json!({"params": []}),
        json!({"artifacts": "a"}),
    ] {
        assert_eq!(local.call(Method::POST, RUNS, Some(body.clone())).await.0, 400, "{body}");
    }
    local.save(RUNS, json!({"runId": "r"})).await;
    let large = || json!({"value": "x".repeat(500 << 10)});
    assert_eq!(put(&local, "r", large()).await.0, 413);
    assert_eq!(put(&local, "r/params/k", large()).await.0, 413);
    assert_eq!(put(&local, "r", json!({"meta": 1})).await.0, 400);
    let run = local.read(&format!("{RUNS}/r")).await;
    assert_eq!((&run["params"], &run["_version"]), (&json!({}), &json!(1)));
}

#[tokio::test]
async fn writers_at_once_keep_all_their_entries() {
    let local = experiment().await;
    local.save(RUNS, json!({"runId": "r"})).await;
    let set = async |n: usize| {
        let (part, value) = (["meta", "params", "metrics"][n % 3], json!({"value": n}));
        put(&local, &format!("r/{part}/k{n}"), value).await.0
    };
    assert!(join_all((0..60).map(set)).await.into_iter().all(|status| status == 200));
    let run = local.read(&format!("{RUNS}/r")).await;
    for n in 0..60 {
        assert_eq!(run[["meta", "params", "metrics"][n % 3]][format!("k{n}")], n);
    }
    assert_eq!(run["_version"], 61);
}
