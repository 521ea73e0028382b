//! Experiments and their runs, with params, metrics, meta and artifacts (contract "fabric-api", section 10).
//!
//! - [`Experiments`]: the experiments of a project, or of a folder on this machine
//! - [`Runs`]: the runs of an experiment; [`ActiveRun`]: one that is under way
//! - [`Experiment`], [`NewExperiment`], [`Run`]: what is known of them
//! - `platform`: how a platform is asked; `local`: how they are kept in a folder
//!
//! ```no_run
//! # use skill_sdk::client::experiments::NewExperiment;
//! # use skill_sdk::client::{ListOptions, Order};
//! # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
//! let experiments = client.experiments(); // or Experiments::local("experiments")
//! experiments.save(&NewExperiment::new("churn").title("Who leaves, and why")).await?;
//!
//! let runs = experiments.runs("churn");
//! let work = runs.record(async |run| {
//!     run.log_param("depth", 3).await?;
//!     run.log_metric("auc", 0.91).await?;
//!     run.log_artifact("model", "the bytes of the model").await
//! });
//! work.await?;
//!
//! let best = ListOptions::new().filter("params.depth", 3).sort("metrics.auc", Order::Descending).limit(1);
//! for run in runs.find(&best).await? {
//!     let model = runs.artifact(&run.run_id, "model").await?.bytes().await?;
//!     println!("{} {:?}: {} bytes", run.run_id, run.metrics.get("auc"), model.len());
//! }
//! # Ok(()) }
//! ```

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::profile::folder;
use crate::auth::{Environment, ProcessEnvironment};
use crate::client::address::segment;
use crate::client::definition::definition;
use crate::client::list::ListOptions;
use crate::client::{Client, found};
use crate::error::{Code, Error};

pub use active_run::ActiveRun;
pub use experiment::{Experiment, NewExperiment};
use local::Local;
use platform::Platform;
pub use run::Run;
pub use runs::Runs;

mod active_run;
mod experiment;
mod local;
mod platform;
mod run;
mod runs;

/// The experiments of a project, or those that are kept in a folder on this machine. Cheap to clone.
///
/// Names of experiments, runs, params, metrics and meta may hold any character but control ones; those that are empty, `.` or
/// `..` are refused too, because no URL can carry them. The rules are the same without a platform.
///
/// # Without a platform
///
/// [`local`](Self::local) keeps experiments in a folder. What they are asked and what they give is the same; this is what it
/// decides where a platform would:
///
/// - Something absent is an error of the same kind: [`Error::http_status`] is 404 and [`Error::is_not_found`] is true.
///   Everything else that fails is [`Code::SkillFailed`]; it names the file, where one is at fault.
/// - Filters hold a value that must be equal, or an object of the operators `$gt`, `$gte`, `$lt`, `$lte`, `$ne` and `$in`.
///   Fields may be paths such as `params.depth`. Numbers are equal when their values are; `null` equals what is absent;
///   values of different types are neither smaller nor larger. Any other operator is an error.
/// - Sorting puts what is absent or `null` last in both directions, and of equals the run that was made last first.
/// - Experiments are listed by name and runs in the order in which they were made, unless a sort is asked for.
/// - `_projectId` is `local`.
///
/// The folder holds, for each experiment, with names as they are but everything except ASCII letters, digits, `-`, `_` and
/// dots inside percent-encoded (`acme/churn` is `acme%2Fchurn`):
///
/// | path | content |
/// |---|---|
/// | `{name}/config.yml` | YAML: `experiment`, the fields of the experiment, and `runs`, a list of its runs; both must be there |
/// | `{name}/artifacts/{artifact}_{run id}.pk` | an artifact, its bytes as they are; `_` in run ids is encoded too |
/// | `.locks/{name}` | an empty file, locked while the experiment is changed |
///
/// A name whose file would have a name of over 255 bytes is refused. Files are replaced as a whole and keep their permissions;
/// until then, what replaces them has a name that begins with `.new-`. Links to files stay links. Changes of one experiment
/// wait for each other, also those of several processes: after 30 s in vain they fail.
///
/// Others may keep files there too: the platform's Python client has its own in `~/.cortex/local/experiments`, with runs
/// inside `experiment`, and these are not read. A `config.yml` that is not in the form above, or broken, or of an experiment
/// with another name, is never written. Lists leave it out with a warning in the log, and every other call for the
/// experiment of its folder fails and says what is wrong with it. Keys that are not known are kept wherever they stand.
#[derive(Clone, Debug)]
pub struct Experiments {
    store: Store,
}

/// Where experiments are.
#[derive(Clone, Debug)]
enum Store {
    Platform(Platform),
    Local(Local),
}

impl Experiments {
    pub(super) fn new(client: Client) -> Self {
        Self { store: Store::Platform(Platform::new(client)) }
    }

