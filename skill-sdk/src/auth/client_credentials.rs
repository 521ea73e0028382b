//! Tokens of an OAuth server, for a program that acts for itself: the client credentials grant (RFC 6749, section 4.4;
//! contract "cdf-iam", section 7).

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::auth::renewing::Renewing;
use crate::auth::{AccessToken, TokenFuture, TokenSource};
use crate::client::VerifySslCert;
use crate::client::address::{http_url, is_segment};
use crate::client::call::Call;
use crate::client::refusal::{is_temporary, words};
use crate::client::request;
use crate::client::response::Response;
use crate::error::{Code, Error};

/// What every failure to fetch a token begins with (contract "cdf-iam", section 7).
const FAILURE: &str = "Error generating access token";

/// The parts of the request that are set here, and cannot be custom arguments.
const RESERVED: [&str; 4] = ["grant_type", "scope", "client_id", "client_secret"];

/// Most bytes of the server's answer that are read.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A program's credentials at an OAuth server. As a [`TokenSource`] they keep one token, which is fetched again 30 s before
/// it ends.
///
/// ```
/// # use skill_sdk::Client;
/// # use skill_sdk::auth::ClientCredentials;
/// let credentials = ClientCredentials::new("https://login.example.com/oauth2/token", "my-id", "my-secret")?
///     .scope("https://api.example.com/.default")
///     .argument("audience", "https://api.example.com")?;
/// let client = Client::builder()
///     .api_endpoint("https://api.example.com")
///     .project("orders-dev")
///     .token_source(credentials)
///     .build()?;
/// # Ok::<_, skill_sdk::Error>(())
/// ```
pub struct ClientCredentials {
    grant: Grant,
    current: Renewing,
}

/// What is asked for, and by whom.
#[derive(Clone)]
struct Grant {
    token_url: Url,
    client_id: String,
    client_secret: SecretString,
    scopes: Vec<String>,
    arguments: Vec<(String, String)>,
    secret_in_body: bool,
    verify: VerifySslCert,
}

impl ClientCredentials {
    /// Credentials at the server whose tokens are at the URL.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] when the URL is no http or https URL, or holds a user name or password.
    pub fn new(
        token_url: &str,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, Error> {
        let token_url = http_url(token_url)
            .map_err(|why| Error::new(Code::TokenInvalid, format!("{FAILURE}: the token URL {why}")))?;
        let grant = Grant {
            token_url,
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            scopes: Vec::new(),
            arguments: Vec::new(),
            secret_in_body: false,
            verify: VerifySslCert::default(),
        };
        Ok(Self { grant, current: Renewing::default() })
    }

    /// Credentials of an application in Azure, for a Cognite cluster such as `westeurope-1`. The tenant is an id or a domain.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] when the tenant or the cluster cannot be part of a URL.
    pub fn azure(
        tenant: &str,
        cluster: &str,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, Error> {
        let plain = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            is_segment(name) && name.chars().all(fits)
        };
        for (what, name) in [("tenant", tenant), ("cluster", cluster)] {
            if !plain(name) {
                return Err(Error::new(Code::TokenInvalid, format!("{FAILURE}: {name:?} cannot be a {what}")));
            }
        }
        let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
        Ok(Self::new(&url, client_id, client_secret)?.scope(format!("https://{cluster}.cognitedata.com/.default")))
    }

    /// Asks for a scope, beside those asked for before.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.grant.scopes.push(scope.into());
        self
    }

    /// Sends one more argument, such as `audience`.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] for `grant_type`, `scope`, `client_id` and `client_secret`, which are set here.
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::new(Code::TokenInvalid, format!("{FAILURE}: the argument `{name}` is set already")));
        }
        self.grant.arguments.push((name, value.into()));
        Ok(self)
    }

    /// Sends the id and the secret in the body, for servers that do not take them as HTTP Basic authentication.
    pub fn secret_in_body(mut self) -> Self {
        self.grant.secret_in_body = true;
        self
    }

    /// Whether the server's certificate is checked, and against what. What is said to a
    /// [`ClientBuilder`](crate::client::ClientBuilder::verify_ssl_cert) is about the platform alone.
    pub fn verify_ssl_cert(mut self, verify: impl Into<VerifySslCert>) -> Self {
        self.grant.verify = verify.into();
        self
    }

    /// Who the program is.
    pub fn client_id(&self) -> &str {
        &self.grant.client_id
    }

    /// What proves it.
    pub fn client_secret(&self) -> &SecretString {
        &self.grant.client_secret
    }

    fn fetch(&self) -> impl Future<Output = Result<AccessToken, Error>> + Send + use<> {
        let grant = self.grant.clone();
        async move { grant.fetch().await }
    }
}

