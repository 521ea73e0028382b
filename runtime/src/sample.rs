//! Sample messages: what an author writes down to try a skill. They hold a payload and perhaps properties, and everything
//! else is filled in here.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcetera::{AppStrategy, AppStrategyArgs};
use jiff::Timestamp;
use local_platform::{Options, Platform, StartError};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use skill_sdk::auth::{PersonalAccessConfig, profile};
use skill_sdk::{Code, Error, Message};
use uuid::Uuid;

use crate::cli::FillOptions;

/// How long a token lives that is made for one invocation, beyond the invocation's own limit.
const TOKEN_MARGIN: Duration = Duration::from_mins(1);

/// How long to wait for another process to leave the data folder before its platform is used instead. Invocations are
/// mostly short; a platform that runs apart stays.
const FOLDER_PATIENCE: Duration = Duration::from_secs(1);

/// What a sample message is filled with.
struct Filling {
    url: String,
    project: String,
    token: SecretString,
}

/// Whether the message is a sample: it leaves out all of `apiEndpoint`, `token` and `projectId`. One that has some of them,
/// even empty, is a message that somebody else made, and stays as it is.
pub(crate) fn is_sample(message: &Message) -> bool {
    message.api_endpoint().is_none() && message.token().is_none() && message.project_id().is_none()
}

/// Fills in what a platform would: where it is, who asks and for which project, ids, time, and the defaults of the
/// properties. Gives the embedded platform too, if that is the one; the caller ends it.
///
/// # Errors
///
/// [`Code::TokenMissing`] and [`Code::TokenInvalid`] when what is configured does not suffice,
/// [`Code::PlatformUnavailable`] when a platform cannot be reached or started.
pub(crate) async fn fill(
    message: Message,
    options: &FillOptions,
    lifetime: Duration,
) -> Result<(Message, Option<Platform>), Error> {
    let lifetime = lifetime.saturating_add(TOKEN_MARGIN);
    let (filling, platform) = match configured(options, lifetime).await? {
        Some(filling) => (filling, None),
        None => embedded(options, lifetime).await?,
    };
    let message = message.with_api_endpoint(filling.url).with_token(filling.token).with_project_id(filling.project);
    Ok((message, platform))
}

/// Fills in what needs no platform: ids, time, name, and the defaults of the properties from the `skill.yaml` beside the
/// skill.
///
/// # Errors
///
/// [`Code::InvalidMessage`] when the `skill.yaml` cannot be read.
pub(crate) fn fill_envelope(message: Message, folder: Option<&Path>) -> Result<Message, Error> {
    let mut message = match message.activation_id() {
        Some(_) => message,
        None => message.with_activation_id(Uuid::new_v4().to_string()),
    };
    if message.timestamp().is_none() {
        message = message.with_timestamp(Timestamp::now());
    }
    let Some(definition) = folder.map(|folder| folder.join("skill.yaml")).filter(|path| path.is_file()) else {
        return Ok(message);
    };
    let definition = Definition::read(&definition)?;
    let mut properties: Map<String, Value> = definition
        .properties
        .into_iter()
        .filter_map(|property| Some((property.name, property.default_value?)))
        .collect();
    properties.extend(message.properties::<Map<String, Value>>()?);
    message = message.with_properties(&properties)?;
    match (message.skill_name(), definition.name) {
        (None, Some(name)) => Ok(message.with_skill_name(name)),
        _ => Ok(message),
    }
}

/// A skill definition, as far as it bears on a message (contract "fabric-invocation", section 9).
#[derive(Deserialize)]
struct Definition {
    name: Option<String>,
    #[serde(default)]
    properties: Vec<Property>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    default_value: Option<Value>,
}

impl Definition {
    fn read(path: &Path) -> Result<Self, Error> {
        let bad = |error: &dyn std::fmt::Display| {
            Error::new(
                Code::InvalidMessage,
                format!("cannot take the properties' defaults from {}: {error}", path.display()),
            )
        };
        let text = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
        yaml_serde::from_str(&text).map_err(|error| bad(&error))
    }
}

