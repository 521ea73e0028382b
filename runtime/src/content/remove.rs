//! `content rm`: deletes what is stored.

use std::process::ExitCode;

use skill_sdk::Code;

use super::with_content;
use crate::cli::content::RemoveOptions;
use crate::outcome::Refusal;

pub(super) fn run(options: &RemoveOptions) -> Result<ExitCode, Refusal> {
    with_content(&options.call, async |content| {
        let mut exit_code = None;
        for key in &options.keys {
            if let Err(error) = content.delete(key).await {
                // What is wrong with one key need not be with the next; anything else is.
                let is_of_key = error.code() == Code::SkillFailed;
                let own = Refusal::from(error).report();
                // That of the first.
                exit_code.get_or_insert(own);
                if !is_of_key {
                    break;
                }
            }
        }
        Ok(exit_code.unwrap_or(ExitCode::SUCCESS))
    })
}
