//! The options of `auth`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::authentication::TlsOptions;
use super::later::Later;
use crate::auth::token;

#[derive(Args)]
pub(crate) struct AuthOptions {
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

#[derive(Subcommand)]
pub(crate) enum AuthCommand {
    /// Write a profile, which is then the current one.
    ///
    /// Without a file it asks for the URL of the platform, a personal access config (JSON or a path, not shown at a terminal)
    /// and a project. What else the configuration file holds is kept. One of version 3 or 4 is brought to version 5; one of
    /// version 2 is put aside as `config_v2`, because its profiles have no keys.
    Login(Later<LoginOptions>),
    /// Make a token with a personal access config, and print it.
    ///
    /// The config is that of --file, else of the profile that is named, else of the variable `CORTEX_PERSONAL_ACCESS_CONFIG`
    /// (JSON or a path), else of the current profile. `CORTEX_TOKEN` is not looked at, so that it can be set anew.
    Token(Later<TokenOptions>),
    /// Print what a token says, how long it lives and what is wrong with it, as JSON. The token itself is not shown.
    ///
    /// The time is that of this machine, give or take 10 s, and the signature is not checked. Exits with 77 when something is
    /// wrong.
    Inspect {
        /// The token, or `-` for standard input. Without it, the variable `CORTEX_TOKEN`.
        #[arg(value_name = "TOKEN")]
        token: Option<OsString>,
    },
    /// Print the profiles without their keys, as a JSON list.
    Profiles,
}

#[derive(Args)]
pub(crate) struct LoginOptions {
    /// Profile to write [default: the current one, else `default`].
    // It is not one of several ways to say who asks, as other options of this name are.
    #[arg(long = "profile", id = "profile_to_write", env = "SKILL_PROFILE", value_name = "NAME", value_parser = profile_name)]
    pub(crate) profile: Option<String>,
    /// Personal access config; with it, nothing is asked.
    // Somebody may set it to the config itself, which help must not show.
    #[arg(long, env = "SKILL_PERSONAL_ACCESS_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub(crate) file: Option<PathBuf>,
    /// Project of the profile [default: that of the config, else the one it had].
    #[arg(long, env = "SKILL_PROJECT", value_name = "PROJECT")]
    pub(crate) project: Option<String>,
}

#[derive(Args)]
pub(crate) struct TokenOptions {
    /// How long the token lives: a number and one of ms, s, m, h, d, w, M (30 days), y (365 days).
    #[arg(long, env = "SKILL_TOKEN_TTL", value_name = "TTL", default_value = "2m", value_parser = token::ttl)]
    pub(crate) ttl: Duration,
    /// Profile of the Cortex command line.
    #[arg(long, env = "SKILL_PROFILE", value_name = "NAME", value_parser = profile_name)]
    pub(crate) profile: Option<String>,
    /// Personal access config.
    // Somebody may set it to the config itself, which help must not show.
    #[arg(long, env = "SKILL_PERSONAL_ACCESS_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
}

/// The name of a profile.
pub(super) fn profile_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a profile needs a name".to_owned()),
        // Not the text itself: it would be a key.
        text if text.trim_start().starts_with('{') => Err("the name of a profile cannot be JSON".to_owned()),
        text if text.contains(char::is_control) => {
            Err("the name of a profile cannot hold control characters".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}
