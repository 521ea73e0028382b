//! Who asks: the step of the pipeline between a message and a client.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use skill_sdk::auth::{AccessToken, Verifier};
use skill_sdk::client::MessageOptions;
use skill_sdk::{Client, Code, Error, Message};
use url::{Origin, Url};

/// What a host asks of a message before it acts for whoever sent it. By default that is what any client asks: a token that
/// has not expired.
#[derive(Debug, Default)]
pub struct Authentication {
    /// How clients are made.
    pub client: MessageOptions,
    /// Whether a token that ends before the invocation's deadline is refused. Otherwise that is logged as a warning.
    pub strict_expiry: bool,
    /// The platforms that messages may name; none means any.
    pub endpoints: Vec<AllowedEndpoint>,
    /// Checks the signatures of tokens, and whom they are from and for.
    pub verifier: Option<Verifier>,
}

/// A platform that messages may name: scheme, host and port of its URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AllowedEndpoint(Origin);

impl FromStr for AllowedEndpoint {
    type Err = String;

    /// Reads an http or https URL. One with more than scheme, host and port is refused: a path would suggest that it counts.
    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must be an http or https URL".to_owned());
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err("must have only a scheme, a host and a port".to_owned());
        }
        Ok(Self(url.origin()))
    }
}

impl Authentication {
    /// Makes the client that acts for the caller, in an invocation that may take this long. It makes no request to the
    /// platform that the message names.
    ///
    /// # Errors
    ///
    /// - As for [`Client::from_message`];
    /// - [`Code::EndpointNotAllowed`] when the platform is not one of those allowed;
    /// - as for [`Verifier::verify`];
    /// - [`Code::TokenExpired`] when the token ends before the deadline, and that is refused.
    pub async fn authenticate(&self, message: &Message, timeout: Duration) -> Result<Client, Error> {
        // Of a token that is remembered all is known that would be asked.
        if let (Some(verifier), Some(text)) = (&self.verifier, message.token())
            && let Some(token) = verifier.recognize(text)
        {
            let client = Client::from_message_and_token(message, token.clone(), &self.client)?;
            check_endpoint(client.api_endpoint(), &self.endpoints)?;
            self.check_deadline(&token, timeout)?;
            return Ok(client);
        }
        let client = Client::from_message_with(message, &self.client)?;
        check_endpoint(client.api_endpoint(), &self.endpoints)?;
        let token = client.token().await?;
        if let Some(verifier) = &self.verifier {
            verifier.verify(&token).await?;
        }
        self.check_deadline(&token, timeout)?;
        Ok(client)
    }

    /// Whether anything is asked that a client does not ask by itself.
    pub(crate) fn is_more_than_usual(&self) -> bool {
        self.strict_expiry || self.verifier.is_some() || !self.endpoints.is_empty()
    }

    fn check_deadline(&self, token: &AccessToken, timeout: Duration) -> Result<(), Error> {
        let timeout = SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX);
        let short = match token.time_left() {
            Some(left) if left < timeout => timeout.saturating_sub(left),
            _ => return Ok(()),
        };
        // Rounded up: it never ends "0s before".
        let short = SignedDuration::from_secs(short.as_secs().saturating_add(1));
        if self.strict_expiry {
            let detail =
                format!("the token expires {short:#} before the invocation's deadline, and this host is strict");
            return Err(Error::new(Code::TokenExpired, detail));
        }
        tracing::warn!(by = format!("{short:#}"), "the token expires before the invocation's deadline");
        Ok(())
    }
}

/// Refuses a platform that is not one of those allowed. None allowed means any.
pub(crate) fn check_endpoint(url: &str, allowed: &[AllowedEndpoint]) -> Result<(), Error> {
    if allowed.is_empty() {
        return Ok(());
    }
    // The client has read it as a URL.
    let origin = Url::parse(url).map(|url| url.origin()).ok();
    if origin.as_ref().is_some_and(|origin| allowed.iter().any(|allowed| allowed.0 == *origin)) {
        return Ok(());
    }
    let origin = origin.map(|origin| origin.ascii_serialization()).unwrap_or_default();
    Err(Error::new(Code::EndpointNotAllowed, format!("this host acts on no platform at {origin}")))
}
