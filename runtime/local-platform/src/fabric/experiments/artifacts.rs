//! Artifacts of runs: managed content with keys of its own, which the run knows.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::documents::Fields;
use super::runs::{self, RunName};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body;
use crate::content::{self, Key, Orphan, Store};
use crate::records::{Changes, StorageError};

/// What the keys of all artifacts of a run begin with.
fn prefix(run: &RunName) -> String {
    format!("experiments/{}/{}/artifacts/", run.experiment, run.run)
}

fn key(run: &RunName, name: &str) -> Result<Key, Refusal> {
    Key::new(&format!("{}{name}", prefix(run)))
}

pub(super) async fn save(
    backend: &Backend,
    run: RunName,
    name: String,
    request: Request,
) -> Result<impl IntoResponse + use<>, Refusal> {
    let request = body::limit_silence(request).await;
    let of_lookup = run.clone();
    let known = backend.records.read(move |records| runs::find(records, &of_lookup).map(drop));
    let checked = known.await.and_then(|()| Ok((key(&run, &name)?, content::type_of(&request)?)));
    let (key, content_type) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            body::drain(request).await;
            return Err(refusal);
        }
    };
    let (project, noted) = (run.project.clone(), key.clone());
    let note = move |changes: &mut Changes<'_, '_>| runs::note_artifact(changes, &run, name, noted.as_str());
    content::receive(&backend.content, &project, &key, &content_type, request, note).await?;
    // The command line waits for the connection to close (fabric-api section 10, "CLI upload-artifact").
    Ok(([(header::CONNECTION, "close")], success(json!({"key": key.as_str()}))))
}

/// The bytes that the run says, or those under the key that an artifact of this name has.
pub(super) async fn read(backend: &Backend, run: RunName, name: String) -> Result<(HeaderMap, Body), Refusal> {
    let fields = runs::get(backend, run.clone()).await?;
    let known = fields.get("artifacts").and_then(|artifacts| artifacts.get(&name)).and_then(Value::as_str);
    let key = known.map_or_else(|| key(&run, &name), Key::new)?;
    content::send(&backend.content, &run.project, &key).await
}

/// Takes the artifacts of a run away with it. What it says of content that is not below its own keys is left alone.
pub(super) fn remove(
    changes: &mut Changes<'_, '_>,
    run: &RunName,
    fields: &Fields,
) -> Result<Vec<Orphan>, StorageError> {
    let prefix = prefix(run);
    let known = fields.get("artifacts").and_then(Value::as_object);
    let keys = known.into_iter().flat_map(|artifacts| artifacts.values()).filter_map(Value::as_str);
    let own = keys.filter(|key| key.starts_with(&prefix));
    let removed = own.map(|key| Store::remove_in(changes, &run.project, key));
    removed.filter_map(Result::transpose).collect()
}
