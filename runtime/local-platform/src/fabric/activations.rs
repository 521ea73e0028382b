//! Activations: what is known of each invocation (fabric-invocation section 6).
//!
//! | request | answer |
//! |---|---|
//! | `GET P/activations` | `activations`, the latest first; narrowed by `skillName`, `agentName`, `status`, and `startAfter`, `startBefore`, `endAfter`, `endBefore` in milliseconds |
//! | `GET P/activations/{id}` | the record; with `report=true` also `elapsed` and `transits` |
//! | `POST P/activations/{id}/cancel` | `message`; an activation that has ended stays as it is |
//!
//! The status is `RUNNING`, then `COMPLETED` of a job and `COMPLETE` of a daemon, whatever came of it, or `CANCELLED`. A failure says
//! `success: false`, and has beside it an `error`, the problem document, and its text as `message`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::name::{Project, Segments};
use crate::query::{ListQuery, Parameters};
use crate::records::{Collection, Lookup, Snapshot, StorageError};

pub(crate) const ACTIVATIONS: Collection<Activation> = Collection::new("activations");
/// The project of each activation: messages are sent without it.
pub(crate) const PROJECTS: Collection<String> = Collection::new("activation projects");

pub(crate) const RUNNING: &str = "RUNNING";
pub(crate) const CANCELLED: &str = "CANCELLED";

/// What is kept of one invocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activation {
    pub(crate) success: bool,
    pub(crate) request_id: String,
    pub(crate) skill_name: String,
    pub(crate) input_name: String,
    pub(crate) output_name: String,
    pub(crate) channel_id: String,
    pub(crate) project_id: String,
    pub(crate) username: String,
    pub(crate) session_id: String,
    pub(crate) payload: Value,
    /// Milliseconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) status: String,
    pub(crate) response: Value,
    /// The problem document of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
    /// Whether the response is a message that the skill has sent.
    #[serde(default)]
    pub(crate) is_message: bool,
    /// Whether it is a task as well.
    #[serde(default)]
    pub(crate) is_job: bool,
}

impl Activation {
    /// As clients see it.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("isMessage");
            fields.remove("isJob");
            fields.insert("activationId".to_owned(), self.request_id.as_str().into());
            if let Some(detail) = self.error.as_ref().and_then(|error| error.get("detail")) {
                fields.insert("message".to_owned(), detail.clone());
            }
        }
        shown
    }

    /// Milliseconds that it took.
    fn elapsed(&self) -> Option<i64> {
        self.end.map(|end| end - self.start)
    }

    /// The line that it has in the logs of its skill, once it has ended.
    pub(crate) fn log_line(&self) -> Option<String> {
        let elapsed = self.elapsed()?;
        let at = Timestamp::from_millisecond(self.start).unwrap_or_default();
        let what = match &self.error {
            Some(error) => format!(": {}", error.get("detail").and_then(Value::as_str).unwrap_or("failed")),
            None => String::new(),
        };
        Some(format!("{at:.3} {} {} {elapsed} ms{what}", self.request_id, self.status))
    }

    /// What is said of one that no process runs any more.
    fn abandoned(mut self) -> Self {
        if self.status == RUNNING {
            CANCELLED.clone_into(&mut self.status);
            self.success = false;
            self.error =
                Some(json!({"code": "shutting_down", "detail": "the platform ended before the skill had answered"}));
        }
        self
    }
}

/// The invocations that are under way.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<HashMap<String, CancellationToken>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An invocation is under way from now on, until what this gives is dropped.
    pub(crate) fn begin(self: &Arc<Self>, id: &str, cancelled: CancellationToken) -> Begun {
        self.lock().insert(id.to_owned(), cancelled);
        Begun { all: Arc::clone(self), id: id.to_owned() }
    }

    fn ids(&self) -> HashSet<String> {
        self.lock().keys().cloned().collect()
    }

    /// Cancels an invocation; whether there is one.
    pub(super) fn cancel(&self, id: &str) -> bool {
        self.lock().get(id).map(CancellationToken::cancel).is_some()
    }
}

