//! What somebody does with experiments. It is the same wherever they are kept.

use skill_sdk::client::experiments::{Experiments, NewExperiment};
use skill_sdk::client::{ListOptions, Order};
use skill_sdk::serde_json::json;
use skill_sdk::{Code, Error};

/// Creates, logs, finds and deletes. The experiment must not be there, and is not at the end.
pub(super) async fn run(experiments: &Experiments, name: &str) {
    assert!(experiments.get_opt(name).await.unwrap().is_none());
    assert!(experiments.runs(name).last_opt().await.unwrap().is_none());

    let saved = experiments.save(&NewExperiment::new(name).title("Who leaves").field("camel", "1.0.0")).await.unwrap();
    assert_eq!((saved.name.as_str(), saved.title.as_deref()), (name, Some("Who leaves")));
    let got = experiments.get(name).await.unwrap();
    assert_eq!((got.name.as_str(), &got.other["camel"]), (name, &json!("1.0.0")));
    assert!(got.version.is_some() && got.project_id.is_some());
    let titled = ListOptions::new().filter("name", name);
    let listed = experiments.list_with(&titled).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), [name]);
    let noted = experiments.set_meta(name, "owner", json!({"team": 7})).await.unwrap();
    assert_eq!(noted.meta["owner"], json!({"team": 7}));
    let got = experiments.get(name).await.unwrap();
    assert_eq!((got.title.as_deref(), &got.meta["owner"]["team"]), (Some("Who leaves"), &json!(7)));

    let runs = experiments.runs(name);
    let error = runs.last().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.detail(), format!("Last run for experiment {name} not found"));

    // A run as a block.
    let active = runs.start().await.unwrap();
    let open = runs.get(active.id()).await.unwrap();
    assert!(open.start_time.is_some_and(|time| time.fract() == 0.0));
    assert_eq!((open.end_time, open.took), (None, None));
    assert_eq!(open.experiment_name.as_deref(), Some(name));
    active.log_param("depth", 3).await.unwrap();
    active.log_param("a/b %", "text").await.unwrap();
    active.log_metric("auc", 0.5).await.unwrap();
    active.log_metric("auc", 0.91).await.unwrap();
    active.set_meta("host", json!(["a", null])).await.unwrap();
    active.log_artifact("plots/roc 1.png", "first").await.unwrap();
    active.log_artifact("plots/roc 1.png", vec![0, 255, 10]).await.unwrap();
    active.finish().await.unwrap();
    let first = runs.get(active.id()).await.unwrap();
    assert_eq!((&first.params["depth"], &first.params["a/b %"]), (&json!(3), &json!("text")));
    assert_eq!((&first.metrics["auc"], &first.meta["host"]), (&json!(0.91), &json!(["a", null])));
    assert_eq!(first.artifacts.keys().collect::<Vec<_>>(), ["plots/roc 1.png"]);
    assert!(first.end_time >= first.start_time && first.took.is_some_and(|took| took >= 0.0));
    let artifact = runs.artifact(active.id(), "plots/roc 1.png").await.unwrap();
    assert_eq!(artifact.bytes().await.unwrap(), &[0, 255, 10][..]);
    assert!(runs.artifact_opt(active.id(), "plots").await.unwrap().is_none());

    // Runs with fields of their own.
    let second = runs.create(&json!({})).await.unwrap();
    let fields = json!({"startTime": 1_714_557_600, "endTime": 9_999_999_999u64, "took": 4.87});
    runs.update(&second.run_id, &fields).await.unwrap();
    runs.log_param(&second.run_id, "depth", 5).await.unwrap();
    let second = runs.get(&second.run_id).await.unwrap();
    assert_eq!((second.end_time, second.took), (Some(9_999_999_999.0), Some(4.87)));
    assert_eq!(runs.last().await.unwrap().run_id, second.run_id);
    assert_eq!(runs.list().await.unwrap().len(), 2);

    // One that fails has an end too.
    let mut third = String::new();
    let failed = runs.record(async |run| {
        run.id().clone_into(&mut third);
        run.log_metric("auc", 0.1).await?;
        Err::<(), _>(Error::new(Code::Internal, "no more"))
    });
    assert_eq!(failed.await.unwrap_err().detail(), "no more");
    let ended = runs.get(&third).await.unwrap();
    assert!(ended.end_time.is_some() && ended.took.is_some() && ended.metrics["auc"] == 0.1);
    runs.delete(&third).await.unwrap();

    // Finding.
    let found = async |options: ListOptions| -> Vec<String> {
        runs.find(&options).await.unwrap().into_iter().map(|run| run.run_id).collect()
    };
    let (first, second) = (first.run_id, second.run_id);
    assert_eq!(found(ListOptions::new()).await, [second.clone(), first.clone()]);
    assert_eq!(found(ListOptions::new().filter("runId", first.clone())).await, std::slice::from_ref(&first));
    let by_end = ListOptions::new().sort("endTime", Order::Ascending);
    assert_eq!(found(by_end.clone()).await, [first.clone(), second.clone()]);
    assert_eq!(found(by_end.limit(1)).await, std::slice::from_ref(&first));
    assert_eq!(runs.list_with(&ListOptions::new().limit(1)).await.unwrap().len(), 1);

    // Deleting.
    runs.delete(&second).await.unwrap();
    assert!(runs.get_opt(&second).await.unwrap().is_none());
    assert!(runs.delete(&second).await.unwrap_err().is_not_found());
    runs.delete_matching(&json!({"runId": "another"})).await.unwrap();
    assert_eq!(runs.list().await.unwrap().len(), 1);
    runs.delete_all().await.unwrap();
    assert!(runs.list().await.unwrap().is_empty());
    assert!(runs.artifact_opt(&first, "plots/roc 1.png").await.unwrap().is_none());
    experiments.delete(name).await.unwrap();
    assert!(experiments.get(name).await.unwrap_err().is_not_found());
    assert!(experiments.delete(name).await.unwrap_err().is_not_found());
}
