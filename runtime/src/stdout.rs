//! Standard output, on which a command writes its result and nothing else.

use std::io::Write;

use skill_sdk::{Code, Error};

/// Writes a result.
///
/// # Errors
///
/// [`Code::Internal`] when nobody gets it.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Error::new(Code::Internal, "cannot write to standard output").with_source(error))
}
