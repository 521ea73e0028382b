//! `content rm`: deletes what is stored.

use std::process::ExitCode;

use super::with_content;
use crate::cli::content::RemoveOptions;
use crate::outcome::Refusal;

pub(super) fn run(options: &RemoveOptions) -> Result<ExitCode, Refusal> {
    with_content(&options.call, async |content| {
        let mut exit_code = None;
        for key in &options.keys {
            if let Err(error) = content.delete(key).await {
                let own = Refusal::from(error).report();
                // That of the first.
                exit_code.get_or_insert(own);
            }
        }
        Ok(exit_code.unwrap_or(ExitCode::SUCCESS))
    })
}
