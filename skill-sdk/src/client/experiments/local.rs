//! Experiments that are kept in a folder on this machine. Names are checked by whoever calls.
//!
//! - `folder`: the folder of an experiment, and how it is changed; `config`: what its file says
//! - `name`: names as names of files
//! - `select`: what a platform would do with filter, sort, limit and skip
//! - `incoming`: an artifact that is being stored

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::client::body::Body;
use crate::client::content::Download;
use crate::client::list::{ListOptions, Order};
use crate::error::{Code, Error};

use super::experiment::Experiment;
use super::run::{Entries, Run, RunName};
use config::Config;
use folder::{Folder, Found};
use select::{Filter, select};

mod config;
mod folder;
mod incoming;
mod name;
mod select;

#[derive(Clone, Debug)]
pub(super) struct Local {
    root: Arc<Path>,
}

impl Local {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    #[cfg(test)]
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) async fn list(&self, options: &ListOptions) -> Result<Vec<Experiment>, Error> {
        let (root, options) = (self.root.clone(), options.clone());
        let read = move || {
            let (mut experiments, mut others) = (Vec::new(), Vec::new());
            for name in folder::experiments(&root)? {
                match Folder::new(&root, &name)?.find()? {
                    // It may be gone meanwhile.
                    Found::Nothing => {}
                    Found::Config(config) => experiments.push(config.experiment),
                    Found::Other(why) => others.push(why),
                }
            }
            Ok((select(experiments, &options)?, others))
        };
        let (experiments, others) = blocking(read).await?;
        for why in others {
            tracing::warn!("an experiment is left out of the list: {}", why.chain());
        }
        Ok(experiments)
    }

    pub(super) async fn save(&self, name: &str, fields: Map<String, Value>) -> Result<Experiment, Error> {
        let experiment = name.to_owned();
        self.within(name, move |folder| {
            let locked = folder.lock()?;
            let mut config = folder.config_opt()?.unwrap_or_else(|| Config::new(&experiment));
            config.save(fields)?;
            locked.write(&config)?;
            Ok(config.experiment)
        })
        .await
    }

    pub(super) async fn get(&self, name: &str) -> Result<Experiment, Error> {
        self.within(name, |folder| Ok(folder.config()?.experiment)).await
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.within(name, |folder| folder.lock_existing()?.delete()).await
    }

    pub(super) async fn set_experiment_meta(&self, name: &str, key: &str, value: Value) -> Result<Experiment, Error> {
        let key = key.to_owned();
        let change = move |config: &mut Config| {
            config.experiment.meta.insert(key, value);
            config.save(Map::new())?;
            Ok(config.experiment.clone())
        };
        self.within(name, |folder| folder.change(change)).await
    }

    pub(super) async fn list_runs(&self, experiment: &str, options: &ListOptions) -> Result<Vec<Run>, Error> {
        let options = options.clone();
        self.within(experiment, move |folder| {
            let mut runs = folder.config()?.runs;
            if !options.sort.is_empty() {
                // Of equals that which was made last comes first.
                runs.reverse();
            }
            select(runs, &options)
        })
        .await
    }

    /// As the platform does, those that were last written come first unless another sort is asked for (contract "fabric-api",
    /// section 10, "find defaults").
    pub(super) async fn find_runs(&self, experiment: &str, options: ListOptions) -> Result<Vec<Run>, Error> {
        let sorted = !options.sort.is_empty();
        let options = if sorted { options } else { options.sort("_updatedAt", Order::Descending) };
        self.list_runs(experiment, &options).await
    }

    pub(super) async fn create_run(&self, experiment: &str, fields: Map<String, Value>) -> Result<Run, Error> {
        self.within(experiment, move |folder| folder.change(|config| config.create_run(fields))).await
    }

    pub(super) async fn run(&self, run: RunName<'_>) -> Result<Run, Error> {
        let id = run.run.to_owned();
        self.within(run.experiment, move |folder| {
            let mut config = folder.config()?;
            let run = folder.index_of(&id, &config)?;
            Ok(config.runs.swap_remove(run))
        })
        .await
    }

    pub(super) async fn update_run(&self, run: RunName<'_>, fields: Map<String, Value>) -> Result<(), Error> {
        self.change_run(run, |run| config::update(run, fields)).await
    }

    pub(super) async fn set(&self, run: RunName<'_>, entries: Entries, key: &str, value: Value) -> Result<(), Error> {
        let key = key.to_owned();
        let insert = move |run: &mut Run| {
            entries.of(run).insert(key, value);
            Ok(())
        };
        self.change_run(run, insert).await
    }

    pub(super) async fn delete_run(&self, run: RunName<'_>) -> Result<(), Error> {
        let id = run.run.to_owned();
        self.within(run.experiment, move |folder| {
            let locked = folder.lock_existing()?;
            let mut config = folder.config()?;
            let run = folder.index_of(&id, &config)?;
            let run = config.runs.remove(run);
            locked.write(&config)?;
            locked.remove_artifacts(&run)
        })
        .await
    }

    pub(super) async fn delete_runs(&self, experiment: &str, filter: Map<String, Value>) -> Result<(), Error> {
        self.within(experiment, move |folder| {
            let filter = Filter::new(&filter)?;
            let locked = folder.lock_existing()?;
            let mut config = folder.config()?;
            let (mut deleted, mut kept) = (Vec::new(), Vec::new());
            for run in config.runs {
                let list = if filter.lets_pass(&select::value(&run)?) { &mut deleted } else { &mut kept };
                list.push(run);
            }
            config.runs = kept;
            locked.write(&config)?;
            deleted.iter().try_for_each(|run| locked.remove_artifacts(run))
        })
        .await
    }

    pub(super) async fn save_artifact(&self, run: RunName<'_>, name: &str, artifact: Body) -> Result<(), Error> {
        let failure = format!("cannot save artifact `{name}` of {run}");
        let (id, artifact_name) = (run.run.to_owned(), name.to_owned());
        let begin = move |folder: &Folder| {
            // A run that is not there is known before anything is read.
            let locked = folder.lock_existing()?;
            folder.index_of(&id, &folder.config()?)?;
            locked.expect(&artifact_name, &id)
        };
        let mut incoming = self.within(run.experiment, begin).await?;
        let received = incoming.receive(artifact, &failure).await;
        let (id, name) = (run.run.to_owned(), name.to_owned());
        let place = move |folder: &Folder| {
            let placed = received.and_then(|()| folder.place(&mut incoming, &id, name));
            // Nothing of it is left when a failure is known.
            incoming.remove();
            placed
        };
        self.within(run.experiment, place).await
    }

    pub(super) async fn artifact(&self, run: RunName<'_>, name: &str) -> Result<Download, Error> {
        let failure = format!("cannot get artifact `{name}` of {run}");
        let (id, name) = (run.run.to_owned(), name.to_owned());
        self.within(run.experiment, move |folder| {
            let mut config = folder.config()?;
            let run = folder.index_of(&id, &config)?;
            let known = config.runs.swap_remove(run).artifacts.contains_key(&name);
            let file = if known { folder::open(&folder.artifact_path(&name, &id)?, failure)? } else { None };
            let file = file.ok_or_else(|| folder.without(&format!("artifact `{name}` of run `{id}`")))?;
            Ok(Download::of_file(file))
        })
        .await
    }

    async fn change_run(
        &self,
        run: RunName<'_>,
        change: impl FnOnce(&mut Run) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let id = run.run.to_owned();
        self.within(run.experiment, move |folder| {
            folder.change(|config| {
                let run = folder.index_of(&id, config)?;
                let run = &mut config.runs[run];
                change(run)?;
                config::touch(run);
                Ok(())
            })
        })
        .await
    }

    /// Works in the folder of an experiment.
    async fn within<T: Send + 'static>(
        &self,
        experiment: &str,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (root, experiment) = (self.root.clone(), experiment.to_owned());
        blocking(move || work(&Folder::new(&root, &experiment)?)).await
    }
}

/// Works off the async workers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(Code::Internal, "the work on local experiments was broken off").with_source(error))
    })
}

/// The time as a platform writes it: ISO 8601, UTC, milliseconds.
fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
