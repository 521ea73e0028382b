//! The command line: what it takes, and where each command is.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use skill_sdk::Skill;

use crate::describe;
use crate::host::Limits;
use crate::outcome::Refusal;
use crate::size::Size;
use crate::telemetry::{self, LogFormat};
use crate::triggers;
use auth::{AuthOptions, profile_name};
use authentication::AuthenticationOptions;
use content::ContentOptions;
use iam::IamOptions;
use later::Later;
use platform::PlatformOptions;
use serve::ServeOptions;

pub(crate) mod auth;
pub(crate) mod authentication;
pub(crate) mod call;
pub(crate) mod content;
pub(crate) mod iam;
mod later;
pub(crate) mod platform;
pub(crate) mod serve;

/// The exit codes that are not in the error table (the numbers are those of sysexits.h).
pub(crate) mod exit {
    /// The command line makes no sense.
    pub(crate) const USAGE: u8 = 64;
    /// A file cannot be read.
    pub(crate) const NO_INPUT: u8 = 66;
    /// Something that was configured cannot be used.
    pub(crate) const CONFIG: u8 = 78;
    /// 128 and the number of the signal that ended a job.
    pub(crate) const INTERRUPTED: u8 = 130;
    /// Nobody reads what is written any more.
    pub(crate) const BROKEN_PIPE: u8 = 141;
    pub(crate) const TERMINATED: u8 = 143;
}

/// Runs skills: functions that answer invocation messages.
#[derive(Parser)]
#[command(name = "skill-runtime", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Invoke a skill once and print its answer: the entrypoint of a job, and the way to try a skill.
    Invoke(Later<OfPath<InvokeOptions>>),
    /// Answer invocations over HTTP until told to stop: the entrypoint of a daemon.
    Serve(Later<OfPaths<ServeOptions>>),
    /// Print what skills say about themselves, as JSON.
    Describe(Later<OfPath<DescribeOptions>>),
    /// Run the embedded platform on its own, until it is told to stop.
    ///
    /// When it is ready it prints one line of JSON: its URL, the path of a personal access config, and its project. It speaks the
    /// Cortex Fabric v4 API and the access management of Cognite Data Fusion.
    Platform(Later<PlatformOptions>),
    /// See to credentials: the profiles of the Cortex command line, and tokens.
    Auth(Later<AuthOptions>),
    /// Store, fetch, list and delete managed content.
    Content(Later<ContentOptions>),
    /// See who may do what: compare capabilities, and list groups, sessions and the like.
    Iam(Later<IamOptions>),
}

/// Options of a command on skills that are not part of the program.
#[derive(Args)]
struct OfPath<T: Args> {
    /// A skill library, or the folder of a Cargo package, which is built first.
    #[arg(value_name = "SKILL")]
    path: PathBuf,
    #[command(flatten)]
    options: T,
}

/// Options of a command on several skills that are not part of the program.
#[derive(Args)]
struct OfPaths<T: Args> {
    /// Skill libraries, or folders of Cargo packages, which are built first.
    #[arg(value_name = "SKILL", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    options: T,
}

/// Invokes the skills of this program.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct LinkedCli {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    command: LinkedCommand,
}

#[derive(Subcommand)]
enum LinkedCommand {
    /// Invoke a skill once and print its answer: the entrypoint of a job, and the way to try a skill.
    Invoke(Later<InvokeOptions>),
    /// Answer invocations over HTTP until told to stop: the entrypoint of a daemon.
    Serve(Later<ServeOptions>),
    /// Print what the skills say about themselves, as JSON.
    Describe(Later<DescribeOptions>),
}

#[derive(Args)]
struct LogOptions {
    /// The form of the log lines on stderr. What is logged, `RUST_LOG` says, such as `info,my_skill=debug`.
    #[arg(long, global = true, env = "SKILL_LOG_FORMAT", value_enum, default_value_t, help_heading = "Logs")]
    log_format: LogFormat,
    /// Export a span for each invocation to an OpenTelemetry collector, by OTLP over HTTP: URL of the collector, which
    /// `/v1/traces` is added to, such as `http://localhost:4318`. Needs a build with the feature `otlp`.
    // A URL may hold a password.
    #[arg(
        long,
        global = true,
        env = "SKILL_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Logs"
    )]
    otlp_endpoint: Option<String>,
}

impl LogOptions {
    /// Runs a command with its logs, and writes what is left of them at its end.
    fn around(self, command: impl FnOnce() -> ExitCode) -> ExitCode {
        telemetry::init(self.log_format);
        if let Some(Err(error)) = self.otlp_endpoint.as_deref().map(telemetry::export_spans) {
            return Refusal::with_exit_code(error, exit::CONFIG).report();
        }
        let exit_code = command();
        telemetry::shut_down(telemetry::PATIENCE);
        exit_code
    }
}

