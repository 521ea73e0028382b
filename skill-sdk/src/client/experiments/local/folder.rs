//! The folder of an experiment. Everything here is blocking.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::experiments::run::Run;
use crate::client::file::OpenFile;
use crate::client::replace::Replacement;
use crate::error::{Code, Error};

use super::config::{self, Config};
use super::incoming::Incoming;
use super::name;

const CONFIG: &str = "config.yml";
const ARTIFACTS: &str = "artifacts";

/// Locks are files of their own that are never removed: one that is removed can be held twice, by whoever opened it before and
/// whoever made it anew.
const LOCKS: &str = ".locks";

/// How long changes wait for each other at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A file that is to replace another, and that nothing was written to for so long, is nobody's. Artifacts come in while
/// others hold the lock.
const LEFT_AFTER: Duration = Duration::from_hours(24);

/// How the names of files begin that are to replace another.
pub(super) const NEW: &str = ".new-";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is in the place of an experiment's file.
pub(super) enum Found {
    Nothing,
    Config(Box<Config>),
    /// Something of another form, or of another experiment; why it is no use.
    Other(Error),
}

/// The folder of an experiment, which need not be there.
pub(super) struct Folder {
    root: PathBuf,
    path: PathBuf,
    lock: PathBuf,
    experiment: String,
}

impl Folder {
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a name that is too long.
    pub(super) fn new(root: &Path, experiment: &str) -> Result<Self, Error> {
        let folder = name::folder(experiment)?;
        let (path, lock) = (root.join(&folder), root.join(LOCKS).join(folder));
        Ok(Self { root: root.to_owned(), path, lock, experiment: experiment.to_owned() })
    }

    /// What its file says.
    ///
    /// # Errors
    ///
    /// As [`config_opt`](Self::config_opt), and "not found" when there is no such experiment.
    pub(super) fn config(&self) -> Result<Config, Error> {
        self.config_opt()?.ok_or_else(|| self.absent())
    }

    /// What its file says, if there is one.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a file that cannot be read or is not the experiment's.
    pub(super) fn config_opt(&self) -> Result<Option<Config>, Error> {
        match self.find()? {
            Found::Nothing => Ok(None),
            Found::Config(config) => Ok(Some(*config)),
            Found::Other(why) => Err(why),
        }
    }

    /// Looks at its file.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a file that cannot be read.
    pub(super) fn find(&self) -> Result<Found, Error> {
        let path = self.path.join(CONFIG);
        let other = |error| Found::Other(failed(&path, "is not in the form of a local experiment", error));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => match error.kind() {
                ErrorKind::NotFound => return Ok(Found::Nothing),
                ErrorKind::InvalidData | ErrorKind::IsADirectory => return Ok(other(BoxError::from(error))),
                _ => return Err(failed(&path, "cannot be read", error)),
            },
        };
        let config: Box<Config> = match yaml_serde::from_str(&text) {
            Ok(config) => config,
            Err(error) => return Ok(other(error.into())),
        };
        if config.experiment.name != self.experiment {
            let (experiment, name) = (&self.experiment, &config.experiment.name);
            // Some file systems take no notice of case.
            let detail = format!("{}: this is of experiment `{name}`, not of `{experiment}`", path.display());
            return Ok(Found::Other(Error::new(Code::SkillFailed, detail)));
        }
        Ok(Found::Config(config))
    }

    /// Waits until nobody else changes the experiment.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when the disk fails, or after 30 s.
    pub(super) fn lock(&self) -> Result<Locked<'_>, Error> {
        let path = &self.lock;
        let unusable = |error| failed(path, "cannot be locked", error);
        fs::create_dir_all(self.root.join(LOCKS)).map_err(unusable)?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(unusable)?;
        let until = Instant::now() + LONGEST_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    self.remove_leftovers();
                    return Ok(Locked { folder: self, _lock: file });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    thread::sleep(Duration::from_micros(fastrand::u64(500..5000)));
                }
                Err(TryLockError::WouldBlock) => {
                    let detail = format!("{}: somebody else has held this lock for {LONGEST_WAIT:?}", path.display());
                    return Err(Error::new(Code::SkillFailed, detail));
                }
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
    }

    /// As [`lock`](Self::lock), and "not found" when there is no such experiment. Nothing is made then. What the file says is
    /// for the caller to read: it may be another before the lock is held.
    pub(super) fn lock_existing(&self) -> Result<Locked<'_>, Error> {
        let path = self.path.join(CONFIG);
        match path.try_exists() {
            Ok(true) => self.lock(),
            Ok(false) => Err(self.absent()),
            Err(error) => Err(failed(&path, "cannot be read", error)),
        }
    }

    /// Changes what the file says, while nobody else does.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Config) -> Result<T, Error>) -> Result<T, Error> {
        let locked = self.lock_existing()?;
        let mut config = self.config()?;
        let changed = change(&mut config)?;
        locked.write(&config)?;
        Ok(changed)
    }

    fn artifacts(&self) -> PathBuf {
        self.path.join(ARTIFACTS)
    }

    /// Where an artifact is.
    pub(super) fn artifact_path(&self, artifact: &str, run: &str) -> Result<PathBuf, Error> {
        Ok(self.artifacts().join(name::artifact(artifact, run)?))
    }

    /// Removes files that were to replace others when their process was killed. What cannot be removed is in nobody's way.
    fn remove_leftovers(&self) {
        let folders = [&self.path, &self.artifacts()];
        let entries = folders.into_iter().flat_map(fs::read_dir).flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(NEW.as_bytes())) {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            if written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age >= LEFT_AFTER)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Makes what came in an artifact of a run.
    pub(super) fn place(&self, incoming: &mut Incoming, run: &str, artifact: String) -> Result<(), Error> {
        let locked = self.lock_existing()?;
        let mut config = self.config()?;
        let index = self.index_of(run, &config)?;
        let path = self.artifact_path(&artifact, run)?;
        incoming.place(&path)?;
        let run = &mut config.runs[index];
        // The folder may be moved.
        let inside = path.strip_prefix(&self.path).unwrap_or(&path);
        run.artifacts.insert(artifact, inside.to_string_lossy().into());
        config::touch(run);
        locked.write(&config)
    }

    /// Where a run is in the list.
    ///
    /// # Errors
    ///
    /// "Not found" when it is not there.
    pub(super) fn index_of(&self, run: &str, config: &Config) -> Result<usize, Error> {
        config.index_of(run).ok_or_else(|| self.without(&format!("run `{run}`")))
    }

    /// The failure that there is no such experiment.
    fn absent(&self) -> Error {
        absent(&format!("experiment `{}` in {}", self.experiment, self.root.display()))
    }

    /// The failure that the experiment lacks something.
    pub(super) fn without(&self, what: &str) -> Error {
        absent(&format!("{what} of experiment `{}` in {}", self.experiment, self.root.display()))
    }
}

