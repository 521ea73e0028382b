//! Invoking skills, and what comes of it (contract "fabric-invocation", section 6).

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::Url;

use crate::client::address::segment;
use crate::client::call::Call;
use crate::client::request::unavailable;
use crate::client::skills::Skills;
use crate::client::{found, refusal};
use crate::error::{Code, Error};

/// Most bytes of an answer that are read when it is no success.
const FAILURE_LIMIT: usize = 64 * 1024;

/// What is known of an activation: one invocation of a skill or an agent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Activation {
    /// The activation id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whether the platform counts it as a success. It does so of a job that failed, too (section 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// How it is, in the platform's words: see [`is_complete`](Self::is_complete).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The skill that was invoked, if it was not an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill_name: Option<String>,
    /// The input of the skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_name: Option<String>,
    /// The agent that was invoked, if it was not a skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// The input of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_service_name: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Who invoked it; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The session: the activation id unless the caller gave another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When it began, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// When it ended, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// What was sent; null where the record does not say.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// What came of it; null where there is nothing yet. Of a daemon it is the `payload` of its answer, of a job everything that
    /// it wrote to standard output, as one text, and of either what it [sent](Skills::send_message) instead.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub response: Value,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Activation {
    /// Whether it has ended: `COMPLETE`, which is said of daemons and agents, or `COMPLETED`, which is said of jobs, also of those
    /// that failed.
    pub fn is_complete(&self) -> bool {
        matches!(self.status.as_deref(), Some("COMPLETE" | "COMPLETED"))
    }
}

/// What an invocation carries.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a, P: Serialize + ?Sized> {
    payload: &'a P,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
}

impl Skills {
    /// Invokes a skill and waits for what comes of it: gives the JSON that the platform answers, as it is. The properties
    /// override the defaults of the skill; `&()` or an empty object means none. For a session see
    /// [`with_session`](Self::with_session).
    ///
    /// The client waits 30 s unless [told otherwise](crate::Client::with_timeout). An invocation that takes longer goes on at the
    /// platform, but its result is lost to this call: use [`invoke_async`](Self::invoke_async) for long ones.
    ///
    /// ```no_run
    /// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
    /// use serde_json::json;
    /// use std::time::Duration;
    ///
    /// let skills = client.with_timeout(Duration::from_secs(120)).skills();
    /// let (payload, properties) = (json!({"order": 17}), json!({"limit": 3}));
    /// let answer = skills.invoke("acme/order-check", "request", &payload, &properties).await?;
    ///
    /// // Within a session, and without properties:
    /// let answer = skills.with_session("s-1").invoke("acme/order-check", "request", &payload, &()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail), and [`Code::SkillFailed`] before anything is sent when payload or
    /// properties cannot be written as JSON, when properties are no object, and when the body, with what stands around the
    /// payload, is over the [limit](crate::Client::with_body_limit) of 500 KiB.
    pub async fn invoke(
        &self,
        skill: &str,
        input: &str,
        payload: &(impl Serialize + ?Sized),
        properties: &(impl Serialize + ?Sized),
    ) -> Result<Value, Error> {
        self.client.json(self.invocation(skill, input, payload, properties, true)?).await
    }

