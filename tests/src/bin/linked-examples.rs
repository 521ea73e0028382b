//! The skills of all examples, linked into one program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    skill_runtime::main(word_count::skills().into_iter().chain(content_counter::skills()))
}
