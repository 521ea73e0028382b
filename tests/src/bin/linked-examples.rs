//! The skills of all examples, linked into one program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let examples = [
        word_count::skills(),
        content_counter::skills(),
        job_chain_generate::skills(),
        job_chain_consume::skills(),
        webhook::skills(),
        guarded::skills(),
    ];
    skill_runtime::main(examples.into_iter().flatten())
}
