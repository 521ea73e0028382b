//! Tests through the real program: what a user types, and what comes back. One binary, because linking many takes longer than
//! running them.

#![expect(clippy::unwrap_used, reason = "a test is told by a panic")]
#![forbid(unsafe_code)]

mod auth;
mod authentication;
mod authorization;
mod bad_messages;
mod bad_skills;
mod connections;
mod content;
mod describe;
mod examples;
mod expiry;
mod forms;
mod iam;
mod local;
mod logs;
mod platform;
mod project;
mod samples;
mod secrets;
mod serve;
mod server;
mod signals;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::testing;
use whole_program_tests::{Run, built, skill_runtime};

/// A complete message as JSON, with a token that is read but not checked.
fn message(payload: &Value) -> Value {
    serde_json::from_str(&testing::message(payload).to_json_with_token()).unwrap()
}

/// `skill-runtime invoke` of the skills that misbehave.
fn invoke(skill: &str) -> Run {
    skill_runtime().arg("invoke").arg(&built().misbehaving).args(["--skill", skill])
}

/// The same, with a payload and nothing else in the message.
fn invoke_with(skill: &str, payload: &Value) -> Run {
    invoke(skill).arg(json!({"payload": payload}).to_string())
}

/// The token of a message.
fn token(message: &Value) -> &str {
    message["token"].as_str().unwrap()
}

fn token_text(token: &testing::Token) -> String {
    token.text().expose_secret().to_owned()
}
