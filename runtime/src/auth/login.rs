//! `auth login`: writes a profile.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use secrecy::ExposeSecret;
use skill_sdk::auth::ProcessEnvironment;
use skill_sdk::auth::login::{Defaults, Login, prompt};
use skill_sdk::{Code, Error};
use tokio::runtime;

use super::config_file::ConfigFile;
use crate::cli::auth::LoginOptions;
use crate::cli::exit;
use crate::outcome::Refusal;
use crate::telemetry;
use crate::triggers::signal::Signals;

pub(super) fn run(options: &LoginOptions) -> Result<ExitCode, Refusal> {
    // A file that cannot be used is found before anything is asked.
    let mut file = ConfigFile::open(&super::folder()?).map_err(unusable)?;
    let name = options.profile.clone().unwrap_or_else(|| file.current().to_owned());
    telemetry::notice(&format!("Configuring profile {name}:"));
    let project = options.project.as_ref().filter(|project| !project.is_empty());
    let login = match &options.file {
        Some(path) => from_file(path)?,
        None => ask(project, file.project(&name)).map_err(interrupted)?,
    };
    let project =
        project.cloned().or_else(|| login.config.project.clone()).or_else(|| file.project(&name).map(str::to_owned));
    // That it is an object has been seen when the config was read.
    let config = serde_json::from_str(login.json.expose_secret())
        .map_err(|_| Error::new(Code::TokenInvalid, "the personal access config is not a JSON object"))?;
    file.configure(&name, config, &login.config.url, project.as_deref());
    let aside = file.save().map_err(unusable)?;
    if let Some(path) = aside {
        telemetry::notice(&format!("Old profile found and moved to {}", path.display()));
    }
    telemetry::notice(&format!("Configuration for profile {name} saved."));
    Ok(ExitCode::SUCCESS)
}

fn unusable(error: Error) -> Refusal {
    Refusal::with_exit_code(error, exit::CONFIG)
}

fn from_file(path: &Path) -> Result<Login, Refusal> {
    Ok(Login::from_json(super::read_secret_file(path, super::CONFIG_FILE)?)?)
}

/// An answer that was broken off by whoever gave it. The prompt may notice before the thread that waits for the signal.
fn interrupted(error: Error) -> Refusal {
    let mut causes = std::iter::successors(Some(&error as &dyn StdError), |&cause| cause.source());
    let is_interrupted = |cause: &io::Error| cause.kind() == io::ErrorKind::Interrupted;
    if causes.any(|cause| cause.downcast_ref().is_some_and(is_interrupted)) {
        return Refusal::with_exit_code(error, exit::INTERRUPTED);
    }
    error.into()
}

/// Asks. What the profile had is offered as the project, unless it is settled.
fn ask(settled: Option<&String>, before: Option<&str>) -> Result<Login, Error> {
    let mut defaults = Defaults::of(&ProcessEnvironment)?;
    if let Some(project) = settled.map(String::as_str).or(before) {
        defaults.project = Some(project.to_owned());
    }
    defaults.project_is_settled = settled.is_some();
    keep_terminal()?;
    prompt(&defaults)
}

/// Sees to it that the terminal shows again what is typed when the program is told to stop while it hides that.
fn keep_terminal() -> Result<(), Error> {
    // Without a terminal nothing is hidden.
    let Ok(before) = tcgetattr(io::stdin()) else { return Ok(()) };
    let unwatched = |error| Error::new(Code::Internal, "signals cannot be watched").with_source(error);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(unwatched)?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::watch().map_err(unwatched)?
    };
    #[expect(clippy::exit, reason = "the main thread waits for somebody to type")]
    let watch = move || {
        let signal = runtime.block_on(signals.next());
        // A terminal that is gone shows nothing either.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        std::process::exit(signal.exit_code().into());
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(watch).map_err(unwatched)?;
    Ok(())
}
