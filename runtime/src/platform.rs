//! `skill-runtime platform`: the embedded platform on its own.

use std::io::Write;
use std::process::ExitCode;

use local_platform::{Options, Platform, StartError};
use serde_json::json;
use skill_sdk::{Code, Error};
use tokio::runtime;

use crate::cli::{PlatformOptions, exit};
use crate::outcome::Refusal;
use crate::sample::data_folder;
use crate::triggers::signal;

pub(crate) fn run(options: PlatformOptions) -> ExitCode {
    let result = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Internal, "the async runtime cannot start").with_source(error).into())
        .and_then(|runtime| runtime.block_on(serve(options)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => refusal.report(),
    }
}

async fn serve(options: PlatformOptions) -> Result<(), Refusal> {
    let data = data_folder(options.data.as_deref())?;
    let platform = Platform::start(Options { data, port: options.port }).await.map_err(|error| {
        let exit_code = matches!(error, StartError::Data { .. } | StartError::Access { .. }).then_some(exit::CONFIG);
        let error = Error::new(Code::PlatformUnavailable, "cannot start the platform").with_source(error);
        Refusal { error, exit_code }
    })?;
    let ready = json!({"url": platform.url(), "pat": platform.pat_path(), "project": platform.project()});
    let mut stdout = std::io::stdout();
    // Whoever waits for this line and is gone needs no platform.
    let told = writeln!(stdout, "{ready}").and_then(|()| stdout.flush());
    if let Err(error) = told {
        return Err(Error::new(Code::Internal, "cannot write to standard output").with_source(error).into());
    }
    signal::received().await;
    platform.shutdown().await;
    Ok(())
}
