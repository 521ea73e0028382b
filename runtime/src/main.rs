//! The `skill-runtime` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    skill_runtime::run()
}
