//! `invoke`: one message from the command line, one answer on stdout.
//!
//! The handler runs on the main thread, at once. A second thread, the [`Watch`], sees to what must happen meanwhile.

use std::ffi::OsStr;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use skill_sdk::{Code, Error, Message};
use tokio::runtime;
use tokio_util::sync::CancellationToken;

use super::signal::Signals;
use super::watch::{Sample, Watch};
use crate::cli::{InvokeOptions, Source, exit};
use crate::host::{Host, How, Limits, message_too_large};
use crate::outcome::{Outcome, Refusal};
use crate::sample::{self, Filling};
use crate::skills::Skills;
use crate::stdout;
use crate::telemetry;

/// The variable that says that this is a pod of a cluster.
const CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

pub(crate) fn run(source: Source, options: InvokeOptions) -> ExitCode {
    match begin(source, options).and_then(OneInvocation::run) {
        Ok(exit_code) => exit_code,
        Err(refusal) => refusal.report(),
    }
}

/// Writes the answer to stdout or the problem to stderr.
fn report(outcome: &Outcome, exit_code: u8) -> ExitCode {
    let Some(payload) = outcome.response() else {
        telemetry::write_problem(outcome);
        return exit_code.into();
    };
    match stdout::write(&format!("{payload}\n")) {
        Ok(()) => exit_code.into(),
        // The skill has answered, but nobody got the answer.
        Err(error) => Refusal::from(error).of(outcome.activation_id()).report(),
    }
}

/// Everything that one invocation needs.
struct OneInvocation {
    host: Host,
    how: How,
    message: Message,
    activation_id: String,
    /// Longest time that the skill may take.
    limit: Duration,
    /// What fills the message, where it is a sample that needs a platform.
    fill: Option<Filling>,
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
    let how =
        How { skill: options.skill, timeout: options.timeout, shutdown: CancellationToken::new(), trace_parent: None };
    let client = options.authentication.client();
    let authentication = options.authentication.authentication();
    let authentication = authentication.map_err(|error| Refusal::with_exit_code(error, exit::CONFIG))?;
    let endpoints = authentication.endpoints.clone();
    let host = Host::new(skills, limits).with_authentication(authentication);
    let mut message = host.read(&bytes)?;
    let activation_id = message.activation_id().unwrap_or_default().to_owned();
    telemetry::set_invocation(&activation_id);
    let is_sample = !deployed && sample::is_sample(&message);
    if is_sample {
        message = sample::fill_envelope(message, folder.as_deref())
            .map_err(|error| Refusal::with_exit_code(error, exit::CONFIG).of(&activation_id))?;
    }
    let manifest = host.manifest(&message, &how);
    let limit = manifest.as_ref().map_or(how.timeout, |manifest| how.timeout_of(manifest));
    let fill = match manifest {
        _ if !is_sample => None,
        Ok(manifest) => {
            manifest.needs_complete_message().then_some(Filling { options: options.fill, client, endpoints })
        }
        // For a skill that is not here no platform is started.
        Err(error) => return Err(Refusal::from(error).of(&activation_id)),
    };
    Ok(OneInvocation { host, how, message, activation_id, limit, fill })
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
    Refusal::with_exit_code(error, exit::NO_INPUT)
}

impl OneInvocation {
    fn run(self) -> Result<ExitCode, Refusal> {
        let Self { host, how, mut message, activation_id, limit, fill } = self;
        let internal = |what: &str, error| Refusal::from(Error::new(Code::Internal, what).with_source(error));
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| internal("the async runtime cannot start", error).of(&activation_id))?;
        let signals = {
            let _inside = runtime.enter();
            Signals::watch().map_err(|error| internal("signals cannot be watched", error).of(&activation_id))?
        };
        let sample = fill.map(|filling| Sample { message: message.clone(), filling, timeout: how.timeout });
        let watch = Watch::start(&activation_id, limit, how.shutdown.clone(), signals, sample)
            .map_err(|refusal| refusal.of(&activation_id))?;
        if let Some(filled) = watch.filled().map_err(|refusal| refusal.of(&activation_id))? {
            message = filled;
        }
        // A panic of a skill is caught and is an outcome. One that gets here is our own.
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(host.answer(message, &how))));
        let outcome = outcome.unwrap_or_else(|_| {
            let error = Error::new(Code::Internal, "the host panicked; its log says where");
            Outcome::new(activation_id.clone(), None, Err(error))
        });
        // The process ends now: nothing that the handler left running is waited for, or taken apart.
        std::mem::forget(runtime);
        let exit_code = match watch.finish() {
            Some(signal) if outcome.code() == Some(Code::ShuttingDown) => signal.exit_code(),
            _ => outcome.exit_code(),
        };
        Ok(report(&outcome, exit_code))
    }
}
