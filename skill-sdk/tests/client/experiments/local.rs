//! Experiments that are kept in a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use skill_sdk::client::content::OCTET_STREAM;
use skill_sdk::client::experiments::{Experiments, NewExperiment};
use skill_sdk::client::{Body, ListOptions, Order};
use skill_sdk::serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{names, scenario};

pub(super) fn local() -> (TempDir, Experiments) {
    let folder = tempfile::tempdir().unwrap();
    let experiments = Experiments::local(folder.path().join("experiments"));
    (folder, experiments)
}

/// All files below a folder but locks, sorted.
pub(super) fn files(folder: &Path) -> Vec<String> {
    fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            match entry.path().is_dir() {
                true if name == ".locks" => {}
                true => collect(&entry.path(), &format!("{prefix}{name}/"), files),
                false => files.push(format!("{prefix}{name}")),
            }
        }
    }
    let mut all = Vec::new();
    collect(folder, "", &mut all);
    all.sort();
    all
}

#[tokio::test]
async fn the_scenario() {
    let (folder, experiments) = local();
    for name in ["churn", "acme/churn", "a b", "100%", "%2e%2e", "...", ".locks", "日本", "con:\\x"] {
        scenario::run(&experiments, name).await;
    }
    assert_eq!(files(folder.path()), [] as [&str; 0]);
}

