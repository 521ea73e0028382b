//! `invoke`: one message from the command line, one answer on stdout.
//!
//! The handler runs on a thread of its own. The main thread watches the signals and the deadline, so a handler that never
//! yields cannot keep the process from stopping, and serves the embedded platform, so a handler that blocks its thread
//! while it waits for the platform does not wait for itself.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use local_platform::Platform;
use skill_sdk::{Code, Error, Message};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::signal::{self, Signal};
use crate::cli::{InvokeOptions, Source, exit};
use crate::host::{Host, How, Limits, message_too_large, timed_out};
use crate::outcome::{Outcome, Refusal};
use crate::sample;
use crate::skills::Skills;
use crate::telemetry;

/// How long a handler that was told to stop may go on before it is left behind: it may be in the middle of work that does not
/// yield.
const GRACE: Duration = Duration::from_secs(1);

/// The variable that says that this is a pod of a cluster.
const CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

pub(crate) fn run(source: Source, options: InvokeOptions) -> ExitCode {
    match begin(source, options) {
        Ok(invocation) => {
            let Done { outcome, exit_code } = invocation.run();
            report(&outcome, exit_code)
        }
        Err(refusal) => refusal.report(),
    }
}

/// Writes the answer to stdout or the problem to stderr.
fn report(outcome: &Outcome, exit_code: u8) -> ExitCode {
    let Some(payload) = outcome.response() else {
        telemetry::write_problem(outcome);
        return exit_code.into();
    };
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(format!("{payload}\n").as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => exit_code.into(),
        Err(error) => {
            // The skill has answered, but nobody got the answer.
            let error = Error::new(Code::Internal, "cannot write the answer to standard output").with_source(error);
            Refusal::from(error).report()
        }
    }
}

struct Done {
    outcome: Outcome,
    exit_code: u8,
}

/// Everything that one invocation needs.
struct OneInvocation {
    host: Host,
    how: How,
    bytes: Vec<u8>,
    /// The message and what fills it, where it is a sample that needs a platform.
    sample: Option<(Message, crate::cli::FillOptions)>,
}

fn begin(source: Source, options: InvokeOptions) -> Result<OneInvocation, Refusal> {
    let deployed = options.deployed || std::env::var_os(CLUSTER).is_some_and(|value| !value.is_empty());
    let limits = options.limits.limits();
    let (skills, folder) = load(source)?;
    let bytes = match options.message.as_deref() {
        Some(given) => read_message(given, limits)?,
        // Of a deployed skill the platform is the only caller: what lies beside it is no message.
        None if deployed => return Err(no_message(None)),
        None => {
            let path = folder.as_deref().map(|folder| folder.join("message.json"));
            match path.filter(|path| path.is_file()) {
                Some(path) => read_file(&path, limits)?,
                None => return Err(no_message(folder.as_deref())),
            }
        }
    };
    let mut invocation = OneInvocation {
        how: How { skill: options.skill, timeout: options.timeout, shutdown: CancellationToken::new() },
        host: Host::new(skills, limits),
        bytes,
        sample: None,
    };
    // A message that cannot be read is left to the pipeline, which refuses it.
    let message = match Message::from_slice(&invocation.bytes) {
        Ok(message) if !deployed && sample::is_sample(&message) => {
            let bad_definition = |error| Refusal { error, exit_code: Some(exit::CONFIG) };
            sample::fill_envelope(message, folder.as_deref()).map_err(bad_definition)?
        }
        _ => return Ok(invocation),
    };
    let needs_client = invocation.host.needs_client(&message, &invocation.how)?;
    invocation.bytes = message.to_json_with_token().into_bytes();
    invocation.sample = needs_client.then_some((message, options.fill));
    Ok(invocation)
}

/// The skills, and the folder they lie in.
fn load(source: Source) -> Result<(Skills, Option<PathBuf>), Error> {
    match source {
        Source::Linked(skills) => {
            let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
            Ok((Skills::linked(skills)?, folder))
        }
        Source::Path(path) => {
            let skills = Skills::load(&path)?;
            let folder = if path.is_dir() { Some(path) } else { path.parent().map(Path::to_owned) };
            Ok((skills, folder))
        }
    }
}

fn no_message(folder: Option<&Path>) -> Refusal {
    let beside = folder.map(|folder| format!(", and there is no {}", folder.join("message.json").display()));
    let detail = format!("Message/payload argument is required{}", beside.unwrap_or_default());
    Error::new(Code::InvalidMessage, detail).into()
}

/// Reads the message that the argument is, or names. JSON texts and paths are told apart by their first character; what is
/// neither the start of an object, list or text nor a file is taken for JSON, and refused as such.
fn read_message(argument: &OsStr, limits: Limits) -> Result<Vec<u8>, Refusal> {
    if argument == "-" {
        return read_all(std::io::stdin().lock(), "standard input", limits);
    }
    let bytes = argument.as_encoded_bytes();
    let json = matches!(bytes.trim_ascii_start().first(), None | Some(b'{' | b'[' | b'"'));
    let path = Path::new(argument);
    if json || !(path.is_file() || looks_like_path(path)) {
        return Ok(bytes.to_owned());
    }
    read_file(path, limits)
}

