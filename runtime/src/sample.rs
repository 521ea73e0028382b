//! Sample messages: what an author writes down to try a skill. They hold a payload and perhaps properties, and everything
//! else is filled in here.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use local_platform::Platform;
use serde::Deserialize;
use serde_json::{Map, Value};
use skill_sdk::client::MessageOptions;
use skill_sdk::{Code, Error, Message};

use crate::authenticate::{AllowedEndpoint, check_endpoint};
use crate::cli::FillOptions;
use crate::identity::{self, Identity};
use crate::outcome::Refusal;
use crate::telemetry;

/// How long a token lives that is made for one invocation, beyond the invocation's own limit.
const TOKEN_MARGIN: Duration = Duration::from_mins(1);

/// What says how a sample message is filled.
pub(crate) struct Filling {
    pub(crate) options: FillOptions,
    /// What the client is made with.
    pub(crate) client: MessageOptions,
    /// The platforms that may be asked for a token; none means any.
    pub(crate) endpoints: Vec<AllowedEndpoint>,
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
    let (identity, platform) = match configured(filling, lifetime).await? {
        Some(identity) => (identity, None),
        None => identity::embedded(&filling.options, lifetime).await?,
    };
    Ok((complete(message, identity), platform))
}

/// As [`fill`], from what is configured alone: `None` when nothing is.
///
/// # Errors
///
/// As for [`fill`].
pub(crate) async fn fill_configured(
    message: &Message,
    filling: &Filling,
    lifetime: Duration,
) -> Result<Option<Message>, Refusal> {
    let identity = configured(filling, lifetime.saturating_add(TOKEN_MARGIN)).await?;
    Ok(identity.map(|identity| complete(message.clone(), identity)))
}

/// Fills a message in from an embedded platform that runs.
///
/// # Errors
///
/// [`Code::Internal`] when it makes no token.
pub(crate) fn fill_from(message: Message, platform: &Platform, lifetime: Duration) -> Result<Message, Error> {
    let token = platform
        .mint_token(lifetime.saturating_add(TOKEN_MARGIN))
        .map_err(|error| Error::new(Code::Internal, "the embedded platform makes no token").with_source(error))?;
    let (url, project) = (platform.url().to_owned(), platform.project().to_owned());
    Ok(complete(message, Identity { url, project, token }))
}

fn complete(message: Message, Identity { url, project, token }: Identity) -> Message {
    message.with_api_endpoint(url).with_token(token).with_project_id(project)
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

/// What is configured, with a token that lives so long; `None` when nothing is, or when the data of the embedded platform are
/// asked for.
async fn configured(filling: &Filling, lifetime: Duration) -> Result<Option<Identity>, Refusal> {
    let Filling { options, client, endpoints } = filling;
    let Some(client) = identity::configured(options, client, Some(lifetime))? else { return Ok(None) };
    check_endpoint(client.api_endpoint(), endpoints)?;
    let token = client.token().await?.secret().clone();
    let (url, project) = (client.api_endpoint().to_owned(), client.project().to_owned());
    telemetry::notice(&format!("a sample message: acting in project {project} at {url}"));
    Ok(Some(Identity { url, project, token }))
}
