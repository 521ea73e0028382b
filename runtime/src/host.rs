//! The pipeline: bytes in, [`Outcome`] out. Triggers turn what they receive into bytes, and an outcome into an exit code, an
//! answer or an acknowledgement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use skill_sdk::auth::{AccessToken, Verifier};
use skill_sdk::{Code, Error, Invocation, Manifest, Message, Response, TraceParent};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::authenticate::Authentication;
use crate::authorize::Authorizer;
use crate::outcome::{Outcome, OutcomeLevels};
use crate::skills::{HostedSkill, Skills};
use crate::telemetry::InvocationSpan;

/// Runs invocations of its skills.
pub struct Host {
    skills: Arc<Skills>,
    limits: Limits,
    authentication: Authentication,
    authorizer: Authorizer,
    outcome_levels: OutcomeLevels,
}

/// How large things may be, in bytes. Over a limit is refused, never cut.
///
/// The defaults are the platform's limits for jobs (contract "fabric-invocation", section 7), with "k" as 1024 bytes of
/// UTF-8 JSON.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole message: 500 KiB.
    pub message: usize,
    /// The payload within it: 100 KiB.
    pub payload: usize,
    /// The answer: 100 KiB.
    pub response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 500 << 10, payload: 100 << 10, response: 100 << 10 }
    }
}

/// How one invocation is to be run.
#[derive(Clone, Debug)]
pub struct How {
    /// The skill to run, whatever the message says.
    pub skill: Option<String>,
    /// Longest time it may take. A skill may set a shorter one.
    pub timeout: Duration,
    /// Ends the invocation when it is cancelled.
    pub shutdown: CancellationToken,
    /// Whoever invokes, as a span of a trace.
    pub trace_parent: Option<TraceParent>,
}

impl How {
    /// The limit of a skill: its own where that is the shorter one.
    pub(crate) fn timeout_of(&self, manifest: &Manifest) -> Duration {
        manifest.timeout().map_or(self.timeout, |own| own.min(self.timeout))
    }
}

impl Host {
    /// A host of skills, which asks of a message what any client asks.
    pub fn new(skills: impl Into<Arc<Skills>>, limits: Limits) -> Self {
        let skills = skills.into();
        let authorizer = Authorizer::of(&skills);
        let authentication = Authentication::default();
        Self { skills, limits, authentication, authorizer, outcome_levels: OutcomeLevels::default() }
    }

    /// Asks more of messages, or less.
    pub fn with_authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Says at which levels the outcomes of invocations are logged. By default that is debug.
    pub fn with_outcomes_logged(mut self, levels: OutcomeLevels) -> Self {
        self.outcome_levels = levels;
        self
    }

    /// Runs one invocation. Every failure is part of the outcome.
    pub async fn handle(&self, bytes: &[u8], how: &How) -> Outcome {
        let began = Instant::now();
        match self.read(bytes) {
            Ok(message) => self.answer(message, how).await,
            Err(error) => self.refuse(error, began.elapsed()),
        }
    }

    /// The outcome of what has become no invocation after so long.
    pub(crate) fn refuse(&self, error: Error, took: Duration) -> Outcome {
        let outcome = Outcome::new(String::new(), None, Err(error));
        outcome.log(took, self.outcome_levels);
        outcome
    }

