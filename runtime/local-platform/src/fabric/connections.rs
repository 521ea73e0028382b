//! Connections to data sources (fabric-api section 5).
//!
//! | request | answer |
//! |---|---|
//! | `POST P/connections` | saves it under its `name` |
//! | `GET P/connections` | `connections`, for the usual parameters of lists |
//! | `GET P/connections/{name}` | the connection as it was saved |
//! | `GET /internal/projects/{project}/connections/{name}` | the same with each value `#SECURE.{key}` replaced by that secret; 400, with the keys as `missing`, when there is none |
//! | `DELETE P/connections/{name}` | removes it |
//! | `GET /fabric/v4/connectiontypes` | `connectionTypes`: those that are usual; a connection may be of any other |

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::documents::{self, Document, Fields, Stamp};
use super::path::Named;
use super::secrets;
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::Project;
use crate::principals::Caller;
use crate::query::ListQuery;
use crate::records::{Collection, Lookup};

const CONNECTIONS: Collection<Document> = Collection::new("connections");
/// What the value of a param begins with that names a secret.
const REFERENCE: &str = "#SECURE.";

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/connections", get(list).post(save))
        .route("/fabric/v4/projects/{project}/connections/{*name}", get(describe).delete(delete))
        .route("/internal/projects/{project}/connections/{*name}", get(resolved))
        .route("/fabric/v4/connectiontypes", get(types))
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let name = documents::name_in("connection", &fields)?;
    let is_param = |param: &Value| param.get("name").is_some_and(Value::is_string);
    match fields.get("params") {
        None | Some(Value::Null) => {}
        Some(Value::Array(params)) if params.iter().all(is_param) => {}
        Some(_) => {
            let wrong = Refusal::bad_request("field params is no list of objects with a name and a value");
            return Err(wrong.with("details", json!({"body.params": {"message": "is no list of params"}})));
        }
    }
    let stamp = Stamp::of(&caller);
    let saved = backend.records.write(move |changes| {
        documents::save(changes, CONNECTIONS, &project, &name, fields, &stamp).map_err(Refusal::from)
    });
    Ok(success(Value::Object(saved.await?)))
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let connections = documents::list(&backend, CONNECTIONS, &project, query).await?;
    Ok(success(json!({"connections": connections})))
}

async fn describe(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    documents::get(&backend, CONNECTIONS, named).await.map(success)
}

async fn delete(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    documents::delete(&backend, CONNECTIONS, named).await?;
    Ok(success(json!({"message": "Connection deleted"})))
}

/// The connection and its secrets as they are at one moment.
async fn resolved(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    let found = backend.records.read(move |records| {
        let Named { project, name } = named;
        let document = records.get(CONNECTIONS, project.as_str(), &name)?;
        let mut fields = document.ok_or_else(|| Refusal::not_found(&name))?.fields;
        let params = fields.get_mut("params").and_then(Value::as_array_mut);
        let mut missing = Vec::new();
        for value in params.into_iter().flatten().filter_map(|param| param.get_mut("value")) {
            let Some(key) = value.as_str().and_then(|text| text.strip_prefix(REFERENCE)) else {
                continue;
            };
            match secrets::value(records, &project, key)? {
                Some(secret) => *value = secret,
                None => missing.push(Value::from(key)),
            }
        }
        if missing.is_empty() {
            return Ok(fields);
        }
        let refusal = Refusal::bad_request(format!("connection {name} names secrets that there are not"));
        Err(refusal.with("missing", missing))
    });
    Ok(success(Value::Object(found.await?)))
}

async fn types(query: ListQuery) -> Json<Value> {
    let types = [
        ("gcsFileStream", "Google Cloud Storage", "Files in a bucket of Google Cloud Storage"),
        ("jdbc_generic", "JDBC", "A relational database with a JDBC driver"),
        ("mongo", "MongoDB", "Collections of a MongoDB database"),
        ("s3FileStream", "Amazon S3", "Files in a bucket of Amazon S3 or of a service that is like it"),
    ];
    let types =
        types.map(|(name, title, description)| json!({"name": name, "title": title, "description": description}));
    success(json!({"connectionTypes": query.or_sorted_by("name", 1).apply(types.to_vec())}))
}
