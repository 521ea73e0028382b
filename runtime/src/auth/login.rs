//! `auth login`: writes a profile.

use std::path::Path;
use std::process::ExitCode;

use secrecy::ExposeSecret;
use skill_sdk::auth::ProcessEnvironment;
use skill_sdk::auth::login::{Defaults, Login, prompt};
use skill_sdk::{Code, Error};

use super::config_file::ConfigFile;
use crate::cli::auth::LoginOptions;
use crate::cli::exit;
use crate::outcome::Refusal;
use crate::telemetry;

pub(super) fn run(options: &LoginOptions) -> Result<ExitCode, Refusal> {
    // A file that cannot be used is found before anything is asked.
    let mut file = ConfigFile::open(&super::folder()?).map_err(unusable)?;
    let name = options.profile.clone().unwrap_or_else(|| file.current().to_owned());
    telemetry::notice(&format!("Configuring profile {name}:"));
    let project = options.project.as_ref().filter(|project| !project.is_empty());
    let login = match &options.file {
        Some(path) => from_file(path)?,
        None => ask(project, file.project(&name))?,
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
    Ok(Login::from_json(super::read_config(path)?)?)
}

/// Asks. What the profile had is offered as the project, unless it is settled.
fn ask(settled: Option<&String>, before: Option<&str>) -> Result<Login, Error> {
    let mut defaults = Defaults::of(&ProcessEnvironment)?;
    if let Some(project) = settled.map(String::as_str).or(before) {
        defaults.project = Some(project.to_owned());
    }
    defaults.project_is_settled = settled.is_some();
    prompt(&defaults)
}
