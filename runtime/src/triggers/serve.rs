//! `serve`: invocations over HTTP, until the process is told to stop.
//!
//! The main thread stands in front: it accepts connections and sees to everything that must not wait for a skill. The workers
//! serve the connections and run the skills.
//!
//! - `address`: where it listens, and what paths mean
//! - `front`: the thread in front; `connection`: one connection; `activity`: what it is doing, as seen from there
//! - `daemon`: what connections share, and how a request becomes an answer; `request`, `answer`: both ends of that
//! - `admission`: how much is taken in at a time; `repeats`: activations that come again
//! - `workers`: who keeps a worker busy; `health`: whether invocations are taken; `gauges`, `process`, `counts`: what is measured
//! - `drain`: the stop; `self_test`: the start

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use skill_sdk::{Code, Error};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};

use super::signal::Signals;
use crate::cli::serve::ServeOptions;
use crate::cli::{Sources, exit};
use crate::host::Host;
use crate::outcome::{OutcomeLevels, Refusal};
use crate::sample::Filling;
use crate::skills::Skills;
use crate::telemetry;
use address::Address;
use daemon::Daemon;
use front::Front;
use health::Phase;
use self_test::{Origin, SelfTest};

mod activity;
mod address;
mod admission;
mod answer;
mod clock;
mod connection;
mod counts;
mod daemon;
mod drain;
mod front;
mod gauges;
mod health;
mod process;
mod repeats;
mod request;
mod self_test;
mod workers;

pub(crate) fn run(sources: Sources, options: ServeOptions) -> ExitCode {
    match begin(sources, options) {
        Ok(exit_code) => exit_code,
        Err(refusal) => refusal.report(),
    }
}

/// Makes everything ready and serves.
fn begin(sources: Sources, options: ServeOptions) -> Result<ExitCode, Refusal> {
    process::started();
    let of_configuration = |error| Refusal::with_exit_code(error, exit::CONFIG);
    let address = Address::of(&options.address).map_err(of_configuration)?;
    let client = options.authentication.client();
    let checks_signatures = options.authentication.checks_signatures();
    let authentication = options.authentication.authentication().map_err(of_configuration)?;
    let (skills, origins) = load(sources)?;
    let bounds = &options.bounds;
    let filling = Filling { options: options.fill, client, endpoints: authentication.endpoints.clone() };
    let host = Host::new(Arc::clone(&skills), bounds.limits())
        .with_authentication(authentication)
        .with_outcomes_logged(OutcomeLevels::ByOutcome);
    let socket = address.socket;
    let daemon = Daemon::new(host, address, bounds, options.dedup_window);

    allow_all_files();
    let front = runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_start)?;
    let workers = workers()?;
    let _inside = front.enter();
    let signals =
        Signals::watch().map_err(|error| Error::new(Code::Internal, "signals cannot be watched").with_source(error))?;
    let listener =
        front.block_on(TcpListener::bind(socket)).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (bound, listener) = listener.map_err(|error| {
        let error = Error::new(Code::Internal, format!("cannot listen on {socket}")).with_source(error);
        of_configuration(error)
    })?;

    let in_background = telemetry::write_in_background().map_err(|error| {
        Error::new(Code::Internal, "the thread that writes the log cannot start").with_source(error)
    })?;
    let names = daemon.host.skills().names().join(", ");
    tracing::info!(address = %bound, skills = names, "listening");
    if !checks_signatures {
        tracing::warn!("signatures of tokens are not checked without --jwks: the platform alone checks them");
    }
    if options.self_test {
        let test =
            SelfTest::new(skills, origins, bounds.limits(), bounds.timeout, filling, daemon.shutdown.child_token());
        let daemon = Arc::clone(&daemon);
        // It ends by itself, or when what runs is cancelled.
        drop(workers.spawn(async move {
            match test.run().await {
                Ok(()) => daemon.health.enter(Phase::Serving),
                Err(why) => {
                    tracing::error!(error = why, "the self-test failed: the host will not be ready");
                    daemon.health.fail(why);
                }
            }
        }));
    } else {
        daemon.health.enter(Phase::Serving);
    }
    let thread = Front::new(Arc::clone(&daemon), workers.handle().clone(), bounds.max_connections);
    let exit_code = front.block_on(drain::serve_until_told(thread, listener, signals, &daemon, &options.stopping));
    // A handler that never yields is left behind.
    workers.shutdown_background();
    drop(in_background);
    Ok(exit_code.into())
}

/// The threads that serve connections and run skills: as many as there are processors for this process.
fn workers() -> Result<Runtime, Error> {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("worker").build().map_err(cannot_start)
}

/// Has the system allow as many open files as it ever would: each connection takes two.
fn allow_all_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

fn cannot_start(error: std::io::Error) -> Error {
    Error::new(Code::Internal, "the async runtime cannot start").with_source(error)
}

/// The skills, and where each came from.
fn load(sources: Sources) -> Result<(Arc<Skills>, Vec<Origin>), Error> {
    let names = |skills: &Skills| skills.names().into_iter().map(str::to_owned).collect();
    match sources {
        Sources::Linked(skills) => {
            let skills = Skills::linked(skills)?;
            let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
            let origin = Origin { folder, skills: names(&skills) };
            Ok((Arc::new(skills), vec![origin]))
        }
        Sources::Paths(paths) => {
            let (mut places, mut origins) = (Vec::new(), Vec::new());
            for path in paths {
                let skills = Skills::load(&path)?;
                let folder = if path.is_dir() { Some(path) } else { path.parent().map(Path::to_owned) };
                origins.push(Origin { folder, skills: names(&skills) });
                places.push(skills);
            }
            Ok((Arc::new(Skills::together(places)?), origins))
        }
    }
}
