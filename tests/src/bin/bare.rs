//! The lower bound of a job: parses the message, which is the last argument, and prints its payload.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the whole purpose")]

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Message {
    payload: Box<RawValue>,
}

fn main() -> ExitCode {
    match std::env::args().next_back().and_then(|text| serde_json::from_str::<Message>(&text).ok()) {
        Some(message) => {
            println!("{}", message.payload);
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}
