//! The files that are to be stored, and the keys they get.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use skill_sdk::client::content::check_key;
use skill_sdk::{Code, Error};

use crate::cli::content::PutOptions;
use crate::cli::exit;
use crate::outcome::Refusal;

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
        return below(file, key.trim_end_matches('/'));
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

/// Every regular file below a folder, in the order of the keys.
fn below(root: &Path, prefix: &str) -> Result<Vec<Item>, Refusal> {
    let mut items = Vec::new();
    let mut folders = vec![(root.to_owned(), prefix.to_owned())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
            let entry = entry.map_err(|error| unreadable(&folder, error))?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = name(&path)?;
            let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
            // Through links to folders the same file could be met for ever.
            if kind.is_dir() {
                folders.push((path, key));
                continue;
            }
            let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
            if metadata.is_file() {
                check_readable(&path)?;
                items.push(Item { source: Source::File(path, metadata.len()), key });
            }
        }
    }
    items.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(items)
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
