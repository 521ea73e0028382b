//! Names of experiments, runs and what belongs to them.

use skill_sdk::Code;
use skill_sdk::client::ListOptions;
use skill_sdk::client::experiments::{Experiments, NewExperiment};
use skill_sdk::serde_json::json;

use super::{RUN, experiments, line};
use crate::server::Server;

/// No call takes a name that no URL can carry, wherever experiments are.
pub(super) async fn are_refused(experiments: &Experiments) {
    for bad in ["", ".", "..", "a\nb", "a\u{7f}"] {
        let good = experiments.runs("churn");
        let runs = experiments.runs(bad);
        let errors = [
            experiments.save(&NewExperiment::new(bad)).await.unwrap_err(),
            experiments.get(bad).await.unwrap_err(),
            experiments.get_opt(bad).await.unwrap_err(),
            experiments.delete(bad).await.unwrap_err(),
            experiments.set_meta(bad, "k", 1).await.unwrap_err(),
            runs.list().await.unwrap_err(),
            runs.find(&ListOptions::new()).await.unwrap_err(),
            runs.last().await.unwrap_err(),
            runs.create(&json!({})).await.unwrap_err(),
            runs.start().await.unwrap_err(),
            runs.get("r").await.unwrap_err(),
            runs.delete_all().await.unwrap_err(),
            runs.delete_matching(&json!({})).await.unwrap_err(),
            good.create(&json!({"runId": bad})).await.unwrap_err(),
            good.get(bad).await.unwrap_err(),
            good.update(bad, &json!({})).await.unwrap_err(),
            good.delete(bad).await.unwrap_err(),
            good.log_param("r", bad, 1).await.unwrap_err(),
            good.log_metric("r", bad, 1).await.unwrap_err(),
            good.set_meta("r", bad, 1).await.unwrap_err(),
            good.log_artifact("r", bad, "x").await.unwrap_err(),
            good.artifact("r", bad).await.err().unwrap(),
            good.log_artifact(bad, "a", "x").await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, None), "{error}");
            assert!(error.detail().contains("cannot be the name of"), "{error}");
        }
    }
    for bad in ["/", "a/../b", "./a", "a/.", "a/b\tc"] {
        let error = experiments.runs("churn").artifact("r", bad).await.err().unwrap();
        assert!(error.detail().contains("cannot be the name of an artifact"), "{error}");
    }
}

#[tokio::test]
async fn names_that_no_url_can_carry_are_refused() {
    let server = Server::answering(|| RUN).await;
    let experiments = experiments(&server);
    are_refused(&experiments).await;
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn names_are_one_segment_and_artifacts_may_be_paths() {
    let names = [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("...", "..."),
        ("a?b#c", "a%3Fb%23c"),
    ];
    for (name, sent) in names {
        let server = Server::answering(|| r#"{"name": "n", "runId": "r"}"#).await;
        let experiments = experiments(&server);
        let runs = experiments.runs(name);
        experiments.get(name).await.unwrap();
        experiments.delete(name).await.unwrap();
        runs.create(&json!({"runId": name})).await.unwrap();
        runs.get(name).await.unwrap();
        runs.update(name, &json!({})).await.unwrap();
        runs.delete(name).await.unwrap();
        runs.log_param(name, name, 1).await.unwrap();
        runs.log_metric(name, name, 1).await.unwrap();
        runs.set_meta(name, name, 1).await.unwrap();
        runs.log_artifact(name, name, "").await.unwrap();
        runs.artifact(name, name).await.unwrap();
        let (e, run) = (format!("/experiments/{sent}"), format!("/experiments/{sent}/runs/{sent}"));
        let artifact = format!("{run}/artifacts/{}", if name == "a/b" { name } else { sent });
        let expected = [
            e.clone(),
            e.clone(),
            format!("{e}/runs"),
            run.clone(),
            run.clone(),
            run.clone(),
            format!("{run}/params/{sent}"),
            format!("{run}/metrics/{sent}"),
            format!("{run}/meta/{sent}"),
            artifact.clone(),
            artifact,
        ];
        let noted = server.noted.lock().unwrap();
        assert_eq!(noted.iter().map(|noted| line(noted).1).collect::<Vec<_>>(), expected);
    }
}
