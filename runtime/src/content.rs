//! `content`: managed content, from and to files (contract "fabric-api", section 3).
//!
//! - [`put`]: stores files; [`files`]: which those are
//! - [`get`]: writes what is stored; [`target`]: where to
//! - [`list`], [`remove`]: the rest
//! - [`progress`]: shows how far a transfer has come

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use skill_sdk::client::Content;
use skill_sdk::{Code, Error};
use tokio::runtime;

use crate::cli::content::{CallOptions, ContentCommand};
use crate::cli::exit;
use crate::identity;
use crate::outcome::Refusal;
use crate::stdout;
use crate::triggers::signal::Signals;

mod files;
mod get;
mod list;
mod progress;
mod put;
mod remove;
mod target;

/// How long the end of the process waits for files to be closed. What is read from a terminal may never come.
const CLOSING: Duration = Duration::from_millis(100);

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
    let CallOptions { timeout, tls, identity } = options;
    let verify = &tls.verify_ssl_cert;
    verify.check().map_err(|error| Refusal::with_exit_code(error, exit::CONFIG))?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Internal, "the async runtime cannot start").with_source(error))?;
    let work = async {
        let (client, platform) = identity::client(identity, verify).await.map_err(of_configuration)?;
        let done = work(client.with_timeout(*timeout).content()).await;
        if let Some(platform) = platform {
            platform.shutdown().await;
        }
        done
    };
    let done = runtime.block_on(async {
        let mut signals = Signals::watch()
            .map_err(|error| Error::new(Code::Internal, "signals cannot be watched").with_source(error))?;
        tokio::select! {
            biased;
            signal = signals.next() => {
                let error = Error::new(Code::ShuttingDown, "the command was told to stop before it was done");
                Err(Refusal::with_exit_code(error, signal.exit_code()))
            }
            done = work => done,
        }
    });
    runtime.shutdown_timeout(CLOSING);
    done
}

/// What says where the platform is, or for which project, is here no message but the configuration.
fn of_configuration(refusal: Refusal) -> Refusal {
    match refusal.error.code() {
        Code::InvalidMessage => Refusal { exit_code: Some(exit::CONFIG), ..refusal },
        _ => refusal,
    }
}

/// Writes a result to standard output, beside the worker: whoever reads it may take a while.
async fn print(text: String) -> Result<ExitCode, Refusal> {
    match beside(move || stdout::write(&text)).await? {
        Err(error) if is_closed_pipe(&error) => Ok(exit::BROKEN_PIPE.into()),
        done => Ok(done.map(|()| ExitCode::SUCCESS)?),
    }
}

/// Whether something failed because nobody reads any more what is written. Other programs end without a word then.
fn is_closed_pipe(error: &Error) -> bool {
    io_cause(error).is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The failure of the system that is behind an error.
fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut causes = std::iter::successors(Some(error as &dyn StdError), |&cause| cause.source());
    causes.find_map(|cause| cause.downcast_ref())
}

/// Runs work that blocks.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, "the work was not done").with_source(error))
}

/// A text without what could steer a terminal.
fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut clean, c| {
        if c.is_control() {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
        clean
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(visible("a/ä 日\u{1b}[2J\n\u{9b}"), "a/ä 日\\u{1b}[2J\\n\\u{9b}");
    }
}
