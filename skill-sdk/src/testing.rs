//! Messages, tokens and contexts for unit tests of skills (feature `testing`).
//!
//! ```
//! use skill_sdk::{prelude::*, testing};
//!
//! async fn shout(text: String, _ctx: Context) -> Result<String> {
//!     Ok(text.to_uppercase())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Just the function:
//! assert_eq!(shout("hey".into(), testing::context(&())).await.unwrap(), "HEY");
//!
//! // The whole skill, with its input and output as JSON:
//! let skill = Skill::new("shout", shout);
//! assert_eq!(testing::call(&skill, &json!("hey")).await.unwrap(), json!("HEY"));
//! # }
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::Error;
use crate::invocation::Invocation;
use crate::message::Message;
use crate::skill::Skill;

/// A complete message with the payload, for a platform that is not there: `http://127.0.0.1:9`, project `test-project`,
/// and a [`Token`] that lives an hour.
///
/// # Panics
///
/// When the payload cannot be written as JSON.
#[expect(clippy::expect_used, reason = "a test is told by a panic")]
pub fn message(payload: &(impl Serialize + ?Sized)) -> Message {
    Message::new(payload)
        .expect("the payload can be written as JSON")
        .with_api_endpoint("http://127.0.0.1:9")
        .with_token(Token::new().text())
        .with_project_id("test-project")
        .with_activation_id("test-activation")
        .with_timestamp(Timestamp::now())
}

/// The context of a [`message`] with the payload.
///
/// # Panics
///
/// When the payload cannot be written as JSON.
pub fn context(payload: &(impl Serialize + ?Sized)) -> Context {
    context_of(message(payload))
}

/// The context of a message.
pub fn context_of(message: Message) -> Context {
    Context::new(Invocation::new(message), CancellationToken::new())
}

/// Invokes a skill with a [`message`] that carries the payload.
///
/// # Errors
///
/// Whatever the invocation fails with.
///
/// # Panics
///
/// When the payload cannot be written as JSON.
pub async fn call(skill: &Skill, payload: &(impl Serialize + ?Sized)) -> Result<Value, Error> {
    call_with(skill, message(payload)).await
}

/// Invokes a skill with a message.
///
/// # Errors
///
/// Whatever the invocation fails with.
///
/// # Panics
///
/// When the answer is not JSON, which no skill can bring about.
#[expect(clippy::expect_used, reason = "a test is told by a panic")]
pub async fn call_with(skill: &Skill, message: Message) -> Result<Value, Error> {
    let response = skill.call(Invocation::new(message)).await?;
    Ok(serde_json::from_str(response.as_str()).expect("a response is JSON"))
}

/// A token with a made-up signature: clients read it, platforms refuse it. It has `aud` `cortex`, `sub` `test-user` and
/// lives an hour, unless changed.
#[derive(Clone, Debug)]
pub struct Token(BTreeMap<String, Value>);

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

impl Token {
    /// A token with the claims that every token has.
    pub fn new() -> Self {
        let claims = [("aud", json!("cortex")), ("sub", json!("test-user"))];
        Self(claims.map(|(name, value)| (name.to_owned(), value)).into()).expires_in(Duration::from_hours(1))
    }

    /// Sets a claim.
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.0.insert(claim.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, claim: &str) -> Self {
        self.0.remove(claim);
        self
    }

    /// Lets the token live for this long, to the second.
    pub fn expires_in(self, duration: Duration) -> Self {
        self.expires_after(duration.as_secs().cast_signed())
    }

    /// Lets the token have expired this long ago, to the second.
    pub fn expired_for(self, duration: Duration) -> Self {
        self.expires_after(-duration.as_secs().cast_signed())
    }

    fn expires_after(self, seconds: i64) -> Self {
        let exp = Timestamp::now().saturating_add(SignedDuration::from_secs(seconds));
        // A duration of no other unit never fails to add.
        self.with("exp", exp.map_or(i64::MAX, jiff::Timestamp::as_second))
    }

    /// The token.
    pub fn text(&self) -> SecretString {
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        let claims = Value::from_iter(self.0.clone());
        format!("{}.{}.c2ln", part(json!({"alg": "EdDSA"}).to_string()), part(claims.to_string())).into()
    }
}