#[derive(Args)]
pub(crate) struct InvokeOptions {
    /// The message: JSON text, a path, or `-` for standard input. Without it, `message.json` beside the skill.
    ///
    /// A sample message holds none of `apiEndpoint`, `token` and `projectId`. All three are then filled in, from the options
    /// below, the environment (`CORTEX_TOKEN`, `CORTEX_PERSONAL_ACCESS_CONFIG`, `CORTEX_URI`, `CORTEX_URL`, `CORTEX_PROJECT`) and
    /// the profile of the Cortex command line; with none of these configured, the embedded platform is started.
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: Option<OsString>,
    /// Which of several skills to invoke, whatever the message says.
    #[arg(long, env = "SKILL_NAME", value_name = "NAME")]
    pub(crate) skill: Option<String>,
    /// Longest time the invocation may take, such as `90s` or `5m`. A skill may set a shorter one.
    #[arg(long, env = "SKILL_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Fill nothing in: a message must be complete. Implied in a Kubernetes cluster.
    #[arg(long, env = "SKILL_DEPLOYED", value_parser = FalseyValueParser::new())]
    pub(crate) deployed: bool,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
    #[command(flatten)]
    pub(crate) authentication: AuthenticationOptions,
    #[command(flatten, next_help_heading = "Sample messages")]
    pub(crate) fill: FillOptions,
}

#[derive(Args)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct LimitOptions {
    /// Largest message.
    #[arg(long, env = "SKILL_MAX_MESSAGE", value_name = "SIZE", default_value_t = Size(Limits::default().message))]
    max_message: Size,
    /// Largest payload within a message.
    #[arg(long, env = "SKILL_MAX_PAYLOAD", value_name = "SIZE", default_value_t = Size(Limits::default().payload))]
    max_payload: Size,
    /// Largest answer.
    #[arg(long, env = "SKILL_MAX_RESPONSE", value_name = "SIZE", default_value_t = Size(Limits::default().response))]
    max_response: Size,
}

impl LimitOptions {
    pub(crate) fn limits(&self) -> Limits {
        Limits { message: self.max_message.0, payload: self.max_payload.0, response: self.max_response.0 }
    }
}

/// What fills a sample message, and says who acts in a command.
#[derive(Args)]
pub(crate) struct FillOptions {
    /// URL of the platform.
    // A URL may hold a password.
    #[arg(long, env = "SKILL_API_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub(crate) api_endpoint: Option<String>,
    /// Project on the platform.
    #[arg(long, env = "SKILL_PROJECT", value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// File that holds a token.
    #[arg(long, env = "SKILL_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Personal access config to make a token with, unless there is a file that holds one.
    // Somebody may set it to the config itself, which help must not show.
    #[arg(long, env = "SKILL_PERSONAL_ACCESS_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub(crate) personal_access_config: Option<PathBuf>,
    /// Profile of the Cortex command line. One that is named wins over what the `CORTEX_` variables say.
    #[arg(long, env = "SKILL_PROFILE", value_name = "NAME", value_parser = profile_name)]
    pub(crate) profile: Option<String>,
    /// Use the embedded platform, with its data in this folder [default: in the user's state folder].
    #[arg(long, env = "SKILL_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct DescribeOptions {
    /// Which of several skills to describe.
    #[arg(long, env = "SKILL_NAME", value_name = "NAME")]
    pub(crate) skill: Option<String>,
    /// Write a skill definition (CAMEL 1.0.0) in YAML instead.
    #[arg(long)]
    pub(crate) skill_yaml: bool,
    /// The container image that the definition names [default: the skill's name].
    #[arg(long, env = "SKILL_IMAGE", value_name = "IMAGE")]
    pub(crate) image: Option<String>,
}

/// Where the skills of a daemon are.
pub(crate) enum Sources {
    Linked(Vec<Skill>),
    Paths(Vec<PathBuf>),
}

/// Where the skill of a command is.
pub(crate) enum Source {
    Linked(Vec<Skill>),
    Path(PathBuf),
}

pub(crate) fn run() -> ExitCode {
    let Cli { log, command } = match parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    log.around(|| match command {
        Command::Invoke(Later(of)) => triggers::invoke::run(Source::Path(of.path), of.options),
        Command::Serve(Later(of)) => triggers::serve::run(Sources::Paths(of.paths), of.options),
        Command::Describe(Later(of)) => describe::run(Source::Path(of.path), &of.options),
        Command::Platform(Later(options)) => crate::platform::run(*options),
        Command::Auth(Later(options)) => crate::auth::run(options.command),
        Command::Content(Later(options)) => crate::content::run(options.command),
        Command::Iam(Later(options)) => crate::iam::run(options.command),
    })
}

