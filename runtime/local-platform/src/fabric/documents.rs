//! Documents: what clients save under a name, as experiments and connections, with what the platform adds to it.
//!
//! | field | what |
//! |---|---|
//! | `_id` | an id that stays |
//! | `_projectId` | the project |
//! | `_version` | how often it was saved: 1, 2, ... |
//! | `createdAt`, `updatedAt` | ISO 8601, UTC, milliseconds |
//! | `createdBy` | the principal that saved it first |
//!
//! What clients send in these fields, and in `success`, is not kept. A save replaces all other fields.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::path::Named;
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::name::{Project, check_name};
use crate::principals::Caller;
use crate::query::ListQuery;
use crate::records::{Changes, Collection, Lookup, StorageError};

pub(crate) type Fields = Map<String, Value>;

const OURS: [&str; 7] = ["_id", "_projectId", "_version", "createdAt", "updatedAt", "createdBy", "success"];

/// A document as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Document {
    /// Grows with each change, of one document or another: times are too coarse to tell which came later.
    order: u64,
    pub(crate) fields: Fields,
}

/// Who saves something, and when.
#[derive(Clone)]
pub(crate) struct Stamp {
    pub(crate) by: String,
    /// ISO 8601, UTC, milliseconds.
    pub(crate) at: String,
}

impl Stamp {
    pub(crate) fn of(caller: &Caller) -> Self {
        Self { by: caller.0.name.clone(), at: format!("{:.3}", Timestamp::now()) }
    }
}

/// The field `name` of what is to be saved, checked.
pub(crate) fn name_in(what: &str, fields: &Fields) -> Result<String, Refusal> {
    text_in(what, "name", fields)?.ok_or_else(|| {
        let missing = Refusal::bad_request(format!("the {what} has no name"));
        missing.with("details", json!({"body.name": {"message": "is required"}}))
    })
}

/// A field with a name in it, checked; `None` where it is absent or null.
pub(crate) fn text_in(what: &str, field: &str, fields: &Fields) -> Result<Option<String>, Refusal> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            check_name(what, text)?;
            Ok(Some(text.clone()))
        }
        Some(_) => {
            let wrong = Refusal::bad_request(format!("field {field} of the {what} is no text"));
            Err(wrong.with("details", json!({format!("body.{field}"): {"message": "is no text"}})))
        }
    }
}

/// Saves fields under a name, in place of what is there.
pub(crate) fn save(
    changes: &mut Changes<'_, '_>,
    collection: Collection<Document>,
    project: &Project,
    name: &str,
    mut fields: Fields,
    stamp: &Stamp,
) -> Result<Fields, StorageError> {
    let before = changes.get(collection, project.as_str(), name)?;
    let before = before.map(|document| document.fields).unwrap_or_default();
    fields.retain(|field, _| !OURS.contains(&field.as_str()));
    let kept = |field: &str, new: Value| (field.to_owned(), before.get(field).cloned().unwrap_or(new));
    fields.extend([
        kept("_id", Uuid::new_v4().simple().to_string().into()),
        kept("createdAt", stamp.at.as_str().into()),
        kept("createdBy", stamp.by.as_str().into()),
    ]);
    let version = before.get("_version").and_then(Value::as_u64).unwrap_or(0) + 1;
    fields.insert("_projectId".to_owned(), project.as_str().into());
    fields.insert("_version".to_owned(), version.into());
    fields.insert("updatedAt".to_owned(), stamp.at.as_str().into());
    put(changes, collection, project, name, fields.clone())?;
    Ok(fields)
}

/// Puts fields as they are under a name.
pub(crate) fn put(
    changes: &mut Changes<'_, '_>,
    collection: Collection<Document>,
    project: &Project,
    name: &str,
    fields: Fields,
) -> Result<(), StorageError> {
    let order = changes.next_number("documents")?;
    changes.put(collection, project.as_str(), name, &Document { order, fields })
}

/// All of a project whose keys in the records begin so, the last change first.
pub(crate) async fn all(
    backend: &Backend,
    collection: Collection<Document>,
    project: &Project,
    prefix: String,
) -> Result<Vec<Value>, Refusal> {
    let project = project.clone();
    let found = backend.records.read(move |records| records.list_prefix(collection, project.as_str(), &prefix));
    Ok(latest_first(found.await?.into_iter().map(|(_, document)| document).collect()))
}

/// The fields of documents, the last change first.
pub(crate) fn latest_first(mut documents: Vec<Document>) -> Vec<Value> {
    documents.sort_unstable_by_key(|document| std::cmp::Reverse(document.order));
    documents.into_iter().map(|document| Value::Object(document.fields)).collect()
}

/// What a list is asked for; by default all, the last update first.
pub(crate) async fn list(
    backend: &Backend,
    collection: Collection<Document>,
    project: &Project,
    query: ListQuery,
) -> Result<Vec<Value>, Refusal> {
    let documents = all(backend, collection, project, String::new()).await?;
    Ok(query.or_sorted_by("updatedAt", -1).apply(documents))
}

/// The fields of one; 404 when there is none.
pub(crate) async fn get(backend: &Backend, collection: Collection<Document>, named: Named) -> Result<Value, Refusal> {
    let Named { project, name } = named;
    let key = name.clone();
    let found = backend.records.read(move |records| records.get(collection, project.as_str(), &key));
    let found: Option<Document> = found.await?;
    found.map(|document| Value::Object(document.fields)).ok_or_else(|| Refusal::not_found(name))
}

/// Removes one; 404 when there is none.
pub(crate) async fn delete(backend: &Backend, collection: Collection<Document>, named: Named) -> Result<(), Refusal> {
    let removed = backend.records.write(move |changes| {
        let Named { project, name } = named;
        if changes.get(collection, project.as_str(), &name)?.is_none() {
            return Err(Refusal::not_found(name));
        }
        changes.remove(collection, project.as_str(), &name);
        Ok(())
    });
    removed.await
}
