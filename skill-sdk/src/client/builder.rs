//! Clients that are not made from a message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::auth::credentials::{Credentials, Identity, Profiles, Sources};
use crate::auth::personal_access::DEFAULT_TTL;
use crate::auth::token::DEFAULT_LEEWAY;
use crate::auth::{Environment, PersonalAccessConfig, ProcessEnvironment, TokenSource};
use crate::client::{Client, VerifySslCert};
use crate::error::{Code, Error};

use super::address::{base_url, is_segment};
use super::request::Terms;
use super::{DEFAULT_API_VERSION, Inner};

/// Makes a [`Client`] from whatever says where the platform is, who asks, and for which project. Each value is looked for
/// on its own, in this order:
///
/// | value | parameter | environment | personal access config or profile |
/// |---|---|---|---|
/// | URL | [`api_endpoint`](Self::api_endpoint) | `CORTEX_URI`, else `CORTEX_URL` | `url` |
/// | who asks | [`token`](Self::token), [`token_source`](Self::token_source) or [`config`](Self::config) | `CORTEX_TOKEN`, else `CORTEX_PERSONAL_ACCESS_CONFIG` | its key |
/// | project | [`project`](Self::project) | `CORTEX_PROJECT` | `project` |
/// | certificates | [`verify_ssl_cert`](Self::verify_ssl_cert) | `REQUESTS_CA_BUNDLE`, else `CURL_CA_BUNDLE`, else `SSL_CERT_FILE` | |
///
/// Of the last column the first that there is counts, as a whole: the config that was given, the one in
/// `CORTEX_PERSONAL_ACCESS_CONFIG` (JSON when it begins with `{`, else a path), the profile that was named, the current
/// one. Profiles are in the file `config` of the folder `CORTEX_CONFIG_DIR`, which is `~/.cortex` unless set. After
/// [`Client::login`] what was entered there comes before the environment. A parameter or variable that is empty counts as
/// not given, and a source is read only when something is still unknown.
///
/// ```
/// # use skill_sdk::{Client, testing};
/// let client = Client::builder()
///     .api_endpoint("https://api.example.com")
///     .token(testing::Token::new().text())
///     .project("orders-dev")
///     .build()?;
/// assert_eq!(client.api_endpoint(), "https://api.example.com");
/// # Ok::<_, skill_sdk::Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    api_endpoint: Option<String>,
    api_version: u32,
    verify: VerifySslCert,
    identity: Option<Identity>,
    project: Option<String>,
    profile: Option<String>,
    ttl: Duration,
    leeway: Duration,
    environment: Arc<dyn Environment + Send + Sync>,
    uses_environment: bool,
    uses_profiles: bool,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            api_endpoint: None,
            api_version: DEFAULT_API_VERSION,
            verify: VerifySslCert::default(),
            identity: None,
            project: None,
            profile: None,
            ttl: DEFAULT_TTL,
            leeway: DEFAULT_LEEWAY,
            environment: Arc::new(ProcessEnvironment),
            uses_environment: true,
            uses_profiles: true,
        }
    }
}

impl ClientBuilder {
    /// Where the platform is: an http or https URL.
    pub fn api_endpoint(mut self, url: impl Into<String>) -> Self {
        self.api_endpoint = Some(url.into()).filter(|url| !url.is_empty());
        self
    }

    /// The version of the platform's API, 4 unless set.
    pub fn api_version(mut self, version: u32) -> Self {
        self.api_version = version;
        self
    }

    /// Whether the platform's certificate is checked: `true`, `false`, or the path of a CA bundle or folder. A source of tokens
    /// has a setting of its own.
    pub fn verify_ssl_cert(mut self, verify: impl Into<VerifySslCert>) -> Self {
        self.verify = verify.into();
        self
    }

    /// A token. It takes the place of any other identity that was given before.
    pub fn token(mut self, token: impl Into<SecretString>) -> Self {
        let token = token.into();
        if !token.expose_secret().is_empty() {
            self.identity = Some(Identity::Token(token));
        }
        self
    }

