//! The platform through real HTTP, on a free port and in a folder of its own per test.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers may panic as tests do, but clippy exempts only functions marked as tests"
)]

#[path = "platform/artifacts.rs"]
mod artifacts;
#[path = "platform/attacks.rs"]
mod attacks;
#[path = "platform/client.rs"]
mod client;
#[path = "platform/connections.rs"]
mod connections;
#[path = "platform/content.rs"]
mod content;
#[path = "platform/credentials.rs"]
mod credentials;
#[path = "platform/experiments.rs"]
mod experiments;
#[path = "platform/faults.rs"]
mod faults;
#[path = "platform/iam.rs"]
mod iam;
#[path = "platform/lifecycle.rs"]
mod lifecycle;
#[path = "platform/models.rs"]
mod models;
#[path = "platform/principals.rs"]
mod principals;
#[path = "platform/runs.rs"]
mod runs;
#[path = "platform/secrets.rs"]
mod secrets;
#[path = "platform/sessions.rs"]
mod sessions;
#[path = "platform/skills.rs"]
mod skills;
#[path = "platform/support.rs"]
mod support;
#[path = "platform/tasks.rs"]
mod tasks;
#[path = "platform/tokens.rs"]
mod tokens;
#[path = "platform/types.rs"]
mod types;