pub(crate) fn run_linked(skills: Vec<Skill>) -> ExitCode {
    let LinkedCli { log, command } = match parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    log.around(|| match command {
        LinkedCommand::Invoke(Later(options)) => triggers::invoke::run(Source::Linked(skills), *options),
        LinkedCommand::Serve(Later(options)) => triggers::serve::run(Sources::Linked(skills), *options),
        LinkedCommand::Describe(Later(options)) => describe::run(Source::Linked(skills), &options),
    })
}

/// Reads the command line. A variable that is set to nothing counts as not set.
fn parse<C: Parser>() -> Result<C, clap::Error> {
    C::from_arg_matches(&without_empty_variables(C::command()).try_get_matches()?)
}

/// The command as if the variables of its options that are set to nothing were not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.is_empty())
    };
    if !command.get_arguments().any(is_empty) {
        return command;
    }
    command.mut_args(
        |argument| {
            if is_empty(&argument) { argument.env(clap::builder::Resettable::Reset) } else { argument }
        },
    )
}

/// Shows help on stdout, and what is wrong with a command line on stderr.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    // When there is nowhere to write there is nobody to tell.
    let _ = match without_secrets(&text) {
        Cow::Borrowed(_) => error.print(),
        // Colours are not worth a secret's being shown.
        Cow::Owned(clean) if error.use_stderr() => std::io::stderr().write_all(clean.as_bytes()),
        Cow::Owned(clean) => std::io::stdout().write_all(clean.as_bytes()),
    };
    if error.use_stderr() { exit::USAGE.into() } else { ExitCode::SUCCESS }
}

/// A text without tokens, and without JSON: a message or a personal access config that went to the wrong place.
fn without_secrets(text: &str) -> Cow<'_, str> {
    match (text.find('{'), text.rfind('}')) {
        (Some(start), Some(end)) if start < end => {
            let clean = format!("{}{{...}}{}", &text[..start], &text[end + 1..]);
            Cow::Owned(skill_sdk::redact(&clean).into_owned())
        }
        _ => skill_sdk::redact(text),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match any_duration(text)? {
        Duration::ZERO => Err("a duration must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

/// A duration that may be nothing.
fn any_duration(text: &str) -> Result<Duration, String> {
    let explain = || "a duration is a number and a unit, such as 500ms, 90s or 5m".to_owned();
    let signed: jiff::SignedDuration = text.parse().map_err(|_| explain())?;
    Duration::try_from(signed).map_err(|_| explain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_lines_are_sound() {
        Cli::command().debug_assert();
        LinkedCli::command().debug_assert();
    }

    #[test]
    fn the_help_of_a_command_says_what_it_does() {
        for mut command in [Cli::command(), LinkedCli::command()] {
            command.build();
            let about = |name| command.find_subcommand(name).unwrap().get_about().unwrap().to_string();
            assert!(about("invoke").starts_with("Invoke a skill once"), "{}", about("invoke"));
            assert!(about("describe").starts_with("Print what"), "{}", about("describe"));
        }
    }

    #[test]
    fn help_holds_nothing_that_looks_like_a_secret() {
        for mut command in [Cli::command(), LinkedCli::command()] {
            command.build();
            let mut commands = vec![command];
            while let Some(mut command) = commands.pop() {
                let help = command.render_long_help().to_string();
                assert_eq!(without_secrets(&help), help, "{}", command.get_name());
                commands.extend(command.get_subcommands().cloned());
            }
        }
    }

    #[test]
    fn every_option_has_a_variable() {
        for mut command in [Cli::command(), LinkedCli::command()] {
            // Options are put together late.
            command.build();
            let mut commands = vec![command];
            while let Some(command) = commands.pop() {
                for option in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
                    let name = option.get_long().unwrap();
                    if !matches!(name, "help" | "version" | "skill-yaml") {
                        let variable = option.get_env().unwrap_or_else(|| panic!("--{name} has no variable"));
                        assert!(variable.to_str().unwrap().starts_with("SKILL_"), "--{name}");
                    }
                }
                commands.extend(command.get_subcommands().cloned());
            }
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["", "5", "-5s", "0s", "x"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(any_duration("0s"), Ok(Duration::ZERO));
        assert!(any_duration("-5s").is_err());
    }
}