impl Grant {
    async fn fetch(&self) -> Result<AccessToken, Error> {
        let began = Instant::now();
        let response = request::exchange(&self.verify, self.request()?).await?;
        let Granted { access_token, expires_in } = read(response, &self.secrets()).await?;
        Ok(match expires_in.and_then(|lifetime| began.checked_add(lifetime)) {
            Some(end) => AccessToken::issued_until(access_token, end),
            None => AccessToken::issued(access_token),
        })
    }

    /// The secret in every form in which it is sent: a server that is asked in the wrong way may repeat the question.
    fn secrets(&self) -> [SecretString; 3] {
        let secret = self.client_secret.expose_secret();
        [self.basic_pair(), form_encoded(secret), secret.to_owned()].map(SecretString::from)
    }

    fn request(&self) -> Result<Call, Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !self.scopes.is_empty() {
            form.append_pair("scope", &self.scopes.join(" "));
        }
        form.extend_pairs(&self.arguments);
        if self.secret_in_body {
            form.append_pair("client_id", &self.client_id);
            form.append_pair("client_secret", self.client_secret.expose_secret());
        }
        let call = Call::post(self.token_url.clone(), FAILURE)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(form.finish());
        Ok(if self.secret_in_body { call } else { call.header(AUTHORIZATION, self.basic()?) })
    }

    /// Id and secret are form-encoded before they are joined (RFC 6749, section 2.3.1).
    fn basic_pair(&self) -> String {
        let secret = self.client_secret.expose_secret();
        STANDARD.encode(format!("{}:{}", form_encoded(&self.client_id), form_encoded(secret)))
    }

    fn basic(&self) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::try_from(format!("Basic {}", self.basic_pair()))
            .map_err(|_| Error::new(Code::TokenInvalid, format!("{FAILURE}: id and secret cannot be sent")))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl TokenSource for ClientCredentials {
    fn token(&self) -> TokenFuture<'_, AccessToken> {
        Box::pin(self.current.token(|| self.fetch()))
    }

    fn renew<'a>(&'a self, refused: &'a AccessToken) -> TokenFuture<'a, Option<AccessToken>> {
        Box::pin(self.current.other_than(refused, || self.fetch()))
    }

    fn client_credentials(&self) -> Option<&ClientCredentials> {
        Some(self)
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            // The rest of a URL may hold what should not be shown.
            .field("token_url", &self.grant.token_url.origin().ascii_serialization())
            .field("client_id", &self.grant.client_id)
            .field("scopes", &self.grant.scopes)
            .finish_non_exhaustive()
    }
}

/// What the server gives (RFC 6749, section 5.1).
struct Granted {
    access_token: SecretString,
    expires_in: Option<Duration>,
}

/// What the server may say (RFC 6749, sections 5.1 and 5.2).
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<Value>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn read(mut response: Response, secrets: &[SecretString]) -> Result<Granted, Error> {
    let status = response.status();
    let body = response.read(ANSWER_LIMIT).await?;
    let answer: Option<Answer> = serde_json::from_slice(&body).ok();
    if !status.is_success() {
        let (error, description) = match answer {
            Some(answer) => (answer.error, answer.error_description),
            None => (None, Some(String::from_utf8_lossy(&body).into_owned())),
        };
        let said = |text: Option<String>| words(text.unwrap_or_default().as_bytes(), secrets);
        let detail = format!("{FAILURE}: {}, {}, {}", said(error), status.as_u16(), said(description));
        let code = if is_temporary(status) { Code::PlatformUnavailable } else { Code::TokenInvalid };
        return Err(Error::new(code, detail));
    }
    let lacks = |what: &str| Error::new(Code::TokenInvalid, format!("{FAILURE}: the answer has no {what}"));
    let answer = answer.ok_or_else(|| lacks("JSON object"))?;
    let access_token = answer.access_token.filter(|token| !token.is_empty()).ok_or_else(|| lacks("access_token"))?;
    // Some servers write the number as text.
    let seconds = match answer.expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let expires_in = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
    Ok(Granted { access_token: access_token.into(), expires_in })
}
