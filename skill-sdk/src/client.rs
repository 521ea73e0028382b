//! The authenticated client of a platform.
//!
//! One request path serves every resource: see `request`, and `refusal` for what an answer means that is no success. Each
//! resource has a file of its own.
//!
//! - `builder`: clients that are not made from a message
//! - [`content`]: managed content, files under keys
//! - `pool`, `tls`: the connections that requests are made over

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use url::Url;

use crate::auth::login::{self, Defaults};
use crate::auth::token::DEFAULT_LEEWAY;
use crate::auth::{AccessToken, FixedToken, ProcessEnvironment, TokenSource};
use crate::error::{Code, Error};
use crate::message::Message;

pub use builder::ClientBuilder;
pub use content::Content;
use request::{Call, Caller, Response, Wait};
pub use tls::VerifySslCert;

mod builder;
pub mod content;
mod pool;
pub(crate) mod refusal;
pub(crate) mod request;
pub mod tls;

/// The keys without which no client can be made, in the order in which they are named (contract "fabric-invocation",
/// section 2).
const KEYS: [&str; 3] = ["apiEndpoint", "token", "projectId"];

/// The version of the platform's API that paths name unless told otherwise (contract "fabric-auth", section 1).
const DEFAULT_API_VERSION: u32 = 4;

/// A client that acts for somebody in a project of a platform. Cheap to clone.
///
/// The clients of a process share their connections: one pool for each way to connect.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    base: Url,
    api_version: u32,
    project: String,
    verify: VerifySslCert,
    tokens: Arc<dyn TokenSource>,
    /// What says who asks.
    identity: &'static str,
    leeway: Duration,
}

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
        let message = message.into_message()?;
        let (url, token, project) = (message.api_endpoint(), message.token(), message.project_id());
        let values =
            [url, token.map(ExposeSecret::expose_secret), project].map(|value| value.filter(|v| !v.is_empty()));
        let [Some(url), Some(_), Some(project)] = values else {
            let absent = KEYS.into_iter().zip(values).filter_map(|(key, value)| value.is_none().then_some(key));
            return Err(incomplete(absent.collect()));
        };
        let base = base_url(url).map_err(|why| Error::new(Code::InvalidMessage, format!("`apiEndpoint` {why}")))?;
        if !request::is_segment(project) {
            return Err(Error::new(Code::InvalidMessage, "`projectId` cannot be the name of a project"));
        }
        let token = token.cloned().ok_or_else(|| incomplete(vec!["token"]))?;
        let token = AccessToken::decode(token)?;
        token.check_expiry(options.leeway)?;
        Ok(Self(Arc::new(Inner {
            base,
            api_version: DEFAULT_API_VERSION,
            project: project.to_owned(),
            verify: options.verify_ssl_cert.clone(),
            tokens: Arc::new(FixedToken::new(token)),
            identity: "the message",
            leeway: options.leeway,
        })))
    }

    /// Makes a client from parameters, the environment and a profile: see [`ClientBuilder`].
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Makes a client from the environment alone, or from what was entered at a [`login`](Self::login). See [`ClientBuilder`]
    /// for the variables.
    ///
    /// # Errors
    ///
    /// As for [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().without_profile().build()
    }

    /// Makes a client from a profile alone.
    ///
    /// # Errors
    ///
    /// As for [`ClientBuilder::build`].
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        Self::builder().without_environment().profile(name).build()
    }

    /// Asks whoever sits at the terminal for the URL of the platform, a personal access config (JSON or the path of a file; it
    /// is not shown) and a project, and makes a client. From then on this process's other clients take what was entered
    /// before the environment. It is kept in memory only, for as long as the process lives.
    ///
    /// # Errors
    ///
    /// As for [`login::prompt`] and [`ClientBuilder::build`].
    pub async fn login() -> Result<Self, Error> {
        let defaults = Defaults::of(&ProcessEnvironment)?;
        let login = tokio::task::spawn_blocking(move || login::prompt(&defaults)).await;
        let login = login.map_err(|error| Error::new(Code::Internal, "nobody could be asked").with_source(error))??;
        login::remember(Arc::new(login));
        Self::builder().build()
    }

    /// Where the platform is, without a trailing slash.
    pub fn api_endpoint(&self) -> &str {
        self.0.base.as_str().trim_end_matches('/')
    }

    /// The project that calls go to.
    pub fn project(&self) -> &str {
        &self.0.project
    }

    /// The token that the next call carries.
    ///
    /// # Errors
    ///
    /// What the [`TokenSource`] fails with; a fixed token never does.
    pub async fn token(&self) -> Result<AccessToken, Error> {
        self.0.tokens.token().await
    }

    /// Managed content of the project.
    pub fn content(&self) -> Content {
        Content::new(self.clone())
    }

    async fn send(&self, call: Call) -> Result<Response, Error> {
        let Inner { verify, tokens, leeway, .. } = &*self.0;
        request::send(Caller { verify, tokens: &**tokens, leeway: *leeway }, call).await
    }

    /// The URL of something in the project: `{api}/fabric/v4/projects/{project}/{segments}`.
    fn project_url<'s>(&'s self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        let inside = ["projects", self.project()].into_iter().chain(segments);
        fabric_url(&self.0.base, self.0.api_version, inside)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_endpoint", &self.api_endpoint())
            .field("project", &self.0.project)
            .field("identity", &self.0.identity)
            .finish_non_exhaustive()
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

