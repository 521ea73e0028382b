//! Write *skills*: functions that answer *invocation messages*.
//!
//! ```
//! use skill_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Text {
//!     text: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Count {
//!     words: usize,
//! }
//!
//! /// Counts the words of a text.
//! async fn word_count(input: Text, _ctx: Context) -> Result<Count> {
//!     Ok(Count { words: input.text.split_whitespace().count() })
//! }
//!
//! pub fn skills() -> Vec<Skill> {
//!     vec![Skill::new("word-count", word_count).describe("Counts the words of a text")]
//! }
//!
//! skill_sdk::export!(skills);
//! ```
//!
//! - `Text` and `Count` are the skill's input and output. Their JSON schemas come from the types, and an input that does not
//!   fit is refused with the place of the fault before the function runs.
//! - `word_count` is an ordinary function: call it in a unit test with a context from [`testing`](#modules).
//! - [`Skill::new`] gives it a name. Builder methods say more about it.
//! - [`export!`] makes the crate a library that `skill-runtime` can load. The same `skills()` can be linked into a binary of
//!   its own instead, with `skill_runtime::main(skills())`.
//!
//! # The life of a message
//!
//! 1. A trigger of the host receives bytes, and the host reads a [`Message`] from them. The payload stays the text it is.
//! 2. Unless the skill is [`without_client`](Skill::without_client), the message's token is looked at: one that is absent,
//!    malformed or expired ends the invocation here. If the skill [requires](Skill::requires) capabilities, the platform is asked
//!    for those of the caller, and one who lacks any is told which.
//! 3. The payload is read as the handler's input, and the handler is called with it and a [`Context`].
//! 4. [`Context::client`] acts for the caller, until the deadline: [`Client::content`] reads and writes the project's files,
//!    [`Context::session`] keeps what several invocations share.
//! 5. The output is written as JSON, or the error is given its row of the error table ([`Code`]). A panic is an answer too.
//! 6. At the deadline the handler's future is dropped, and [`Context::cancelled`] tells whatever it has spawned.
//!
//! # Modules
//!
//! - [`auth`]: tokens, and where they come from
//! - [`client`]: the platform's API
//! - [`iam`]: who may do what
//! - [`rows`]: lists as tables, CSV and Arrow record batches
//! - [`plugin`]: the boundary between host and library
//! - [`logging`]: how events become log records
//! - `testing` (feature `testing`): messages, tokens and contexts for unit tests
//!
//! # Errors
//!
//! Handlers use `?` on any error: see [`SkillError`]. Functions of this crate return [`Error`], which wraps into
//! everything.

pub use client::Client;
pub use context::Context;
pub use error::{Code, Error, ItemOutcomes, Result, SkillError, UnknownCode};
pub use invocation::{Invocation, Running};
pub use message::Message;
pub use redact::{redact, redact_secrets};
pub use response::Response;
pub use skill::{Handler, Manifest, Schemas, Skill};
pub use trace_parent::{InvalidTraceParent, TraceParent};

#[cfg(feature = "arrow")]
pub use arrow_array;
#[cfg(feature = "arrow")]
pub use arrow_schema;
pub use schemars;
pub use secrecy;
pub use serde;
pub use serde_json;

pub mod auth;
pub mod client;
mod context;
mod error;
pub mod iam;
mod invocation;
mod json_text;
pub mod logging;
mod message;
#[expect(unsafe_code, reason = "the C ABI between hosts and libraries")]
pub mod plugin;
mod redact;
mod response;
pub mod rows;
mod skill;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace_parent;

/// What a skill usually needs.
pub mod prelude {
    pub use crate::{Client, Context, Message, Result, Skill, SkillError};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
}
