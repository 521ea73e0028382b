//! Where a download goes.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use skill_sdk::{Code, Error};

/// Where a download goes.
pub(super) enum Target {
    StandardOutput(File),
    Path(PathBuf),
}

impl Target {
    /// The file that is named, else standard output. A file in a folder is called like the last part of the key.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a folder when the key does not end in a name, [`Code::Internal`] for standard output.
    pub(super) fn find(file: Option<&Path>, key: &str) -> Result<Self, Error> {
        match file {
            Some(folder) if folder.is_dir() => Ok(Self::Path(folder.join(last_part(folder, key)?))),
            Some(file) => Ok(Self::Path(file.to_owned())),
            None => {
                let output = io::stdout().as_fd().try_clone_to_owned().map_err(|error| {
                    Error::new(Code::Internal, "cannot write to standard output").with_source(error)
                })?;
                Ok(Self::StandardOutput(output.into()))
            }
        }
    }

    /// Whether what is written is shown to whoever would see the progress.
    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Self::StandardOutput(output) => output.is_terminal(),
            Self::Path(path) => path.exists() && !path.is_file(),
        }
    }
}

fn last_part<'k>(folder: &Path, key: &'k str) -> Result<&'k str, Error> {
    match key.rsplit('/').next() {
        Some(part) if !matches!(part, "" | "." | "..") => Ok(part),
        _ => {
            let detail =
                format!("{} is a folder, and the key {key:?} does not end in a name: name a file", folder.display());
            Err(Error::new(Code::SkillFailed, detail))
        }
    }
}