/// Checks that a URL can be the address of a platform.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment".to_owned());
    }
    Ok(url)
}

/// Checks that a URL is one to make requests to.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    check_http(&url)?;
    Ok(url)
}

/// As [`http_url`], of what is a URL already.
pub(crate) fn check_http(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must be an http or https URL");
    }
    // The password would be sent, and shown in errors.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    Ok(())
}

/// A URL as it may be logged: no more than where it leads.
pub(crate) fn shown_url(text: &str) -> String {
    Url::parse(text).map_or_else(|_| "not a URL".to_owned(), |url| url.origin().ascii_serialization())
}

fn fabric_url<'s>(base: &Url, version: u32, segments: impl IntoIterator<Item = &'s str>) -> Url {
    let mut url = base.clone();
    // Only URLs without a host have no segments, and `base_url` lets none through.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["fabric", &format!("v{version}")]).extend(segments);
    }
    url
}

/// Reads a platform's clock, without authorization (contract "fabric-api", section 2).
pub(crate) async fn fetch_server_time(base: &Url, verify: &VerifySslCert) -> Result<Timestamp, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        server_ts: Option<i64>,
    }

    let url = fabric_url(base, DEFAULT_API_VERSION, ["info"]);
    let what = format!("GET {url}");
    let info: Info = request::send_open(verify, Call::get(url, &what).wait(Wait::WHOLE)).await?.json().await?;
    info.server_ts
        .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
        .ok_or_else(|| request::unavailable(&what, "the answer has no serverTs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_message_makes_a_client() {
        let message = testing::message(&1).with_api_endpoint("http://127.0.0.1:8000/");
        let client = Client::from_message(&message).unwrap();
        assert_eq!(client.api_endpoint(), "http://127.0.0.1:8000");
        assert_eq!(
            client.project_url(["content", "a b/ü"]).path(),
            "/fabric/v4/projects/test-project/content/a%20b%2F%C3%BC"
        );
    }

    #[test]
    fn every_absent_or_empty_key_is_named() {
        let token = testing::Token::new().text();
        let token = token.expose_secret();
        for (message, code, missing) in [
            (serde_json::json!({}), Code::TokenMissing, vec!["apiEndpoint", "token", "projectId"]),
            (serde_json::json!({"apiEndpoint": "http://h", "projectId": "p"}), Code::TokenMissing, vec!["token"]),
            (
                serde_json::json!({"apiEndpoint": "http://h", "projectId": "p", "token": ""}),
                Code::TokenMissing,
                vec!["token"],
            ),
            (
                serde_json::json!({"apiEndpoint": "http://h", "projectId": "p", "token": null}),
                Code::TokenMissing,
                vec!["token"],
            ),
            (
                serde_json::json!({"apiEndpoint": "", "projectId": "p", "token": token}),
                Code::InvalidMessage,
                vec!["apiEndpoint"],
            ),
            (
                serde_json::json!({"apiEndpoint": null, "token": token}),
                Code::InvalidMessage,
                vec!["apiEndpoint", "projectId"],
            ),
        ] {
            let error = Client::from_message(&message).unwrap_err();
            assert_eq!(
                (error.code(), error.missing()),
                (code, &missing.iter().map(|&m| m.into()).collect::<Vec<Value>>()[..]),
                "{message}"
            );
            assert!(
                error
                    .detail()
                    .starts_with("Skill message must contain these keys: ('apiEndpoint', 'token', 'projectId')"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_endpoint_must_be_the_url_of_a_platform() {
        for url in [
            "api.example.com",
            "ftp://h",
            "file:///etc/passwd",
            "http://",
            "http://u:p@h",
            "http://h?a=b",
            "http://h#f",
            "data:x",
        ] {
            let error = Client::from_message(testing::message(&1).with_api_endpoint(url)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidMessage, "{url}");
            assert!(error.detail().starts_with("`apiEndpoint` "), "{error}");
        }
        for project in [".", ".."] {
            let error = Client::from_message(testing::message(&1).with_project_id(project)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidMessage);
        }
    }

    #[test]
    fn a_bad_or_expired_token_is_refused() {
        let with = |token| Client::from_message(testing::message(&1).with_token(token)).unwrap_err();
        assert_eq!(with("asda".into()).code(), Code::TokenInvalid);
        assert_eq!(with(testing::Token::new().without("exp").text()).code(), Code::TokenInvalid);
        assert!(with(testing::Token::new().expired_for(std::time::Duration::from_mins(1)).text()).is_token_expired());
        let just_now = testing::Token::new().expired_for(std::time::Duration::from_secs(3)).text();
        assert!(Client::from_message(testing::message(&1).with_token(just_now)).is_ok());
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let shown = format!("{:?}", Client::from_message(testing::message(&1)).unwrap());
        assert!(shown.contains("test-project") && !shown.contains("eyJ"), "{shown}");
    }
}
