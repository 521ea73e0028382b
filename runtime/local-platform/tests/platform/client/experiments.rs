//! Experiments through the client.

use futures_util::future::join_all;
use serde_json::json;
use skill_sdk::client::experiments::NewExperiment;
use skill_sdk::client::{Body, ListOptions, Order};
use tokio::io::AsyncReadExt;

use crate::support::Local;

#[path = "../../../../../skill-sdk/tests/client/experiments/scenario.rs"]
mod scenario;

#[tokio::test]
async fn experiments_are_used_as_they_are_in_a_folder() {
    let local = Local::start().await;
    let experiments = local.client().experiments();
    for name in ["churn", "acme/churn", "ü 1%/runs/x", "runs"] {
        scenario::run(&experiments, name).await;
    }
    assert!(local.keys("").await.is_empty(), "no artifact is left");
}

#[tokio::test]
async fn experiments_are_listed() {
    let local = Local::start().await;
    let experiments = local.client().experiments();
    assert!(experiments.list().await.unwrap().is_empty());
    for (name, model) in [("b", "m1"), ("a", "m2"), ("c", "m1")] {
        let new = NewExperiment::new(name).model_id(model).title("T").description("D").field("own", json!([1]));
        let saved = experiments.save(&new).await.unwrap();
        assert_eq!((saved.model_id.as_deref(), saved.description.as_deref()), (Some(model), Some("D")));
        assert_eq!((saved.version, saved.project_id.as_deref()), (Some(json!(1)), Some("local")));
    }
    let names = async |options: &ListOptions| {
        let listed = experiments.list_with(options).await.unwrap();
        listed.into_iter().map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&ListOptions::new()).await, ["c", "a", "b"]);
    assert_eq!(names(&ListOptions::new().filter("modelId", "m1").sort("name", Order::Ascending)).await, ["b", "c"]);
    // What was read can be saved again.
    let read = experiments.get("a").await.unwrap();
    let again = experiments.save(&read).await.unwrap();
    assert_eq!((again.version, &again.other["own"]), (Some(json!(2)), &json!([1])));
    assert_eq!(names(&ListOptions::new().limit(1)).await, ["a"]);
}

#[tokio::test]
async fn runs_are_found_and_deleted_by_filters() {
    let local = Local::start().await;
    let experiments = local.client().experiments();
    experiments.save(&NewExperiment::new("acme/churn")).await.unwrap();
    let runs = experiments.runs("acme/churn");
    assert_eq!(runs.experiment(), "acme/churn");
    for n in 1..=30 {
        runs.create(&json!({"runId": format!("r{n:02}"), "params": {"depth": n}, "endTime": 100 - n})).await.unwrap();
    }
    assert_eq!(runs.list().await.unwrap().len(), 30);
    assert_eq!(runs.find(&ListOptions::new()).await.unwrap().len(), 25);
    assert_eq!(runs.last().await.unwrap().run_id, "r01");
    let deep =
        ListOptions::new().filter("params.depth", json!({"$gt": 10})).filter("params.depth", json!({"$lte": 12}));
    let found = runs.find(&deep.sort("params.depth", Order::Descending)).await.unwrap();
    assert_eq!(found.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), ["r12", "r11"]);
    runs.delete_matching(&json!({"params.depth": {"$gte": 3}})).await.unwrap();
    assert_eq!(runs.list().await.unwrap().len(), 2);
    runs.delete_all().await.unwrap();
    assert!(runs.last_opt().await.unwrap().is_none());
    let absent = experiments.runs("absent").create(&json!({})).await.unwrap_err();
    assert!(absent.is_not_found(), "{absent}");
}

#[tokio::test]
async fn artifacts_are_content_of_any_size() {
    let local = Local::start().await;
    let client = local.client();
    let experiments = client.experiments();
    experiments.save(&NewExperiment::new("acme/churn")).await.unwrap();
    let runs = experiments.runs("acme/churn");
    let active = runs.start().await.unwrap();
    let bytes = (0..=250).cycle().take(3_000_000).collect::<Vec<u8>>();
    active.log_artifact("a/model ü%.bin", Body::reader(std::io::Cursor::new(bytes.clone()))).await.unwrap();
    assert_eq!(active.run().run_id, active.id());
    runs.log_artifact(active.id(), "empty", "").await.unwrap();

    let run = runs.get(active.id()).await.unwrap();
    let key = run.artifact_key("a/model ü%.bin").unwrap();
    assert_eq!(key, format!("experiments/acme/churn/{}/artifacts/a/model ü%.bin", active.id()));
    assert!(client.content().download(key).await.unwrap().bytes().await.unwrap() == bytes);
    let mut read = Vec::new();
    let artifact = runs.artifact(active.id(), "a/model ü%.bin").await.unwrap();
    assert_eq!(artifact.content_length(), Some(3_000_000));
    artifact.into_reader().read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
    let empty = runs.artifact_opt(active.id(), "empty").await.unwrap().unwrap();
    assert!(empty.bytes().await.unwrap().is_empty());
    assert!(runs.log_artifact("absent", "a", "x").await.unwrap_err().is_not_found());
    assert!(runs.artifact("absent", "a").await.unwrap_err().is_not_found());

    experiments.delete("acme/churn").await.unwrap();
    assert!(!client.content().exists(key).await.unwrap());
}

#[tokio::test]
async fn workers_log_into_one_run_at_once() {
    let local = Local::start().await;
    let experiments = local.client().experiments();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    let run = runs.start().await.unwrap();
    let log = async |n: usize| {
        let name = format!("{n}");
        match n % 4 {
            0 => run.log_param(&name, n).await,
            1 => run.log_metric(&name, n).await,
            2 => run.set_meta(&name, n).await,
            _ => run.log_artifact(&name, name.clone()).await,
        }
    };
    for done in join_all((0..40).map(log)).await {
        done.unwrap();
    }
    run.finish().await.unwrap();
    let run = runs.get(run.id()).await.unwrap();
    assert_eq!([run.params.len(), run.metrics.len(), run.meta.len(), run.artifacts.len()], [10; 4]);
    assert!(run.took.is_some());
}
