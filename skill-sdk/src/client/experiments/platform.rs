//! Experiments of a platform: what is sent, and how answers are read (contract "fabric-api", section 10). Names are checked by
//! whoever calls.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::Client;
use crate::client::body::Body;
use crate::client::call::{Call, Wait};
use crate::client::content::{Download, OCTET_STREAM};
use crate::client::definition::definition;
use crate::client::list::ListOptions;
use crate::client::retry::Repeat;
use crate::error::Error;

use super::experiment::Experiment;
use super::run::{Entries, Run, RunName};

#[derive(Clone, Debug)]
pub(super) struct Platform {
    client: Client,
}

impl Platform {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) async fn list(&self, options: &ListOptions) -> Result<Vec<Experiment>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            experiments: Vec<Experiment>,
        }

        let mut url = self.client.project_url(["experiments"]);
        options.add_to(&mut url);
        let Answer { experiments } = self.client.json(Call::get(url, "cannot list experiments")).await?;
        Ok(experiments)
    }

    pub(super) async fn save(&self, name: &str, fields: &Map<String, Value>) -> Result<Experiment, Error> {
        let url = self.client.project_url(["experiments"]);
        self.client.json(Call::post(url, format!("cannot save experiment `{name}`")).json(fields)?).await
    }

    pub(super) async fn get(&self, name: &str) -> Result<Experiment, Error> {
        self.client.json(Call::get(self.url(name, []), format!("cannot get experiment `{name}`"))).await
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(name, []), format!("cannot delete experiment `{name}`"))).await
    }

    /// Saves an experiment again with an entry of its meta: everything but what the platform itself says of it.
    pub(super) async fn set_experiment_meta(&self, name: &str, key: &str, value: Value) -> Result<Experiment, Error> {
        let mut experiment = self.get(name).await?;
        experiment.meta.insert(key.to_owned(), value);
        self.save(name, &definition(&experiment, &format!("cannot save experiment `{name}`"))?).await
    }

    pub(super) async fn list_runs(&self, experiment: &str, options: &ListOptions) -> Result<Vec<Run>, Error> {
        let mut url = self.url(experiment, ["runs"]);
        options.add_to(&mut url);
        self.runs(Call::get(url, format!("cannot list the runs of experiment `{experiment}`"))).await
    }

    pub(super) async fn find_runs(&self, experiment: &str, options: &ListOptions) -> Result<Vec<Run>, Error> {
        let mut url = self.url(experiment, ["runs"]);
        options.add_with_filter_to(&mut url);
        self.runs(Call::get(url, format!("cannot find runs of experiment `{experiment}`"))).await
    }

    async fn runs(&self, call: Call) -> Result<Vec<Run>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            runs: Vec<Run>,
        }

        let Answer { runs } = self.client.json(call).await?;
        Ok(runs)
    }

    pub(super) async fn create_run(&self, experiment: &str, fields: &Map<String, Value>) -> Result<Run, Error> {
        let failure = format!("cannot create a run of experiment `{experiment}`");
        self.client.json(Call::post(self.url(experiment, ["runs"]), failure).json(fields)?).await
    }

    pub(super) async fn run(&self, run: RunName<'_>) -> Result<Run, Error> {
        self.client.json(Call::get(self.run_url(run, []), format!("cannot get {run}"))).await
    }

    pub(super) async fn update_run(&self, run: RunName<'_>, fields: &Map<String, Value>) -> Result<(), Error> {
        let call = Call::put(self.run_url(run, []), format!("cannot update {run}")).json(fields)?;
        // The words of the platform's Python client.
        let detail = |said: &str| {
            let colon = if said.is_empty() { "" } else { ": " };
            format!("Error updating run {}{colon}{said}", run.run)
        };
        self.client.accepted_or(call, detail).await.map(drop)
    }

    pub(super) async fn delete_run(&self, run: RunName<'_>) -> Result<(), Error> {
        self.client.done(Call::delete(self.run_url(run, []), format!("cannot delete {run}"))).await
    }

    pub(super) async fn delete_runs(&self, experiment: &str, filter: Option<Map<String, Value>>) -> Result<(), Error> {
        let mut url = self.url(experiment, ["runs"]);
        if let Some(filter) = filter {
            ListOptions { filter, ..ListOptions::new() }.add_with_filter_to(&mut url);
        }
        self.client.done(Call::delete(url, format!("cannot delete runs of experiment `{experiment}`"))).await
    }

    pub(super) async fn set(&self, run: RunName<'_>, entries: Entries, key: &str, value: Value) -> Result<(), Error> {
        let entries = entries.as_str();
        let url = self.run_url(run, [entries, key]);
        let call = Call::put(url, format!("cannot set `{key}` in the {entries} of {run}"));
        self.client.done(call.json(&json!({"value": value}))?).await
    }

    pub(super) async fn save_artifact(&self, run: RunName<'_>, name: &str, artifact: Body) -> Result<(), Error> {
        let call = Call::put(self.artifact_url(run, name), format!("cannot save artifact `{name}` of {run}"));
        let call = call.header(CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM)).body(artifact);
        self.client.done(call.wait(Wait::Upload)).await
    }

    pub(super) async fn artifact(&self, run: RunName<'_>, name: &str) -> Result<Download, Error> {
        let call = Call::get(self.artifact_url(run, name), format!("cannot get artifact `{name}` of {run}"));
        let call = call.wait(Wait::Idle).repeat(Repeat::Download);
        Ok(Download::of_answer(self.client.send(call).await?))
    }

    fn artifact_url(&self, run: RunName<'_>, name: &str) -> Url {
        self.run_url(run, std::iter::once("artifacts").chain(name.split('/')))
    }

    fn run_url<'s>(&'s self, run: RunName<'s>, inside: impl IntoIterator<Item = &'s str>) -> Url {
        self.url(run.experiment, ["runs", run.run].into_iter().chain(inside))
    }

    fn url<'s>(&'s self, experiment: &'s str, inside: impl IntoIterator<Item = &'s str>) -> Url {
        self.client.project_url(["experiments", experiment].into_iter().chain(inside))
    }
}
