//! The runs of an experiment.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::client::address::{path, segment};
use crate::client::body::Body;
use crate::client::content::Download;
use crate::client::found;
use crate::client::list::{ListOptions, Order};
use crate::error::{Code, Error};

use super::active_run::ActiveRun;
use super::run::{Entries, Run, RunName};
use super::{Store, object};

/// How many runs are found at most, unless said otherwise (contract "fabric-api", section 10, "find defaults").
const FIND_LIMIT: u32 = 25;

/// The runs of an experiment. Cheap to clone.
///
/// Runs can be filtered by `runId`, `_createdAt`, `startTime`, `endTime`, `took` and `experimentName`, and sorted also by
/// `_updatedAt` (contract "fabric-api", section 1); a platform may know more, such as `params.depth`.
///
/// Names of artifacts are paths such as `plots/roc.png`, as [keys of content](crate::client::Content) are. All others are one
/// name, whatever they hold.
#[derive(Clone, Debug)]
pub struct Runs {
    store: Store,
    experiment: String,
}

impl Runs {
    pub(super) fn new(store: Store, experiment: String) -> Self {
        Self { store, experiment }
    }

    /// The name of the experiment.
    pub fn experiment(&self) -> &str {
        &self.experiment
    }

    /// All runs.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<Run>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// The runs that are asked for.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<Run>, Error> {
        let experiment = self.checked()?;
        match &self.store {
            Store::Platform(platform) => platform.list_runs(experiment, options).await,
            Store::Local(local) => local.list_runs(experiment, options).await,
        }
    }

    /// The runs that a filter finds: at most 25 unless said otherwise, and those first that were last written unless another
    /// sort is asked for.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    #[doc(alias = "find_runs")]
    pub async fn find(&self, options: &ListOptions) -> Result<Vec<Run>, Error> {
        let experiment = self.checked()?;
        let mut options = options.clone();
        options.limit.get_or_insert(FIND_LIMIT);
        match &self.store {
            Store::Platform(platform) => platform.find_runs(experiment, &options).await,
            Store::Local(local) => local.find_runs(experiment, options).await,
        }
    }

    /// The run that ended last.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no run, or no such experiment.
    #[doc(alias = "last_run")]
    pub async fn last(&self) -> Result<Run, Error> {
        let last = ListOptions::new().sort("endTime", Order::Descending).limit(1);
        let mut runs = self.find(&last).await?;
        let detail = format!("Last run for experiment {} not found", self.experiment);
        match (runs.pop(), runs.len()) {
            (Some(run), 0) => Ok(run),
            (None, _) => Err(Error::new(Code::SkillFailed, detail).with_http_status(404)),
            (Some(_), more) => {
                let detail = format!("{detail}: one run was asked for, and {} came", more + 1);
                Err(Error::new(Code::PlatformUnavailable, detail))
            }
        }
    }

    /// The run that ended last, or `None` when there is none, or no such experiment.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn last_opt(&self) -> Result<Option<Run>, Error> {
        found(self.last().await)
    }

    /// Makes a run with the fields of a JSON object; there may be none.
    ///
    /// Without a platform, a `runId` among them is the run's id, which must not be taken; what is logged with calls of its own
    /// or known already (`artifacts`, `experimentName` and what begins with `_`) does not count.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn create(&self, fields: &(impl Serialize + ?Sized)) -> Result<Run, Error> {
        let experiment = self.checked()?;
        let fields = object(fields, &format!("cannot create a run of experiment `{experiment}`"))?;
        if let Some(id) = fields.get("runId").and_then(Value::as_str) {
            segment("a run", id)?;
        }
        match &self.store {
            Store::Platform(platform) => platform.create_run(experiment, &fields).await,
            Store::Local(local) => local.create_run(experiment, fields).await,
        }
    }

    /// Makes a run that begins now. [`record`](Self::record) also ends it.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail). When the run was made and only its start could not be noted, the error
    /// says its id.
    #[doc(alias = "start_run")]
    pub async fn start(&self) -> Result<ActiveRun, Error> {
        ActiveRun::start(self.clone()).await
    }

    /// Makes a run that lasts as long as a function: it begins before the function is called, and is finished when that
    /// returns, also with an error, or panics. Only when the future is dropped does the run stay open, as at the end of a
    /// timeout. Gives what the function gives.
    ///
    /// ```no_run
    /// # async fn example(runs: skill_sdk::client::experiments::Runs) -> skill_sdk::Result<()> {
    /// let depth = runs
    ///     .record(async |run| -> skill_sdk::Result<_> {
    ///         let depth: i64 = std::fs::read_to_string("depth.txt")?.trim().parse()?;
    ///         run.log_param("depth", depth).await?;
    ///         Ok(depth)
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start); nothing is called then. Else the error of the function, or, when it has none, that of
    /// [`ActiveRun::finish`].
    pub async fn record<T, E: From<Error>>(&self, work: impl AsyncFnOnce(&ActiveRun) -> Result<T, E>) -> Result<T, E> {
        let run = self.start().await?;
        let done = AssertUnwindSafe(work(&run)).catch_unwind().await;
        let finished = run.finish().await;
        if let (Err(_) | Ok(Err(_)), Err(error)) = (&done, &finished) {
            tracing::warn!("a run that failed stays open: {}", error.chain());
        }
        match done {
            Ok(Ok(value)) => Ok(finished.map(|()| value)?),
            Ok(Err(error)) => Err(error),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// A run.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run.
    pub async fn get(&self, id: &str) -> Result<Run, Error> {
        let run = self.run(id)?;
        match &self.store {
            Store::Platform(platform) => platform.run(run).await,
            Store::Local(local) => local.run(run).await,
        }
    }

    /// A run, or `None` when there is none of that id.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_opt(&self, id: &str) -> Result<Option<Run>, Error> {
        found(self.get(id).await)
    }

    /// Sets fields of a run to those of a JSON object. Without a platform, those that [`create`](Self::create) does not
    /// count do not count here either, nor does `runId`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run.
    pub async fn update(&self, id: &str, fields: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let run = self.run(id)?;
        let fields = object(fields, &format!("cannot update {run}"))?;
        match &self.store {
            Store::Platform(platform) => platform.update_run(run, &fields).await,
            Store::Local(local) => local.update_run(run, fields).await,
        }
    }

    /// Deletes a run.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let run = self.run(id)?;
        match &self.store {
            Store::Platform(platform) => platform.delete_run(run).await,
            Store::Local(local) => local.delete_run(run).await,
        }
    }

    /// Deletes all runs.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn delete_all(&self) -> Result<(), Error> {
        self.delete_those(None).await
    }

    /// Deletes the runs that pass a filter: a JSON object of what [`ListOptions::filter`] takes. One without fields lets all
    /// pass.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn delete_matching(&self, filter: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let failure = format!("cannot delete runs of experiment `{}`", self.experiment);
        self.delete_those(Some(object(filter, &failure)?)).await
    }

    async fn delete_those(&self, filter: Option<Map<String, Value>>) -> Result<(), Error> {
        let experiment = self.checked()?;
        match &self.store {
            Store::Platform(platform) => platform.delete_runs(experiment, filter).await,
            Store::Local(local) => local.delete_runs(experiment, filter.unwrap_or_default()).await,
        }
    }

    /// Sets one entry of a run's meta.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run.
    pub async fn set_meta(&self, id: &str, key: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.set(id, Entries::Meta, segment("an entry of meta", key)?, value.into()).await
    }

    /// Logs what a run is made with.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run.
    pub async fn log_param(&self, id: &str, name: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.set(id, Entries::Params, segment("a param", name)?, value.into()).await
    }

    /// Logs what a run came to, replacing what was logged under this name. What JSON has no number for, such as NaN, is
    /// `null`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run.
    pub async fn log_metric(&self, id: &str, name: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.set(id, Entries::Metrics, segment("a metric", name)?, value.into()).await
    }

    async fn set(&self, id: &str, entries: Entries, key: &str, value: Value) -> Result<(), Error> {
        let run = self.run(id)?;
        match &self.store {
            Store::Platform(platform) => platform.set(run, entries, key, value).await,
            Store::Local(local) => local.set(run, entries, key, value).await,
        }
    }

    /// Stores bytes with a run, replacing what was there, without holding them in memory. They are sent as
    /// `application/octet-stream`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such run. A body that fails ends
    /// the call, and nothing is stored.
    pub async fn log_artifact(&self, id: &str, name: &str, artifact: impl Into<Body>) -> Result<(), Error> {
        let run = self.run(id)?;
        let name = path("the name of an artifact", name)?;
        match &self.store {
            Store::Platform(platform) => platform.save_artifact(run, name, artifact.into()).await,
            Store::Local(local) => local.save_artifact(run, name, artifact.into()).await,
        }
    }

    /// Opens an artifact of a run for reading.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such artifact.
    pub async fn artifact(&self, id: &str, name: &str) -> Result<Download, Error> {
        let run = self.run(id)?;
        let name = path("the name of an artifact", name)?;
        match &self.store {
            Store::Platform(platform) => platform.artifact(run, name).await,
            Store::Local(local) => local.artifact(run, name).await,
        }
    }

    /// Opens an artifact of a run for reading, or gives `None` when there is none of that name.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn artifact_opt(&self, id: &str, name: &str) -> Result<Option<Download>, Error> {
        found(self.artifact(id, name).await)
    }

    fn checked(&self) -> Result<&str, Error> {
        segment("an experiment", &self.experiment)
    }

    fn run<'n>(&'n self, id: &'n str) -> Result<RunName<'n>, Error> {
        Ok(RunName { experiment: self.checked()?, run: segment("a run", id)? })
    }
}
