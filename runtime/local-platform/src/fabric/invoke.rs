//! `skillinvoke`: runs a skill and records what comes of it (fabric-invocation section 6).
//!
//! `POST P/skillinvoke/{skill}/inputs/{input}?sync=true|false` with `{"payload": ..., "properties": {...}, "sessionId": "..."}`, all of them
//! optional. Without a session of the caller's the invocation has one of its own, which is called like the activation. The
//! definition of the skill says which action, runtime and output the input leads to. The action runs here if the
//! platform was started with a skill of its name, or of the skill's, or with one skill alone, as a host runs it (design section 7).
//!
//! The answer is `{"success": true, "activationId": "..."}`, and with `sync=true` the whole record of the activation. A skill that failed is
//! `success: false` with its `error`, and status 200: the platform did what it was asked for. An answer over the limit of its runtime
//! is 413, with the activation.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::activations::{ACTIVATIONS, Activation, Begun, CANCELLED, PROJECTS, RUNNING};
use super::documents::Stamp;
use super::path::{Below, name_of};
use super::sessions;
use super::skills::{self, Definition, Route, Runtime};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::{self, JsonBody};
use crate::name::{Project, check_name};
use crate::options::Limits;
use crate::principals::Caller;
use crate::query::Parameters;
use crate::records::{Lookup, StorageError};
use crate::skills::{Invoked, SkillHost};

/// Invocations that run at a time, and those that may wait for that.
const MOST_RUNNING: usize = 64;
const MOST_WAITING: usize = 1000;
/// How long the token of a message lives. Jobs that take longer must expect it to expire (fabric-auth section 10).
const TOKEN: Duration = Duration::from_mins(15);

/// How many invocations there may be.
pub(crate) struct Places {
    running: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(MOST_RUNNING)),
            all: Arc::new(Semaphore::new(MOST_RUNNING + MOST_WAITING)),
        }
    }
}

pub(crate) fn routes() -> Router<Backend> {
    Router::new().route("/fabric/v4/projects/{project}/skillinvoke/{*rest}", post(invoke))
}

#[derive(Deserialize)]
struct Synchronous {
    sync: Option<String>,
}

/// What a client sends. `null` is as good as nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// As it was sent, for its size is what counts.
    payload: Option<Box<RawValue>>,
    properties: Option<Map<String, Value>>,
    session_id: Option<String>,
}

/// The names of the skill and its input, however many segments they lie over.
fn names(segments: &[&str]) -> Result<(String, String), Refusal> {
    let at = segments.iter().rposition(|segment| *segment == "inputs").filter(|at| *at > 0 && at + 1 < segments.len());
    let at = at.ok_or_else(|| Refusal::not_found("an input of a skill"))?;
    Ok((name_of("skill", &segments[..at])?, name_of("input", &segments[at + 1..])?))
}

async fn invoke(
    State(backend): State<Backend>,
    caller: Caller,
    below: Below,
    Parameters(query): Parameters<Synchronous>,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<Value>, Refusal> {
    let (skill, input) = names(&below.words())?;
    let invocation = Invocation::prepare(&backend, below.project, caller, skill, input, asked).await?;
    if query.sync.as_deref() == Some("true") {
        let id = invocation.activation.request_id.clone();
        let running = backend.work.spawn(invocation.run(backend.clone()));
        let ended = running.await.map_err(|error| Refusal::internal("the invocation was lost", &error))??;
        return match ended.error.as_ref().and_then(|error| error.get("code")?.as_str()) {
            Some("response_too_large") => {
                let detail = ended.error.as_ref().and_then(|error| error.get("detail")?.as_str()).unwrap_or_default();
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with("activationId", id))
            }
            _ => Ok(Json(ended.shown())),
        };
    }
    let id = invocation.activation.request_id.clone();
    backend.work.spawn(invocation.run(backend.clone()));
    Ok(success(json!({"activationId": id})))
}

/// An invocation that is recorded, and has not begun.
struct Invocation {
    activation: Activation,
    runtime: Runtime,
    host: Arc<dyn SkillHost>,
    /// The name of the skill that the host runs.
    hosted: String,
    message: Vec<u8>,
    cancelled: CancellationToken,
    _begun: Begun,
    _place: OwnedSemaphorePermit,
}

