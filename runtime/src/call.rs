//! What commands share that call a platform.

use std::process::ExitCode;
use std::time::Duration;

use skill_sdk::{Client, Code, Error};
use tokio::runtime;

use crate::cli::call::CallOptions;
use crate::cli::exit;
use crate::identity;
use crate::outcome::Refusal;
use crate::triggers::signal::Signals;

/// How long the end of the process waits for files to be closed. What is read from a terminal may never come.
const CLOSING: Duration = Duration::from_millis(100);

/// Works with a client for the project that the options name, until it is done or the process is told to stop.
pub(crate) fn with_client(
    options: &CallOptions,
    work: impl AsyncFnOnce(Client) -> Result<ExitCode, Refusal>,
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
        let done = work(client.with_timeout(*timeout)).await;
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

/// Runs work that blocks.
pub(crate) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, "the work was not done").with_source(error))
}
