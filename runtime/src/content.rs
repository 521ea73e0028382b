//! `content`: managed content, from and to files (contract "fabric-api", section 3).
//!
//! - [`put`]: stores files; [`files`]: which those are
//! - [`get`]: writes what is stored; [`target`]: where to
//! - [`list`], [`remove`]: the rest
//! - [`progress`]: shows how far a transfer has come

use std::process::ExitCode;

use skill_sdk::client::Content;

use crate::call::with_client;
use crate::cli::call::CallOptions;
use crate::cli::content::ContentCommand;
use crate::outcome::Refusal;

mod files;
mod get;
mod list;
mod progress;
mod put;
mod remove;
mod target;

pub(crate) fn run(command: ContentCommand) -> ExitCode {
    let done = match command {
        ContentCommand::Put(options) => put::run(*options.0),
        ContentCommand::Get(options) => get::run(&options.0),
        ContentCommand::List(options) => list::run(&options.0),
        ContentCommand::Rm(options) => remove::run(&options.0),
    };
    done.unwrap_or_else(Refusal::report)
}

/// Works on the content of the project that the options name, until it is done or the process is told to stop.
fn with_content(
    options: &CallOptions,
    work: impl AsyncFnOnce(Content) -> Result<ExitCode, Refusal>,
) -> Result<ExitCode, Refusal> {
    with_client(options, async |client| work(client.content()).await)
}
