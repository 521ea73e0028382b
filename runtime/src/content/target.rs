//! Where a download goes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use skill_sdk::{Code, Error};
use tempfile::{Builder, TempPath};

use crate::files::real_path;

/// Where a download goes.
pub(super) enum Target {
    StandardOutput {
        is_terminal: bool,
    },
    /// A file that takes its place when it is complete, and is gone when this is dropped before.
    File {
        path: PathBuf,
        incomplete: TempPath,
    },
    /// What has no content of its own to lose: a pipe or a device.
    Stream {
        path: PathBuf,
        is_terminal: bool,
    },
}

impl Target {
    /// Opens the file that is named, else standard output. A file in a folder is called like the last part of the key.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a file that cannot be written, [`Code::Internal`] for standard output.
    pub(super) fn open(file: Option<&Path>, key: &str) -> Result<(Self, File), Error> {
        let Some(file) = file else {
            let output = io::stdout().as_fd().try_clone_to_owned().map_err(unwritable_output)?;
            let output = File::from(output);
            return Ok((Self::StandardOutput { is_terminal: output.is_terminal() }, output));
        };
        let path = if file.is_dir() { file.join(last_part(file, key)?) } else { file.to_owned() };
        let opened = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if metadata.is_file() => beside(&path, Some(metadata.permissions())),
            Ok(_) => OpenOptions::new()
                .write(true)
                .open(&path)
                .map(|output| (Self::Stream { path: path.clone(), is_terminal: output.is_terminal() }, output)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => beside(&path, None),
            Err(error) => Err(error),
        };
        opened.map_err(|error| unwritable(&path, error))
    }

    /// Whether what is written is shown to whoever would see the progress.
    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Self::StandardOutput { is_terminal } | Self::Stream { is_terminal, .. } => *is_terminal,
            Self::File { .. } => false,
        }
    }

    /// Says that everything is written.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when the file cannot take its place.
    pub(super) fn keep(self) -> Result<(), Error> {
        match self {
            Self::StandardOutput { .. } | Self::Stream { .. } => Ok(()),
            Self::File { path, incomplete } => {
                incomplete.persist(&path).map_err(|error| unwritable(&path, error.error))
            }
        }
    }

    /// The failure of writing.
    pub(super) fn unwritable(&self, error: io::Error) -> Error {
        match self {
            Self::StandardOutput { .. } => unwritable_output(error),
            Self::File { path, .. } | Self::Stream { path, .. } => unwritable(path, error),
        }
    }
}

/// A file beside the one that it is going to replace, which has its rights.
fn beside(path: &Path, rights: Option<Permissions>) -> io::Result<(Target, File)> {
    let path = real_path(path)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = Builder::new();
    // What the umask leaves of it.
    builder.prefix(".content-").permissions(Permissions::from_mode(0o666));
    let (output, incomplete) = builder.tempfile_in(folder)?.into_parts();
    if let Some(rights) = rights {
        output.set_permissions(rights)?;
    }
    Ok((Target::File { path, incomplete }, output))
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

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::SkillFailed, format!("cannot write {}", path.display())).with_source(error)
}

fn unwritable_output(error: io::Error) -> Error {
    Error::new(Code::Internal, "cannot write to standard output").with_source(error)
}
