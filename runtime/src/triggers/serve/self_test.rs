//! The self-test: each skill is invoked with its sample message before a daemon is ready.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use local_platform::{Options, Platform};
use skill_sdk::client::MessageOptions;
use skill_sdk::{Code, Error, Message};
use tokio_util::sync::CancellationToken;

use crate::authenticate::Authentication;
use crate::host::{Host, How, Limits};
use crate::identity::cannot_start;
use crate::outcome::Outcome;
use crate::sample::{self, Filling};
use crate::skills::Skills;

/// Skills that came from one place, and the folder where their sample message is.
pub(super) struct Origin {
    pub(super) folder: Option<PathBuf>,
    pub(super) skills: Vec<String>,
}

/// A self-test to be run.
pub(super) struct SelfTest {
    pub(super) host: Host,
    pub(super) origins: Vec<Origin>,
    pub(super) how: How,
    pub(super) filling: Filling,
}

impl SelfTest {
    /// Of skills that came from these places. Of a sample that this fills is asked what any client asks, and no more: whoever
    /// configured the host knows who acts.
    pub(super) fn new(
        skills: Arc<Skills>,
        origins: Vec<Origin>,
        limits: Limits,
        timeout: Duration,
        filling: Filling,
        shutdown: CancellationToken,
    ) -> Self {
        let client: MessageOptions = filling.client.clone();
        let host =
            Host::new(skills, limits).with_authentication(Authentication { client, ..Authentication::default() });
        Self { host, origins, how: How { skill: None, timeout, shutdown, trace_parent: None }, filling }
    }

    /// Invokes the skills, one after another.
    ///
    /// # Errors
    ///
    /// Why the first of them failed, for people.
    pub(super) async fn run(self) -> Result<(), String> {
        let mut platform = None;
        let mut result = Ok(());
        for origin in &self.origins {
            result = self.invoke(origin, &mut platform).await;
            if result.is_err() {
                break;
            }
        }
        if let Some(platform) = platform {
            platform.shutdown().await;
        }
        result
    }

    async fn invoke(&self, origin: &Origin, platform: &mut Option<Platform>) -> Result<(), String> {
        let skills = || origin.skills.join(", ");
        let path = origin.folder.as_ref().map(|folder| folder.join("message.json")).filter(|path| path.is_file());
        let path = path.ok_or_else(|| format!("there is no message.json beside {}", skills()))?;
        let message = self.message(&path, origin, platform).await;
        let message = message.map_err(|error| format!("{}: {}", path.display(), described(error)))?;
        // The one skill of a place is meant whatever the message says.
        let skill = match origin.skills.as_slice() {
            [only] => Some(only.clone()),
            _ => message.skill_name().map(str::to_owned),
        };
        let name = skill.clone().unwrap_or_else(skills);
        let outcome = self.host.answer(message, &How { skill, ..self.how.clone() }).await;
        if let Some(problem) = outcome.problem() {
            return Err(format!("skill `{name}`: {}: {}", problem.code(), problem.detail()));
        }
        tracing::info!(skill = name, "the self-test has passed");
        Ok(())
    }

    /// Reads a sample message and fills it.
    async fn message(&self, path: &Path, origin: &Origin, platform: &mut Option<Platform>) -> Result<Message, Error> {
        let bytes = tokio::fs::read(path).await.map_err(|error| {
            Error::new(Code::InvalidMessage, "the sample message cannot be read").with_source(error)
        })?;
        let message = self.host.read(&bytes)?;
        if !sample::is_sample(&message) {
            return Ok(message);
        }
        let message = sample::fill_envelope(message, origin.folder.as_deref())?;
        let lifetime = self.how.timeout;
        if let Some(filled) = sample::fill_configured(&message, &self.filling, lifetime).await.map_err(|it| it.error)? {
            return Ok(filled);
        }
        // What a test writes is not kept.
        if platform.is_none() {
            let started = Platform::start(Options::in_memory()).await;
            *platform = Some(started.map_err(|error| cannot_start("the embedded platform", error).error)?);
        }
        platform.as_ref().map_or(Ok(message.clone()), |platform| sample::fill_from(message, platform, lifetime))
    }
}

fn described(error: Error) -> String {
    let outcome = Outcome::new(String::new(), None, Err(error));
    outcome.problem().map_or_else(String::new, |problem| format!("{}: {}", problem.code(), problem.detail()))
}
