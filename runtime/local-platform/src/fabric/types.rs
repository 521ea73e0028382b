//! Types (fabric-api section 8).
//!
//! | request | answer |
//! |---|---|
//! | `POST P/types` | saves each of `types` under its `name`, all or none; or one that is the body itself |
//! | `GET P/types` | `types`, for the usual parameters of lists |
//! | `GET P/types/{name}` | the type |
//! | `DELETE P/types/{name}` | removes it; 403 with `details` while a saved skill refers to it |

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::documents::{self, Document, Fields, Stamp};
use super::path::Named;
use super::skills;
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::Project;
use crate::principals::Caller;
use crate::query::ListQuery;
use crate::records::{Collection, Lookup};

const TYPES: Collection<Document> = Collection::new("types");

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/types", get(list).post(save))
        .route("/fabric/v4/projects/{project}/types/{*name}", get(read).delete(delete))
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    JsonBody(body): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let types = named_types(body)?;
    let stamp = Stamp::of(&caller);
    let saved = backend.records.write(move |changes| {
        let save = |(name, fields)| documents::save(changes, TYPES, &project, name, fields, &stamp).map(Value::Object);
        let types = types.iter().map(|(name, fields)| (name.as_str(), fields.clone()));
        types.map(save).collect::<Result<Vec<_>, _>>().map_err(Refusal::from)
    });
    Ok(success(json!({"types": saved.await?})))
}

/// The types of a request, which may have the version of their language beside them.
fn named_types(mut body: Fields) -> Result<Vec<(String, Fields)>, Refusal> {
    let no_objects = || {
        let wrong = Refusal::bad_request("field types is no list of objects");
        wrong.with("details", json!({"body.types": {"message": "is no list of types"}}))
    };
    let types = match body.remove("types") {
        None => vec![Value::Object(body)],
        Some(Value::Array(types)) => {
            let camel = body.get("camel");
            let with_camel = |mut each: Value| {
                if let (Some(fields), Some(camel)) = (each.as_object_mut(), camel) {
                    fields.entry("camel").or_insert_with(|| camel.clone());
                }
                each
            };
            types.into_iter().map(with_camel).collect()
        }
        Some(_) => return Err(no_objects()),
    };
    let named = |each: Value| match each {
        Value::Object(fields) => Ok((documents::name_in("type", &fields)?, fields)),
        _ => Err(no_objects()),
    };
    types.into_iter().map(named).collect()
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let types = documents::list(&backend, TYPES, &project, query).await?;
    Ok(success(json!({"types": types})))
}

async fn read(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    documents::get(&backend, TYPES, named).await.map(success)
}

async fn delete(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    let Named { project, name } = named;
    let removed = backend.records.write(move |changes| {
        if changes.get(TYPES, project.as_str(), &name)?.is_none() {
            return Err(Refusal::not_found(name));
        }
        let dependants = skills::of_type(changes, &project, &name)?;
        if !dependants.is_empty() {
            let refusal = Refusal::new(StatusCode::FORBIDDEN, format!("skills refer to type {name}"));
            let details = dependants.into_iter().map(|skill| json!({"name": skill, "type": "Skill"}));
            return Err(refusal.with("details", details.collect::<Vec<_>>()));
        }
        changes.remove(TYPES, project.as_str(), &name);
        Ok(())
    });
    removed.await?;
    Ok(success(json!({"message": "Type deleted"})))
}
