//! Runs of experiments.

use std::fmt::{self, Display};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::documents::{self, Document, Fields};
use super::{EXPERIMENTS, artifacts, check_experiment};
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::content::Orphan;
use crate::name::Project;
use crate::query::ListQuery;
use crate::records::{Changes, Collection, Lookup, StorageError};

const RUNS: Collection<Document> = Collection::new("runs");
/// What the platform alone says of a run.
const OURS: [&str; 8] =
    ["runId", "_id", "experimentName", "_projectId", "_version", "_createdAt", "_updatedAt", "success"];

/// A run of an experiment.
#[derive(Clone)]
pub(super) struct RunName {
    pub(super) project: Project,
    pub(super) experiment: String,
    pub(super) run: String,
}

impl RunName {
    /// Its key in the records.
    fn key(&self) -> String {
        format!("{}{}", prefix(&self.experiment), self.run)
    }
}

impl Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of experiment {}", self.run, self.experiment)
    }
}

/// What the keys of all runs of an experiment begin with. No name holds a NUL.
fn prefix(experiment: &str) -> String {
    format!("{experiment}\0")
}

/// The parts of a run that are set key by key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Entries {
    Meta,
    Params,
    Metrics,
}

impl Entries {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Meta, Self::Params, Self::Metrics].into_iter().find(|entries| entries.as_str() == name)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Params => "params",
            Self::Metrics => "metrics",
        }
    }
}

/// All runs of an experiment, the last change first.
pub(super) async fn list(backend: &Backend, project: Project, experiment: String) -> Result<Vec<Value>, Refusal> {
    let found = backend.records.read(move |records| {
        check_experiment(records, &project, &experiment)?;
        Ok::<_, Refusal>(records.list_prefix(RUNS, project.as_str(), &prefix(&experiment))?)
    });
    Ok(documents::latest_first(found.await?.into_iter().map(|(_, document)| document).collect()))
}

/// The runs of the experiments whose `modelId` is one of these, the last change first.
pub(in super::super) async fn runs_of_model(
    backend: &Backend,
    project: Project,
    ids: [Value; 2],
) -> Result<Vec<Value>, Refusal> {
    let found = backend.records.read(move |records| {
        let mut runs = Vec::new();
        for (name, experiment) in records.list(EXPERIMENTS, project.as_str())? {
            if experiment.fields.get("modelId").is_some_and(|id| ids.contains(id)) {
                let of_experiment = records.list_prefix(RUNS, project.as_str(), &prefix(&name))?;
                runs.extend(of_experiment.into_iter().map(|(_, document)| document));
            }
        }
        Ok::<_, Refusal>(runs)
    });
    Ok(documents::latest_first(found.await?))
}

/// A run as it is; 404 when there is none.
pub(super) fn find(lookup: &impl Lookup, run: &RunName) -> Result<Fields, Refusal> {
    let found = lookup.get(RUNS, run.project.as_str(), &run.key())?;
    found.map(|document| document.fields).ok_or_else(|| Refusal::not_found(run))
}

pub(super) async fn get(backend: &Backend, run: RunName) -> Result<Fields, Refusal> {
    backend.records.read(move |records| find(records, &run)).await
}

pub(super) async fn create(
    backend: &Backend,
    project: Project,
    experiment: String,
    fields: Fields,
) -> Result<Fields, Refusal> {
    let id = documents::text_in("run", "runId", &fields)?;
    let id = id.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    if id.contains('/') {
        return Err(Refusal::bad_request("the id of the run holds a slash"));
    }
    let run = RunName { project, experiment, run: id };
    let written = backend.records.write(move |changes| {
        check_experiment(changes, &run.project, &run.experiment)?;
        let before = changes.get(RUNS, run.project.as_str(), &run.key())?.map(|document| document.fields);
        save_in_place(changes, &run, before, fields)
    });
    written.await
}

pub(super) async fn replace(backend: &Backend, run: RunName, fields: Fields) -> Result<Fields, Refusal> {
    let written = backend.records.write(move |changes| {
        let before = find(changes, &run)?;
        save_in_place(changes, &run, Some(before), fields)
    });
    written.await
}

/// Saves a run in place of what it was, but for its artifacts, which are not gone because somebody does not name them.
fn save_in_place(
    changes: &mut Changes<'_, '_>,
    run: &RunName,
    before: Option<Fields>,
    mut fields: Fields,
) -> Result<Fields, Refusal> {
    let mut kept = before.unwrap_or_default();
    if let Some(Value::Object(mut artifacts)) = kept.remove("artifacts") {
        if let Some(Value::Object(given)) = fields.remove("artifacts") {
            artifacts.extend(given);
        }
        fields.insert("artifacts".to_owned(), artifacts.into());
    }
    kept.retain(|field, _| OURS.contains(&field.as_str()));
    save(changes, run, kept, fields)
}

