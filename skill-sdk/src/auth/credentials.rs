//! How credentials are found: parameters, then what was entered at a login, then the environment, then a profile (contract
//! "fabric-auth", sections 1, 2 and 8).

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::auth::environment::{
    CORTEX_CONFIG_DIR, CORTEX_PERSONAL_ACCESS_CONFIG, CORTEX_PROJECT, CORTEX_TOKEN, CORTEX_URI, CORTEX_URL,
};
use crate::auth::token::NOT_A_JWT;
use crate::auth::{AccessToken, Environment, FixedToken, PersonalAccessConfig, TokenSource, profile};
use crate::client::VerifySslCert;
use crate::client::address::shown_url;
use crate::error::{Code, Error};

/// The first line of every failure to find credentials (contract "fabric-auth", section 8).
pub(crate) const HEADING: &str = "Your Cortex credentials could not be retrieved.";

/// What a client needs.
pub(crate) struct Credentials {
    pub(crate) url: String,
    pub(crate) project: String,
    pub(crate) tokens: Arc<dyn TokenSource>,
    /// What says who asks.
    pub(crate) origin: &'static str,
}

/// Where credentials are looked for.
pub(crate) struct Sources<'a> {
    pub(crate) api_endpoint: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
    pub(crate) identity: Option<&'a Identity>,
    /// `None` when the environment does not count.
    pub(crate) environment: Option<&'a dyn Environment>,
    /// `None` when profiles do not count.
    pub(crate) profiles: Option<Profiles>,
    /// How long tokens live that are made.
    pub(crate) ttl: Duration,
    pub(crate) verify: VerifySslCert,
    pub(crate) leeway: Duration,
}

/// The file of profiles, and which of them is meant.
pub(crate) struct Profiles {
    /// `None` when the user has no home.
    pub(crate) path: Option<PathBuf>,
    pub(crate) name: Option<String>,
}

/// Who asks.
pub(crate) enum Identity {
    Token(SecretString),
    Config(Arc<PersonalAccessConfig>),
    Source(Arc<dyn TokenSource>),
}

impl Profiles {
    /// The file that the environment names, else the one in the user's home.
    pub(crate) fn of(environment: &dyn Environment, name: Option<String>) -> Self {
        Self { path: profile::folder(environment).as_deref().map(profile::path), name }
    }

    /// Why there is no profile.
    fn absence(&self) -> String {
        match &self.path {
            Some(path) if path.exists() => format!("{} has no profiles", path.display()),
            Some(path) => format!("there is no file {}", path.display()),
            None => format!("there is no home folder, and {CORTEX_CONFIG_DIR} is not set"),
        }
    }

    /// Reads the profile. When there is a token that is set but empty, an error says so.
    fn read(&self, empty_token: bool) -> Result<Option<PersonalAccessConfig>, Error> {
        let advice = format!("{}{ADVICE}", if empty_token { REMOVE } else { "" });
        let Some(path) = &self.path else { return Ok(None) };
        if let Some(name) = &self.name
            && !path.exists()
        {
            let why = format!("Profile with name \"{name}\" could not be located: there is no file {}", path.display());
            return Err(failure(Code::TokenMissing, &why, &advice));
        }
        profile::read(path, self.name.as_deref()).map_err(|error| match error.code() {
            Code::TokenMissing => failure(error.code(), &error.chain(), &advice),
            _ => error,
        })
    }
}

/// The personal access config of the environment, else of a profile. Whoever names a profile wants that one.
///
/// # Errors
///
/// [`Code::TokenMissing`] when there is none, otherwise as for [`Sources::find`].
pub(crate) fn personal_access_config(
    environment: &dyn Environment,
    profile: Option<String>,
) -> Result<Arc<PersonalAccessConfig>, Error> {
    let counts = profile.is_none().then_some(environment);
    let profiles = Profiles::of(environment, profile);
    let config = Config { given: None, environment: counts, profiles: Some(&profiles), found: OnceCell::new() };
    config.read()?.map(|(config, _)| config).ok_or_else(|| {
        let looked = format!("{CORTEX_PERSONAL_ACCESS_CONFIG} is not set; {}", profiles.absence());
        failure(Code::TokenMissing, &format!("There is no personal access config: {looked}."), ADVICE)
    })
}