/// What the options, else the environment, else the profile say. `None` when nothing says where a platform is or who
/// asks.
async fn configured(options: &FillOptions, lifetime: Duration) -> Result<Option<Filling>, Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());

    let token = match &options.token_file {
        Some(path) => Some(read_token(path)?),
        None if options.personal_access_config.is_some() => None,
        None => variable("CORTEX_TOKEN").map(SecretString::from),
    };
    let config = match &options.personal_access_config {
        Some(path) => Some(PersonalAccessConfig::from_file(path)?),
        None if token.is_some() => None,
        None => match variable("CORTEX_PERSONAL_ACCESS_CONFIG") {
            Some(value) => Some(config_of(&value)?),
            None => read_profile(options, variable("CORTEX_CONFIG_DIR"))?,
        },
    };
    let url = options.api_endpoint.clone().or_else(|| variable("CORTEX_URI")).or_else(|| variable("CORTEX_URL"));
    if token.is_none() && config.is_none() && url.is_none() {
        return Ok(None);
    }

    let url = url
        .or_else(|| config.as_ref().map(|config| config.url.clone()))
        .ok_or_else(|| unavailable("there is a token, but no URL of a platform: set --api-endpoint or CORTEX_URI"))?;
    if token.is_none() && config.is_none() {
        return Err(unavailable(
            "there is a URL of a platform, but neither a token nor a personal access config: set CORTEX_TOKEN or \
             CORTEX_PERSONAL_ACCESS_CONFIG, or run \"cortex configure\"",
        ));
    }
    let own_project = config.as_ref().and_then(|config| config.project.clone());
    let project = options.project.clone().or_else(|| variable("CORTEX_PROJECT")).or(own_project).ok_or_else(|| {
        let text = "Please Provide Project Name that you want to access Cortex Assets for";
        Error::new(Code::InvalidMessage, format!("{text}: set --project or CORTEX_PROJECT")).with_missing(["projectId"])
    })?;
    let token = match (token, config) {
        (Some(token), _) => token,
        (None, Some(config)) => config.mint(lifetime).await?,
        (None, None) => return Ok(None),
    };
    Ok(Some(Filling { url, project, token }))
}

fn unavailable(why: &str) -> Error {
    Error::new(Code::TokenMissing, format!("Your Cortex credentials could not be retrieved. {why}"))
}

fn read_token(path: &Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(Code::TokenMissing, format!("cannot read the token file {}", path.display())).with_source(error)
    })?;
    Ok(text.trim().into())
}

/// A personal access config in a variable is JSON, or the path of a file.
fn config_of(value: &str) -> Result<PersonalAccessConfig, Error> {
    let value = value.trim();
    if value.starts_with('{') {
        return PersonalAccessConfig::from_json(value);
    }
    let path = match (value.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(below), Ok(home)) => home.join(below),
        _ => PathBuf::from(value),
    };
    PersonalAccessConfig::from_file(&path)
}

fn read_profile(options: &FillOptions, folder: Option<String>) -> Result<Option<PersonalAccessConfig>, Error> {
    let folder = match (folder, etcetera::home_dir()) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Ok(home)) => home.join(".cortex"),
        (None, Err(_)) => return Ok(None),
    };
    profile::read(&profile::path(&folder), options.profile.as_deref())
}

/// Where the embedded platform keeps its data unless told otherwise.
pub(crate) fn data_folder(given: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let application = AppStrategyArgs {
        top_level_domain: String::new(),
        author: String::new(),
        app_name: "skill-runtime".to_owned(),
    };
    let folders = etcetera::choose_app_strategy(application).map_err(|error| {
        Error::new(Code::PlatformUnavailable, "there is no home folder for the embedded platform's data: set --data")
            .with_source(error)
    })?;
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("platform"))
}

/// Starts the embedded platform, or uses the one that runs on the same data.
async fn embedded(options: &FillOptions, lifetime: Duration) -> Result<(Filling, Option<Platform>), Error> {
    let data = data_folder(options.data.as_deref())?;
    let patience = Instant::now() + FOLDER_PATIENCE;
    let platform = loop {
        match Platform::start(Options { data: data.clone(), port: 0 }).await {
            Ok(platform) => break platform,
            Err(StartError::InUse { .. }) if Instant::now() < patience => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(StartError::InUse { .. }) => return running(&data, options, lifetime).await,
            Err(error) => {
                return Err(
                    Error::new(Code::PlatformUnavailable, "cannot start the embedded platform").with_source(error)
                );
            }
        }
    };
    tracing::info!(
        "no platform is configured: started the embedded one at {}, data in {}",
        platform.url(),
        data.display()
    );
    let token = platform
        .mint_token(lifetime)
        .map_err(|error| Error::new(Code::Internal, "the embedded platform makes no token").with_source(error))?;
    let project = options.project.clone().unwrap_or_else(|| platform.project().to_owned());
    Ok((Filling { url: platform.url().to_owned(), project, token }, Some(platform)))
}

async fn running(data: &Path, options: &FillOptions, lifetime: Duration) -> Result<(Filling, Option<Platform>), Error> {
    let config = PersonalAccessConfig::from_file(&data.join("pat.json"))?;
    tracing::info!("no platform is configured: using the embedded one that runs at {}", config.url);
    let token = config.mint(lifetime).await?;
    let project = options.project.clone().or(config.project).unwrap_or_else(|| "local".to_owned());
    Ok((Filling { url: config.url, project, token }, None))
}
