//! `auth`: credentials, as profiles of the Cortex command line and as tokens (contract "fabric-auth").
//!
//! - [`login`]: writes a profile
//! - [`token`]: makes a token
//! - [`inspect`]: says what is wrong with one
//! - [`profiles`]: lists the profiles
//! - [`config_file`]: the file that holds them

use std::fs::File;
use std::io::Read;
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
use crate::json;
use crate::outcome::Refusal;
use crate::stdout;

/// Most bytes of a file that are read.
const LONGEST: u64 = 1024 * 1024;

mod config_file;
mod inspect;
mod login;
mod profiles;
pub(crate) mod token;

pub(crate) fn run(command: AuthCommand) -> ExitCode {
    let done = match command {
        AuthCommand::Login(options) => login::run(&options.0),
        AuthCommand::Token(options) => token::run(&options.0),
        AuthCommand::Inspect { token } => inspect::run(token.as_deref()),
        AuthCommand::Profiles => profiles::run(),
    };
    done.unwrap_or_else(Refusal::report)
}

/// The personal access config to use: that of the file, else of the profile that is named, else of the environment, else of
/// the current profile.
fn personal_access_config(file: Option<&Path>, profile: Option<&str>) -> Result<Arc<PersonalAccessConfig>, Refusal> {
    match file {
        Some(path) => Ok(Arc::new(read_config(path)?)),
        None => Ok(PersonalAccessConfig::find(&ProcessEnvironment, profile)?),
    }
}

/// Reads a personal access config that was named as a file.
pub(crate) fn read_config(path: &Path) -> Result<PersonalAccessConfig, Refusal> {
    Ok(PersonalAccessConfig::from_json(read_secret_file(path, CONFIG_FILE)?.expose_secret())?)
}

/// What a file is that holds a personal access config, in the words of the vendor's command line (contract "fabric-auth",
/// section 4).
const CONFIG_FILE: &str = "Personal Access Token file";

/// The text of a file that was named. Of a longer one than 1 MiB it is the beginning.
pub(crate) fn read_secret_file(path: &Path, what: &str) -> Result<SecretString, Refusal> {
    let refuse = |error| Refusal::with_exit_code(error, exit::NO_INPUT);
    // Elsewhere a config may be JSON or a path. A key must not be shown as the name of a file that is not there.
    if path.as_os_str().as_encoded_bytes().trim_ascii_start().starts_with(b"{") {
        return Err(refuse(Error::new(Code::TokenMissing, format!("the {what} must be a path, and is JSON"))));
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text.into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let detail = format!("{what} does not exist at: {}", path.display());
            Err(refuse(Error::new(Code::TokenMissing, detail)))
        }
        Err(error) => {
            let detail = format!("cannot read the {what} {}", path.display());
            Err(refuse(Error::new(Code::TokenMissing, detail).with_source(error)))
        }
    }
}

/// The folder of the profiles.
fn folder() -> Result<PathBuf, Refusal> {
    profile::folder(&ProcessEnvironment).ok_or_else(|| {
        let why = format!("there is no home folder with profiles: set {CORTEX_CONFIG_DIR}");
        Refusal::with_exit_code(Error::new(Code::TokenMissing, why), exit::CONFIG)
    })
}

/// Writes a value to stdout, cleaned of whatever in it looks like a token.
fn print_json(value: &impl Serialize) -> Result<(), Refusal> {
    // Tokens hold no character that means something in JSON.
    Ok(stdout::write(&skill_sdk::redact(&json::pretty(value)?))?)
}
