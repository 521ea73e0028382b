//! Secrets (fabric-api section 4).
//!
//! | request | answer |
//! |---|---|
//! | `POST P/secrets/{key}` | keeps the body, which is JSON: of an object whose only field is `value` that field, and anything else whole |
//! | `GET P/secrets` | the keys, sorted |
//! | `GET P/secrets/{key}`, `GET /internal/projects/{project}/secrets/{key}` | `value`, as it was sent to the last digit |
//! | `DELETE P/secrets/{key}` | removes it |
//!
//! Keys are words of ASCII letters, digits and `_`, with single `.`, `/` and `-` between them; others are refused with 400.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::path::Named;
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::{self, JsonBody};
use crate::name::Project;
use crate::records::{Collection, Lookup, StorageError};

const SECRETS: Collection<Box<RawValue>> = Collection::new("secrets");

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/secrets", get(list))
        .route("/fabric/v4/projects/{project}/secrets/{*name}", get(read).post(save).delete(delete))
        .route("/internal/projects/{project}/secrets/{*name}", get(read))
}

async fn save(
    State(backend): State<Backend>,
    named: Named,
    JsonBody(body): JsonBody<Box<RawValue>>,
) -> Result<Json<Value>, Refusal> {
    if !is_key(&named.name) {
        // The words of the platform's command line.
        return Err(Refusal::bad_request("Failed to write secret : keyName did not conform to regex"));
    }
    let value = unwrapped(body);
    // What is kept as text is to be a value once connections or skills need it.
    body::value_of("secret", &value)?;
    let written = backend.records.write(move |changes| {
        changes.put(SECRETS, named.project.as_str(), &named.name, &value)?;
        Ok::<_, Refusal>(named.name)
    });
    let key = written.await?;
    Ok(success(json!({"message": format!("Secret {key} saved")})))
}

/// What a secret holds.
pub(crate) fn value(records: &impl Lookup, project: &Project, key: &str) -> Result<Option<Value>, StorageError> {
    let kept = records.get(SECRETS, project.as_str(), key)?;
    Ok(kept.map(|kept| serde_json::from_str(kept.get())).transpose()?)
}

/// The value of `{"value": ...}`, and anything else as it is: the two clients differ.
fn unwrapped(body: Box<RawValue>) -> Box<RawValue> {
    let fields: Result<BTreeMap<String, Box<RawValue>>, _> = serde_json::from_str(body.get());
    match fields.map(|mut fields| (fields.remove("value"), fields.is_empty())) {
        Ok((Some(value), true)) => value,
        _ => body,
    }
}

#[derive(Serialize)]
struct Kept {
    success: bool,
    value: Box<RawValue>,
}

async fn read(State(backend): State<Backend>, Named { project, name }: Named) -> Result<Json<Kept>, Refusal> {
    let key = name.clone();
    let found = backend.records.read(move |records| records.get(SECRETS, project.as_str(), &key));
    let value = found.await?.ok_or_else(|| Refusal::not_found(name))?;
    Ok(Json(Kept { success: true, value }))
}

async fn list(State(backend): State<Backend>, project: Project) -> Result<Json<Vec<String>>, Refusal> {
    let secrets = backend.records.read(move |records| records.list(SECRETS, project.as_str()));
    Ok(Json(secrets.await?.into_iter().map(|(key, _)| key).collect()))
}

async fn delete(State(backend): State<Backend>, named: Named) -> Result<Json<Value>, Refusal> {
    let removed = backend.records.write(move |changes| {
        let Named { project, name } = named;
        if changes.get(SECRETS, project.as_str(), &name)?.is_none() {
            return Err(Refusal::not_found(name));
        }
        changes.remove(SECRETS, project.as_str(), &name);
        Ok(name)
    });
    let key = removed.await?;
    Ok(success(json!({"message": format!("Secret {key} deleted")})))
}

/// `^\w+([./-]?\w+)*$`.
fn is_key(key: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    key.split(['.', '/', '-']).all(|word| !word.is_empty() && word.bytes().all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_of_a_value_is_unwrapped() {
        for (sent, kept) in [
            (r#"{"value": "v"}"#, r#""v""#),
            (r#"{"value": {"value": 1.10}}"#, r#"{"value": 1.10}"#),
            (r#"{"value": null}"#, "null"),
            (r#""v""#, r#""v""#),
            (r#"{"value": 1, "u": 2}"#, r#"{"value": 1, "u": 2}"#),
            (r#"{"u": 1}"#, r#"{"u": 1}"#),
            ("{}", "{}"),
            (r#"["value"]"#, r#"["value"]"#),
        ] {
            let body = RawValue::from_string(sent.to_owned()).unwrap();
            assert_eq!(unwrapped(body).get(), kept);
        }
    }
}
