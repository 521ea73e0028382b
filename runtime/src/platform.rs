//! `skill-runtime platform`: the embedded platform on its own, and its principals.

use std::process::ExitCode;
use std::sync::Arc;

use local_platform::{Faults, Options, Platform, SkillHost};
use serde_json::json;
use skill_sdk::{Code, Error};
use tokio::runtime::{self, Runtime};

use crate::cli::exit;
use crate::cli::platform::{PlatformCommand, PlatformOptions, ServingOptions};
use crate::identity::{cannot_start, data_folder};
use crate::outcome::Refusal;
use crate::stdout;
use crate::triggers::signal::Signals;
use skills::PlatformSkills;

mod principals;
mod skills;

pub(crate) fn run(options: PlatformOptions) -> ExitCode {
    let result = match options.command {
        Some(PlatformCommand::Principal(options)) => principals::run(options.command),
        None => serve(&options.serving),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => refusal.report(),
    }
}

fn runtime() -> Result<Runtime, Error> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Error::new(Code::Internal, "the async runtime cannot start").with_source(error))
}

fn serve(options: &ServingOptions) -> Result<(), Refusal> {
    let limits = options.limits.limits();
    // Before anything listens: a package may take its time to be built.
    let skills = PlatformSkills::load(&options.skills, &limits, options.timeout)?;
    let faults = Faults::new(&options.misbehaviour.faults, options.misbehaviour.fault_seed);
    let faults = faults.map_err(|error| {
        Refusal::with_exit_code(Error::new(Code::PlatformUnavailable, error.to_string()), exit::USAGE)
    })?;
    let mut how = if options.memory == Some(true) {
        // What was typed comes before variables: both were, or neither.
        if options.data.is_some() {
            let error = Error::new(Code::PlatformUnavailable, "either data are kept in a folder, or nothing is");
            return Err(Refusal::with_exit_code(error, exit::USAGE));
        }
        Options::in_memory()
    } else {
        let data = data_folder(options.data.as_deref())?;
        // It is told to others, who may be in other folders.
        let data = std::path::absolute(&data).unwrap_or(data);
        // The path is told in JSON, which cannot say every path.
        if data.to_str().is_none() {
            let error = Error::new(Code::PlatformUnavailable, format!("the path {} is not UTF-8", data.display()));
            return Err(Refusal::with_exit_code(error, exit::CONFIG));
        }
        Options::at(data).announced()
    };
    how = how.with_port(options.port).with_limits(limits).with_faults(faults);
    if let Some(ttl) = options.misbehaviour.token_ttl {
        how = how.with_token_ttl(ttl);
    }
    if let Some(skills) = skills {
        how = how.with_skills(Arc::new(skills) as Arc<dyn SkillHost>);
    }
    runtime()?.block_on(until_told(how))
}

/// Runs a platform until it is told to stop.
async fn until_told(options: Options) -> Result<(), Refusal> {
    let mut signals =
        Signals::watch().map_err(|error| Error::new(Code::Internal, "signals cannot be watched").with_source(error))?;
    let platform = Platform::start(options).await.map_err(|error| cannot_start("the platform", error))?;
    let ready = json!({"url": platform.url(), "pat": platform.pat_path(), "project": platform.project()});
    // Whoever waits for this line and is gone needs no platform.
    let told = stdout::write(&format!("{ready}\n"));
    if told.is_ok() {
        signals.next().await;
    }
    platform.shutdown().await;
    Ok(told?)
}
