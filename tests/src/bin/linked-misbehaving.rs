//! The skills of `misbehaving`, linked.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skill_runtime::main(misbehaving::skills())
}
