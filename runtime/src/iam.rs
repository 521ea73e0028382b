//! `iam`: who may do what (contracts "cdf-iam" and "cdf-capabilities").
//!
//! - [`compare`]: what is missing in one file that is in another
//! - [`file`]: files with capabilities
//! - [`missing`]: prints what is missing

use std::process::ExitCode;

use skill_sdk::iam::CompareOptions;

use crate::cli::iam::{IamCommand, MeaningOptions};
use crate::outcome::Refusal;

mod compare;
mod file;
mod missing;

pub(crate) fn run(command: IamCommand) -> ExitCode {
    let done = match command {
        IamCommand::Compare(options) => compare::run(&options.0),
    };
    done.unwrap_or_else(Refusal::report)
}

/// How capabilities are compared, for a project where one is named.
fn comparing(meaning: &MeaningOptions, project: Option<&str>) -> CompareOptions {
    let mut options = CompareOptions::new();
    options.project = project.map(str::to_owned);
    options.ignore_allscope_meaning = meaning.ignore_allscope_meaning;
    options
}
