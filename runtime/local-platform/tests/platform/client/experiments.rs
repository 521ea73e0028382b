//! Experiments through the client.

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
