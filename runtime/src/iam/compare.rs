//! `iam compare`: what is missing in one file that is in another.

use std::path::Path;
use std::process::ExitCode;

use skill_sdk::iam::comparable::Side;
use skill_sdk::iam::compare::compare_sides;
use skill_sdk::{Code, Error};

use super::file::CapabilityFile;
use super::{comparing, missing};
use crate::cli::exit;
use crate::cli::iam::CompareFilesOptions;
use crate::outcome::Refusal;

pub(super) fn run(options: &CompareFilesOptions) -> Result<ExitCode, Refusal> {
    let CompareFilesOptions { existing, desired, project, meaning } = options;
    if [existing, desired].iter().all(|path| path.as_path() == Path::new("-")) {
        let error = Error::new(Code::InvalidPayload, "standard input can be only one of --existing and --desired");
        return Err(Refusal::with_exit_code(error, exit::USAGE));
    }
    let options = comparing(meaning, project.as_deref());
    let (existing, desired) = (CapabilityFile::read(existing)?, CapabilityFile::read(desired)?);
    let existing = Side::existing(existing.text(), &options).map_err(|error| existing.unusable(error))?;
    let wanted = Side::desired(desired.text(), &options).map_err(|error| desired.unusable(error))?;
    // What fails now lies with what is desired.
    let comparison = compare_sides(&existing, &wanted, &options).map_err(|error| desired.unusable(error))?;
    let exit_code = missing::print(&comparison.missing);
    // The process ends now: taking these apart would take longer than it is worth.
    std::mem::forget((existing, wanted, comparison));
    exit_code
}
