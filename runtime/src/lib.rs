//! Runs skills.
//!
//! As a program this is `skill-runtime`, which loads skills from libraries. As a library it makes a program of skills that
//! are linked into it:
//!
//! ```no_run
//! use skill_sdk::prelude::*;
//! use std::process::ExitCode;
//!
//! async fn shout(text: String, _ctx: Context) -> Result<String> {
//!     Ok(text.to_uppercase())
//! }
//!
//! fn main() -> ExitCode {
//!     skill_runtime::main([Skill::new("shout", shout)])
//! }
//! ```
//!
//! Such a program has the commands `invoke [MESSAGE]`, `serve` and `describe`, with the options they have in `skill-runtime`.
//!
//! # Modules
//!
//! - [`authenticate`]: what a host asks of whoever invokes; `authorize`: what a skill asks of them
//! - [`host`]: the pipeline from bytes to [`Outcome`]; `metrics`: what is counted of it
//! - [`outcome`]: what came of an invocation, and how it is reported
//! - [`skills`]: where skills come from

use std::process::ExitCode;

use skill_sdk::Skill;

pub use authenticate::Authentication;
pub use host::{Host, How, Limits};
pub use outcome::Outcome;
pub use skills::Skills;

mod auth;
pub mod authenticate;
mod authorize;
mod call;
mod cli;
mod content;
mod describe;
pub mod host;
mod iam;
mod identity;
mod json;
mod metrics;
pub mod outcome;
mod platform;
mod sample;
mod size;
pub mod skills;
mod stdout;
mod table;
mod telemetry;
mod triggers;

/// Runs a program of linked skills: reads the command line, does what it says, and gives the exit code.
pub fn main(skills: impl IntoIterator<Item = Skill>) -> ExitCode {
    cli::run_linked(skills.into_iter().collect())
}

/// Runs `skill-runtime`: reads the command line, does what it says, and gives the exit code.
pub fn run() -> ExitCode {
    cli::run()
}
