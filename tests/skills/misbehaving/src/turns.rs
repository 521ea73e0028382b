//! Skills whose answers take their time, or depend on those before.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use skill_sdk::prelude::*;

/// How often whoever waits for a file looks for it.
const GLANCE: Duration = Duration::from_millis(2);

/// Takes the milliseconds it is given, without holding up its thread.
pub(super) async fn sleeps(milliseconds: u64, _ctx: Context) -> Result<u64> {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Ok(milliseconds)
}

/// Answers when there is a file of that name.
pub(super) async fn waits(file: PathBuf, _ctx: Context) -> Result<Value> {
    tracing::info!("waiting");
    until_there_is(&file).await;
    Ok(json!("waited"))
}

async fn until_there_is(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(GLANCE).await;
    }
}

/// The same, with its thread held up.
pub(super) async fn blocks(file: PathBuf, _ctx: Context) -> Result<Value> {
    tracing::info!("blocking");
    while !file.exists() {
        std::thread::sleep(GLANCE);
    }
    Ok(json!("blocked"))
}

/// Panics on every second call.
pub(super) async fn panics_every_other_time(_: Value, _ctx: Context) -> Result<u64> {
    static TURNS: AtomicU64 = AtomicU64::new(0);
    let turn = TURNS.fetch_add(1, Ordering::Relaxed);
    assert!(turn.is_multiple_of(2), "another mess");
    Ok(turn)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Counting {
    /// A file that it waits for once it has counted.
    until: Option<PathBuf>,
    /// The row of the error table that it fails with.
    fails_with: Option<String>,
}

/// Counts how often it has run.
pub(super) async fn counts(counting: Counting, _ctx: Context) -> Result<u64> {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::info!(run, "counting");
    if let Some(file) = &counting.until {
        until_there_is(file).await;
    }
    match counting.fails_with {
        Some(code) => Err(SkillError::with_code(code.parse()?, format!("run {run}"))),
        None => Ok(run),
    }
}

/// Leaves a task behind that ends with the invocation.
pub(super) async fn leaves_a_task(_: Value, ctx: Context) -> Result<Value> {
    let cancelled = ctx.clone();
    tokio::spawn(async move {
        cancelled.cancelled().await;
        tracing::info!("the task has ended");
    });
    Ok(json!(ctx.is_cancelled()))
}
