//! The options of `iam`.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{Args, Subcommand};

use super::later::Later;

#[derive(Args)]
pub(crate) struct IamOptions {
    #[command(subcommand)]
    pub(crate) command: IamCommand,
}

#[derive(Subcommand)]
pub(crate) enum IamCommand {
    /// Print which capabilities are missing in one file that are in another, as a JSON list. No platform is asked.
    ///
    /// A file holds JSON or YAML: a capability, a list of them, a group, a list of groups (also as `{"items": [...]}`), or what
    /// `iam inspect` prints. Each entry of the list that is printed has one action and one data set, space, table or the like, and
    /// they are sorted. Exits with 0 when nothing is missing, with 77 otherwise.
    Compare(Later<CompareFilesOptions>),
}

#[derive(Args)]
pub(crate) struct CompareFilesOptions {
    /// File with what somebody has, or `-` for standard input.
    #[arg(long, env = "SKILL_EXISTING", value_name = "FILE")]
    pub(crate) existing: PathBuf,
    /// File with what somebody is to have, or `-` for standard input.
    #[arg(long, env = "SKILL_DESIRED", value_name = "FILE")]
    pub(crate) desired: PathBuf,
    /// Project in which it counts what a token may do.
    #[arg(long, env = "SKILL_PROJECT", value_name = "PROJECT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) project: Option<String>,
    #[command(flatten)]
    pub(crate) meaning: MeaningOptions,
}

/// What covers what.
#[derive(Args)]
pub(crate) struct MeaningOptions {
    /// Let only what is equal count: a wish for a data set is then missing also where everything is granted, and one for a
    /// table where its whole database is.
    #[arg(long, env = "SKILL_IGNORE_ALLSCOPE_MEANING", value_parser = FalseyValueParser::new())]
    pub(crate) ignore_allscope_meaning: bool,
}
