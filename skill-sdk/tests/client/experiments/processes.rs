//! Several processes that change one experiment in a folder.

use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Command, Stdio};

use skill_sdk::client::experiments::{Experiments, NewExperiment};
use tokio::task::spawn_blocking;

use super::local::{files, local};

/// The variables that tell [`logs_what_its_parent_says`] where to log, and how its metrics begin.
const FOLDER: &str = "SKILL_SDK_TEST_EXPERIMENTS";
const PREFIX: &str = "SKILL_SDK_TEST_PREFIX";

/// What a child says when it is about to log.
const READY: &str = "ready to log";

const METRICS: usize = 50;

#[tokio::test]
async fn changes_of_several_processes_are_all_kept() {
    let (folder, experiments) = local();
    let root = folder.path().join("experiments");
    experiments.save(&NewExperiment::new("churn")).await.unwrap();
    let run = experiments.runs("churn").start().await.unwrap();

    let parent = move || {
        let start = |prefix: &str| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "experiments::processes::logs_what_its_parent_says", "--nocapture"]);
            command.env(FOLDER, &root).env(PREFIX, prefix);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut children = ["a", "b"].map(start);
        // They begin together.
        let outputs = children.each_mut().map(|child| {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains(READY)), "a child ended");
            lines
        });
        for child in &mut children {
            child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        }
        for (mut child, lines) in children.into_iter().zip(outputs) {
            let said: Vec<_> = lines.map(Result::unwrap).collect();
            assert!(child.wait().unwrap().success(), "{said:?}");
        }
    };
    spawn_blocking(parent).await.unwrap();

    let logged = experiments.runs("churn").get(run.id()).await.unwrap().metrics;
    assert_eq!(logged.len(), 2 * METRICS);
    for prefix in ["a", "b"] {
        assert!((0..METRICS).all(|i| logged[&format!("{prefix}{i}")] == i), "{logged:?}");
    }
    assert_eq!(files(folder.path()), ["experiments/churn/config.yml"]);
    run.finish().await.unwrap();
}

/// Runs in a process of its own, where [`changes_of_several_processes_are_all_kept`] starts it.
#[tokio::test]
async fn logs_what_its_parent_says() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let prefix = std::env::var(PREFIX).unwrap();
    let runs = Experiments::local(folder).runs("churn");
    let run = runs.last().await.unwrap().run_id;
    println!("{READY}");
    spawn_blocking(|| stdin().read_line(&mut String::new()).unwrap()).await.unwrap();
    for i in 0..METRICS {
        runs.log_metric(&run, &format!("{prefix}{i}"), i).await.unwrap();
    }
}
