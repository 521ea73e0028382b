//! Models (fabric-api section 9).
//!
//! | request | answer |
//! |---|---|
//! | `POST P/models` | saves it under its `name`; a `status` that it does not say stays; beside it `modelId`, `version` and `created` |
//! | `GET P/models` | `models`, for the usual parameters of lists; with `tags=a,b`, those that have all of these as a label or value of `tags` |
//! | `GET P/models/{name}` | the model |
//! | `DELETE P/models/{name}` | removes it; its experiments stay |
//! | `POST P/models/{name}/publish`, `/unpublish` | makes its `status` `published` or `unpublished` |
//! | `GET P/models/{name}/experiments/runs` | `runs` of all experiments whose `modelId` is its name or its `_id`, for the usual parameters of lists |

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::documents::{self, Document, Fields, Stamp};
use super::experiments;
use super::path::{Below, Named, name_of};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::Project;
use crate::principals::Caller;
use crate::query::{ListQuery, Parameters};
use crate::records::{Collection, Lookup};

const MODELS: Collection<Document> = Collection::new("models");

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/models", get(list).post(save))
        .route("/fabric/v4/projects/{project}/models/{*name}", get(read).post(publish).delete(delete))
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    JsonBody(mut fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let name = documents::name_in("model", &fields)?;
    let stamp = Stamp::of(&caller);
    let saved = backend.records.write(move |changes| {
        let before = changes.get(MODELS, project.as_str(), &name)?;
        if let Some(status) = before.and_then(|before| before.fields.get("status").cloned())
            && fields.get("status").is_none_or(Value::is_null)
        {
            fields.insert("status".to_owned(), status);
        }
        documents::save(changes, MODELS, &project, &name, fields, &stamp).map_err(Refusal::from)
    });
    let mut saved = saved.await?;
    for (field, of) in [("modelId", "name"), ("version", "_version"), ("created", "createdAt")] {
        let value = saved.get(of).cloned().unwrap_or_default();
        saved.entry(field).or_insert(value);
    }
    Ok(success(Value::Object(saved)))
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: String,
}

impl Tags {
    fn are_of(&self, model: &Value) -> bool {
        let of_model = model.get("tags").and_then(Value::as_array);
        let has = |tag: &str| {
            let is_it = |one: &Value| *one == *tag || one.get("label").is_some_and(|label| *label == *tag);
            let is_it = |one: &Value| is_it(one) || one.get("value").is_some_and(|value| *value == *tag);
            of_model.is_some_and(|tags| tags.iter().any(is_it))
        };
        self.tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).all(has)
    }
}

async fn list(
    State(backend): State<Backend>,
    project: Project,
    Parameters(tags): Parameters<Tags>,
    query: ListQuery,
) -> Result<Json<Value>, Refusal> {
    let mut models = documents::all(&backend, MODELS, &project, String::new()).await?;
    models.retain(|model| tags.are_of(model));
    Ok(success(json!({"models": query.or_sorted_by("updatedAt", -1).apply(models)})))
}

/// A model, or the runs of one.
async fn read(
    State(backend): State<Backend>,
    Below { project, segments }: Below,
    query: ListQuery,
) -> Result<Json<Value>, Refusal> {
    let (name, of_runs) = match segments.as_slice() {
        [name @ .., experiments, runs] if experiments == "experiments" && runs == "runs" && !name.is_empty() => {
            (name, true)
        }
        name => (name, false),
    };
    let named = Named { name: name_of("model", name)?, project: project.clone() };
    let model = documents::get(&backend, MODELS, named).await?;
    if !of_runs {
        return Ok(success(model));
    }
    let ids = ["name", "_id"].map(|field| model.get(field).cloned().unwrap_or_default());
    let runs = experiments::runs_of_model(&backend, project, ids).await?;
    Ok(success(json!({"runs": query.or_sorted_by("_updatedAt", -1).apply(runs)})))
}

async fn publish(
    State(backend): State<Backend>,
    Below { project, segments }: Below,
    caller: Caller,
) -> Result<Json<Value>, Refusal> {
    let (name, status) = match segments.as_slice() {
        [name @ .., publish] if publish == "publish" => (name_of("model", name)?, "published"),
        [name @ .., unpublish] if unpublish == "unpublish" => (name_of("model", name)?, "unpublished"),
        other => return Err(Refusal::not_found(other.join("/"))),
    };
    let stamp = Stamp::of(&caller);
    let changed = backend.records.write(move |changes| {
        let found = changes.get(MODELS, project.as_str(), &name)?;
        let mut fields = found.ok_or_else(|| Refusal::not_found(&name))?.fields;
        fields.insert("status".to_owned(), status.into());
        fields.insert("updatedAt".to_owned(), stamp.at.into());
        documents::put(changes, MODELS, &project, &name, fields)?;
        Ok::<_, Refusal>(name)
    });
    let name = changed.await?;
    Ok(success(json!({"message": format!("Model {name} is {status}"), "status": status})))
}

async fn delete(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    documents::delete(&backend, MODELS, named).await?;
    Ok(success(json!({"message": "Model deleted"})))
}
