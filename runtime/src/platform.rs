//! `skill-runtime platform`: the embedded platform on its own.

use std::process::ExitCode;

use local_platform::{Options, Platform, StartError};
use serde_json::json;
use skill_sdk::{Code, Error};
use tokio::runtime;

use crate::cli::{PlatformOptions, exit};
use crate::identity::data_folder;
use crate::outcome::Refusal;
use crate::stdout;
use crate::triggers::signal::Signals;

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
    // The path is told in JSON, which cannot say every path.
    if data.to_str().is_none() {
        let error = Error::new(Code::PlatformUnavailable, format!("the path {} is not UTF-8", data.display()));
        return Err(Refusal::with_exit_code(error, exit::CONFIG));
    }
    let platform = Platform::start(Options::at(data).with_port(options.port).announced()).await.map_err(|error| {
        let misconfigured = matches!(error, StartError::Data { .. } | StartError::Access { .. });
        let error = Error::new(Code::PlatformUnavailable, "cannot start the platform").with_source(error);
        if misconfigured { Refusal::with_exit_code(error, exit::CONFIG) } else { error.into() }
    })?;
    let ready = json!({"url": platform.url(), "pat": platform.pat_path(), "project": platform.project()});
    let mut signals =
        Signals::watch().map_err(|error| Error::new(Code::Internal, "signals cannot be watched").with_source(error))?;
    // Whoever waits for this line and is gone needs no platform.
    stdout::write(&format!("{ready}\n"))?;
    signals.next().await;
    platform.shutdown().await;
    Ok(())
}