    /// Invokes a skill and does not wait for what comes of it: gives the activation id, with which
    /// [`activation`](Self::activation) tells later. The rest is as for [`invoke`](Self::invoke).
    ///
    /// # Errors
    ///
    /// As for [`invoke`](Self::invoke), and [`Code::PlatformUnavailable`] for an answer without an activation id.
    pub async fn invoke_async(
        &self,
        skill: &str,
        input: &str,
        payload: &(impl Serialize + ?Sized),
        properties: &(impl Serialize + ?Sized),
    ) -> Result<String, Error> {
        let call = self.invocation(skill, input, payload, properties, false)?;
        let failure = call.what_fails().to_owned();
        let answer = self.client.accepted(call).await?;
        let id = answer["activationId"].as_str().filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| unavailable(&failure, "the answer has no `activationId`"))
    }

    fn invocation(
        &self,
        skill: &str,
        input: &str,
        payload: &(impl Serialize + ?Sized),
        properties: &(impl Serialize + ?Sized),
        sync: bool,
    ) -> Result<Call, Error> {
        let (skill, input) = (segment("a skill", skill)?, segment("an input", input)?);
        let mut url = self.client.project_url(["skillinvoke", skill, "inputs", input]);
        url.query_pairs_mut().append_pair("sync", if sync { "true" } else { "false" });
        let failure = format!("cannot invoke the skill `{skill}`");
        let properties = object(&failure, properties)?;
        let body = Invocation { payload, properties, session_id: self.session.as_deref() };
        Call::post(url, failure).json(&body)
    }

    /// What has come of an activation so far.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such activation.
    pub async fn activation(&self, id: &str) -> Result<Activation, Error> {
        let url = self.client.project_url(["activations", segment("an activation", id)?]);
        self.client.json(Call::get(url, format!("cannot get the activation `{id}`"))).await
    }

    /// What has come of an activation so far, or `None` when there is no such activation.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn activation_opt(&self, id: &str) -> Result<Option<Activation>, Error> {
        found(self.activation(id).await)
    }

    /// Cancels an activation; `in_flight` (`inFlight`) asks for that although it runs already. Gives what the platform answers,
    /// whose `message` is for people.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail), and [`Code::SkillFailed`] when the platform answers that it did not
    /// succeed; [`Error::is_not_found`] when there is no such activation.
    pub async fn cancel(&self, id: &str, in_flight: bool) -> Result<Value, Error> {
        let mut url = self.client.project_url(["activations", segment("an activation", id)?, "cancel"]);
        url.query_pairs_mut().append_pair("inFlight", if in_flight { "true" } else { "false" });
        self.client.accepted(Call::post(url, format!("cannot cancel the activation `{id}`"))).await
    }

    /// Sends a message to an output of a skill while its activation runs, as often as wanted, and gives what the platform
    /// answers. The ids are those of the invocation message; [`Context::send`](crate::Context::send) takes them from there. For
    /// a job, what was sent takes the place of what it answers.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail), and [`Code::SkillFailed`] for every status but 200: that alone says that the
    /// message was sent.
    pub async fn send_message(
        &self,
        activation_id: &str,
        channel_id: &str,
        output: &str,
        message: &(impl Serialize + ?Sized),
    ) -> Result<Value, Error> {
        let url = self.message_url([
            segment("an activation", activation_id)?,
            segment("a channel", channel_id)?,
            segment("an output", output)?,
        ]);
        let mut response = self.client.send(Call::post(url, "Send message failed").json(message)?).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response.json_or_nothing().await?.unwrap_or_default());
        }
        let body = response.read(FAILURE_LIMIT).await?;
        let (status, said) = (status.as_u16(), refusal::words(&body, &[]));
        Err(Error::new(Code::SkillFailed, format!("Send message failed {status}: {said}")).with_http_status(status))
    }

    /// The URL of messages: `{api}/internal/messages/{segments}`, not below the versioned API.
    fn message_url<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        self.client.beside_api(["internal", "messages"].into_iter().chain(segments))
    }
}

/// Properties as a JSON object, if there are any.
fn object(failure: &str, properties: &(impl Serialize + ?Sized)) -> Result<Option<Box<RawValue>>, Error> {
    let refused = |why: &str| Error::new(Code::SkillFailed, format!("{failure}: the properties {why}"));
    let text = serde_json::value::to_raw_value(properties)
        .map_err(|error| refused("cannot be written as JSON").with_source(error))?;
    match text.get() {
        "null" | "{}" => Ok(None),
        object if object.starts_with('{') => Ok(Some(text)),
        _ => Err(refused("must be a JSON object")),
    }
}
