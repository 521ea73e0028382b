//! Experiments of a platform: what is sent, and how answers are read. Those in a folder are in `local`.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use skill_sdk::client::experiments::{ActiveRun, Experiments, NewExperiment, Run, Runs};
use skill_sdk::client::{Body, ListOptions, Order};
use skill_sdk::serde_json::{Value, from_slice, from_str, json};
use skill_sdk::{Code, Error};
use tokio::io::AsyncReadExt;

use crate::server::{Noted, Server};

mod files;
mod local;
mod names;
mod processes;
mod round_trip;
mod scenario;

const PROJECT: &str = "/fabric/v4/projects/test-project";

/// The run of the contract.
const RUN: &str = r#"{
    "runId": "r2", "_id": "r2", "experimentName": "churn", "_projectId": "orders-dev",
    "_createdAt": "2024-05-01T10:00:00.000Z", "_updatedAt": "2024-05-01T10:00:05.000Z",
    "startTime": 1714557600, "endTime": 1714557605, "took": 4.87,
    "meta": {"k": "v"}, "params": {"depth": 3}, "metrics": {"auc": 0.91},
    "artifacts": {"model": "experiments/churn/r2/artifacts/model"}, "success": true
}"#;

const DONE: &str = r#"{"success": true}"#;

fn experiments(server: &Server) -> Experiments {
    server.client().with_retries(0).experiments()
}

fn runs(server: &Server) -> Runs {
    experiments(server).runs("churn")
}

/// Method, and path and query inside the project.
fn line(noted: &Noted) -> (&str, &str) {
    assert!(noted.header("authorization").unwrap().starts_with("Bearer eyJ"));
    (&noted.method, noted.target.strip_prefix(PROJECT).unwrap())
}

fn json_of(noted: &Noted) -> Value {
    assert_eq!(noted.header("content-type"), Some("application/json"));
    from_slice(noted.body.as_ref().unwrap()).unwrap()
}

