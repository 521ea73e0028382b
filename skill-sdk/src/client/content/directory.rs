//! The files of a folder.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Code, Error};

/// The files below a folder with the keys that they get, in the order of their names.
pub(super) async fn files(folder: PathBuf, prefix: String) -> Result<Vec<(PathBuf, String)>, Error> {
    tokio::task::spawn_blocking(move || walk(&folder, &prefix))
        .await
        .map_err(|error| Error::new(Code::Internal, "the folder was not read").with_source(error))?
}

fn walk(folder: &Path, prefix: &str) -> Result<Vec<(PathBuf, String)>, Error> {
    let failed = || Error::new(Code::SkillFailed, format!("cannot upload {}", folder.display()));
    let metadata = std::fs::metadata(folder).map_err(|error| failed().with_source(error))?;
    if !metadata.is_dir() {
        return Err(failed().with_source("it is no folder"));
    }
    let mut files = Vec::new();
    let entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| !is_hidden(entry)) {
        let entry = entry.map_err(|error| failed().with_source(error))?;
        // A link to a file stands for the file.
        let metadata = std::fs::metadata(entry.path());
        let metadata =
            metadata.map_err(|error| failed().with_source(format!("{}: {error}", entry.path().display())))?;
        if !metadata.is_file() {
            continue;
        }
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let mut key = prefix.to_owned();
        for part in path {
            let Some(part) = part.to_str() else {
                let why = format!("the name of {} is not UTF-8", entry.path().display());
                return Err(failed().with_source(why));
            };
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(part);
        }
        files.push((entry.into_path(), key));
    }
    Ok(files)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
}
