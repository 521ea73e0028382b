//! The files of a folder.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Code, Error};

use super::check_key;

/// A file below a folder, with the key it gets.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FolderFile {
    /// Where it is.
    pub path: PathBuf,
    /// The key of the folder, `/`, and its path from there; that path alone where the folder has no key.
    pub key: String,
    /// Its length in bytes.
    pub length: u64,
}

/// The files that [`upload_directory`](super::Content::upload_directory) stores, in the order of their names: every regular
/// file below the folder, but what has a name that starts with a dot, or is below a folder that has one. Links to files stand
/// for those, links to folders are left out. Blocking.
///
/// # Errors
///
/// [`Code::SkillFailed`] for what is no folder or cannot be read, with the failure of the system as its source, and for names
/// that are not UTF-8 or cannot be keys.
pub fn folder_files(folder: &Path, key: &str) -> Result<Vec<FolderFile>, Error> {
    if !std::fs::metadata(folder).map_err(|error| unreadable(folder, error))?.is_dir() {
        return Err(Error::new(Code::SkillFailed, format!("{} is no folder", folder.display())));
    }
    let mut files = Vec::new();
    let entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| !is_hidden(entry)) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            unreadable(&path, error.into())
        })?;
        // A link to a file stands for the file.
        let metadata = std::fs::metadata(entry.path()).map_err(|error| unreadable(entry.path(), error))?;
        if metadata.is_file() {
            let key = key_of(&entry, folder, key.trim_matches('/'))?;
            files.push(FolderFile { path: entry.into_path(), key, length: metadata.len() });
        }
    }
    Ok(files)
}

fn key_of(entry: &DirEntry, folder: &Path, prefix: &str) -> Result<String, Error> {
    let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
    let mut parts = Vec::from_iter((!prefix.is_empty()).then_some(prefix));
    for part in path {
        parts.push(part.to_str().ok_or_else(|| {
            Error::new(Code::SkillFailed, format!("the name of {} is not UTF-8", entry.path().display()))
        })?);
    }
    let key = parts.join("/");
    check_key(&key)?;
    Ok(key)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::SkillFailed, format!("cannot read {}", path.display())).with_source(error)
}
