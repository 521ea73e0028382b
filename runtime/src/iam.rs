//! `iam`: who may do what (contracts "cdf-iam" and "cdf-capabilities").
//!
//! - [`compare`]: what is missing in one file that is in another; [`verify`]: what is missing in a token
//! - [`file`]: files with capabilities; [`missing`]: prints what is missing
//! - [`inspect`]: what a token is good for
//! - [`list`]: groups, sessions and the like

use std::process::ExitCode;

use skill_sdk::iam::{CompareOptions, Iam};

use crate::authorize::access_management;
use crate::call::with_client;
use crate::cli::call::CallOptions;
use crate::cli::iam::{IamCommand, MeaningOptions};
use crate::outcome::Refusal;

mod compare;
mod file;
mod inspect;
mod list;
mod missing;
mod verify;

pub(crate) fn run(command: IamCommand) -> ExitCode {
    let done = match command {
        IamCommand::Compare(options) => compare::run(&options.0),
        IamCommand::Verify(options) => verify::run(&options.0),
        IamCommand::Inspect(options) => inspect::run(&options.0),
        IamCommand::Groups(options) => list::groups(&options.0),
        IamCommand::Sessions(options) => list::sessions(&options.0),
        IamCommand::SecurityCategories(options) => list::security_categories(&options.0),
        IamCommand::Profiles(options) => list::profiles(&options.0),
    };
    done.unwrap_or_else(Refusal::report)
}

/// Works with the access management of the project that the options name, which the work is told too.
fn with_iam(
    options: &CallOptions,
    work: impl AsyncFnOnce(Iam, &str) -> Result<ExitCode, Refusal>,
) -> Result<ExitCode, Refusal> {
    with_client(options, async |client| work(access_management(&client), client.project()).await)
}

/// How capabilities are compared, for a project where one is named.
fn comparing(meaning: &MeaningOptions, project: Option<&str>) -> CompareOptions {
    let mut options = CompareOptions::new();
    options.project = project.map(str::to_owned);
    options.ignore_allscope_meaning = meaning.ignore_allscope_meaning;
    options
}