fn looks_like_path(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") || path.is_absolute() || path.starts_with(".")
}

fn read_file(path: &Path, limits: Limits) -> Result<Vec<u8>, Refusal> {
    match std::fs::File::open(path) {
        Ok(file) => read_all(file, &path.display().to_string(), limits),
        Err(error) => Err(unreadable(&path.display().to_string(), error)),
    }
}

fn read_all(input: impl Read, name: &str, limits: Limits) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limits.message).unwrap_or(u64::MAX).saturating_add(1);
    input.take(one_more).read_to_end(&mut bytes).map_err(|error| unreadable(name, error))?;
    if bytes.len() > limits.message {
        return Err(message_too_large("message", &format!("more than {}", limits.message), limits.message).into());
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: std::io::Error) -> Refusal {
    let error = Error::new(Code::InvalidMessage, format!("cannot read the message from {name}")).with_source(error);
    Refusal { error, exit_code: Some(exit::NO_INPUT) }
}

/// What the main thread waits for.
enum Event {
    Answered(Outcome),
    Stopped(Signal),
    TooLong,
}

impl OneInvocation {
    fn run(self) -> Done {
        let runtime = match current_thread() {
            Ok(runtime) => runtime,
            Err(error) => return failed(String::new(), error, None),
        };
        let done = runtime.block_on(self.run_watched());
        // Whatever the handler left running must not keep the process.
        runtime.shutdown_background();
        done
    }

    async fn run_watched(mut self) -> Done {
        let mut platform = None;
        if let Some((message, options)) = self.sample.take() {
            let activation_id = message.activation_id().unwrap_or_default().to_owned();
            let filled = tokio::select! {
                filled = sample::fill(message, &options, self.how.timeout) => filled,
                signal = signal::received() => return stopped(activation_id, signal),
            };
            match filled {
                Ok((message, started)) => {
                    self.bytes = message.to_json_with_token().into_bytes();
                    platform = started;
                }
                Err(error) => return failed(activation_id, error, None),
            }
        }
        let done = self.run_handler().await;
        if let Some(platform) = platform {
            Platform::shutdown(platform).await;
        }
        done
    }

    async fn run_handler(self) -> Done {
        let Self { host, how, bytes, .. } = self;
        // The pipeline makes up an id for a message without one, so only then is it unknown to a handler left behind.
        let activation_id =
            Message::from_slice(&bytes).ok().and_then(|message| message.activation_id().map(str::to_owned));
        let activation_id = activation_id.unwrap_or_default();
        let (timeout, shutdown) = (how.timeout, how.shutdown.clone());
        let (answer, mut answered) = oneshot::channel();
        let work = move || {
            let outcome = match current_thread() {
                Ok(runtime) => {
                    let outcome = runtime.block_on(host.handle(&bytes, &how));
                    runtime.shutdown_background();
                    outcome
                }
                Err(error) => Outcome::new(String::new(), None, Err(error)),
            };
            // Nobody waits any more for a handler that was left behind.
            let _ = answer.send(outcome);
        };
        if let Err(error) = std::thread::Builder::new().name("handler".to_owned()).spawn(work) {
            let error = Error::new(Code::Internal, "the handler's thread cannot start").with_source(error);
            return failed(activation_id, error, None);
        }
        let event = tokio::select! {
            biased;
            answer = &mut answered => answer.map_or_else(|_| panicked(&activation_id), Event::Answered),
            signal = signal::received() => Event::Stopped(signal),
            () = tokio::time::sleep(timeout.saturating_add(GRACE)) => Event::TooLong,
        };
        match event {
            Event::Answered(outcome) => Done { exit_code: outcome.exit_code(), outcome },
            Event::TooLong => failed(activation_id, timed_out(timeout), None),
            Event::Stopped(signal) => {
                shutdown.cancel();
                match tokio::time::timeout(GRACE, answered).await {
                    // It had answered before it could be told to stop.
                    Ok(Ok(outcome)) if outcome.code() != Some(Code::ShuttingDown) => {
                        Done { exit_code: outcome.exit_code(), outcome }
                    }
                    Ok(Ok(outcome)) => Done { exit_code: signal.exit_code(), outcome },
                    Ok(Err(_)) | Err(_) => stopped(activation_id, signal),
                }
            }
        }
    }
}

/// The handler's thread ended without an outcome: a panic of our own, since those of skills are caught.
fn panicked(activation_id: &str) -> Event {
    let error = Error::new(Code::Internal, "the host panicked; its log says where");
    Event::Answered(Outcome::new(activation_id.to_owned(), None, Err(error)))
}

fn stopped(activation_id: String, signal: Signal) -> Done {
    let error = Error::new(Code::ShuttingDown, "the job was told to stop before the skill had answered");
    failed(activation_id, error, Some(signal.exit_code()))
}

fn failed(activation_id: String, error: Error, exit_code: Option<u8>) -> Done {
    let outcome = Outcome::new(activation_id, None, Err(error));
    Done { exit_code: exit_code.unwrap_or(outcome.exit_code()), outcome }
}

fn current_thread() -> Result<Runtime, Error> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Internal, "the async runtime cannot start").with_source(error))
}