    pub(crate) fn skills(&self) -> &Skills {
        &self.skills
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the token of a message has ended.
    pub(crate) fn is_expired(&self, message: &Message) -> bool {
        let token = message.token().and_then(|text| AccessToken::decode(text.clone()).ok());
        token.is_some_and(|token| token.check_expiry(self.authentication.client.leeway).is_err())
    }

    /// How many of the tokens that were checked were remembered, and how many were not; `None` when none are checked.
    pub(crate) fn tokens_remembered(&self) -> Option<(u64, u64)> {
        self.authentication.verifier.as_ref().map(Verifier::remembered)
    }

    /// The first step of [`handle`](Self::handle): reads a message and gives it an activation id if it has none.
    ///
    /// # Errors
    ///
    /// [`Code::MessageTooLarge`] over a limit, otherwise as for [`Message::from_slice`].
    pub fn read(&self, bytes: &[u8]) -> Result<Message, Error> {
        check_size("message", bytes.len(), self.limits.message)?;
        let message = Message::from_slice(bytes)?;
        check_size("payload", message.payload_json().len(), self.limits.payload)?;
        Ok(match message.activation_id() {
            Some(id) if !id.is_empty() => message,
            _ => message.with_activation_id(Uuid::new_v4().to_string()),
        })
    }

    /// The other steps of [`handle`](Self::handle), for a message that was read.
    pub async fn answer(&self, message: Message, how: &How) -> Outcome {
        let began = Instant::now();
        let activation_id = message.activation_id().unwrap_or_default().to_owned();
        let token = message.token().cloned();
        let found = self.skills.find(how.skill.as_deref(), message.skill_name());
        let name = found.as_ref().map_or("", |skill| skill.manifest().name.as_str());
        let span = skill_sdk::logging::invocation_span(&message, name);
        // A span of its own, in the trace of whoever invokes.
        let own = how.trace_parent.map_or_else(|| TraceParent::of_activation(&activation_id), TraceParent::child);
        let exported = InvocationSpan::begin(&message, name, own, how.trace_parent);
        let result = self.run(message, found, how, own, began).instrument(span.clone()).await;
        let outcome = Outcome::new(activation_id, token.as_ref(), result);
        if let Some(exported) = exported {
            exported.end(&outcome);
        }
        span.in_scope(|| outcome.log(began.elapsed(), self.outcome_levels));
        outcome
    }

    /// The manifest of the skill that this message would run.
    ///
    /// # Errors
    ///
    /// [`Code::SkillNotFound`] when it is not here.
    pub(crate) fn manifest(&self, message: &Message, how: &How) -> Result<&Manifest, Error> {
        Ok(self.skills.find(how.skill.as_deref(), message.skill_name())?.manifest())
    }

    async fn run(
        &self,
        message: Message,
        found: Result<&dyn HostedSkill, Error>,
        how: &How,
        own: TraceParent,
        began: Instant,
    ) -> Result<Response, Error> {
        // A skill that is not here has the host's limit.
        let timeout = found.as_ref().map_or(how.timeout, |skill| how.timeout_of(skill.manifest()));
        let deadline = began.checked_add(timeout);
        tokio::select! {
            biased;
            answer = self.call(message, found, own, timeout, deadline) => match deadline {
                // A handler that did not yield has kept the clock from being looked at.
                Some(deadline) if Instant::now() >= deadline => Err(timed_out(timeout)),
                _ => answer,
            },
            () = at(deadline) => Err(timed_out(timeout)),
            () = how.shutdown.cancelled() => {
                Err(Error::new(Code::ShuttingDown, "the host was told to stop before the skill had answered"))
            }
        }
    }

    async fn call(
        &self,
        message: Message,
        found: Result<&dyn HostedSkill, Error>,
        own: TraceParent,
        timeout: Duration,
        deadline: Option<Instant>,
    ) -> Result<Response, Error> {
        // Who asks is settled before what there is: the refusal of an unknown skill lists those that are here. For the same
        // reason a skill that is not here counts as one that needs a client.
        let needs_client = found.as_ref().map_or(true, |skill| skill.manifest().needs_complete_message());
        let asked = &self.authentication;
        let client = if needs_client {
            let client = asked.authenticate(&message, timeout).await?;
            if let Ok(skill) = &found {
                self.authorizer.authorize(skill.manifest(), &client).await?;
            }
            Some(Ok(client))
        } else if asked.is_more_than_usual() && is_complete(&message) {
            // The handler may ask for a client all the same, and must not get one that nobody has looked at.
            Some(asked.authenticate(&message, timeout).await)
        } else {
            None
        };
        let skill = found?;

        let mut invocation = Invocation::new(message)
            .with_trace_parent(own)
            .with_client_options(asked.client.clone())
            .with_response_limit(self.limits.response);
        invocation = match client {
            Some(Ok(client)) => invocation.with_client(client),
            Some(Err(why)) => invocation.with_client_refused(why),
            None => invocation,
        };
        if let Some(deadline) = deadline {
            invocation = invocation.with_deadline(deadline);
        }
        skill.call(invocation).await
    }
}

/// Whether a client can be made from the message.
fn is_complete(message: &Message) -> bool {
    message.token().is_some() && message.api_endpoint().is_some() && message.project_id().is_some()
}

fn check_size(what: &str, size: usize, limit: usize) -> Result<(), Error> {
    if size <= limit { Ok(()) } else { Err(message_too_large(what, &size.to_string(), limit)) }
}

/// The refusal of a message, or of a payload, that is over a limit.
pub(crate) fn message_too_large(what: &str, size: &str, limit: usize) -> Error {
    let detail = format!(
        "the {what} is {size} bytes, over the limit of {limit}; store large input in managed content and send its key"
    );
    Error::new(Code::MessageTooLarge, detail)
}

/// The failure of an invocation that took too long.
pub(crate) fn timed_out(timeout: Duration) -> Error {
    let timeout = jiff::SignedDuration::try_from(timeout).unwrap_or(jiff::SignedDuration::MAX);
    Error::new(Code::Timeout, format!("the skill did not answer within {timeout:#}"))
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
impl Host {
    /// With an authorizer of a test's own.
    pub(crate) fn with_authorizer(self, authorizer: Authorizer) -> Self {
        Self { authorizer, ..self }
    }
}

#[cfg(test)]
mod tests;
