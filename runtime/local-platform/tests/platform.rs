//! The platform through real HTTP, on a free port and in a folder of its own per test.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers may panic as tests do, but clippy exempts only functions marked as tests"
)]

#[path = "platform/attacks.rs"]
mod attacks;
#[path = "platform/client.rs"]
mod client;
#[path = "platform/content.rs"]
mod content;
#[path = "platform/faults.rs"]
mod faults;
#[path = "platform/iam.rs"]
mod iam;
#[path = "platform/lifecycle.rs"]
mod lifecycle;
#[path = "platform/principals.rs"]
mod principals;
#[path = "platform/skills.rs"]
mod skills;
#[path = "platform/support.rs"]
mod support;
#[path = "platform/tokens.rs"]
mod tokens;