/// Puts fields into a run.
pub(super) async fn update(backend: &Backend, run: RunName, fields: Fields) -> Result<Fields, Refusal> {
    let written = backend.records.write(move |changes| {
        let before = find(changes, &run)?;
        save(changes, &run, before, fields)
    });
    written.await
}

/// Sets one entry of a run.
pub(super) async fn set(
    backend: &Backend,
    run: RunName,
    entries: Entries,
    key: String,
    value: Value,
) -> Result<Fields, Refusal> {
    let written = backend.records.write(move |changes| {
        let mut all = find(changes, &run)?;
        insert(&mut all, entries.as_str(), key, value);
        save(changes, &run, all, Fields::new())
    });
    written.await
}

/// Notes where an artifact of a run is.
pub(super) fn note_artifact(
    changes: &mut Changes<'_, '_>,
    run: &RunName,
    name: String,
    key: &str,
) -> Result<(), Refusal> {
    let mut all = find(changes, run)?;
    insert(&mut all, "artifacts", name, key.into());
    save(changes, run, all, Fields::new()).map(drop)
}

fn insert(run: &mut Fields, part: &str, key: String, value: Value) {
    match run.get_mut(part) {
        Some(Value::Object(entries)) => drop(entries.insert(key, value)),
        _ => drop(run.insert(part.to_owned(), Map::from_iter([(key, value)]).into())),
    }
}

/// Saves the fields of a run, with others in their place.
fn save(changes: &mut Changes<'_, '_>, run: &RunName, mut all: Fields, mut fields: Fields) -> Result<Fields, Refusal> {
    fields.retain(|field, _| !OURS.contains(&field.as_str()));
    all.extend(fields);
    for part in ["meta", "params", "metrics", "artifacts"] {
        match all.get(part) {
            Some(Value::Object(_)) => {}
            // Clients read what is in there without asking whether there is anything.
            None | Some(Value::Null) => drop(all.insert(part.to_owned(), json!({}))),
            Some(_) => {
                let wrong = Refusal::bad_request(format!("field {part} of the run is no object"));
                return Err(wrong.with("details", json!({format!("body.{part}"): {"message": "is no object"}})));
            }
        }
    }
    for time in ["startTime", "endTime", "took"] {
        all.entry(time).or_insert(Value::Null);
    }
    let now = Value::from(format!("{:.3}", Timestamp::now()));
    let version = all.get("_version").and_then(Value::as_u64).unwrap_or(0) + 1;
    let created = all.get("_createdAt").cloned().unwrap_or_else(|| now.clone());
    for (field, value) in [
        ("runId", run.run.as_str().into()),
        ("_id", run.run.as_str().into()),
        ("experimentName", run.experiment.as_str().into()),
        ("_projectId", run.project.as_str().into()),
        ("_version", version.into()),
        ("_createdAt", created),
        ("_updatedAt", now),
    ] {
        all.insert(field.to_owned(), value);
    }
    documents::put(changes, RUNS, &run.project, &run.key(), all.clone())?;
    Ok(all)
}

pub(super) async fn delete(backend: &Backend, run: RunName) -> Result<(), Refusal> {
    let removed = backend.content.change(move |changes| {
        let fields = find(changes, &run)?;
        changes.remove(RUNS, run.project.as_str(), &run.key());
        Ok(((), artifacts::remove(changes, &run, &fields)?))
    });
    removed.await
}

pub(super) async fn delete_matching(
    backend: &Backend,
    project: Project,
    experiment: String,
    query: ListQuery,
) -> Result<(), Refusal> {
    let removed = backend.content.change(move |changes| {
        check_experiment(changes, &project, &experiment)?;
        Ok(((), remove(changes, &project, &experiment, &query)?))
    });
    removed.await
}

/// Removes the runs of an experiment that a list of them would have, and their artifacts.
pub(super) fn remove(
    changes: &mut Changes<'_, '_>,
    project: &Project,
    experiment: &str,
    query: &ListQuery,
) -> Result<Vec<Orphan>, StorageError> {
    let all = changes.list_prefix(RUNS, project.as_str(), &prefix(experiment))?;
    let all = documents::latest_first(all.into_iter().map(|(_, document)| document).collect());
    let mut orphans = Vec::new();
    for fields in query.apply(all) {
        let (Value::Object(fields), project) = (fields, project.clone()) else { continue };
        let Some(Value::String(id)) = fields.get("runId") else { continue };
        let run = RunName { project, experiment: experiment.to_owned(), run: id.clone() };
        changes.remove(RUNS, run.project.as_str(), &run.key());
        orphans.extend(artifacts::remove(changes, &run, &fields)?);
    }
    Ok(orphans)
}
