//! `auth`: credentials, as profiles of the Cortex command line and as tokens (contract "fabric-auth").
//!
//! - [`login`]: writes a profile
//! - [`token`]: makes a token
//! - [`inspect`]: says what is wrong with one
//! - [`profiles`]: lists the profiles
//! - [`config_file`]: the file that holds them

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use skill_sdk::auth::environment::CORTEX_CONFIG_DIR;
use skill_sdk::auth::{PersonalAccessConfig, ProcessEnvironment, profile};
use skill_sdk::{Code, Error};

use crate::cli::auth::AuthCommand;
use crate::cli::exit;
use crate::outcome::Refusal;

mod config_file;
mod inspect;
mod login;
mod profiles;
pub(crate) mod token;

pub(crate) fn run(command: AuthCommand) -> ExitCode {
    let done = match command {
        AuthCommand::Login(options) => login::run(&options),
        AuthCommand::Token(options) => token::run(&options),
        AuthCommand::Inspect { token } => inspect::run(token.as_deref()),
        AuthCommand::Profiles => profiles::run(),
    };
    done.unwrap_or_else(Refusal::report)
}

/// The personal access config to use: that of the file, else of the profile that is named, else of the environment, else of
/// the current profile.
fn personal_access_config(file: Option<&Path>, profile: Option<&str>) -> Result<Arc<PersonalAccessConfig>, Refusal> {
    match file {
        Some(path) => Ok(Arc::new(PersonalAccessConfig::from_json(read_config(path)?.expose_secret())?)),
        None => Ok(PersonalAccessConfig::find(&ProcessEnvironment, profile)?),
    }
}

/// The text of a personal access config.
fn read_config(path: &Path) -> Result<SecretString, Refusal> {
    // Elsewhere a config may be JSON or a path. A key must not be shown as the name of a file that is not there.
    if path.as_os_str().as_encoded_bytes().trim_ascii_start().starts_with(b"{") {
        let error = Error::new(Code::TokenMissing, "the Personal Access Token file must be a path, and is JSON");
        return Err(Refusal::with_exit_code(error, exit::NO_INPUT));
    }
    let text = std::fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        let error = if error.kind() == std::io::ErrorKind::NotFound {
            Error::new(Code::TokenMissing, format!("Personal Access Token file does not exist at: {path}"))
        } else {
            Error::new(Code::TokenMissing, format!("cannot read the Personal Access Token file {path}"))
                .with_source(error)
        };
        Refusal::with_exit_code(error, exit::NO_INPUT)
    })?;
    Ok(text.into())
}

/// The folder of the profiles.
fn folder() -> Result<PathBuf, Refusal> {
    profile::folder(&ProcessEnvironment).ok_or_else(|| {
        let why = format!("there is no home folder with profiles: set {CORTEX_CONFIG_DIR}");
        Refusal::with_exit_code(Error::new(Code::TokenMissing, why), exit::CONFIG)
    })
}

/// Writes the result of a command to stdout.
fn print(text: &str) -> Result<(), Refusal> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Error::new(Code::Internal, "cannot write to standard output").with_source(error).into())
}

/// Writes a value to stdout, cleaned of whatever in it looks like a token.
fn print_json(value: &impl Serialize) -> Result<(), Refusal> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(Code::Internal, "the result cannot be written as JSON").with_source(error))?;
    // Tokens hold no character that means something in JSON.
    print(&format!("{}\n", skill_sdk::redact(&text)))
}