impl Invocation {
    async fn prepare(
        backend: &Backend,
        project: Project,
        caller: Caller,
        skill: String,
        input: String,
        asked: Asked,
    ) -> Result<Self, Refusal> {
        let Ok(place) = Arc::clone(&backend.places.all).try_acquire_owned() else {
            let message = format!("{MOST_WAITING} invocations wait already");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message));
        };
        let Asked { payload, properties, session_id } = asked;
        let session_id = session_id.filter(|id| !id.is_empty());
        session_id.iter().try_for_each(|id| check_name("session", id))?;
        let size = payload.as_ref().map_or(0, |payload| payload.get().len());
        let payload = payload.map_or(Ok(Value::Null), |payload| body::value_of("payload", &payload))?;
        let shared = backend.clone();
        let (of_project, name, of_input, sent) = (project.clone(), skill.clone(), input.clone(), payload.clone());
        let found = backend.records.read(move |records| {
            let fields = skills::find(&shared, records, of_project.as_str(), &name)?;
            let definition = Definition(fields.ok_or_else(|| Refusal::not_found(format!("skill {name}")))?);
            let secret = |key: &str| Ok(super::secrets::value(records, &of_project, key)?);
            let properties = definition.properties(properties.unwrap_or_default());
            // Before secrets are among them: a refusal says what no rule matches.
            let route = definition.route(&of_input, &properties, &sent)?;
            Ok::<_, Refusal>((route, skills::resolved(properties, secret)?))
        });
        let (route, properties) = found.await?;
        let (host, hosted) = hosted(backend, &skill, &route)?;
        let limits = backend.limits;
        if route.runtime == Runtime::Job && size > limits.job_payload {
            return Err(Refusal::too_large("payload of a job", Some(size), limits.job_payload));
        }

        // Their order is that of the invocations.
        let id = Uuid::now_v7().to_string();
        let token = backend.tokens.mint_for(&caller.0, TOKEN);
        let token = token.map_err(|error| Refusal::internal("no token can be made", &error))?;
        let activation = Activation {
            success: true,
            request_id: id.clone(),
            skill_name: skill.clone(),
            input_name: input,
            output_name: route.output,
            channel_id: Uuid::new_v4().to_string(),
            project_id: project.as_str().to_owned(),
            username: caller.0.name.clone(),
            session_id: session_id.unwrap_or_else(|| id.clone()),
            payload,
            start: Timestamp::now().as_millisecond(),
            end: None,
            status: RUNNING.to_owned(),
            response: Value::Null,
            error: None,
            is_message: false,
            is_job: route.runtime == Runtime::Job,
        };
        let message = json!({
            "activationId": id,
            "agentName": "",
            "apiEndpoint": &*backend.url,
            "channelId": activation.channel_id,
            "outputName": activation.output_name,
            "payload": activation.payload,
            "projectId": activation.project_id,
            "properties": properties,
            "sessionId": activation.session_id,
            "skillName": skill,
            "timestamp": activation.start,
            "token": token.expose_secret(),
        });
        let cancelled = backend.stop.child_token();
        // Before there is a record that says that it runs.
        let begun = backend.under_way.begin(&id, cancelled.clone());
        let (recorded, stamp) = (activation.clone(), Stamp::of(&caller));
        let written = backend.records.write(move |changes| {
            sessions::begin(changes, &recorded.project_id, &recorded.session_id, &stamp)?;
            changes.put(PROJECTS, "", &recorded.request_id, &recorded.project_id)?;
            changes.put(ACTIVATIONS, &recorded.project_id, &recorded.request_id, &recorded)
        });
        written.await.map_err(|error: StorageError| Refusal::from(error))?;
        sessions::sweep_if_due(backend);
        let message = message.to_string().into_bytes();
        Ok(Self { activation, runtime: route.runtime, host, hosted, message, cancelled, _begun: begun, _place: place })
    }

    /// Runs the skill, and gives the record of what came of it.
    async fn run(self, backend: Backend) -> Result<Activation, Refusal> {
        let Self { activation: Activation { request_id: id, project_id: project, .. }, runtime, .. } = &self;
        let cancelled = &self.cancelled;
        let permit = tokio::select! {
            permit = Arc::clone(&backend.places.running).acquire_owned() => permit.ok(),
            () = cancelled.cancelled() => None,
        };
        let invoked = match permit {
            Some(_running) => self.host.invoke(self.hosted.clone(), self.message.clone(), cancelled.clone()).await,
            None => Err(json!({"code": "shutting_down", "detail": "the invocation was cancelled before it began"})),
        };
        let status = match (cancelled.is_cancelled() && invoked.is_err(), runtime) {
            (true, _) => CANCELLED,
            (false, Runtime::Job) => "COMPLETED",
            (false, Runtime::Daemon) => "COMPLETE",
        };
        let response = response(invoked, *runtime, &backend.limits);
        let (id, project) = (id.clone(), project.clone());
        let ended = backend.records.write(move |changes| {
            let recorded: Option<Activation> = changes.get(ACTIVATIONS, &project, &id)?;
            let mut activation = recorded.ok_or_else(|| Refusal::not_found(format!("activation {id}")))?;
            status.clone_into(&mut activation.status);
            activation.end = Some(Timestamp::now().as_millisecond());
            match response {
                // What was sent takes the place of the answer.
                Ok(_) if activation.is_message => {}
                Ok(response) => activation.response = response,
                Err(problem) => {
                    activation.success = false;
                    activation.error = Some(problem);
                }
            }
            changes.put(ACTIVATIONS, &project, &id, &activation)?;
            Ok(activation)
        });
        ended.await
    }
}