/// The parameters of a query, decoded.
fn query(noted: &Noted) -> Vec<(String, String)> {
    let url: url::Url = format!("http://h{}", noted.target).parse().unwrap();
    url.query_pairs().into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn experiments_are_listed() {
    let list = r#"{"success": true, "experiments": [
        {"name": "churn", "_version": 3, "_projectId": "p", "title": "T", "description": null, "tags": []}, {"name": "b"}
    ]}"#;
    let server = Server::answering(move || list).await;
    let experiments = experiments(&server);
    let listed = experiments.list().await.unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].version.as_ref()), ("churn", Some(&json!(3))));
    assert_eq!((listed[0].title.as_deref(), listed[0].description.as_deref()), (Some("T"), None));
    assert_eq!((listed[0].project_id.as_deref(), &listed[0].other["tags"]), (Some("p"), &json!([])));
    assert_eq!((listed[1].name.as_str(), listed[1].version.as_ref()), ("b", None));
    assert_eq!(line(&server.only()), ("GET", "/experiments"));

    let options = ListOptions::new().filter("modelId", "m&1").sort("updatedAt", Order::Descending).limit(20).skip(40);
    experiments.list_with(&options).await.unwrap();
    let expected =
        pairs(&[("filter", r#"{"modelId":"m&1"}"#), ("sort", r#"{"updatedAt":-1}"#), ("limit", "20"), ("skip", "40")]);
    assert_eq!(query(&server.only()), expected);
}

#[tokio::test]
async fn an_experiment_is_saved() {
    let answer = r#"{"name": "acme/churn", "_version": 1, "_projectId": "p", "_id": "x", "createdAt": "2024-05-01",
        "createdBy": "ann", "updatedAt": "2024-05-02", "success": true, "more": {"_kept": 1}}"#;
    let server = Server::answering(move || answer).await;
    let experiments = experiments(&server);
    let new = NewExperiment::new("acme/churn").model_id("m").title("T").description("D").field("tags", json!(["x"]));
    let saved = experiments.save(&new).await.unwrap();
    assert_eq!((saved.name.as_str(), &saved.other["createdBy"]), ("acme/churn", &json!("ann")));
    let noted = server.only();
    assert_eq!(line(&noted), ("POST", "/experiments"));
    let body = json!({"name": "acme/churn", "modelId": "m", "title": "T", "description": "D", "tags": ["x"]});
    assert_eq!(json_of(&noted), body);

    // What was read can be saved, without what the platform added.
    experiments.save(&saved).await.unwrap();
    assert_eq!(json_of(&server.only()), json!({"name": "acme/churn", "more": {"_kept": 1}}));
    for nameless in [json!({}), json!({"name": ""}), json!({"name": ".."}), json!({"name": 7}), json!("name")] {
        assert_eq!(experiments.save(&nameless).await.unwrap_err().code(), Code::SkillFailed, "{nameless}");
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_experiment_is_read_and_deleted() {
    let server = Server::answering(|| r#"{"name": "churn", "success": true}"#).await;
    let experiments = experiments(&server);
    assert_eq!(experiments.get("churn").await.unwrap().name, "churn");
    assert_eq!(line(&server.only()), ("GET", "/experiments/churn"));
    assert!(experiments.get_opt("churn").await.unwrap().is_some());
    assert_eq!(line(&server.only()), ("GET", "/experiments/churn"));
    experiments.delete("churn").await.unwrap();
    assert_eq!(line(&server.only()), ("DELETE", "/experiments/churn"));
    let server = Server::answering(|| r#"{"success": false, "message": "it has runs"}"#).await;
    let error = self::experiments(&server).delete("churn").await.unwrap_err();
    assert_eq!(error.detail(), "cannot delete experiment `churn`: the platform did not do it: it has runs");
}

#[tokio::test]
async fn meta_is_set_by_saving_the_whole_experiment() {
    let server = Server::answering(|| {
        r#"{"name": "churn", "modelId": "m", "camel": "1.0.0", "title": "T", "description": "D", "tags": [{"label": "l"}],
            "meta": {"old": 1}, "_version": 2, "_projectId": "p", "_id": "x", "createdAt": 1,
            "createdBy": "ann", "updatedAt": 2, "success": true}"#
    })
    .await;
    experiments(&server).set_meta("churn", "a/b", json!([2])).await.unwrap();
    let noted = server.noted.lock().unwrap();
    let lines: Vec<_> = noted.iter().map(line).collect();
    assert_eq!(lines, [("GET", "/experiments/churn"), ("POST", "/experiments")]);
    let body = json!({
        "name": "churn", "modelId": "m", "camel": "1.0.0", "title": "T", "description": "D", "tags": [{"label": "l"}],
        "meta": {"old": 1, "a/b": [2]}
    });
    assert_eq!(json_of(&noted[1]), body);
}

#[tokio::test]
async fn runs_are_listed_and_found() {
    let server = Server::answering(|| {
        format!(r#"{{"runs": [{RUN}, {{"runId": "r1", "took": null, "artifacts": {{"m": {{"ref": 1}}}}}}]}}"#)
    })
    .await;
    let runs = runs(&server);
    let listed = runs.list().await.unwrap();
    assert_eq!(listed[0], from_str::<Run>(RUN).unwrap());
    assert_eq!((listed[1].run_id.as_str(), listed[1].took), ("r1", None));
    assert_eq!((&listed[1].artifacts["m"], listed[1].artifact_key("m")), (&json!({"ref": 1}), None));
    assert_eq!(line(&server.only()), ("GET", "/experiments/churn/runs"));
    runs.list_with(&ListOptions::new().limit(20)).await.unwrap();
    assert_eq!(line(&server.only()), ("GET", "/experiments/churn/runs?limit=20"));

    runs.find(&ListOptions::new()).await.unwrap();
    let noted = server.only();
    assert!(noted.target.contains("/runs?"));
    assert_eq!(query(&noted), pairs(&[("filter", "{}"), ("limit", "25")]));
    let options = ListOptions::new().filter("params.depth", json!({"$gt": 2})).sort("took", Order::Ascending).limit(3);
    assert_eq!(runs.find(&options).await.unwrap().len(), 2);
    let expected = pairs(&[("filter", r#"{"params.depth":{"$gt":2}}"#), ("sort", r#"{"took":1}"#), ("limit", "3")]);
    assert_eq!(query(&server.only()), expected);
}

#[tokio::test]
async fn the_last_run_is_the_only_one_that_is_asked_for() {
    let server = Server::answering(|| format!(r#"{{"runs": [{RUN}]}}"#)).await;
    assert_eq!(runs(&server).last().await.unwrap().run_id, "r2");
    let noted = server.only();
    assert_eq!(line(&noted).0, "GET");
    assert_eq!(query(&noted), pairs(&[("filter", "{}"), ("sort", r#"{"endTime":-1}"#), ("limit", "1")]));
    assert!(runs(&server).last_opt().await.unwrap().is_some());

    let none = Server::answering(|| r#"{"runs": []}"#).await;
    let error = runs(&none).last().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), "Last run for experiment churn not found");
    assert!(runs(&none).last_opt().await.unwrap().is_none());

    let two = Server::answering(|| r#"{"runs": [{"runId": "a"}, {"runId": "b"}]}"#).await;
    let error = runs(&two).last_opt().await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert_eq!(error.detail(), "Last run for experiment churn not found: one run was asked for, and 2 came");
}

#[tokio::test]
async fn a_run_is_created_read_updated_and_deleted() {
    let server = Server::answering(|| RUN).await;
    let runs = runs(&server);
    let run = runs.create(&json!({"params": {"depth": 3}})).await.unwrap();
    assert_eq!((run.run_id.as_str(), run.took, &run.metrics["auc"]), ("r2", Some(4.87), &json!(0.91)));
    assert_eq!(run.artifact_key("model"), Some("experiments/churn/r2/artifacts/model"));
    let noted = server.only();
    assert_eq!(line(&noted), ("POST", "/experiments/churn/runs"));
    assert_eq!(json_of(&noted), json!({"params": {"depth": 3}}));
    assert_eq!(runs.get("r2").await.unwrap(), run);
    assert_eq!(line(&server.only()), ("GET", "/experiments/churn/runs/r2"));
    runs.update("r2", &json!({"took": null, "x": 1})).await.unwrap();
    let noted = server.only();
    assert_eq!(line(&noted), ("PUT", "/experiments/churn/runs/r2"));
    assert_eq!(json_of(&noted), json!({"took": null, "x": 1}));
    runs.delete("r2").await.unwrap();
    assert_eq!(line(&server.only()), ("DELETE", "/experiments/churn/runs/r2"));
    runs.delete_all().await.unwrap();
    assert_eq!(line(&server.only()), ("DELETE", "/experiments/churn/runs"));
    runs.delete_matching(&json!({"runId": "a b"})).await.unwrap();
    let noted = server.only();
    assert!(line(&noted).1.starts_with("/experiments/churn/runs?") && noted.method == "DELETE");
    assert_eq!(query(&noted), pairs(&[("filter", r#"{"runId":"a b"}"#)]));
    runs.delete_matching(&json!({})).await.unwrap();
    assert_eq!(query(&server.only()), pairs(&[("filter", "{}")]));
    for not_fields in [json!(null), json!([1]), json!("x")] {
        assert!(runs.create(&not_fields).await.is_err() && runs.update("r2", &not_fields).await.is_err());
        assert!(runs.delete_matching(&not_fields).await.is_err(), "all would be deleted");
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_run_that_is_not_updated_is_an_error() {
    for (answer, detail) in [
        (r#"{"success": false, "error": "locked"}"#, "Error updating run r2: locked"),
        (r#"{"success": false}"#, "Error updating run r2"),
    ] {
        let server = Server::answering(move || answer).await;
        let error = runs(&server).update("r2", &json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.detail()), (Code::SkillFailed, detail));
    }
    let server = Server::answering(|| r#"{"_id": "without a run id"}"#).await;
    assert_eq!(runs(&server).create(&json!({})).await.unwrap_err().code(), Code::PlatformUnavailable);
}

#[tokio::test]
async fn params_metrics_and_meta_are_put_one_by_one() {
    let server = Server::answering(|| DONE).await;
    let runs = runs(&server);
    runs.log_param("r2", "depth", 3).await.unwrap();
    runs.log_metric("r2", "a/b c", 0.5).await.unwrap();
    runs.set_meta("r2", "100%", json!({"a": null})).await.unwrap();
    let expected = [
        ("/params/depth", json!({"value": 3})),
        ("/metrics/a%2Fb%20c", json!({"value": 0.5})),
        ("/meta/100%25", json!({"value": {"a": null}})),
    ];
    let noted = server.noted.lock().unwrap();
    assert_eq!(noted.len(), expected.len());
    for (noted, (path, body)) in noted.iter().zip(expected) {
        assert_eq!(line(noted), ("PUT", &*format!("/experiments/churn/runs/r2{path}")));
        assert_eq!(json_of(noted), body);
    }
}

#[tokio::test]
async fn artifacts_are_streamed_both_ways() {
    let server = Server::answering(|| DONE).await;
    let to = runs(&server);
    to.log_artifact("r2", "/plots/roc 1.png", "bytes").await.unwrap();
    let noted = server.only();
    assert_eq!(line(&noted), ("PUT", "/experiments/churn/runs/r2/artifacts/plots/roc%201.png"));
    assert_eq!(noted.header("content-type"), Some("application/octet-stream"));
    assert_eq!((noted.header("content-length"), noted.body.as_deref()), (Some("5"), Ok(&b"bytes"[..])));
    to.log_artifact("r2", "big", Body::reader(tokio::io::repeat(7).take(1_000_000))).await.unwrap();
    let noted = server.only();
    assert_eq!((noted.header("transfer-encoding"), noted.body.as_ref().unwrap().len()), (Some("chunked"), 1_000_000));

    let server = Server::answering(|| vec![7u8; 300_000]).await;
    let from = runs(&server);
    let mut download = from.artifact("r2", "model").await.unwrap();
    assert_eq!(download.content_length(), Some(300_000));
    let first = download.chunk().await.unwrap().unwrap();
    assert_eq!(first.len() + download.bytes().await.unwrap().len(), 300_000);
    assert_eq!(line(&server.only()), ("GET", "/experiments/churn/runs/r2/artifacts/model"));
    assert!(from.artifact_opt("r2", "model").await.unwrap().is_some());

    // A platform that did not keep it.
    let server = Server::answering(|| r#"{"success": false, "message": "full"}"#).await;
    let error = runs(&server).log_artifact("r2", "m", "x").await.unwrap_err();
    let expected = "cannot save artifact `m` of run `r2` of experiment `churn`: the platform did not do it: full";
    assert_eq!(error.detail(), expected);
}

#[tokio::test]
async fn what_makes_no_difference_twice_is_repeated() {
    /// How many calls come of one, when the first is answered so.
    async fn calls(status: StatusCode, call: impl AsyncFnOnce(Runs)) -> usize {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => (status, [("retry-after", "0")]).into_response(),
            _ => RUN.into_response(),
        })
        .await;
        call(server.client().with_retries(1).experiments().runs("churn")).await;
        server.noted.lock().unwrap().len()
    }

    let down = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(calls(down, async |runs| runs.log_artifact("r", "a", "x").await.unwrap()).await, 2);
    assert_eq!(calls(down, async |runs| runs.log_metric("r", "a", 1).await.unwrap()).await, 2);
    assert_eq!(calls(down, async |runs| drop(runs.create(&json!({})).await.unwrap_err())).await, 1);
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    assert_eq!(calls(failed, async |runs| drop(runs.artifact("r", "a").await.unwrap())).await, 2);
    assert_eq!(calls(failed, async |runs| drop(runs.get("r").await.unwrap_err())).await, 1);
}

#[tokio::test]
async fn a_run_as_a_block_has_a_start_and_an_end() {
    let server = Server::answering(|| RUN).await;
    let active = runs(&server).start().await.unwrap();
    assert_eq!((active.id(), active.run().run_id.as_str()), ("r2", "r2"));
    active.log_metric("auc", 0.9).await.unwrap();
    active.log_param("depth", 3).await.unwrap();
    active.set_meta("k", "v").await.unwrap();
    active.log_artifact("model", "x").await.unwrap();
    active.finish().await.unwrap();
    let noted = server.noted.lock().unwrap();
    let run = "/experiments/churn/runs/r2";
    let inside = ["/metrics/auc", "/params/depth", "/meta/k", "/artifacts/model"].map(|path| format!("{run}{path}"));
    let mut expected = vec![("POST", "/experiments/churn/runs"), ("PUT", run)];
    expected.extend(inside.iter().map(|path| ("PUT", path.as_str())));
    expected.push(("PUT", run));
    assert_eq!(noted.iter().map(line).collect::<Vec<_>>(), expected);
    assert_eq!(json_of(&noted[0]), json!({}));
    let (start, end) = (json_of(&noted[1]), json_of(&noted[6]));
    let started = start["startTime"].as_i64().unwrap();
    assert_eq!(start, json!({"took": null, "startTime": started, "endTime": null}));
    let (ended, took) = (end["endTime"].as_i64().unwrap(), end["took"].as_f64().unwrap());
    assert_eq!(end, json!({"took": took, "startTime": started, "endTime": ended}));
    assert!(started > 1_700_000_000 && ended >= started && end["took"].is_f64() && took > 0.0);
}

/// A server that counts the PUTs to a run, and refuses those from the second of them on if it is to.
async fn refusing_the_end(refuses: bool) -> Server {
    let puts = std::sync::atomic::AtomicUsize::new(0);
    Server::start(move |noted| match &*noted.method {
        "PUT" if puts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 && refuses => {
            r#"{"success": false, "error": "locked"}"#.into_response()
        }
        _ => RUN.into_response(),
    })
    .await
}

#[tokio::test]
async fn a_run_that_is_recorded_ends_whatever_comes_of_it() {
    /// Whether the run has been made, begun and ended, and nothing else.
    fn ended(server: &Server) -> bool {
        let noted = std::mem::take(&mut *server.noted.lock().unwrap());
        let run = "/experiments/churn/runs/r2";
        let lines: Vec<_> = noted.iter().map(line).collect();
        lines == [("POST", "/experiments/churn/runs"), ("PUT", run), ("PUT", run)]
            && json_of(&noted[1])["endTime"].is_null()
            && json_of(&noted[2])["endTime"].is_i64()
            && json_of(&noted[2])["took"].is_f64()
    }

    for refuses in [false, true] {
        let server = refusing_the_end(refuses).await;
        let runs = runs(&server);
        // On any worker of the runtime.
        let task = tokio::spawn({
            let runs = runs.clone();
            let suffix = "!".to_owned();
            async move {
                let work = async |run: &ActiveRun| {
                    tokio::task::yield_now().await;
                    Ok::<_, Error>(format!("{}{suffix}", run.id()))
                };
                runs.record(work).await
            }
        });
        let result = task.await.unwrap();
        assert!(ended(&server));
        if refuses {
            assert_eq!(result.unwrap_err().detail(), "Error updating run r2: locked");
        } else {
            assert_eq!(result.unwrap(), "r2!");
        }

        // Any error that is made of ours will do; that of the function counts.
        let server = refusing_the_end(refuses).await;
        let runs = self::runs(&server);
        let failed = runs.record(async |_| -> skill_sdk::Result<()> { Ok("x".parse::<i64>().map(drop)?) });
        assert_eq!(failed.await.unwrap_err().to_string(), "invalid digit found in string");
        assert!(ended(&server));
        let server = refusing_the_end(refuses).await;
        let runs = self::runs(&server);
        let panics = async move { runs.record(async |_| -> skill_sdk::Result<()> { panic!("on purpose") }).await };
        let panic = tokio::spawn(panics).await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        assert!(ended(&server));
    }

    let server = Server::answering(|| StatusCode::FORBIDDEN).await;
    let runs = runs(&server);
    let never = runs.record(async |_| -> Result<(), Error> { panic!("it has not begun") });
    assert_eq!(never.await.unwrap_err().http_status(), Some(403));
    assert_eq!(server.only().method, "POST");
}

#[tokio::test]
async fn a_run_that_is_made_but_not_begun_is_named() {
    let server = Server::start(|noted| match &*noted.method {
        "POST" => RUN.into_response(),
        _ => (StatusCode::CONFLICT, r#"{"message": "locked"}"#).into_response(),
    })
    .await;
    let error = runs(&server).start().await.unwrap_err();
    let expected = "run `r2` of experiment `churn` is made, but not that it began: cannot update run `r2` of experiment `churn`: \
        the platform answered 409: locked";
    assert_eq!((error.code(), error.http_status(), error.detail()), (Code::SkillFailed, Some(409), expected));
}

#[tokio::test]
async fn what_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"success": false, "message": "not found"}"#)).await;
    let experiments = experiments(&server);
    let runs = experiments.runs("churn");
    let error = experiments.get("churn").await.unwrap_err();
    assert_eq!(error.detail(), "cannot get experiment `churn`: the platform answered 404: not found");
    let errors = [
        error,
        experiments.delete("churn").await.unwrap_err(),
        experiments.set_meta("churn", "k", 1).await.unwrap_err(),
        runs.list().await.unwrap_err(),
        runs.find(&ListOptions::new()).await.unwrap_err(),
        runs.last().await.unwrap_err(),
        runs.create(&json!({})).await.unwrap_err(),
        runs.start().await.unwrap_err(),
        runs.get("r").await.unwrap_err(),
        runs.update("r", &json!({})).await.unwrap_err(),
        runs.delete("r").await.unwrap_err(),
        runs.delete_all().await.unwrap_err(),
        runs.log_param("r", "k", 1).await.unwrap_err(),
        runs.log_artifact("r", "k", "x").await.unwrap_err(),
        runs.artifact("r", "k").await.err().unwrap(),
    ];
    for error in errors {
        assert!(error.is_not_found(), "{error}");
    }
    assert!(experiments.get_opt("churn").await.unwrap().is_none());
    assert!(runs.get_opt("r").await.unwrap().is_none());
    assert!(runs.last_opt().await.unwrap().is_none());
    assert!(runs.artifact_opt("r", "k").await.unwrap().is_none());
    let server = Server::answering(|| StatusCode::INTERNAL_SERVER_ERROR).await;
    assert_eq!(self::experiments(&server).get_opt("churn").await.unwrap_err().code(), Code::PlatformUnavailable);
}
