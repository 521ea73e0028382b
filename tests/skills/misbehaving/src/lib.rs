//! Skills that do everything a host must withstand.

#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "that is what these skills are for")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;
use skill_sdk::prelude::*;
use skill_sdk::{Code, Error};
use tracing::Instrument;

mod platform;
mod turns;

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![
        Skill::new("echo", echo).without_client(),
        Skill::new("caller", caller),
        Skill::new("fails", fails).without_client(),
        Skill::new("fails-with", fails_with).without_client(),
        Skill::new("wraps", wraps).without_client(),
        Skill::new("panics", panics).without_client(),
        Skill::new("panics-later", panics_later).without_client(),
        Skill::new("hangs", hangs).without_client(),
        Skill::new("spins", spins).without_client(),
        Skill::new("hurries", hangs).without_client().timeout(Duration::from_millis(50)),
        Skill::new("spins-in-a-hurry", spins).without_client().timeout(Duration::from_millis(50)),
        Skill::new("dawdles", dawdles).without_client(),
        Skill::new("floods", floods).without_client(),
        Skill::new("logs", logs).without_client(),
        Skill::new("logs-apart", logs_apart).without_client(),
        Skill::new("uses-tokio", uses_tokio).without_client(),
        Skill::new("leaves-a-mark", leaves_a_mark).without_client(),
        Skill::new("leaks", leaks),
        Skill::new("panics-with-token", panics_with_token),
        Skill::new("asks-platform", platform::asks_platform),
        Skill::new("asks-platform-unasked", platform::asks_platform).without_client(),
        Skill::new("sleeps", turns::sleeps).without_client(),
        Skill::new("waits", turns::waits).without_client(),
        Skill::new("blocks", turns::blocks).without_client(),
        Skill::new("panics-every-other-time", turns::panics_every_other_time).without_client(),
        Skill::new("counts", turns::counts).without_client(),
        Skill::new("leaves-a-task", turns::leaves_a_task).without_client(),
        // A name as platforms have them.
        Skill::new("acme/echo", echo).without_client(),
    ]
}

skill_sdk::export!(skills);

async fn echo(input: Value, _ctx: Context) -> Result<Value> {
    Ok(input)
}

#[derive(Serialize, JsonSchema)]
struct Caller {
    endpoint: String,
    project: String,
    subject: String,
    activation: String,
    session: Option<String>,
    has_deadline: bool,
}

async fn caller(_: Value, ctx: Context) -> Result<Caller> {
    let client = ctx.client()?;
    Ok(Caller {
        endpoint: client.api_endpoint().to_owned(),
        project: client.project().to_owned(),
        subject: client.token().await?.claims().map(|claims| claims.subject.clone()).unwrap_or_default(),
        activation: ctx.activation_id().to_owned(),
        session: ctx.message().session_id().map(str::to_owned),
        has_deadline: ctx.remaining().is_some_and(|left| left > Duration::ZERO),
    })
}

async fn fails(_: Value, _ctx: Context) -> anyhow::Result<Value> {
    Err(anyhow::anyhow!("the disk is full").context("cannot save the order"))
}

#[derive(Deserialize, JsonSchema)]
struct Failure {
    code: String,
    detail: String,
}

async fn fails_with(failure: Failure, _ctx: Context) -> Result<Value> {
    Err(SkillError::with_code(failure.code.parse()?, failure.detail))
}

#[derive(Debug, thiserror::Error)]
enum Wrapped {
    #[error("the report could not be made")]
    Report(#[source] Box<dyn std::error::Error + Send + Sync>),
}

async fn wraps(how: String, _ctx: Context) -> Result<Value> {
    let expired = Error::new(Code::TokenExpired, "Your Cortex Token expired at noon");
    match how.as_str() {
        "bare" => Err(expired.into()),
        "anyhow" => Err(anyhow::Error::from(expired))?,
        "context" => Err(anyhow::Error::from(expired).context("while counting"))?,
        "enum" => Err(Wrapped::Report(expired.into()))?,
        "enum in anyhow" => Err(anyhow::Error::from(Wrapped::Report(expired.into())).context("while counting"))?,
        "io" => Err(std::io::Error::other(expired))?,
        _ => Ok(Value::Null),
    }
}

async fn panics(_: Value, _ctx: Context) -> Result<Value> {
    panic!("what a mess")
}

async fn panics_later(_: Value, _ctx: Context) -> Result<Value> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    panic!("what a late mess")
}

async fn hangs(_: Value, _ctx: Context) -> Result<Value> {
    tracing::info!("hanging");
    std::future::pending().await
}

async fn spins(_: Value, _ctx: Context) -> Result<Value> {
    tracing::info!("spinning");
    loop {
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// Blocks its thread for the milliseconds it is given, and answers.
async fn dawdles(milliseconds: u64, _ctx: Context) -> Result<u64> {
    std::thread::sleep(Duration::from_millis(milliseconds));
    Ok(milliseconds)
}

async fn floods(size: usize, _ctx: Context) -> Result<String> {
    Ok("x".repeat(size))
}

async fn logs(_: Value, _ctx: Context) -> Result<Value> {
    tracing::warn!(order = 17, "a warning");
    let task = async { tracing::info!("from a task") };
    tokio::spawn(task.instrument(tracing::info_span!("step", number = 2))).await?;
    tracing::debug!("a detail");
    Ok(Value::Null)
}

/// Logs from outside the span of the invocation.
async fn logs_apart(_: Value, _ctx: Context) -> Result<Value> {
    tokio::spawn(async { tracing::info!("from a task apart") }).await?;
    tokio::task::spawn_blocking(|| tracing::info!("from a thread")).await?;
    let panicked = tokio::spawn(async { panic!("in a task") }).await;
    Ok(json!(panicked.is_err()))
}

/// Everything of tokio that a handler may want: tasks, timers, sockets, blocking threads.
async fn uses_tokio(_: Value, _ctx: Context) -> Result<Value> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        stream.writable().await?;
        stream.try_write(b"served")
    });
    let read = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
        let mut text = String::new();
        std::net::TcpStream::connect(address)?.read_to_string(&mut text)?;
        Ok(text)
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    server.await??;
    Ok(json!(read.await??))
}

/// Writes a file when it is dropped.
struct Mark(PathBuf);

impl Drop for Mark {
    fn drop(&mut self) {
        // A task can be spawned only within the runtime, where this must be dropped.
        let inside = tokio::runtime::Handle::try_current().is_ok();
        let _ = std::fs::File::create(&self.0).and_then(|mut file| writeln!(file, "inside: {inside}"));
        panic!("after the mark");
    }
}

async fn leaves_a_mark(path: PathBuf, _ctx: Context) -> Result<Value> {
    let _mark = Mark(path);
    std::future::pending().await
}

fn token_of(ctx: &Context) -> &str {
    ctx.message().token().map_or("", ExposeSecret::expose_secret)
}

async fn leaks(_: Value, ctx: Context) -> Result<Value> {
    tracing::error!(token = token_of(&ctx), "the token is {}", token_of(&ctx));
    Err(SkillError::new(format!("the token is {}", token_of(&ctx))))
}

async fn panics_with_token(_: Value, ctx: Context) -> Result<Value> {
    panic!("the token is {}", token_of(&ctx))
}
