//! Files as people arrange them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a file really is: people keep it elsewhere and link to it.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(target) => Ok(target),
        // A link may be there before the file is.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(fs::read_link(path).map_or_else(|_| path.to_owned(), |target| path.with_file_name(target)))
        }
        Err(error) => Err(error),
    }
}