/// The folder of an experiment while nobody else changes it.
pub(super) struct Locked<'f> {
    folder: &'f Folder,
    /// Unlocked when it is closed.
    _lock: File,
}

impl Locked<'_> {
    /// Replaces what the file says.
    pub(super) fn write(&self, config: &Config) -> Result<(), Error> {
        let Folder { path: folder, .. } = self.folder;
        let path = folder.join(CONFIG);
        let text = yaml_serde::to_string(config).map_err(|error| {
            Error::new(Code::SkillFailed, format!("{}: cannot be written as YAML", path.display())).with_source(error)
        })?;
        fs::create_dir_all(folder)
            .and_then(|()| {
                let (mut file, replacement) = Replacement::new(&path, NEW)?;
                file.write_all(text.as_bytes())?;
                // Else a power cut could leave the new name without the text.
                file.sync_all()?;
                replacement.complete()
            })
            .map_err(|error| failed(&path, "cannot be written", error))
    }

    /// Makes a file for an artifact that is to come in.
    pub(super) fn expect(&self, artifact: &str, run: &str) -> Result<Incoming, Error> {
        let (folder, path) = (self.folder.artifacts(), self.folder.artifact_path(artifact, run)?);
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, "cannot be made", error))?;
        Incoming::new(&path)
    }

    /// Deletes the experiment. Without its file there is none, whatever else is left.
    pub(super) fn delete(self) -> Result<(), Error> {
        self.folder.config()?;
        let Folder { path, .. } = self.folder;
        let config = path.join(CONFIG);
        fs::remove_file(&config).map_err(|error| failed(&config, "cannot be removed", error))?;
        fs::remove_dir_all(path).map_err(|error| failed(path, "cannot be removed", error))
    }

    /// Removes the artifacts of a run that is no more.
    pub(super) fn remove_artifacts(&self, run: &Run) -> Result<(), Error> {
        for artifact in run.artifacts.keys() {
            let path = self.folder.artifact_path(artifact, &run.run_id)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed(&path, "cannot be removed", error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The names of all experiments, sorted.
pub(super) fn experiments(root: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |error| failed(root, "cannot be read", error);
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        // Folders of other names, and files, are somebody else's.
        if entry.path().is_dir() {
            names.extend(entry.file_name().to_str().and_then(name::decoded));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A file, if there is one.
pub(super) fn open(path: &Path, failure: String) -> Result<Option<OpenFile>, Error> {
    match File::open(path).and_then(|file| OpenFile::new(file, failure)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "cannot be read", error)),
    }
}

pub(super) fn failed(path: &Path, what: &str, error: impl Into<BoxError>) -> Error {
    Error::new(Code::SkillFailed, format!("{}: {what}", path.display())).with_source(error)
}

/// The failure that something is not there, of the same kind as a platform's.
fn absent(what: &str) -> Error {
    Error::new(Code::SkillFailed, format!("there is no {what}")).with_http_status(404)
}
