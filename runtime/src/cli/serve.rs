//! The options of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use http::Method;

use super::authentication::AuthenticationOptions;
use super::{FillOptions, any_duration, duration};
use crate::host::Limits;
use crate::size::Size;

#[derive(Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) address: AddressOptions,
    /// Invoke each skill with its sample message first, and be ready only if none fails. A sample is filled as that of
    /// `invoke` is.
    #[arg(long, env = "SKILL_SELF_TEST", value_parser = FalseyValueParser::new())]
    pub(crate) self_test: bool,
    /// Give an activation that comes again within this time its first answer, such as `10m` [default: run it again].
    ///
    /// Whoever asks again must have the same token, for the same skill, platform and project. Failures that may be retried are
    /// not kept.
    #[arg(long, env = "SKILL_DEDUP_WINDOW", value_name = "DURATION", value_parser = duration)]
    pub(crate) dedup_window: Option<Duration>,
    #[command(flatten)]
    pub(crate) bounds: BoundOptions,
    #[command(flatten)]
    pub(crate) stopping: StoppingOptions,
    #[command(flatten)]
    pub(crate) authentication: AuthenticationOptions,
    #[command(flatten, next_help_heading = "Sample messages of the self-test")]
    pub(crate) fill: FillOptions,
}

/// Where invocations come in.
#[derive(Args)]
#[command(next_help_heading = "Address")]
pub(crate) struct AddressOptions {
    /// Address to listen on.
    // A cluster sets SKILL_PORT and SKILL_HOST by itself for a service with the name "skill".
    #[arg(long, env = "SKILL_SERVE_HOST", value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub(crate) host: IpAddr,
    /// Port to listen on; 0 takes any that is free [default: `daemon.port` of the skill.yaml, else 5000].
    #[arg(long, env = "SKILL_SERVE_PORT", value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Path of invocations [default: `daemon.path` of the skill.yaml, else /invoke].
    #[arg(long, env = "SKILL_SERVE_PATH", value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// Method of invocations [default: `daemon.method` of the skill.yaml, else POST].
    #[arg(long, env = "SKILL_SERVE_METHOD", value_name = "METHOD")]
    pub(crate) method: Option<Method>,
    /// A skill definition, for its properties `daemon.port`, `daemon.path` and `daemon.method`.
    #[arg(long, env = "SKILL_SERVE_YAML", value_name = "FILE")]
    pub(crate) skill_yaml: Option<PathBuf>,
}

/// How much, and for how long.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct BoundOptions {
    /// Longest time an invocation may take. A skill, or a request's header `X-Timeout`, may set a shorter one.
    #[arg(long, env = "SKILL_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Largest message.
    #[arg(long, env = "SKILL_MAX_MESSAGE", value_name = "SIZE", default_value_t = Size(Limits::default().message))]
    pub(crate) max_message: Size,
    /// Largest answer.
    #[arg(long, env = "SKILL_MAX_RESPONSE", value_name = "SIZE", default_value_t = Size(512 << 10))]
    pub(crate) max_response: Size,
    /// Invocations that run at a time.
    #[arg(long, env = "SKILL_MAX_CONCURRENCY", value_name = "NUMBER", default_value_t = 256, value_parser = at_least_one)]
    pub(crate) max_concurrency: usize,
    /// Invocations that wait for their turn; further ones are refused.
    #[arg(long, env = "SKILL_MAX_QUEUED", value_name = "NUMBER", default_value_t = 1024)]
    pub(crate) max_queued: usize,
    /// Longest time an invocation waits for its turn.
    #[arg(long, env = "SKILL_QUEUE_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = any_duration)]
    pub(crate) queue_timeout: Duration,
    /// Connections at a time; further ones are refused.
    #[arg(long, env = "SKILL_MAX_CONNECTIONS", value_name = "NUMBER", default_value_t = 1024, value_parser = at_least_one)]
    pub(crate) max_connections: usize,
    /// Most bytes of messages, and of answers that nobody has taken yet, at a time.
    #[arg(long, env = "SKILL_MAX_BUFFERED", value_name = "SIZE", default_value_t = Size(64 << 20))]
    pub(crate) max_buffered: Size,
    /// Longest time the head of a request may take.
    #[arg(long, env = "SKILL_HEADER_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) header_timeout: Duration,
    /// Longest time the body of a request may take.
    #[arg(long, env = "SKILL_BODY_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) body_timeout: Duration,
    /// Longest time the client may take for an answer.
    #[arg(long, env = "SKILL_WRITE_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) write_timeout: Duration,
    /// How long a connection is kept on which no request comes.
    #[arg(long, env = "SKILL_IDLE_TIMEOUT", value_name = "DURATION", default_value = "75s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
    /// How long a skill may block a worker before that is logged and the host is not ready.
    #[arg(long, env = "SKILL_STALL", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) stall: Duration,
}

/// What happens on SIGTERM and SIGINT.
#[derive(Args)]
#[command(next_help_heading = "Stopping")]
pub(crate) struct StoppingOptions {
    /// How long everything goes on, apart from readiness: until whoever sends requests has noticed.
    #[arg(long, env = "SKILL_DRAIN_DELAY", value_name = "DURATION", default_value = "0s", value_parser = any_duration)]
    pub(crate) drain_delay: Duration,
    /// How long invocations that run may take after that; then they are cancelled.
    #[arg(long, env = "SKILL_DRAIN", value_name = "DURATION", default_value = "30s", value_parser = any_duration)]
    pub(crate) drain: Duration,
}

impl BoundOptions {
    /// What the pipeline limits. The payload is limited by the message.
    pub(crate) fn limits(&self) -> Limits {
        Limits { message: self.max_message.0, payload: usize::MAX, response: self.max_response.0 }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("not a number: {error}")),
    }
}
