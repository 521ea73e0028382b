//! The files of experiments in a folder, when others write there too.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use skill_sdk::Code;
use skill_sdk::client::experiments::{Experiments, NewExperiment};
use skill_sdk::logging::{Record, RecordLayer};
use skill_sdk::serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use super::local::{files, local};

/// What the platform's Python client writes.
const OF_PYTHON: &str = "
experiment:
  runs:
  - artifacts: [model]
    id: cjl8v
    metrics: {auc: 0.91}
    params: {depth: 3}
    took: 4.87
meta: {created: '2024-05-01 10:00:00.000000'}
";

/// The names that are listed, and what is logged meanwhile.
async fn listed(experiments: &Experiments) -> (Vec<String>, Vec<String>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let to = log.clone();
    let layer = RecordLayer::new(move |record: &Record<'_>| {
        to.lock().unwrap().push(format!("{} {}", record.level, record.message));
    });
    let _logged = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let names = experiments.list().await.unwrap().into_iter().map(|experiment| experiment.name).collect();
    (names, std::mem::take(&mut log.lock().unwrap()))
}

#[tokio::test]
async fn a_file_in_another_form_is_left_alone() {
    let (folder, experiments) = local();
    for name in ["a", "churn", "z"] {
        experiments.save(&NewExperiment::new(name)).await.unwrap();
    }
    let path = folder.path().join("experiments/churn/config.yml");
    let good = fs::read_to_string(&path).unwrap();
    let form = "is not in the form of a local experiment";
    let python_with_name = OF_PYTHON.replace("  runs:", "  name: churn\n  runs:");
    for (other, why) in [
        (OF_PYTHON, "missing field `name`"),
        (&*python_with_name, "missing field `runs`"),
        ("", ""),
        ("experiment: [", ""),
        ("- 1", "expected struct Config"),
        ("runs: []", "missing field `experiment`"),
        ("experiment: {}\nruns: []", "missing field `name`"),
        ("experiment: {name: churn}\nruns: [{id: r}]", "missing field `runId`"),
        ("experiment: {name: churn}\nruns: 7", "invalid type"),
        ("\0", ""),
        // Some file systems take no notice of case.
        (&*good.replace("name: churn", "name: Churn"), ""),
    ] {
        fs::write(&path, other).unwrap();
        let runs = experiments.runs("churn");
        for error in [
            experiments.get_opt("churn").await.unwrap_err(),
            experiments.save(&NewExperiment::new("churn")).await.unwrap_err(),
            experiments.set_meta("churn", "k", 1).await.unwrap_err(),
            experiments.delete("churn").await.unwrap_err(),
            runs.list().await.unwrap_err(),
            runs.create(&json!({})).await.unwrap_err(),
            runs.log_metric("r", "m", 1).await.unwrap_err(),
            runs.log_artifact("r", "m", "x").await.unwrap_err(),
            runs.delete_all().await.unwrap_err(),
        ] {
            let of_another = "this is of experiment `Churn`, not of `churn`";
            let what = if other.contains("Churn") { of_another } else { form };
            let expected = format!("{}: {what}", path.display());
            assert_eq!((error.code(), error.detail()), (Code::SkillFailed, &*expected), "{other}");
            assert!(error.chain().contains(why), "{}", error.chain());
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), other, "it is not overwritten");

        let (names, log) = listed(&experiments).await;
        assert_eq!(names, ["a", "z"]);
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].starts_with("WARN ") && log[0].contains(path.to_str().unwrap()), "{log:?}");
        assert!(log[0].contains(why), "{log:?}");
    }

    // So is what is no text, or no file.
    fs::write(&path, b"experiment: {name: \xff}").unwrap();
    assert!(experiments.get("churn").await.unwrap_err().detail().ends_with(form));
    assert_eq!(listed(&experiments).await.0, ["a", "z"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(experiments.get("churn").await.unwrap_err().detail().ends_with(form));
    assert_eq!(listed(&experiments).await.0, ["a", "z"]);
    fs::remove_dir(&path).unwrap();

    // Without the file there is no experiment, and what is somebody else's is none either.
    fs::create_dir_all(folder.path().join("experiments/my folder")).unwrap();
    fs::write(folder.path().join("experiments/notes.txt"), "").unwrap();
    assert_eq!(listed(&experiments).await, (vec!["a".to_owned(), "z".to_owned()], vec![]));
    assert!(experiments.get_opt("churn").await.unwrap().is_none());
}

#[tokio::test]
async fn keys_that_are_not_known_are_kept() {
    let (folder, experiments) = local();
    let path = folder.path().join("experiments/churn/config.yml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = "
        meta: {created: today, more: [1, null]}
        experiment: {name: churn, runs: [{id: old}], owner: {team: 7}}
        runs: [{runId: r, host: [a]}]
        seen: 3";
    fs::write(&path, text).unwrap();
    let runs = experiments.runs("churn");
    runs.log_metric("r", "auc", 0.5).await.unwrap();
    runs.log_artifact("r", "model", "x").await.unwrap();
    runs.create(&json!({"runId": "s"})).await.unwrap();
    runs.update("r", &json!({"took": 2})).await.unwrap();
    experiments.set_meta("churn", "k", "v").await.unwrap();
    experiments.save(&NewExperiment::new("churn").title("T")).await.unwrap();
    let config: Value = yaml_serde::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&config["meta"], &config["seen"]), (&json!({"created": "today", "more": [1, null]}), &json!(3)));
    let experiment = &config["experiment"];
    assert_eq!((&experiment["runs"], &experiment["owner"]), (&json!([{"id": "old"}]), &json!({"team": 7})));
    assert_eq!((&experiment["meta"], &experiment["title"]), (&json!({"k": "v"}), &json!("T")));
    let run = &config["runs"][0];
    assert_eq!((&run["host"], &run["metrics"], &run["took"]), (&json!(["a"]), &json!({"auc": 0.5}), &json!(2)));
    assert_eq!(experiments.get("churn").await.unwrap().other["owner"], json!({"team": 7}));
    assert_eq!(runs.get("r").await.unwrap().other["host"], json!(["a"]));
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_and_links_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let (folder, experiments) = local();
    let usual = folder.path().join("usual");
    fs::write(&usual, "").unwrap();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    runs.create(&json!({"runId": "r"})).await.unwrap();
    runs.log_artifact("r", "model", "x").await.unwrap();
    let churn = folder.path().join("experiments/churn");
    let (config, artifact) = (churn.join("config.yml"), churn.join("artifacts/model_r.pk"));
    for path in [&config, &artifact] {
        assert_eq!(mode(path), mode(&usual));
        fs::set_permissions(path, fs::Permissions::from_mode(0o606)).unwrap();
    }
    runs.log_artifact("r", "model", "y").await.unwrap();
    assert_eq!((mode(&config), mode(&artifact)), (0o606, 0o606));

    // The files are elsewhere; that of the artifact is not there yet.
    fs::rename(&config, folder.path().join("elsewhere.yml")).unwrap();
    symlink(folder.path().join("elsewhere.yml"), &config).unwrap();
    fs::remove_file(&artifact).unwrap();
    symlink("../../../elsewhere.pk", &artifact).unwrap();
    runs.log_artifact("r", "model", "z").await.unwrap();
    assert!(config.is_symlink() && artifact.is_symlink());
    assert_eq!(fs::read(folder.path().join("elsewhere.pk")).unwrap(), b"z");
    assert_eq!(runs.artifact("r", "model").await.unwrap().bytes().await.unwrap(), "z");
    assert_eq!(experiments.get("churn").await.unwrap().name, "churn");
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed() {
    let (folder, experiments) = local();
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let runs = experiments.runs("churn");
    runs.create(&json!({"runId": "r"})).await.unwrap();
    runs.log_artifact("r", "model", "x").await.unwrap();
    let churn = folder.path().join("experiments/churn");
    let left = |name: &str, hours: u64| {
        let file = fs::File::create(churn.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    };
    // One that is young may still be coming in.
    left(".new-old", 25);
    left(".new-young", 23);
    left("artifacts/.new-old", 25);
    left("artifacts/.new-young", 23);
    left("artifacts/.other", 25);
    left("notes", 25);
    runs.get("r").await.unwrap();
    assert!(churn.join(".new-old").exists(), "nothing is changed");
    runs.log_metric("r", "auc", 0.5).await.unwrap();
    let expected =
        [".new-young", "artifacts/.new-young", "artifacts/.other", "artifacts/model_r.pk", "config.yml", "notes"];
    assert_eq!(files(&churn), expected);
}
