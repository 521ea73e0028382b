//! What is written of an experiment.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::experiments::experiment::Experiment;
use crate::client::experiments::object;
use crate::client::experiments::run::Run;
use crate::error::{Code, Error};

use super::now;

/// The project of everything that is here.
const PROJECT: &str = "local";

/// How many letters and digits a run id has that is made here.
const ID_LENGTH: usize = 8;

/// The file `config.yml`. Both fields must be there: in the same place the platform's Python client has a file whose
/// `experiment` holds no name, and has the runs inside.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Config {
    pub(super) experiment: Experiment,
    /// In the order in which they were made.
    pub(super) runs: Vec<Run>,
    /// What somebody else wrote there.
    #[serde(flatten)]
    pub(super) other: Map<String, Value>,
}

impl Config {
    /// An experiment that has not been saved.
    pub(super) fn new(name: &str) -> Self {
        let experiment = Experiment {
            name: name.to_owned(),
            model_id: None,
            title: None,
            description: None,
            meta: Map::new(),
            version: None,
            project_id: Some(PROJECT.to_owned()),
            other: Map::from_iter([("createdAt".to_owned(), now().into())]),
        };
        Self { experiment, runs: Vec::new(), other: Map::new() }
    }

    /// Sets fields of the experiment, none of which it is for this file to say, and counts its version up.
    pub(super) fn save(&mut self, mut fields: Map<String, Value>) -> Result<(), Error> {
        let version = self.experiment.version.as_ref().and_then(Value::as_u64).unwrap_or_default();
        fields.insert("_version".to_owned(), version.saturating_add(1).into());
        fields.insert("updatedAt".to_owned(), now().into());
        let failure = format!("cannot save experiment `{}`", self.experiment.name);
        self.experiment = merged(&self.experiment, fields, &failure)?;
        Ok(())
    }

    /// Adds a run.
    pub(super) fn create_run(&mut self, mut fields: Map<String, Value>) -> Result<Run, Error> {
        let experiment = &self.experiment.name;
        let failure = format!("cannot create a run of experiment `{experiment}`");
        let id = match fields.remove("runId") {
            None | Some(Value::Null) => self.new_id(),
            Some(Value::String(id)) if self.index_of(&id).is_some() => {
                let detail = format!("{failure}: there is a run `{id}` already");
                return Err(Error::new(Code::SkillFailed, detail).with_http_status(409));
            }
            Some(Value::String(id)) => id,
            Some(_) => return Err(Error::new(Code::SkillFailed, format!("{failure}: `runId` must be a text"))),
        };
        let now = now();
        let run = Run {
            run_id: id.clone(),
            id: Some(id),
            experiment_name: Some(experiment.clone()),
            project_id: Some(PROJECT.to_owned()),
            created_at: Some(now.clone()),
            updated_at: Some(now),
            start_time: None,
            end_time: None,
            took: None,
            meta: Map::new(),
            params: Map::new(),
            metrics: Map::new(),
            artifacts: Map::new(),
            other: Map::new(),
        };
        let run: Run = merged(&run, settable(fields), &failure)?;
        self.runs.push(run.clone());
        Ok(run)
    }

    /// Where a run is in the list.
    pub(super) fn index_of(&self, id: &str) -> Option<usize> {
        self.runs.iter().position(|run| run.run_id == id)
    }

    /// An id that no run of the experiment has.
    fn new_id(&self) -> String {
        loop {
            let id: String = std::iter::repeat_with(|| fastrand::digit(36)).take(ID_LENGTH).collect();
            if self.index_of(&id).is_none() {
                return id;
            }
        }
    }
}

/// Sets fields of a run.
pub(super) fn update(run: &mut Run, fields: Map<String, Value>) -> Result<(), Error> {
    let failure = format!("cannot update run `{}`", run.run_id);
    *run = merged(run, settable(fields), &failure)?;
    Ok(())
}

/// Notes that a run is written.
pub(super) fn touch(run: &mut Run) {
    run.updated_at = Some(now());
}

/// The fields of a run that can be set: not those that say which run it is, and not where its artifacts are.
fn settable(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|field, _| !(field.starts_with('_') || matches!(&**field, "runId" | "experimentName" | "artifacts")));
    fields
}

/// A thing with other values for some of its fields.
fn merged<T: Serialize + DeserializeOwned>(old: &T, fields: Map<String, Value>, failure: &str) -> Result<T, Error> {
    let mut new = object(old, failure)?;
    new.extend(fields);
    serde_json::from_value(new.into()).map_err(|error| {
        Error::new(Code::SkillFailed, format!("{failure}: a field is not of its type")).with_source(error)
    })
}