/// What can be done about credentials that are nowhere.
const ADVICE: &str = "Run \"cortex configure\" or \"skill-runtime auth login\", or use Client::login().";

/// What can be done about a variable that says nothing, when nothing else does.
const REMOVE: &str = "Remove the empty value of CORTEX_TOKEN. ";

impl Sources<'_> {
    /// Finds what a client needs, each value on its own. `None` when nothing says who asks, nor where.
    ///
    /// # Errors
    ///
    /// - [`Code::TokenMissing`] when nothing says who asks, but something where;
    /// - [`Code::TokenInvalid`] and [`Code::TokenExpired`] when a source that counts cannot be used;
    /// - [`Code::InvalidMessage`] when there is no URL or no project; [`Error::missing`] names it.
    pub(crate) fn find(&self) -> Result<Option<Credentials>, Error> {
        let environment = self.environment;
        let variable = |name| environment.map_or(Ok(None), |environment| environment.text(name));
        let login = environment.and_then(Environment::login);
        let given = if let Some(Identity::Config(config)) = self.identity {
            Some((Arc::clone(config), "the parameter `config`"))
        } else if let (None, Some(login)) = (self.identity, &login) {
            Some((Arc::clone(&login.config), "the login"))
        } else {
            None
        };
        let config = Config { given, environment, profiles: self.profiles.as_ref(), found: OnceCell::new() };

        let make = |config: &Arc<PersonalAccessConfig>| Arc::clone(config).tokens(self.ttl, &self.verify);
        let who: Option<(Arc<dyn TokenSource>, &str)> = if let Some(Identity::Source(source)) = self.identity {
            Some((Arc::clone(source), "a source of tokens"))
        } else if let Some(Identity::Token(token)) = self.identity {
            Some((self.fixed(token.clone(), "the parameter `token`")?, "the parameter `token`"))
        } else if let Some((config, origin)) = &config.given {
            Some((make(config), *origin))
        } else if let Some(token) = variable(CORTEX_TOKEN)? {
            Some((self.fixed(token.into(), CORTEX_TOKEN)?, CORTEX_TOKEN))
        } else if let Some((config, origin)) = config.get()? {
            Some((make(config), *origin))
        } else {
            None
        };

        let url = if let Some(url) = self.api_endpoint {
            Some(url.to_owned())
        } else if let Some(login) = &login {
            Some(login.config.url.clone())
        } else if let Some(url) = url_of_variables(variable(CORTEX_URI)?, variable(CORTEX_URL)?) {
            Some(url)
        } else {
            config.get()?.map(|(config, _)| config.url.clone())
        };
        let ((tokens, origin), url) = match (who, url) {
            (Some(who), Some(url)) => (who, url),
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(self.nobody()),
            (Some(_), None) => return Err(self.nowhere()),
        };

        let project = if let Some(project) = self.project {
            Some(project.to_owned())
        } else if let Some(project) = login.as_ref().and_then(|login| login.config.project.clone()) {
            Some(project)
        } else if let Some(project) = variable(CORTEX_PROJECT)? {
            Some(project)
        } else {
            config.get()?.and_then(|(config, _)| config.project.clone())
        };
        let project = project.ok_or_else(|| self.no_project())?;
        tracing::debug!(url = shown_url(&url), project, identity = origin, "found credentials");
        Ok(Some(Credentials { url, project, tokens, origin }))
    }

    /// The failure when nothing says who asks.
    pub(crate) fn nobody(&self) -> Error {
        let mut looked = vec!["the parameters `token` and `config` are not given".to_owned()];
        let mut empty_token = false;
        if let Some(environment) = self.environment {
            empty_token = environment.raw(CORTEX_TOKEN).is_some();
            let state = if empty_token { "set, but empty" } else { "not set" };
            looked.push(format!("{CORTEX_TOKEN} is {state}"));
            looked.push(format!("{CORTEX_PERSONAL_ACCESS_CONFIG} is not set"));
        }
        if let Some(profiles) = &self.profiles {
            looked.push(profiles.absence());
        }
        let why = format!("There is no token: {}.", looked.join("; "));
        // Case 2 of the page, else case 1.
        let remove = if empty_token { REMOVE } else { "" };
        failure(Code::TokenMissing, &why, &format!("{remove}{ADVICE}"))
    }

    /// What was looked at for a value that is not there.
    fn looked_at(&self, parameter: &str, variables: &str) -> String {
        let mut looked = vec![format!("the parameter `{parameter}` is not given")];
        if self.environment.is_some() {
            looked.push(format!("{variables} not set"));
        }
        if self.environment.is_some() || self.profiles.is_some() {
            looked.push("no personal access config or profile has one".to_owned());
        }
        looked.join("; ")
    }

    fn nowhere(&self) -> Error {
        let looked = self.looked_at("api_endpoint", "CORTEX_URI and CORTEX_URL are");
        let why = format!("There is a token, but no URL of a platform: {looked}.");
        let advice = format!("Set {CORTEX_URI}, or pass the platform's URL to the client directly.");
        failure(Code::InvalidMessage, &why, &advice).with_missing(["apiEndpoint"])
    }

    fn no_project(&self) -> Error {
        let text = "Please Provide Project Name that you want to access Cortex Assets for";
        let looked = self.looked_at("project", "CORTEX_PROJECT is");
        Error::new(Code::InvalidMessage, format!("{text}: {looked}")).with_missing(["projectId"])
    }

    /// A token that was given, if it is any good.
    fn fixed(&self, text: SecretString, origin: &str) -> Result<Arc<dyn TokenSource>, Error> {
        let token = AccessToken::decode(text).and_then(|token| token.check_expiry(self.leeway).map(|()| token));
        let token = token.map_err(|error| {
            let advice = if error.detail().contains(NOT_A_JWT) {
                // Case 2 of the page.
                match origin {
                    CORTEX_TOKEN => "Remove that value from CORTEX_TOKEN: unset it, or set it to a token.",
                    _ => "Give a token of the platform.",
                }
            } else {
                // Case 3 of the page.
                "Get a new token, and pass the platform's URL and the token to the client directly."
            };
            failure(error.code(), &format!("{origin} cannot be used: {}", error.detail()), advice)
        })?;
        Ok(Arc::new(FixedToken::new(token)))
    }
}

