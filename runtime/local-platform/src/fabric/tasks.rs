//! Tasks: jobs that were deployed as actions (fabric-api section 11). The platform runs none of them, so a task waits until it
//! is removed, and has no logs.
//!
//! | request | answer |
//! |---|---|
//! | `GET P/tasks` | `tasks`, for the usual parameters of lists, the last one begun first by default |
//! | `GET P/tasks/{name}` | the task, and once more as `task` |
//! | `GET P/tasks/{name}/logs` | `logs`, which is empty; with `follow=true`, an event stream without events |
//! | `POST P/tasks/{name}/pause`, `/resume` | makes its `state` `PAUSED` or `PENDING` |
//! | `DELETE P/tasks/{name}` | removes it; its action stays |

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::documents::{self, Document, Fields, Stamp};
use super::path::{Below, Named, name_of};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::name::Project;
use crate::query::{ListQuery, Parameters};
use crate::records::{Changes, Collection, Lookup, StorageError};

const TASKS: Collection<Document> = Collection::new("tasks");
/// The state of a task that nothing runs.
const PENDING: &str = "PENDING";

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/tasks", get(list))
        .route("/fabric/v4/projects/{project}/tasks/{*name}", get(read).post(steer).delete(delete))
}

/// Makes the task of a job that is deployed, in place of one that has its name.
pub(super) fn begin(
    changes: &mut Changes<'_, '_>,
    project: &Project,
    name: &str,
    action: &Fields,
    stamp: &Stamp,
) -> Result<(), StorageError> {
    let mut task = Fields::new();
    for (field, value) in [
        ("name", name.into()),
        ("actionName", name.into()),
        ("skillName", action.get("skillName").cloned().unwrap_or_default()),
        ("jobType", "job".into()),
        ("scheduled", action.contains_key("schedule").into()),
        ("state", PENDING.into()),
        ("startTime", stamp.at.as_str().into()),
        ("endTime", Value::Null),
    ] {
        task.insert(field.to_owned(), value);
    }
    documents::save(changes, TASKS, project, name, task, stamp).map(drop)
}

pub(super) fn remove(changes: &mut Changes<'_, '_>, project: &Project, name: &str) {
    changes.remove(TASKS, project.as_str(), name);
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let tasks = documents::list(&backend, TASKS, &project, query.or_sorted_by("startTime", -1)).await?;
    Ok(success(json!({"tasks": tasks})))
}

#[derive(Deserialize)]
struct Logs {
    follow: Option<String>,
}

/// A task, or the logs of one.
async fn read(
    State(backend): State<Backend>,
    Below { project, segments }: Below,
    Parameters(Logs { follow }): Parameters<Logs>,
) -> Result<Response, Refusal> {
    let (name, of_logs) = match segments.as_slice() {
        [name @ .., logs] if logs == "logs" && !name.is_empty() => (name, true),
        name => (name, false),
    };
    let task = documents::get(&backend, TASKS, Named { name: name_of("task", name)?, project }).await?;
    Ok(match (of_logs, follow.as_deref()) {
        (true, Some("true")) => [(header::CONTENT_TYPE, "text/event-stream")].into_response(),
        (true, _) => success(json!({"logs": []})).into_response(),
        (false, _) => {
            let mut shown = success(task.clone());
            shown.0["task"] = task;
            shown.into_response()
        }
    })
}

async fn steer(State(backend): State<Backend>, Below { project, segments }: Below) -> Result<Json<Value>, Refusal> {
    let (name, state) = match segments.as_slice() {
        [name @ .., pause] if pause == "pause" => (name_of("task", name)?, "PAUSED"),
        [name @ .., resume] if resume == "resume" => (name_of("task", name)?, PENDING),
        other => return Err(Refusal::not_found(other.join("/"))),
    };
    let changed = backend.records.write(move |changes| {
        let found = changes.get(TASKS, project.as_str(), &name)?;
        let mut fields = found.ok_or_else(|| Refusal::not_found(&name))?.fields;
        fields.insert("state".to_owned(), state.into());
        documents::put(changes, TASKS, &project, &name, fields.clone())?;
        Ok::<_, Refusal>(fields)
    });
    Ok(success(Value::Object(changed.await?)))
}

async fn delete(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    documents::delete(&backend, TASKS, named).await?;
    Ok(success(json!({"message": "Task deleted"})))
}
