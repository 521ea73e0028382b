//! The options of `platform`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{ArgAction, Args, Subcommand};
use local_platform::{FaultRule, Limits};

use super::duration;
use super::later::Later;
use crate::size::Size;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PlatformOptions {
    #[command(subcommand)]
    pub(crate) command: Option<PlatformCommand>,
    #[command(flatten)]
    pub(crate) serving: ServingOptions,
}

#[derive(Subcommand)]
pub(crate) enum PlatformCommand {
    /// See to who may act on the embedded platform.
    Principal(PrincipalOptions),
}

#[derive(Args)]
pub(crate) struct ServingOptions {
    // A cluster sets SKILL_PORT by itself for a service with the name "skill".
    /// Port to listen on, at 127.0.0.1; 0 takes any that is free.
    #[arg(long, env = "SKILL_PLATFORM_PORT", value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Folder in which the platform keeps its data [default: in the user's state folder].
    #[arg(long, env = "SKILL_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Keep nothing: with the platform all is gone. The personal access config is in a temporary folder meanwhile.
    // No flag, which has a value always: it can be forgotten where `--data` is typed.
    #[arg(long, env = "SKILL_PLATFORM_MEMORY", num_args = 0, default_missing_value = "true")]
    #[arg(action = ArgAction::Set, value_parser = FalseyValueParser::new())]
    pub(crate) memory: Option<bool>,
    /// A skill library, or the folder of a Cargo package, whose skills are run when they are invoked. Can be given several times.
    #[arg(long = "skill", env = "SKILL_PLATFORM_SKILL", value_name = "PATH")]
    pub(crate) skills: Vec<PathBuf>,
    /// Longest time that an invocation of a skill may take, such as `90s` or `5m`. A skill may set a shorter one.
    #[arg(long, env = "SKILL_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) limits: PlatformLimits,
    #[command(flatten)]
    pub(crate) misbehaviour: Misbehaviour,
}

#[derive(Args)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct PlatformLimits {
    /// Largest request, but for content and artifacts.
    #[arg(long, env = "SKILL_PLATFORM_MAX_REQUEST", value_name = "SIZE", default_value_t = Size(Limits::default().request))]
    max_request: Size,
    /// Largest payload of a skill that runs as a job.
    #[arg(long, env = "SKILL_PLATFORM_MAX_JOB_PAYLOAD", value_name = "SIZE", default_value_t = Size(Limits::default().job_payload))]
    max_job_payload: Size,
    /// Largest answer of a skill that runs as a job.
    #[arg(long, env = "SKILL_PLATFORM_MAX_JOB_RESPONSE", value_name = "SIZE", default_value_t = Size(Limits::default().job_response))]
    max_job_response: Size,
    /// Largest answer of a skill that runs as a daemon.
    #[arg(long, env = "SKILL_PLATFORM_MAX_DAEMON_RESPONSE", value_name = "SIZE", default_value_t = Size(Limits::default().daemon_response))]
    max_daemon_response: Size,
}

impl PlatformLimits {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            request: self.max_request.0,
            job_payload: self.max_job_payload.0,
            job_response: self.max_job_response.0,
            daemon_response: self.max_daemon_response.0,
        }
    }
}

#[derive(Args)]
#[command(next_help_heading = "Misbehaviour")]
pub(crate) struct Misbehaviour {
    /// Make requests fail: `METHOD PATH-GLOB: ACTION[, rate=0.1][, count=3]`. Can be given several times, and as several with `;`
    /// between them.
    ///
    /// ACTION is `status=503`, `delay=2s`, `cut=50%` of the answer's body, `reset` of the connection, or `x-auth-error=expired`. METHOD may
    /// be `*`, and in PATH-GLOB `*` stands for any text. Of several that fit, the first one that happens counts, beside all delays.
    /// Example: `GET /fabric/v4/projects/*/content/*: status=503, rate=0.1`.
    #[arg(long = "fault", env = "SKILL_PLATFORM_FAULT", value_name = "RULE", value_delimiter = ';', value_parser = fault)]
    pub(crate) faults: Vec<String>,
    /// Decides which requests a fault with a rate happens to.
    #[arg(long, env = "SKILL_PLATFORM_FAULT_SEED", value_name = "NUMBER", default_value_t = 0)]
    pub(crate) fault_seed: u64,
    /// Take tokens for expired that are older than this, whatever they say.
    #[arg(long, env = "SKILL_PLATFORM_TOKEN_TTL", value_name = "DURATION", value_parser = duration)]
    pub(crate) token_ttl: Option<Duration>,
}

fn fault(text: &str) -> Result<String, String> {
    text.parse::<FaultRule>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[derive(Args)]
pub(crate) struct PrincipalOptions {
    #[command(subcommand)]
    pub(crate) command: PrincipalCommand,
}

#[derive(Subcommand)]
pub(crate) enum PrincipalCommand {
    /// Add a principal with a key of its own, and write the personal access config it authenticates with.
    ///
    /// Its rights in access management are those of its groups: in each project the groups that have it as a member, or whose name
    /// or source id is one of those given here. Prints what was added, as JSON.
    Add(Later<AddPrincipalOptions>),
    /// List the principals, as JSON.
    List(Later<OfPlatform>),
    /// Remove a principal: its tokens are refused from then on. Its personal access config stays where it is.
    Remove(Later<RemovePrincipalOptions>),
}

#[derive(Args)]
pub(crate) struct AddPrincipalOptions {
    /// The name, which is also the subject of the principal's tokens and its user identifier.
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    /// A group, by its name or its source id. Can be given several times; the groups need not exist yet.
    #[arg(long = "group", env = "SKILL_PLATFORM_GROUP", value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) groups: Vec<String>,
    /// File to write the personal access config to, for its owner only. It must not exist yet.
    ///
    /// A platform that starts on the data writes its URL into the file, as into its own `pat.json`.
    #[arg(long, env = "SKILL_PLATFORM_PAT", value_name = "FILE")]
    pub(crate) pat: PathBuf,
    #[command(flatten)]
    pub(crate) platform: OfPlatform,
}

#[derive(Args)]
pub(crate) struct RemovePrincipalOptions {
    /// The name.
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) platform: OfPlatform,
}

/// Whose principals are meant.
#[derive(Args)]
pub(crate) struct OfPlatform {
    /// Folder in which the platform keeps its data, whether it runs or not [default: in the user's state folder].
    #[arg(long, env = "SKILL_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}
