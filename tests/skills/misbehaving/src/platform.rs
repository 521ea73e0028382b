//! A skill that asks the platform something, and deals with what comes of it in every way.

use std::time::Duration;

use anyhow::Context as _;
use skill_sdk::auth::{ClientCredentials, PersonalAccessConfig};
use skill_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Ask {
    how: How,
    /// A personal access config, for whoever asks with one.
    config: Option<Value>,
    /// A secret at an OAuth server that is at the platform too, for whoever asks with one.
    client_secret: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    Plainly,
    /// When the token of the message has ended.
    Late,
    InAnyhow,
    InAnEnum,
    /// The error goes through both, boxed, several times.
    Deep,
    /// With a client whose tokens are renewed.
    WithConfig,
    /// The same, with tokens of an OAuth server.
    WithClientSecret,
    /// A failure is no failure to this one.
    Swallowing,
}

#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("the report could not be read")]
    Read(#[source] skill_sdk::Error),
    #[error("the report could not be made")]
    Make(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub(super) async fn asks_platform(ask: Ask, ctx: Context) -> Result<bool> {
    let client = match (&ask.how, &ask.config) {
        (How::WithConfig, Some(config)) => {
            let config = PersonalAccessConfig::from_json(&config.to_string())?;
            Client::builder().without_environment().config(config).build()?
        }
        (How::WithClientSecret, _) => {
            let (here, secret) = (ctx.client()?, ask.client_secret.unwrap_or_default());
            let credentials = ClientCredentials::new(&format!("{}/token", here.api_endpoint()), "id", secret)?;
            let builder = Client::builder().without_environment().api_endpoint(here.api_endpoint());
            builder.project(here.project()).token_source(credentials).build()?
        }
        _ => ctx.client()?.clone(),
    };
    tracing::trace!(?client, received = ?ctx.message(), context = ?ctx, "asking");
    if matches!(ask.how, How::Late) {
        while client.token().await?.time_left().is_some_and(|left| left.is_positive()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let found = client.content().exists("k").await;
    match ask.how {
        How::Plainly | How::Late | How::WithConfig | How::WithClientSecret => Ok(found?),
        How::InAnyhow => Ok(found.context("while counting").context("for the report")?),
        How::InAnEnum => Ok(found.map_err(ReportError::Read)?),
        How::Deep => {
            let found = found.map_err(ReportError::Read).context("while counting");
            let found = found.map_err(|error| ReportError::Make(error.into())).map_err(std::io::Error::other);
            Ok(found.context("for the report")?)
        }
        How::Swallowing => Ok(found.unwrap_or(false)),
    }
}
