//! The files that are to be stored, and the keys they get.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use skill_sdk::client::content::{FolderFile, check_key, folder_files};
use skill_sdk::{Code, Error};

use crate::cli::content::PutOptions;
use crate::cli::exit;
use crate::outcome::Refusal;
use crate::stdout::io_cause;

/// Something to be stored.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub(super) source: Source,
    pub(super) key: String,
}

/// Where its bytes are.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// A regular file of this length in bytes.
    File(PathBuf, u64),
    /// A pipe or device, which is read once and to its end.
    Stream(PathBuf),
    StandardInput,
}

/// What the options name. Nothing is sent unless all of it can be.
///
/// # Errors
///
/// [`Code::SkillFailed`] for what cannot be read or has no key, with the exit code for that.
pub(super) fn named(options: &PutOptions) -> Result<Vec<Item>, Refusal> {
    let PutOptions { source: file, key, recursive, .. } = options;
    // A leading slash counts for nothing in a key.
    let key = key.as_deref().unwrap_or_default().trim_start_matches('/');
    let items = items(file, key, *recursive)?;
    for item in &items {
        check_key(&item.key).map_err(|error| Refusal::with_exit_code(error, exit::USAGE))?;
    }
    Ok(items)
}

fn items(file: &Path, key: &str, recursive: bool) -> Result<Vec<Item>, Refusal> {
    let needs_whole_key = key.is_empty() || key.ends_with('/');
    if file.as_os_str() == "-" {
        if needs_whole_key {
            return Err(usage("standard input has no name: give the whole key".to_owned()));
        }
        return Ok(vec![Item { source: Source::StandardInput, key: key.to_owned() }]);
    }
    let metadata = fs::metadata(file).map_err(|error| unreadable(file, error))?;
    if metadata.is_dir() {
        if !recursive {
            return Err(usage(format!("{} is a folder: --recursive stores what is in it", file.display())));
        }
        return below(file, key);
    }
    let key = match key {
        "" => name(file)?.to_owned(),
        folder if folder.ends_with('/') => format!("{folder}{}", name(file)?),
        key => key.to_owned(),
    };
    let source = if metadata.is_file() {
        check_readable(file)?;
        Source::File(file.to_owned(), metadata.len())
    } else if needs_whole_key {
        return Err(usage(format!("{} is no file with a name of its own: give the whole key", file.display())));
    } else {
        Source::Stream(file.to_owned())
    };
    Ok(vec![Item { source, key }])
}

/// The files below a folder.
fn below(folder: &Path, key: &str) -> Result<Vec<Item>, Refusal> {
    let files = folder_files(folder, key).map_err(|error| {
        let exit_code = if io_cause(&error).is_some() { exit::NO_INPUT } else { exit::USAGE };
        Refusal::with_exit_code(error, exit_code)
    })?;
    let item = |FolderFile { path, key, length, .. }| {
        check_readable(&path)?;
        Ok(Item { source: Source::File(path, length), key })
    };
    files.into_iter().map(item).collect()
}

/// What may not be read is told before the platform is asked.
fn check_readable(path: &Path) -> Result<(), Refusal> {
    fs::File::open(path).map(drop).map_err(|error| unreadable(path, error))
}

fn name(path: &Path) -> Result<&str, Refusal> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| usage(format!("the name of {} cannot be a key: give one", path.display())))
}

fn usage(detail: String) -> Refusal {
    Refusal::with_exit_code(Error::new(Code::SkillFailed, detail), exit::USAGE)
}

pub(super) fn unreadable(path: &Path, error: io::Error) -> Refusal {
    let error = Error::new(Code::SkillFailed, format!("cannot read {}", path.display())).with_source(error);
    Refusal::with_exit_code(error, exit::NO_INPUT)
}