/// Who runs the action that an input leads to.
fn hosted(backend: &Backend, skill: &str, route: &Route) -> Result<(Arc<dyn SkillHost>, String), Refusal> {
    let host = backend.skills.clone();
    let names = host.as_ref().map(|host| host.names()).unwrap_or_default();
    let by_name = |wanted: &str| names.iter().find(|name| *name == wanted).cloned();
    let found = by_name(skill).or_else(|| by_name(route.action.as_deref()?)).or_else(|| match names.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    });
    host.zip(found).ok_or_else(|| {
        let here = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let message = format!("nothing runs skill {skill} here: start the platform with `--skill`; it runs: {here}");
        Refusal::new(StatusCode::NOT_FOUND, message)
    })
}

/// What a client gets of the answer (fabric-invocation sections 3 and 4): of a job its output as one text, of a daemon the payload.
fn response(invoked: Invoked, runtime: Runtime, limits: &Limits) -> Result<Value, Value> {
    let payload = invoked?;
    let (what, limit) = match runtime {
        Runtime::Job => ("job", limits.job_response),
        Runtime::Daemon => ("daemon", limits.daemon_response),
    };
    if payload.len() > limit {
        let detail = format!(
            "the response of the {what} is {} bytes, over the limit of {limit}; store it in managed content and answer its key",
            payload.len()
        );
        return Err(json!({"code": "response_too_large", "status": 502, "detail": detail}));
    }
    match runtime {
        Runtime::Job => Ok(Value::String(payload + "\n")),
        Runtime::Daemon if body::is_too_deep(payload.as_bytes()) => Err(json!({
            "code": "skill_failed", "status": 500,
            "detail": format!("the response has more than {} levels of arrays and objects", body::DEEPEST),
        })),
        Runtime::Daemon => serde_json::from_str(&payload).map_err(
            |_| json!({"code": "internal", "status": 500, "detail": "the host gave a payload that is not JSON"}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_or_lie_over_segments() {
        let is = |skill: &str, input: &str| (skill.to_owned(), input.to_owned());
        assert_eq!(names(&["acme/greet", "inputs", "the request"]).unwrap(), is("acme/greet", "the request"));
        assert_eq!(names(&["acme", "greet", "inputs", "request"]).unwrap(), is("acme/greet", "request"));
        assert_eq!(names(&["inputs", "inputs", "request"]).unwrap(), is("inputs", "request"));
        for nothing in [&["greet"][..], &["greet", "inputs"], &["inputs", "request"], &["greet", "inputs", ""], &[""]] {
            assert!(names(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn a_job_answers_text_and_a_daemon_json() {
        let limits = Limits { job_response: 9, daemon_response: 10, ..Limits::default() };
        let of = |text: &str, runtime| response(Ok(text.to_owned()), runtime, &limits);
        assert_eq!(of(r#"{"a": 12}"#, Runtime::Job), Ok("{\"a\": 12}\n".into()));
        assert_eq!(of(r#"{"a": 123}"#, Runtime::Daemon), Ok(json!({"a": 123})));
        assert_eq!(of(r#"{"a": 123}"#, Runtime::Job).unwrap_err()["code"], "response_too_large");
        assert_eq!(of(r#"{"a": 1234}"#, Runtime::Daemon).unwrap_err()["code"], "response_too_large");
    }
}
