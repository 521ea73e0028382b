//! Models through the client.

use serde_json::json;
use skill_sdk::client::experiments::NewExperiment;
use skill_sdk::client::models::Model;
use skill_sdk::client::{ListOptions, Order};

use crate::support::Local;

/// Names of models that look like something else in a path.
const NAMES: [&str; 4] = ["churn", "acme/churn", "a/publish", "a/experiments/runs"];

fn names(listed: Vec<Model>) -> Vec<String> {
    listed.into_iter().map(|one| one.name).collect()
}

#[tokio::test]
async fn a_model_is_saved_published_and_deleted() {
    let local = Local::start().await;
    let models = local.client().models();
    for name in NAMES {
        let mut new = Model::new(name).with_tag("team", "orders");
        (new.model_type, new.source) = (Some("tree".to_owned()), Some(json!({"a": [1]})));
        let answer = models.save(&new).await.unwrap();
        assert_eq!((&answer["version"], &answer["modelId"]), (&json!(1), &json!(name)));

        let read = models.get(name).await.unwrap();
        assert_eq!((read.name.as_str(), read.camel.as_deref(), &read.tags), (name, Some("1.0.0"), &new.tags));
        assert_eq!((&read.model_type, &read.source, &read.status), (&new.model_type, &new.source, &None));
        assert!(read.updated_at.is_some() && read.created_by.is_some());
        models.publish(name).await.unwrap();
        assert_eq!(models.get(name).await.unwrap().status.as_deref(), Some("published"));
        models.save(&read).await.unwrap();
        assert_eq!(models.get(name).await.unwrap().status.as_deref(), Some("published"));
        models.unpublish(name).await.unwrap();
        assert_eq!(models.get_opt(name).await.unwrap().unwrap().status.as_deref(), Some("unpublished"));
    }
    for name in NAMES {
        models.delete(name).await.unwrap();
        for error in [
            models.get(name).await.unwrap_err(),
            models.publish(name).await.unwrap_err(),
            models.unpublish(name).await.unwrap_err(),
            models.runs(name).await.unwrap_err(),
            models.delete(name).await.unwrap_err(),
        ] {
            assert!(error.is_not_found(), "{error}");
        }
        assert!(models.get_opt(name).await.unwrap().is_none());
    }
    assert!(models.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn models_are_listed() {
    let local = Local::start().await;
    let models = local.client().models();
    for (name, team) in [("b", "orders"), ("a", "billing"), ("c", "orders")] {
        models.save(&Model::new(name).with_tag("team", team)).await.unwrap();
    }
    assert_eq!(names(models.list().await.unwrap()), ["c", "a", "b"]);
    let by_name = ListOptions::new().sort("name", Order::Ascending);
    assert_eq!(names(models.list_with(&by_name.clone().limit(2)).await.unwrap()), ["a", "b"]);
    assert_eq!(names(models.list_tagged("orders", &by_name).await.unwrap()), ["b", "c"]);
    assert_eq!(names(models.list_tagged("team,billing", &by_name).await.unwrap()), ["a"]);
    assert!(models.list_tagged("absent", &by_name).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_runs_of_a_model_are_listed() {
    let local = Local::start().await;
    let client = local.client();
    let (models, experiments) = (client.models(), client.experiments());
    for name in NAMES {
        models.save(&Model::new(name)).await.unwrap();
        assert!(models.runs(name).await.unwrap().is_empty());
        for n in [1, 2] {
            let experiment = format!("{name} {n}");
            experiments.save(&NewExperiment::new(&*experiment).model_id(name)).await.unwrap();
            experiments.runs(experiment).create(&json!({"took": n})).await.unwrap();
        }
        let runs = models.runs(name).await.unwrap();
        assert_eq!(runs.iter().map(|run| run.took).collect::<Vec<_>>(), [Some(2.0), Some(1.0)]);
        let first = ListOptions::new().sort("took", Order::Ascending).limit(1);
        let runs = models.runs_with(name, &first).await.unwrap();
        assert_eq!((runs.len(), runs[0].experiment_name.clone()), (1, Some(format!("{name} 1"))));
    }
}
