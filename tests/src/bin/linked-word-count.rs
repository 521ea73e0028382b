//! The skills of `word-count`, linked.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skill_runtime::main(word_count::skills())
}
