//! Files that are small and may be anything.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Most bytes of a file that are read.
pub(super) const LONGEST: usize = 1024 * 1024;

/// Reads a text of at most 1 MiB. This blocks on the disk, or on whoever writes into a pipe.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST as u64 + 1).read_to_string(&mut text)?;
    if text.len() > LONGEST {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is over {LONGEST} bytes")));
    }
    Ok(text)
}