    /// The experiments in a folder, which is made when the first one is saved. See
    /// [without a platform](Self#without-a-platform).
    ///
    /// ```
    /// # use skill_sdk::client::experiments::{Experiments, NewExperiment};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), skill_sdk::Error> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// let experiments = Experiments::local(folder.path());
    /// experiments.save(&NewExperiment::new("churn")).await?;
    /// let run = experiments.runs("churn").start().await?;
    /// run.log_metric("auc", 0.91).await?;
    /// run.finish().await?;
    /// assert_eq!(experiments.runs("churn").last().await?.metrics["auc"], 0.91);
    /// # Ok(()) }
    /// ```
    pub fn local(folder: impl Into<PathBuf>) -> Self {
        Self { store: Store::Local(Local::new(folder.into())) }
    }

    /// The experiments in `~/.cortex/local/experiments`; `CORTEX_CONFIG_DIR` replaces `~/.cortex`. See
    /// [without a platform](Self#without-a-platform).
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when there is neither that variable nor a home folder.
    pub fn local_default() -> Result<Self, Error> {
        Self::local_of(&ProcessEnvironment)
    }

    fn local_of(environment: &dyn Environment) -> Result<Self, Error> {
        let folder = folder(environment).ok_or_else(|| {
            let detail =
                "there is no folder for local experiments: CORTEX_CONFIG_DIR is not set, and the user has no home";
            Error::new(Code::SkillFailed, detail)
        })?;
        Ok(Self::local(folder.join("local").join("experiments")))
    }

    /// All experiments.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<Experiment>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// The experiments that are asked for. They can be filtered by `name`, `title`, `description` and `modelId`, and sorted
    /// also by `createdAt` and `updatedAt`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<Experiment>, Error> {
        match &self.store {
            Store::Platform(platform) => platform.list(options).await,
            Store::Local(local) => local.list(options).await,
        }
    }

    /// Saves an experiment: a [`NewExperiment`], or anything that is written as a JSON object with a `name`. Gives it as it
    /// is saved.
    ///
    /// One that was read can be saved again: what a platform itself says of it (`createdAt`, `createdBy`, `updatedAt`,
    /// `success` and all that begins with `_`) is left out.
    ///
    /// Without a platform, an experiment that is there already gets the fields that are given and keeps the others and its
    /// runs; `_version` counts how often it was saved.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); nothing is sent without a `name`.
    pub async fn save(&self, experiment: &(impl Serialize + ?Sized)) -> Result<Experiment, Error> {
        let fields = definition(experiment, "cannot save an experiment")?;
        let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = segment("an experiment", name)?.to_owned();
        match &self.store {
            Store::Platform(platform) => platform.save(&name, &fields).await,
            Store::Local(local) => local.save(&name, fields).await,
        }
    }

    /// An experiment.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such experiment.
    pub async fn get(&self, name: &str) -> Result<Experiment, Error> {
        let name = segment("an experiment", name)?;
        match &self.store {
            Store::Platform(platform) => platform.get(name).await,
            Store::Local(local) => local.get(name).await,
        }
    }

    /// An experiment, or `None` when there is none of that name.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_opt(&self, name: &str) -> Result<Option<Experiment>, Error> {
        found(self.get(name).await)
    }

    /// Deletes an experiment. Without a platform its runs and their artifacts go with it.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such experiment.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let name = segment("an experiment", name)?;
        match &self.store {
            Store::Platform(platform) => platform.delete(name).await,
            Store::Local(local) => local.delete(name).await,
        }
    }

    /// Sets one entry of an experiment's meta, and gives the experiment as it is saved.
    ///
    /// A platform has no call for that: the experiment is read and saved again as a whole, and what somebody else saves
    /// in between is lost.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such experiment.
    pub async fn set_meta(&self, name: &str, key: &str, value: impl Into<Value>) -> Result<Experiment, Error> {
        let name = segment("an experiment", name)?;
        match &self.store {
            Store::Platform(platform) => platform.set_experiment_meta(name, key, value.into()).await,
            Store::Local(local) => local.set_experiment_meta(name, key, value.into()).await,
        }
    }

    /// The runs of an experiment.
    pub fn runs(&self, experiment: impl Into<String>) -> Runs {
        Runs::new(self.store.clone(), experiment.into())
    }
}

/// What is given as the fields of something.
fn object(value: &(impl Serialize + ?Sized), failure: &str) -> Result<Map<String, Value>, Error> {
    let failed = |why| Error::new(Code::SkillFailed, format!("{failure}: {why}"));
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(failed("its fields must be those of a JSON object")),
        Err(error) => Err(failed("the value cannot be written as JSON").with_source(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn local_experiments_are_below_the_folder_of_profiles() {
        let root = |environment: &BTreeMap<&str, &str>| {
            let Store::Local(local) = Experiments::local_of(environment)?.store else { panic!("not local") };
            Ok::<_, Error>(local.root().to_owned())
        };
        let home = BTreeMap::from([("HOME", "/home/ann")]);
        assert_eq!(root(&home).unwrap(), Path::new("/home/ann/.cortex/local/experiments"));
        let elsewhere = BTreeMap::from([("HOME", "/home/ann"), ("CORTEX_CONFIG_DIR", "/etc/cortex")]);
        assert_eq!(root(&elsewhere).unwrap(), Path::new("/etc/cortex/local/experiments"));
        assert_eq!(root(&BTreeMap::new()).unwrap_err().code(), Code::SkillFailed);
    }
}
