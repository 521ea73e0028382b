//! A run that is under way.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client::body::Body;
use crate::error::{Error, SkillError};

use super::run::Run;
use super::runs::Runs;

/// A run that is under way, made by [`Runs::start`] or [`Runs::record`]. One that is dropped without [`finish`](Self::finish)
/// stays open: it has a start and no end. `record` finishes it also when a `?` or a panic ends the work.
#[derive(Clone, Debug)]
#[must_use = "a run is open until `finish` is called"]
pub struct ActiveRun {
    runs: Runs,
    run: Run,
    /// Seconds since 1970 UTC.
    start_time: i64,
    /// By a clock that nobody sets.
    began: Instant,
}

impl ActiveRun {
    pub(super) async fn start(runs: Runs) -> Result<Self, Error> {
        let run = runs.create(&json!({})).await?;
        let active = Self { runs, run, start_time: Timestamp::now().as_second(), began: Instant::now() };
        let times = json!({"took": null, "startTime": active.start_time, "endTime": null});
        match active.runs.update(active.id(), &times).await {
            Ok(()) => Ok(active),
            Err(error) => {
                let (id, experiment) = (active.id(), active.runs.experiment());
                let made = format!("run `{id}` of experiment `{experiment}` is made, but not that it began");
                Err(SkillError::from(error).context(made).into())
            }
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.run.run_id
    }

    /// The run as it was made. What is logged is not added to it: [`Runs::get`] gives the run as it is.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// As [`Runs::set_meta`].
    ///
    /// # Errors
    ///
    /// As that.
    pub async fn set_meta(&self, key: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.runs.set_meta(self.id(), key, value).await
    }

    /// As [`Runs::log_param`].
    ///
    /// # Errors
    ///
    /// As that.
    pub async fn log_param(&self, name: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.runs.log_param(self.id(), name, value).await
    }

    /// As [`Runs::log_metric`].
    ///
    /// # Errors
    ///
    /// As that.
    pub async fn log_metric(&self, name: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.runs.log_metric(self.id(), name, value).await
    }

    /// As [`Runs::log_artifact`].
    ///
    /// # Errors
    ///
    /// As that.
    pub async fn log_artifact(&self, name: &str, artifact: impl Into<Body>) -> Result<(), Error> {
        self.runs.log_artifact(self.id(), name, artifact).await
    }

    /// Says that it ends now: `startTime` and `endTime` in whole seconds, and `took` in seconds with their fraction. When that
    /// fails it can be called once more, and ends then.
    ///
    /// # Errors
    ///
    /// As [`Runs::update`].
    pub async fn finish(&self) -> Result<(), Error> {
        let took = self.began.elapsed().as_secs_f64();
        let times = json!({"took": took, "startTime": self.start_time, "endTime": Timestamp::now().as_second()});
        self.runs.update(self.id(), &times).await
    }
}
