//! Capabilities: reading, writing and comparing them.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test is told by a panic")]

mod acls;
mod dumping;
mod inputs;
mod laws;
mod loading;
mod notation;
mod suggestions;
mod worked_examples;
