//! Clients that are made from invocation messages.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::auth::token::DEFAULT_LEEWAY;
use crate::auth::{AccessToken, FixedToken, ProcessEnvironment};
use crate::error::{Code, Error};
use crate::message::Message;

use super::address::{base_url_again, is_segment};
use super::request::Terms;
use super::tls::VerifySslCert;
use super::trace::Trace;
use super::{Client, DEFAULT_API_VERSION, Inner};

/// The keys without which no client can be made, in the order in which they are named (contract "fabric-invocation",
/// section 2).
const KEYS: [&str; 3] = ["apiEndpoint", "token", "projectId"];

/// How clients are made from messages, beside what the messages say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageOptions {
    /// How long after its `exp` a token still counts as alive; 10 s unless set.
    pub leeway: Duration,
    /// Whether the platform's certificate is checked, and against what.
    pub verify_ssl_cert: VerifySslCert,
}

impl Default for MessageOptions {
    fn default() -> Self {
        Self { leeway: DEFAULT_LEEWAY, verify_ssl_cert: VerifySslCert::default() }
    }
}

impl Client {
    /// Makes a client from an invocation message, or from the JSON of one. Neither the environment nor a profile is
    /// ever read: a deployed skill must not act with credentials other than those it was given.
    ///
    /// # Errors
    ///
    /// - [`Code::TokenMissing`] when `token` is absent, empty or null, and [`Code::InvalidMessage`] when only
    ///   `apiEndpoint` or `projectId` is; [`Error::missing`] names every such key;
    /// - [`Code::InvalidMessage`] when the JSON is no message, or `apiEndpoint` no URL of a platform;
    /// - [`Code::TokenInvalid`] when the token is malformed or lacks `aud`, `sub` or `exp`;
    /// - [`Code::TokenExpired`] when it expired more than ten seconds ago.
    ///
    /// ```
    /// # use skill_sdk::{Client, Code, testing};
    /// let client = Client::from_message(&testing::message(&"payload"))?;
    /// assert_eq!(client.project(), "test-project");
    ///
    /// let error = Client::from_message(r#"{"payload": 1, "projectId": "p"}"#).unwrap_err();
    /// assert_eq!(error.code(), Code::TokenMissing);
    /// assert_eq!(error.missing(), ["apiEndpoint", "token"]);
    /// # Ok::<_, skill_sdk::Error>(())
    /// ```
    pub fn from_message<'a>(message: impl IntoMessage<'a>) -> Result<Self, Error> {
        Self::from_message_with(message, &MessageOptions::default())
    }

    /// As [`from_message`](Self::from_message), with options.
    ///
    /// # Errors
    ///
    /// As for [`from_message`](Self::from_message).
    pub fn from_message_with<'a>(message: impl IntoMessage<'a>, options: &MessageOptions) -> Result<Self, Error> {
        Self::of_message(&*message.into_message()?, None, options)
    }

    /// As [`from_message_with`](Self::from_message_with), for a message whose token has been read already, as by
    /// [`Verifier::recognize`](crate::auth::Verifier::recognize).
    ///
    /// # Errors
    ///
    /// As for [`from_message`](Self::from_message).
    pub fn from_message_and_token(
        message: &Message,
        token: AccessToken,
        options: &MessageOptions,
    ) -> Result<Self, Error> {
        Self::of_message(message, Some(token), options)
    }

    fn of_message(message: &Message, read: Option<AccessToken>, options: &MessageOptions) -> Result<Self, Error> {
        let (url, token, project) = (message.api_endpoint(), message.token(), message.project_id());
        let values =
            [url, token.map(ExposeSecret::expose_secret), project].map(|value| value.filter(|v| !v.is_empty()));
        let [Some(url), Some(_), Some(project)] = values else {
            let absent = KEYS.into_iter().zip(values).filter_map(|(key, value)| value.is_none().then_some(key));
            return Err(incomplete(absent.collect()));
        };
        let base =
            base_url_again(url).map_err(|why| Error::new(Code::InvalidMessage, format!("`apiEndpoint` {why}")))?;
        if !is_segment(project) {
            return Err(Error::new(Code::InvalidMessage, "`projectId` cannot be the name of a project"));
        }
        let token = match (read, token) {
            (Some(read), _) => read,
            (None, Some(token)) => AccessToken::decode(token.clone())?,
            (None, None) => return Err(incomplete(vec!["token"])),
        };
        token.check_expiry(options.leeway)?;
        let trace = Trace::of(message.activation_id().unwrap_or_default());
        Ok(Self(Arc::new(Inner {
            base,
            api_version: DEFAULT_API_VERSION,
            project: project.to_owned(),
            verify: options.verify_ssl_cert.clone(),
            tokens: Arc::new(FixedToken::new(token)),
            identity: "the message",
            leeway: options.leeway,
            terms: Terms { trace: Some(trace), ..Terms::default() },
            environment: Arc::new(ProcessEnvironment),
        })))
    }
}

/// What [`Client::from_message`] takes: a [`Message`], or JSON that is one.
pub trait IntoMessage<'a> {
    /// The message.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] for JSON that is no message.
    fn into_message(self) -> Result<Cow<'a, Message>, Error>;
}

impl<'a> IntoMessage<'a> for &'a Message {
    fn into_message(self) -> Result<Cow<'a, Message>, Error> {
        Ok(Cow::Borrowed(self))
    }
}

impl IntoMessage<'_> for Message {
    fn into_message(self) -> Result<Cow<'static, Message>, Error> {
        Ok(Cow::Owned(self))
    }
}

impl IntoMessage<'_> for &str {
    fn into_message(self) -> Result<Cow<'static, Message>, Error> {
        self.parse().map(Cow::Owned)
    }
}

impl IntoMessage<'_> for &Value {
    fn into_message(self) -> Result<Cow<'static, Message>, Error> {
        self.to_string().parse().map(Cow::Owned)
    }
}

fn incomplete(absent: Vec<&str>) -> Error {
    let code = if absent.contains(&"token") { Code::TokenMissing } else { Code::InvalidMessage };
    let list = absent.join(", ");
    let keys = KEYS.map(|key| format!("'{key}'")).join(", ");
    Error::new(code, format!("Skill message must contain these keys: ({keys}); absent or empty: {list}"))
        .with_missing(absent)
}

#[cfg(test)]
mod tests;
