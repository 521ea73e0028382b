//! Sample messages: what an author writes down to try a skill. They hold a payload and perhaps properties, and everything
//! else is filled in here.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcetera::{AppStrategy, AppStrategyArgs};
use jiff::Timestamp;
use local_platform::{Options, Platform, StartError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use skill_sdk::auth::environment::CORTEX_PROJECT;
use skill_sdk::auth::{Environment, PersonalAccessConfig, ProcessEnvironment};
use skill_sdk::client::{MessageOptions, VerifySslCert};
use skill_sdk::{Client, Code, Error, Message};

use crate::auth::{read_config, read_secret_file};
use crate::authenticate::{AllowedEndpoint, check_endpoint};
use crate::cli::FillOptions;
use crate::outcome::Refusal;
use crate::telemetry;

/// How long a token lives that is made for one invocation, beyond the invocation's own limit.
const TOKEN_MARGIN: Duration = Duration::from_mins(1);

/// How long to wait for another process to leave the data folder, how often to look, and how often to ask whether it is a
/// platform that stays and can be used as it is.
const FOLDER_PATIENCE: Duration = Duration::from_secs(30);
const FOLDER_GLANCE: Duration = Duration::from_millis(20);
const FOLDER_QUESTION: u32 = 25;

/// What says how a sample message is filled.
pub(crate) struct Filling {
    pub(crate) options: FillOptions,
    /// What the client is made with.
    pub(crate) client: MessageOptions,
    /// The platforms that may be asked for a token; none means any.
    pub(crate) endpoints: Vec<AllowedEndpoint>,
}

/// What a sample message is filled with.
struct Filled {
    url: String,
    project: String,
    token: SecretString,
}

/// Whether the message is a sample: it leaves out all of `apiEndpoint`, `token` and `projectId`. One that has some of them,
/// even empty, is a message that somebody else made, and stays as it is.
pub(crate) fn is_sample(message: &Message) -> bool {
    message.api_endpoint().is_none() && message.token().is_none() && message.project_id().is_none()
}

/// Fills in where the platform is, who asks and for which project. Gives the embedded platform too, if that is the one; it
/// ends when it is dropped.
///
/// # Errors
///
/// [`Code::TokenMissing`] and [`Code::TokenInvalid`] when what is configured does not suffice,
/// [`Code::PlatformUnavailable`] when a platform cannot be reached or started.
pub(crate) async fn fill(
    message: Message,
    filling: &Filling,
    lifetime: Duration,
) -> Result<(Message, Option<Platform>), Refusal> {
    let lifetime = lifetime.saturating_add(TOKEN_MARGIN);
    let (filled, platform) = match configured(filling, lifetime).await? {
        Some(filled) => (filled, None),
        None => embedded(&filling.options, lifetime).await?,
    };
    let message = message.with_api_endpoint(filled.url).with_token(filled.token).with_project_id(filled.project);
    Ok((message, platform))
}

/// Fills in what needs no platform: time, name, and the defaults of the properties from the `skill.yaml` beside the
/// skill.
///
/// # Errors
///
/// [`Code::InvalidMessage`] when the `skill.yaml` cannot be read.
pub(crate) fn fill_envelope(mut message: Message, folder: Option<&Path>) -> Result<Message, Error> {
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

/// What the options, else the environment, else the profile say, as for any client. `None` when nothing says where a platform
/// is or who asks, or when the data of the embedded platform are asked for.
async fn configured(filling: &Filling, lifetime: Duration) -> Result<Option<Filled>, Refusal> {
    let Filling { options, client, endpoints } = filling;
    let named = options.profile.is_some()
        || options.api_endpoint.is_some()
        || options.token_file.is_some()
        || options.personal_access_config.is_some();
    // Who names data wants the platform that keeps them.
    if options.data.is_some() && !named {
        return Ok(None);
    }
    let mut builder = Client::builder()
        .token_ttl(lifetime)
        .leeway(client.leeway)
        .verify_ssl_cert(client.verify_ssl_cert.clone())
        .api_endpoint(options.api_endpoint.as_deref().unwrap_or_default())
        .project(options.project.as_deref().unwrap_or_default());
    if let Some(path) = &options.token_file {
        builder = builder.token(read_secret_file(path, "token file")?.expose_secret().trim());
    } else if let Some(path) = &options.personal_access_config {
        builder = builder.config(read_config(path)?);
    }
    // Who names a profile wants that one, not what happens to be in the environment.
    if let Some(name) = &options.profile {
        builder = builder.without_environment().profile(name);
    }
    let Some(client) = builder.build_opt()? else { return Ok(None) };
    check_endpoint(client.api_endpoint(), endpoints)?;
    let token = client.token().await?.secret().clone();
    let (url, project) = (client.api_endpoint().to_owned(), client.project().to_owned());
    telemetry::notice(&format!("a sample message: acting in project {project} at {url}"));
    Ok(Some(Filled { url, project, token }))
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

/// Starts the embedded platform. When another process holds the data, that is either a platform that runs apart, which is
/// used, or another invocation, which soon ends.
async fn embedded(options: &FillOptions, lifetime: Duration) -> Result<(Filled, Option<Platform>), Error> {
    let data = data_folder(options.data.as_deref())?;
    let patience = Instant::now() + FOLDER_PATIENCE;
    let mut glances = 0u32;
    let platform = loop {
        match Platform::start(Options { data: data.clone(), port: 0, announce: false }).await {
            Ok(platform) => break platform,
            Err(StartError::InUse { .. }) if Instant::now() < patience => {
                if glances.is_multiple_of(FOLDER_QUESTION)
                    && let Ok(filled) = running(&data, options, lifetime).await
                {
                    return Ok((filled, None));
                }
                glances += 1;
                tokio::time::sleep(FOLDER_GLANCE).await;
            }
            Err(error) => {
                let error =
                    Error::new(Code::PlatformUnavailable, "cannot start the embedded platform").with_source(error);
                return Err(error);
            }
        }
    };
    telemetry::notice(&format!(
        "no platform is configured: started the embedded one at {}, data in {}",
        platform.url(),
        data.display()
    ));
    let token = platform
        .mint_token(lifetime)
        .map_err(|error| Error::new(Code::Internal, "the embedded platform makes no token").with_source(error))?;
    let project = project(options)?.unwrap_or_else(|| platform.project().to_owned());
    Ok((Filled { url: platform.url().to_owned(), project, token }, Some(platform)))
}

/// The project to work in on the embedded platform, where one is named.
fn project(options: &FillOptions) -> Result<Option<String>, Error> {
    match &options.project {
        Some(project) => Ok(Some(project.clone())),
        None => ProcessEnvironment.text(CORTEX_PROJECT),
    }
}

/// The platform that runs apart on the data.
async fn running(data: &Path, options: &FillOptions, lifetime: Duration) -> Result<Filled, Error> {
    let config = PersonalAccessConfig::from_file(&data.join("pat.json"))?;
    let token = config.mint(lifetime, &VerifySslCert::default()).await?.secret().clone();
    telemetry::notice(&format!("no platform is configured: using the embedded one that runs at {}", config.url));
    let project = project(options)?.or(config.project).unwrap_or_else(|| "local".to_owned());
    Ok(Filled { url: config.url, project, token })
}