/// An invocation that is under way.
pub(crate) struct Begun {
    all: Arc<UnderWay>,
    id: String,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/activations", get(list))
        .route("/fabric/v4/projects/{project}/activations/{id}", get(find))
        .route("/fabric/v4/projects/{project}/activations/{id}/cancel", post(cancel))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Narrowing {
    skill_name: Option<String>,
    agent_name: Option<String>,
    status: Option<String>,
    start_after: Option<i64>,
    start_before: Option<i64>,
    end_after: Option<i64>,
    end_before: Option<i64>,
}

impl Narrowing {
    fn holds(&self, activation: &Activation) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let ended = activation.end;
        is(&self.skill_name, &activation.skill_name)
            && self.agent_name.is_none()
            && is(&self.status, &activation.status)
            && self.start_after.is_none_or(|after| activation.start > after)
            && self.start_before.is_none_or(|before| activation.start < before)
            && self.end_after.is_none_or(|after| ended.is_some_and(|end| end > after))
            && self.end_before.is_none_or(|before| ended.is_some_and(|end| end < before))
    }
}

async fn list(
    State(backend): State<Backend>,
    project: Project,
    Parameters(narrowing): Parameters<Narrowing>,
    query: ListQuery,
) -> Result<Json<Value>, Refusal> {
    let all = recorded(&backend, move |records| records.list(ACTIVATIONS, project.as_str())).await?;
    let narrowed = all.iter().filter(|activation| narrowing.holds(activation));
    let shown = narrowed.map(Activation::shown).collect();
    Ok(success(json!({"activations": query.or_sorted_by("start", -1).apply(shown)})))
}

/// Activations as they are: one that no process runs any more does not run, whatever its record says.
async fn recorded(
    backend: &Backend,
    look: impl Fn(&Snapshot) -> Result<Vec<(String, Activation)>, StorageError> + Clone + Send + 'static,
) -> Result<Vec<Activation>, Refusal> {
    // One that begins or ends meanwhile is under way before or after.
    let before = backend.under_way.ids();
    let mut found = backend.records.read(look.clone()).await?;
    let after = backend.under_way.ids();
    let is_lost = |(id, activation): &&(String, Activation)| {
        activation.status == RUNNING && !before.contains(id) && !after.contains(id)
    };
    let lost: HashSet<String> = found.iter().filter(is_lost).map(|(id, _)| id.clone()).collect();
    if !lost.is_empty() {
        // One that both began and ended meanwhile has ended in the records by now.
        found = backend.records.read(look).await?;
    }
    let current = |(id, activation): (String, Activation)| {
        if lost.contains(&id) { activation.abandoned() } else { activation }
    };
    Ok(found.into_iter().map(current).collect())
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Report {
    report: Option<String>,
}

async fn find(
    State(backend): State<Backend>,
    project: Project,
    Segments(Named { id }): Segments<Named>,
    Parameters(query): Parameters<Report>,
) -> Result<Json<Value>, Refusal> {
    let activation = get_one(&backend, project, id).await?;
    let mut shown = activation.shown();
    if query.report.as_deref() == Some("true")
        && let Some(fields) = shown.as_object_mut()
    {
        let elapsed = activation.elapsed();
        let transit = json!({
            "name": activation.skill_name, "title": activation.skill_name, "type": "skill", "status": activation.status,
            "elapsed": elapsed, "start": activation.start, "end": activation.end,
        });
        fields.insert("elapsed".to_owned(), elapsed.into());
        fields.insert("transits".to_owned(), json!([transit]));
    }
    Ok(Json(shown))
}

/// The invocations of jobs in a project.
pub(super) async fn jobs(backend: &Backend, project: &Project) -> Result<Vec<Activation>, Refusal> {
    let project = project.clone();
    let mut all = recorded(backend, move |records| records.list(ACTIVATIONS, project.as_str())).await?;
    all.retain(|activation| activation.is_job);
    Ok(all)
}

async fn get_one(backend: &Backend, project: Project, id: String) -> Result<Activation, Refusal> {
    let found = find_one(backend, project, id.clone()).await?;
    found.ok_or_else(|| Refusal::not_found(format!("activation {id}")))
}

pub(super) async fn find_one(backend: &Backend, project: Project, id: String) -> Result<Option<Activation>, Refusal> {
    let found = recorded(backend, move |records| {
        let found = records.get(ACTIVATIONS, project.as_str(), &id)?;
        Ok(found.map(|activation| (id.clone(), activation)).into_iter().collect())
    });
    Ok(found.await?.pop())
}

async fn cancel(
    State(backend): State<Backend>,
    project: Project,
    Segments(Named { id }): Segments<Named>,
) -> Result<Json<Value>, Refusal> {
    let activation = get_one(&backend, project, id.clone()).await?;
    let message = if backend.under_way.cancel(&id) {
        format!("Activation {id} is being cancelled")
    } else {
        format!("Activation {id} has ended already: {}", activation.status)
    };
    Ok(success(json!({"message": message})))
}
