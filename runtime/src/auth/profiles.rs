//! `auth profiles`: what profiles there are.

use std::process::ExitCode;

use skill_sdk::auth::profile;

use crate::cli::exit;
use crate::outcome::Refusal;
use crate::telemetry;

/// An empty list is an answer too: whoever reads it need not tell the absence of the file from that of profiles.
pub(super) fn run() -> Result<ExitCode, Refusal> {
    let path = profile::path(&super::folder()?);
    let profiles = profile::list(&path).map_err(|error| Refusal::with_exit_code(error, exit::CONFIG))?;
    if profiles.is_empty() {
        telemetry::notice(&format!(
            "there is no profile in {}: \"skill-runtime auth login\" writes one",
            path.display()
        ));
    }
    super::print_json(&profiles)?;
    Ok(ExitCode::SUCCESS)
}
