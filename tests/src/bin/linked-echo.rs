//! The skills of `echo`, linked.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skill_runtime::main(echo::skills())
}
