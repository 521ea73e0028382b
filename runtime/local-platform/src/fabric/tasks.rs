//! Tasks: jobs (fabric-api section 11). Those that were invoked ran here, or do; those that were only deployed as actions, nothing
//! runs, so they wait until they are removed and have no logs.
//!
//! | request | answer |
//! |---|---|
//! | `GET P/tasks` | `tasks`, for the usual parameters of lists, the last one begun first by default |
//! | `GET P/tasks/{name}` | the task, and once more as `task` |
//! | `GET P/tasks/{name}/logs` | `logs`; with `follow=true`, their lines as an event stream, which ends with them |
//! | `POST P/tasks/{name}/pause`, `/resume` | makes the `state` of a deployed job `PAUSED` or `PENDING`; 409 for one that was invoked |
//! | `DELETE P/tasks/{name}` | removes it, and cancels what runs; its action or activation stays |
//!
//! The name of a deployed job is that of its action, and of an invoked one its activation. The latter are `RUNNING`, then
//! `SUCCEEDED`, `FAILED` or `CANCELLED`.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::activations::{self, Activation, CANCELLED, RUNNING};
use super::documents::{self, Document, Fields, Stamp};
use super::path::{Below, Named, name_of};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::name::Project;
use crate::query::{ListQuery, Parameters};
use crate::records::{Changes, Collection, Lookup, StorageError};

/// The deployed jobs.
const TASKS: Collection<Document> = Collection::new("tasks");
/// The activations that are no tasks any more.
const REMOVED: Collection<()> = Collection::new("removed tasks");
/// The state of a job that nothing runs.
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

/// The task that the invocation of a job is.
fn invoked(activation: &Activation) -> Value {
    let state = match &*activation.status {
        RUNNING => RUNNING,
        CANCELLED => CANCELLED,
        _ if activation.success => "SUCCEEDED",
        _ => "FAILED",
    };
    let time = |at: i64| format!("{:.3}", Timestamp::from_millisecond(at).unwrap_or_default());
    json!({
        "name": activation.request_id, "activationId": activation.request_id, "skillName": activation.skill_name,
        "jobType": "job", "scheduled": false, "state": state, "createdBy": activation.username,
        "startTime": time(activation.start), "endTime": activation.end.map(time),
    })
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let jobs = activations::jobs(&backend, &project).await?;
    let of_removed = project.clone();
    let removed = backend.records.read(move |records| records.list(REMOVED, of_removed.as_str()));
    let removed: HashSet<String> = removed.await?.into_iter().map(|(id, ())| id).collect();
    let mut tasks = documents::all(&backend, TASKS, &project, String::new()).await?;
    // The ids of activations are in their order.
    let jobs = jobs.iter().rev().filter(|job| !removed.contains(&job.request_id));
    tasks.extend(jobs.map(invoked));
    Ok(success(json!({"tasks": query.or_sorted_by("startTime", -1).apply(tasks)})))
}

/// A task with the lines of its logs.
async fn find(backend: &Backend, project: Project, name: String) -> Result<(Value, Vec<String>), Refusal> {
    let (of_project, of_name) = (project.clone(), name.clone());
    let found = backend.records.read(move |records| {
        let deployed = records.get(TASKS, of_project.as_str(), &of_name)?;
        Ok::<_, StorageError>((deployed, records.get(REMOVED, of_project.as_str(), &of_name)?))
    });
    let absent = || Refusal::not_found(format!("task {name}"));
    match found.await? {
        (Some(deployed), _) => Ok((Value::Object(deployed.fields), Vec::new())),
        (None, Some(())) => Err(absent()),
        (None, None) => {
            let job = activations::find_one(backend, project, name.clone()).await?.filter(|job| job.is_job);
            let job = job.ok_or_else(absent)?;
            Ok((invoked(&job), job.log_line().into_iter().collect()))
        }
    }
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
    let (task, logs) = find(&backend, project, name_of("task", name)?).await?;
    Ok(match (of_logs, follow.as_deref()) {
        (true, Some("true")) => {
            let lines = logs.iter().flat_map(|log| log.lines());
            let events = lines.flat_map(|line| ["data: ", line, "\n\n"]).collect::<String>();
            ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
        }
        (true, _) => success(json!({"logs": logs})).into_response(),
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
    let (task, _) = find(&backend, project.clone(), name.clone()).await?;
    if task.get("activationId").is_some() {
        let message = format!("task {name} was begun by an invocation, and runs to its end");
        return Err(Refusal::new(StatusCode::CONFLICT, message));
    }
    let changed = backend.records.write(move |changes| {
        let found = changes.get(TASKS, project.as_str(), &name)?;
        let mut fields = found.ok_or_else(|| Refusal::not_found(format!("task {name}")))?.fields;
        fields.insert("state".to_owned(), state.into());
        documents::put(changes, TASKS, &project, &name, fields.clone())?;
        Ok::<_, Refusal>(fields)
    });
    Ok(success(Value::Object(changed.await?)))
}

async fn delete(State(backend): State<Backend>, Named { project, name }: Named) -> Result<Json<Value>, Refusal> {
    let (task, _) = find(&backend, project.clone(), name.clone()).await?;
    let is_invoked = task.get("activationId").is_some();
    if is_invoked {
        backend.under_way.cancel(&name);
    }
    let removed = backend.records.write(move |changes| {
        if is_invoked {
            return changes.put(REMOVED, project.as_str(), &name, &());
        }
        remove(changes, &project, &name);
        Ok(())
    });
    removed.await?;
    Ok(success(json!({"message": "Task deleted"})))
}
