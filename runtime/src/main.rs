//! The `skill-runtime` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skill_runtime::run()
}