    /// A source of tokens. It takes the place of any other identity that was given before.
    pub fn token_source(mut self, source: impl TokenSource + 'static) -> Self {
        self.identity = Some(Identity::Source(Arc::new(source)));
        self
    }

    /// A personal access config to make tokens with, unless a token or a source of tokens is given too.
    pub fn config(mut self, config: impl Into<Arc<PersonalAccessConfig>>) -> Self {
        if !matches!(self.identity, Some(Identity::Token(_) | Identity::Source(_))) {
            self.identity = Some(Identity::Config(config.into()));
        }
        self
    }

    /// The project to work in.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into()).filter(|project| !project.is_empty());
        self
    }

    /// The profile that is read when parameters and environment do not say everything; the file's current one unless set.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// How long tokens live that are made with a personal access config; 2 minutes unless set.
    pub fn token_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long after its `exp` a token that was given still counts as alive; 10 s unless set.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Another environment than that of this process.
    pub fn environment(mut self, environment: impl Environment + Send + Sync + 'static) -> Self {
        self.environment = Arc::new(environment);
        self
    }

    /// Looks for no credentials in the environment. It still says where the profiles are, and which certificates count.
    pub fn without_environment(mut self) -> Self {
        self.uses_environment = false;
        self
    }

    /// Looks for no credentials in profiles.
    pub fn without_profile(mut self) -> Self {
        self.uses_profiles = false;
        self
    }

    /// Makes the client. This may read small files; it makes no request.
    ///
    /// # Errors
    ///
    /// Credentials errors begin with the line `Your Cortex credentials could not be retrieved.`, and go on with a line that
    /// says what is wrong and what was looked at, and one that says what to do:
    ///
    /// - [`Code::TokenMissing`] when nothing says who asks, or when the profile is not there or too old to be used;
    /// - [`Code::TokenInvalid`] when a token is malformed or lacks `aud`, `sub` or `exp`;
    /// - [`Code::TokenExpired`] when a token expired more than the leeway ago;
    /// - [`Code::InvalidMessage`] when there is no URL; [`Error::missing`] names it.
    ///
    /// Others are
    ///
    /// - [`Code::TokenInvalid`] for a personal access config that cannot be used, wherever it is; the error begins with
    ///   `Unable to generate a JWT token, check PAT config or cortex profile: `, and names where it is and what is wrong;
    /// - [`Code::InvalidMessage`] when there is no project, or a URL or a project that cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        let sources = self.sources();
        match sources.find()? {
            Some(found) => self.client(found),
            None => Err(sources.nobody()),
        }
    }

    /// Makes the client as [`build`](Self::build) does, or gives `None` when nothing says who asks, nor where.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    pub fn build_opt(self) -> Result<Option<Client>, Error> {
        self.sources().find()?.map(|found| self.client(found)).transpose()
    }

    fn sources(&self) -> Sources<'_> {
        let environment = &*self.environment;
        Sources {
            api_endpoint: self.api_endpoint.as_deref(),
            project: self.project.as_deref(),
            identity: self.identity.as_ref(),
            environment: self.uses_environment.then_some(environment),
            profiles: self.uses_profiles.then(|| Profiles::of(environment, self.profile.clone())),
            ttl: self.ttl,
            verify: self.verify.clone().or_environment(environment),
            leeway: self.leeway,
        }
    }

    fn client(&self, found: Credentials) -> Result<Client, Error> {
        let invalid = |why: String| Error::new(Code::InvalidMessage, why);
        let base = base_url(&found.url).map_err(|why| invalid(format!("the URL of the platform {why}")))?.into();
        if !is_segment(&found.project) {
            return Err(invalid(format!("{:?} cannot be the name of a project", found.project)));
        }
        Ok(Client(Arc::new(Inner {
            base,
            api_version: self.api_version,
            project: found.project,
            verify: self.verify.clone().or_environment(&*self.environment),
            tokens: found.tokens,
            identity: found.origin,
            leeway: self.leeway,
            terms: Terms::default(),
            environment: self.environment.clone(),
        })))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("api_endpoint", &self.api_endpoint)
            .field("project", &self.project)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