#[tokio::test]
async fn bad_names_are_refused_and_nothing_is_written() {
    let (folder, experiments) = local();
    names::are_refused(&experiments).await;
    let error = experiments.save(&NewExperiment::new("a".repeat(300))).await.unwrap_err();
    assert!(error.detail().contains("too long"), "{error}");
    assert!(experiments.list().await.unwrap().is_empty());
    assert!(experiments.delete("absent").await.unwrap_err().is_not_found());
    assert!(experiments.runs("absent").create(&json!({})).await.unwrap_err().is_not_found());
    assert!(experiments.runs("absent").log_artifact("r", "a", "x").await.unwrap_err().is_not_found());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn files_are_where_the_documentation_says() {
    let (folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn").title("T")).await.unwrap();
    let runs = experiments.runs("churn");
    let run =
        runs.create(&json!({"runId": "r_1", "params": {"depth": 3}, "_id": "no", "artifacts": {"no": "x"}})).await;
    let run = run.unwrap();
    assert_eq!((run.run_id.as_str(), run.id.as_deref(), run.artifacts.len()), ("r_1", Some("r_1"), 0));
    assert_eq!((run.project_id.as_deref(), run.experiment_name.as_deref()), (Some("local"), Some("churn")));
    runs.log_artifact("r_1", "/plots/roc.png", "bytes").await.unwrap();
    let artifact = "artifacts/plots%2Froc.png_r%5F1.pk";
    assert_eq!(files(&folder.path().join("experiments/churn")), [artifact, "config.yml"]);
    assert_eq!(fs::read_to_string(folder.path().join("experiments/churn").join(artifact)).unwrap(), "bytes");
    assert_eq!(runs.get("r_1").await.unwrap().artifacts["plots/roc.png"], artifact);
    let config = fs::read_to_string(folder.path().join("experiments/churn/config.yml")).unwrap();
    assert!(config.starts_with("experiment:\n  name: churn\n  title: T\n  _version: 1\n"), "{config}");
    assert!(config.contains("\nruns:\n- runId: r_1\n"), "{config}");
    let error = runs.create(&json!({"runId": "r_1"})).await.unwrap_err();
    assert_eq!((error.http_status(), runs.list().await.unwrap().len()), (Some(409), 1));
    // Ids that are made here are short.
    let made = runs.create(&json!({})).await.unwrap().run_id;
    assert!(made.len() == 8 && made.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{made}");
}

#[tokio::test]
async fn an_experiment_that_is_saved_again_keeps_its_runs_and_gets_a_new_version() {
    let (_folder, experiments) = local();
    let first = experiments.save(&json!({"name": "churn", "title": "A", "tags": [1], "_version": 40})).await.unwrap();
    assert_eq!(first.version, Some(json!(1)));
    experiments.runs("churn").create(&json!({})).await.unwrap();
    let second = experiments.save(&json!({"name": "churn", "title": "B", "description": null})).await.unwrap();
    assert_eq!(
        (second.version, second.title.as_deref(), &second.other["tags"]),
        (Some(json!(2)), Some("B"), &json!([1]))
    );
    assert_eq!(first.other["createdAt"], second.other["createdAt"]);
    let read = experiments.get("churn").await.unwrap();
    let third = json!({"createdAt": "?", "createdBy": "?", "_id": "?", "success": true, "name": "churn"});
    let third = experiments.save(&third).await.unwrap();
    assert_eq!((&third.other["createdAt"], third.other.len()), (&read.other["createdAt"], read.other.len()));
    assert_eq!(experiments.set_meta("churn", "k", 1).await.unwrap().version, Some(json!(4)));
    assert_eq!(experiments.runs("churn").list().await.unwrap().len(), 1);
    experiments.save(&NewExperiment::new("a").model_id("m")).await.unwrap();
    let names = async |options: ListOptions| -> Vec<String> {
        experiments.list_with(&options).await.unwrap().into_iter().map(|experiment| experiment.name).collect()
    };
    assert_eq!(names(ListOptions::new()).await, ["a", "churn"]);
    assert_eq!(names(ListOptions::new().sort("name", Order::Descending).limit(1)).await, ["churn"]);
    assert_eq!(names(ListOptions::new().filter("modelId", "m")).await, ["a"]);
}

#[tokio::test]
async fn an_artifact_that_breaks_off_leaves_what_was_there() {
    let (folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    runs.create(&json!({"runId": "r"})).await.unwrap();
    runs.log_artifact("r", "model", "old").await.unwrap();
    let old = runs.artifact("r", "model").await.unwrap();
    assert_eq!((old.content_length(), old.content_type()), (Some(3), Some(OCTET_STREAM)));
    let failing = tokio_util::io::StreamReader::new(Failing(Some(std::io::Error::other("the disk is gone"))));
    let broken = Body::reader(tokio::io::repeat(1).take(100_000).chain(failing));
    let error = runs.log_artifact("r", "model", broken).await.unwrap_err();
    assert!(error.chain().contains("the disk is gone"), "{}", error.chain());
    assert!(error.detail().starts_with("cannot save artifact `model` of run `r` of experiment `churn`"), "{error}");
    runs.log_artifact("r", "model", "newer").await.unwrap();
    assert_eq!(old.bytes().await.unwrap(), "old", "what was opened stays as it was");
    assert_eq!(runs.artifact("r", "model").await.unwrap().bytes().await.unwrap(), "newer");
    // A file, with its progress, and a body that is large and has no length.
    let file = folder.path().join("file");
    fs::write(&file, vec![1; 700_000]).unwrap();
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let to = seen.clone();
    let body = Body::file(&file).on_progress(move |bytes| to.store(bytes, std::sync::atomic::Ordering::SeqCst));
    runs.log_artifact("r", "file", body).await.unwrap();
    assert_eq!(seen.load(std::sync::atomic::Ordering::SeqCst), 700_000);
    let large = Body::reader(tokio::io::repeat(2).take(3_000_000));
    runs.log_artifact("r", "large", large).await.unwrap();
    let mut download = runs.artifact("r", "large").await.unwrap();
    let (mut pieces, mut bytes) = (0, 0);
    while let Some(piece) = download.chunk().await.unwrap() {
        assert!(piece.iter().all(|&byte| byte == 2));
        pieces += 1;
        bytes += piece.len();
    }
    assert!(bytes == 3_000_000 && pieces > 1, "{bytes} in {pieces}");
    runs.delete("r").await.unwrap();
    assert_eq!(files(&folder.path().join("experiments")), ["churn/config.yml"]);
}

/// A stream that fails once.
struct Failing(Option<std::io::Error>);

impl futures_core::Stream for Failing {
    type Item = std::io::Result<axum::body::Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Err))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_many_tasks_are_all_kept() {
    let (folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let shared = experiments.runs("churn").create(&json!({"runId": "shared"})).await.unwrap().run_id;
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            // One of its own knows nothing of the others, as in another process.
            let runs = Experiments::local(folder.path().join("experiments")).runs("churn");
            tokio::spawn({
                let shared = shared.clone();
                async move {
                    runs.log_metric(&shared, &format!("m{i}"), i).await.unwrap();
                    runs.log_artifact(&shared, &format!("a{}", i % 4), vec![i; 1000]).await.unwrap();
                    runs.create(&json!({})).await.unwrap().run_id
                }
            })
        })
        .collect();
    let mut ids = BTreeSet::from([shared.clone()]);
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    let runs = experiments.runs("churn");
    let listed: BTreeSet<String> = runs.list().await.unwrap().into_iter().map(|run| run.run_id).collect();
    assert_eq!((listed.len(), &listed), (17, &ids));
    let run = runs.get(&shared).await.unwrap();
    assert_eq!((run.metrics.len(), run.artifacts.len()), (16, 4));
    for name in run.artifacts.keys() {
        let bytes = runs.artifact(&shared, name).await.unwrap().bytes().await.unwrap();
        assert!(bytes.len() == 1000 && bytes.iter().all(|&byte| byte == bytes[0]), "{name}");
    }
}

#[tokio::test]
async fn an_experiment_that_is_deleted_while_an_artifact_comes_in_stays_deleted() {
    let (folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    runs.create(&json!({"runId": "r"})).await.unwrap();
    let (mut writer, reader) = tokio::io::duplex(64);
    let upload = tokio::spawn({
        let runs = runs.clone();
        async move { runs.log_artifact("r", "model", Body::reader(reader)).await }
    });
    // Whoever reads has begun: more than fits was taken.
    writer.write_all(&[1; 200]).await.unwrap();
    experiments.delete("churn").await.unwrap();
    drop(writer);
    assert!(upload.await.unwrap().unwrap_err().is_not_found());
    assert_eq!(files(&folder.path().join("experiments")), [] as [&str; 0]);
}

#[tokio::test]
async fn fields_of_a_run_keep_their_types() {
    let (_folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    let error = runs.create(&json!({"took": "long"})).await.unwrap_err();
    assert!(error.detail().ends_with("a field is not of its type"), "{error}");
    assert!(runs.create(&json!({"runId": 7})).await.is_err());
    let run = runs.create(&json!({"runId": null, "took": 1})).await.unwrap();
    assert!(runs.update(&run.run_id, &json!({"params": 1})).await.is_err());
    runs.update(&run.run_id, &json!({"runId": "x", "_id": "x", "took": null, "own": [1]})).await.unwrap();
    let updated = runs.get(&run.run_id).await.unwrap();
    assert_eq!((updated.took, updated.id.as_deref(), &updated.other["own"]), (None, Some(&*run.run_id), &json!([1])));
    assert!(updated.updated_at >= run.updated_at && updated.created_at == run.created_at);
    let error = runs.find(&ListOptions::new().filter("took", json!({"$regex": 1}))).await.unwrap_err();
    assert!(error.detail().contains("`$regex`"), "{error}");
    assert!(runs.delete_matching(&json!({"$or": []})).await.is_err());
    assert_eq!(runs.list().await.unwrap().len(), 1);
}

#[test]
fn an_artifact_that_nobody_waits_for_leaves_nothing() {
    let (folder, experiments) = local();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        experiments.save(&NewExperiment::new("churn")).await.unwrap();
        let runs = experiments.runs("churn");
        runs.create(&json!({"runId": "r"})).await.unwrap();
        let (mut writer, reader) = tokio::io::duplex(64);
        tokio::select! {
            result = runs.log_artifact("r", "model", Body::reader(reader)) => panic!("it cannot end: {result:?}"),
            written = writer.write_all(&[1; 200]) => written.unwrap(),
        }
        assert_eq!(runs.get("r").await.unwrap().artifacts.len(), 0);
    });
    // It waits for what is being removed.
    drop(runtime);
    assert_eq!(files(&folder.path().join("experiments")), ["churn/config.yml"]);
}

#[tokio::test]
async fn of_runs_that_ended_together_the_last_is_the_one_that_was_made_last() {
    let (_folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    for (id, end) in [("a", json!(5)), ("b", json!(7)), ("c", json!(7)), ("d", json!(6)), ("open", json!(null))] {
        runs.create(&json!({"runId": id, "endTime": end})).await.unwrap();
    }
    assert_eq!(runs.last().await.unwrap().run_id, "c");
    let ids = async |options: ListOptions| -> String {
        runs.find(&options).await.unwrap().iter().map(|run| &*run.run_id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(ListOptions::new().sort("endTime", Order::Ascending)).await, "a d c b open");
    assert_eq!(ids(ListOptions::new().filter("endTime", json!({"$gte": 6, "$ne": 7}))).await, "d");
    assert_eq!(runs.list().await.unwrap().iter().map(|run| &*run.run_id).collect::<String>(), "abcdopen");
    runs.delete_matching(&json!({"endTime": {"$in": [5, 7]}})).await.unwrap();
    assert_eq!(ids(ListOptions::new().sort("endTime", Order::Descending)).await, "d open");
    for _ in 0..30 {
        runs.create(&json!({})).await.unwrap();
    }
    assert_eq!((runs.find(&ListOptions::new()).await.unwrap().len(), runs.list().await.unwrap().len()), (25, 32));
}
