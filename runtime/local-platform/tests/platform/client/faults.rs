//! What the client makes of a platform that misbehaves, resource by resource: what can be tried again is, what may have had its
//! effect is not, and what was acknowledged is there.

use futures_util::future::join_all;
use local_platform::{Faults, Options};
use serde_json::json;
use skill_sdk::client::connections::Connection;
use skill_sdk::client::experiments::NewExperiment;
use skill_sdk::client::models::Model;
use skill_sdk::client::types::TypeDefinition;
use skill_sdk::{Client, Code, Error};

use crate::support::Local;

async fn with(rules: &[&str]) -> Local {
    let faults = Faults::new(rules, 7).unwrap();
    Local::start_with(|options: Options| options.with_faults(faults)).await
}

/// One of each resource, on a platform whose faults have yet to come.
async fn fill(client: &Client) -> Result<String, Error> {
    client.secrets().post("k", "v").await?;
    client.connections().save(&Connection::new("c", "mongo")).await?;
    client.types().save(&[TypeDefinition::new("t")]).await?;
    client.models().save(&Model::new("m")).await?;
    client.experiments().save(&NewExperiment::new("e").model_id("m")).await?;
    let runs = client.experiments().runs("e");
    runs.create(&json!({"runId": "r"})).await?;
    runs.log_artifact("r", "a", "bytes").await?;
    client.sessions().start(None, None).await
}

/// Reads each resource.
async fn read(client: &Client, session: &str) -> Vec<(&'static str, Result<(), Error>)> {
    let runs = client.experiments().runs("e");
    vec![
        ("secrets", client.secrets().get("k").await.map(drop)),
        ("secrets of a list", client.secrets().list().await.map(drop)),
        ("connections", client.connections().get("c").await.map(drop)),
        ("types", client.types().get("t").await.map(drop)),
        ("models", client.models().get("m").await.map(drop)),
        ("runs of a model", client.models().runs("m").await.map(drop)),
        ("experiments", client.experiments().get("e").await.map(drop)),
        ("runs", runs.find(&skill_sdk::client::ListOptions::new()).await.map(drop)),
        ("artifacts", runs.artifact("r", "a").await.map(drop)),
        ("sessions", client.sessions().get(session).await.map(drop)),
    ]
}

#[tokio::test]
async fn reads_are_tried_again() {
    for fault in ["status=503", "reset", "cut=50%"] {
        let paths = [
            "/internal/*/secrets/*",
            "*/secrets?*",
            "*/secrets",
            "*/connections/*",
            "*/types/*",
            "*/models/m",
            "*/models/m/*",
            "*/experiments/e",
            "*/runs",
            "*/artifacts/*",
            "*/sessions/*",
        ];
        let rules = paths.map(|path| format!("GET {path}: {fault}, count=1"));
        let local = with(&rules.each_ref().map(String::as_str)).await;
        let client = local.client();
        let session = fill(&client).await.unwrap();
        for (what, done) in read(&client, &session).await {
            done.unwrap_or_else(|error| panic!("{what}, {fault}: {}", error.chain()));
        }
    }
}

#[tokio::test]
async fn a_fault_that_stays_is_told_as_it_is() {
    let rule = |fault: &str| format!("GET *: {fault}");
    for (fault, code, status) in [
        ("status=503", Code::PlatformUnavailable, Some(503)),
        ("reset", Code::PlatformUnavailable, None),
        ("x-auth-error=token expired", Code::TokenExpired, Some(302)),
    ] {
        let local = with(&[&rule(fault)]).await;
        let client = local.client().with_retries(0);
        let session = fill(&client).await.unwrap();
        for (what, done) in read(&client, &session).await {
            let error = done.unwrap_err();
            assert_eq!((error.code(), error.http_status()), (code, status), "{what}: {}", error.chain());
        }
    }
}

#[tokio::test]
async fn what_is_set_twice_is_as_if_set_once() {
    for fault in ["status=503", "reset", "cut=50%"] {
        let rules = ["*/metrics/*", "*/artifacts/*", "*/runs/r"].map(|path| format!("PUT {path}: {fault}, count=1"));
        let local = with(&rules.each_ref().map(String::as_str)).await;
        let runs = local.client().experiments().runs("e");
        local.client().experiments().save(&NewExperiment::new("e")).await.unwrap();
        runs.create(&json!({"runId": "r"})).await.unwrap();
        runs.log_metric("r", "auc", 0.9).await.unwrap();
        runs.log_artifact("r", "a", vec![7; 100_000]).await.unwrap();
        runs.update("r", &json!({"took": 2})).await.unwrap();
        let run = runs.get("r").await.unwrap();
        assert_eq!((&run.metrics["auc"], run.took, run.artifacts.len()), (&json!(0.9), Some(2.0), 1));
        let artifact = runs.artifact("r", "a").await.unwrap().bytes().await.unwrap();
        assert_eq!((artifact.len(), local.files().len()), (100_000, 1), "{fault}");
    }
}

#[tokio::test]
async fn what_is_made_is_not_made_twice() {
    for (fault, made) in [("status=503", 0), ("reset", 0), ("cut=50%", 1)] {
        let rules = ["*/sessions", "*/runs"].map(|path| format!("POST {path}: {fault}, count=1"));
        let local = with(&rules.each_ref().map(String::as_str)).await;
        let client = local.client();
        let (sessions, runs) = (client.sessions(), client.experiments().runs("e"));
        client.experiments().save(&NewExperiment::new("e")).await.unwrap();
        assert_eq!(sessions.start(None, None).await.unwrap_err().code(), Code::PlatformUnavailable);
        assert_eq!(runs.create(&json!({})).await.unwrap_err().code(), Code::PlatformUnavailable);
        assert_eq!(sessions.list().await.unwrap().len(), made, "{fault}");
        assert_eq!(runs.list().await.unwrap().len(), made, "{fault}");
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_is_there() {
    let faults = ["POST *: reset, rate=0.1", "POST *: cut=50%, rate=0.1", "POST *: status=503, rate=0.1"];
    let local = with(&faults).await;
    let client = local.client().with_retries(0);
    let save = async |n: usize| {
        let name = format!("n-{n:02}");
        let saved = [
            client.secrets().post(&name, n.to_string()).await.is_ok(),
            client.connections().save(&Connection::new(&*name, "mongo")).await.is_ok(),
            client.types().save(&[TypeDefinition::new(&*name)]).await.is_ok(),
            client.models().save(&Model::new(&*name)).await.is_ok(),
        ];
        (name, saved)
    };
    let saved = join_all((0..30).map(save)).await;
    assert!(saved.iter().flat_map(|(_, saved)| saved).any(|saved| !saved), "some have failed");
    for (name, [secret, connection, kind, model]) in saved {
        assert!(!secret || client.secrets().get(&name).await.is_ok(), "{name}");
        assert!(!connection || client.connections().describe(&name).await.is_ok(), "{name}");
        assert!(!kind || client.types().get(&name).await.is_ok(), "{name}");
        assert!(!model || client.models().get(&name).await.is_ok(), "{name}");
    }
}
