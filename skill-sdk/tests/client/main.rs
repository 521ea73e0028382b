//! The client against servers: what is sent, and how answers are read. One binary, because linking many takes longer than
//! running them.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test is told by a panic")]

mod activations;
mod client_credentials;
mod connections;
mod content;
mod experiments;
mod faults;
mod iam;
mod info;
mod login;
mod models;
mod names;
mod retries;
mod secrets;
mod server;
mod sessions;
mod skills;
mod success;
mod tokens;
mod types;
mod uploads;
