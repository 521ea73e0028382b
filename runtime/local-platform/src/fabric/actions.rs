//! Actions that are deployed without a skill (fabric-api section 11). The platform runs none of them.
//!
//! | request | answer |
//! |---|---|
//! | `POST P/actions` | saves it under its `name`; its `actionType` is that of the query, or its own, or its `type`; a `job` is a task too |
//! | `GET P/actions` | `actions`, for the usual parameters of lists |
//! | `GET P/actions/{name}` | the action, as `action` |
//! | `DELETE P/actions/{name}` | removes it and its task |

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::documents::{self, Document, Fields, Stamp};
use super::path::Named;
use super::tasks;
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::Project;
use crate::principals::Caller;
use crate::query::{ListQuery, Parameters};
use crate::records::{Collection, Lookup};

const ACTIONS: Collection<Document> = Collection::new("actions");

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/actions", get(list).post(save))
        .route("/fabric/v4/projects/{project}/actions/{*name}", get(describe).delete(delete))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    action_type: Option<String>,
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    Parameters(Kind { action_type }): Parameters<Kind>,
    JsonBody(mut fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let name = documents::name_in("action", &fields)?;
    let own = || fields.get("actionType").or_else(|| fields.get("type")).cloned();
    if let Some(kind) = action_type.map(Value::from).or_else(own) {
        fields.insert("actionType".to_owned(), kind);
    }
    let stamp = Stamp::of(&caller);
    let saved = backend.records.write(move |changes| {
        let saved = documents::save(changes, ACTIONS, &project, &name, fields, &stamp)?;
        if saved.get("actionType").is_some_and(|kind| kind == "job") {
            tasks::begin(changes, &project, &name, &saved, &stamp)?;
        }
        Ok::<_, Refusal>(saved)
    });
    Ok(success(Value::Object(saved.await?)))
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let actions = documents::list(&backend, ACTIONS, &project, query).await?;
    Ok(success(json!({"actions": actions})))
}

async fn describe(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    let action = documents::get(&backend, ACTIONS, named).await?;
    Ok(success(json!({"action": action})))
}

async fn delete(State(backend): State<Backend>, Named { project, name }: Named) -> Result<Json<Value>, Refusal> {
    let removed = backend.records.write(move |changes| {
        if changes.get(ACTIONS, project.as_str(), &name)?.is_none() {
            return Err(Refusal::not_found(name));
        }
        changes.remove(ACTIONS, project.as_str(), &name);
        tasks::remove(changes, &project, &name);
        Ok(())
    });
    removed.await?;
    Ok(success(json!({"message": "Action deleted"})))
}