/// The personal access config, which counts as a whole for whatever is not said before: the one that was given, else that of
/// the environment, else that of the profile. It is read once, when something is still unknown.
struct Config<'a> {
    given: Option<Known>,
    environment: Option<&'a dyn Environment>,
    profiles: Option<&'a Profiles>,
    /// What was found, once that is known.
    found: OnceCell<Option<Known>>,
}

/// A config and what it is.
type Known = (Arc<PersonalAccessConfig>, &'static str);

impl Config<'_> {
    fn get(&self) -> Result<Option<&Known>, Error> {
        if let Some(found) = self.found.get() {
            return Ok(found.as_ref());
        }
        let found = self.read()?;
        Ok(self.found.get_or_init(|| found).as_ref())
    }

    fn read(&self) -> Result<Option<Known>, Error> {
        if self.given.is_some() {
            return Ok(self.given.clone());
        }
        if let Some(environment) = self.environment
            && let Some(value) = environment.text(CORTEX_PERSONAL_ACCESS_CONFIG)?
        {
            let config = PersonalAccessConfig::from_variable(&value, environment)?;
            return Ok(Some((Arc::new(config), CORTEX_PERSONAL_ACCESS_CONFIG)));
        }
        let empty_token = self.environment.is_some_and(|environment| environment.raw(CORTEX_TOKEN).is_some());
        let profile = self.profiles.map_or(Ok(None), |profiles| profiles.read(empty_token))?;
        Ok(profile.map(|config| (Arc::new(config), "the profile")))
    }
}

/// Of the two variables the first wins, as in the platform's command line.
fn url_of_variables(uri: Option<String>, url: Option<String>) -> Option<String> {
    if let (Some(uri), Some(url)) = (&uri, &url)
        && uri != url
    {
        tracing::warn!(
            uri = shown_url(uri),
            url = shown_url(url),
            "CORTEX_URI and CORTEX_URL differ; the former is used"
        );
    }
    uri.or(url)
}

fn failure(code: Code, why: &str, advice: &str) -> Error {
    Error::new(code, format!("{HEADING}\n{why}\n{advice}"))
}
