//! `iam inspect`: what a token is good for.

use std::process::ExitCode;

use skill_sdk::rows::RowOptions;

use super::list::text;
use super::with_iam;
use crate::cli::iam::{IamFormat, InspectOptions};
use crate::json;
use crate::outcome::Refusal;
use crate::stdout::print;

pub(super) fn run(options: &InspectOptions) -> Result<ExitCode, Refusal> {
    let InspectOptions { format, call } = options;
    with_iam(call, async |iam, _| {
        let inspection = iam.token().inspect().await?;
        let text = match format {
            IamFormat::Json => json::pretty(&inspection)?,
            format => text(&inspection.capabilities, *format, &RowOptions::new())?,
        };
        print(text).await
    })
}
