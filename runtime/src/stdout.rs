//! Standard output, on which a command writes its result and nothing else.

use std::error::Error as StdError;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use skill_sdk::{Code, Error};

use crate::call::beside;
use crate::cli::exit;
use crate::outcome::Refusal;

/// Bytes that are written at once.
const BUFFER: usize = 64 * 1024;

/// Writes a result.
///
/// # Errors
///
/// [`Code::Internal`] when nobody gets it.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(unwritten)
}

/// Writes a result that comes in pieces.
///
/// # Errors
///
/// As for [`write`].
pub(crate) fn write_with(
    write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Error> {
    let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let written = write(&mut stdout).and_then(|()| stdout.flush());
    // What could not be written is not tried again.
    let _ = stdout.into_parts();
    written.map_err(unwritten)
}

fn unwritten(error: io::Error) -> Error {
    Error::new(Code::Internal, "cannot write to standard output").with_source(error)
}

/// Writes a result beside the async worker: whoever reads it may take a while. Gives the exit code of a command that has done
/// well, or of one whose output nobody reads.
///
/// # Errors
///
/// As for [`write`].
pub(crate) async fn print(text: String) -> Result<ExitCode, Refusal> {
    exit_code(beside(move || write(&text)).await?, ExitCode::SUCCESS)
}

/// The exit code of a command that has written its result: this, unless nobody reads it.
///
/// # Errors
///
/// As for [`write`].
pub(crate) fn exit_code(written: Result<(), Error>, exit_code: ExitCode) -> Result<ExitCode, Refusal> {
    match written {
        Err(error) if is_closed_pipe(&error) => Ok(exit::BROKEN_PIPE.into()),
        done => Ok(done.map(|()| exit_code)?),
    }
}

/// Whether something failed because nobody reads any more what is written. Other programs end without a word then.
pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    io_cause(error).is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The failure of the system that is behind an error.
pub(crate) fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut causes = std::iter::successors(Some(error as &dyn StdError), |&cause| cause.source());
    causes.find_map(|cause| cause.downcast_ref())
}
