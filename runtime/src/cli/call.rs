//! The options of commands that call a platform.

use std::time::Duration;

use clap::Args;

use super::authentication::TlsOptions;
use super::{FillOptions, duration};

/// Which platform is asked, by whom, and how.
#[derive(Args)]
pub(crate) struct CallOptions {
    /// Longest time that each request, or step of a transfer, may take, such as `90s` or `5m`; the whole may take longer.
    #[arg(long, env = "SKILL_STEP_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten, next_help_heading = "Platform")]
    pub(crate) tls: TlsOptions,
    #[command(flatten, next_help_heading = "Platform")]
    pub(crate) identity: FillOptions,
}
