//! The options of `iam`.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use skill_sdk::iam::Limit;

use super::call::CallOptions;
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
    /// A file holds JSON or YAML: a capability, a list of them, a group, a list of groups (as such, or as the `items` of an
    /// object), or what `iam inspect` prints. Each entry of the list that is printed has one action and one data set, space, table
    /// or the like, and they are sorted. Exits with 0 when nothing is missing, with 77 otherwise.
    Compare(Later<CompareFilesOptions>),
    /// Print which capabilities you lack in a project, as a JSON list: those of a file, or those that skills require.
    ///
    /// The list and the exit codes are those of `iam compare`.
    Verify(Later<VerifyOptions>),
    /// Print what your token is good for: the projects, and the capabilities in them.
    Inspect(Later<InspectOptions>),
    /// List the groups that you are in, or all of a project.
    Groups(Later<GroupsOptions>),
    /// List the sessions in which services act for somebody.
    Sessions(Later<SessionsOptions>),
    /// List security categories.
    SecurityCategories(Later<PageOptions>),
    /// List the profiles of users, ordered by name.
    Profiles(Later<PageOptions>),
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

// Of two that come from variables none is the one that was meant; of one that is typed, the other is forgotten.
#[derive(Args)]
#[command(group = ArgGroup::new("capabilities").args(["desired", "skill_path"]).required(true).multiple(true))]
pub(crate) struct VerifyOptions {
    /// File with the capabilities, as for `iam compare`, or `-` for standard input.
    #[arg(long, env = "SKILL_DESIRED", value_name = "FILE")]
    pub(crate) desired: Option<PathBuf>,
    /// Skills that require capabilities: a skill library, or the folder of a Cargo package, which is built first.
    #[arg(long = "skill", id = "skill_path", env = "SKILL_PATH", value_name = "SKILL")]
    pub(crate) skill: Option<PathBuf>,
    /// Which of several skills counts [default: all of them].
    #[arg(long, env = "SKILL_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) meaning: MeaningOptions,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

/// What covers what.
#[derive(Args)]
pub(crate) struct MeaningOptions {
    /// Let only what is equal count: a wish for a data set is then missing also where everything is granted, and one for a
    /// table where its whole database is.
    #[arg(long, env = "SKILL_IGNORE_ALLSCOPE_MEANING", value_parser = FalseyValueParser::new())]
    pub(crate) ignore_allscope_meaning: bool,
}

#[derive(Args)]
pub(crate) struct InspectOptions {
    /// What to print: all as JSON, or the capabilities as a table or CSV.
    #[arg(long, env = "SKILL_IAM_FORMAT", value_enum, default_value_t = IamFormat::Json)]
    pub(crate) format: IamFormat,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Args)]
pub(crate) struct GroupsOptions {
    /// List all groups of the project, which takes the action `LIST` of `groupsAcl`.
    #[arg(long, env = "SKILL_ALL_GROUPS", value_parser = FalseyValueParser::new())]
    pub(crate) all: bool,
    /// Give each key of metadata a column of its own, in a table and CSV.
    #[arg(long, env = "SKILL_EXPAND_METADATA", value_parser = FalseyValueParser::new())]
    pub(crate) expand_metadata: bool,
    /// What to print.
    #[arg(long, env = "SKILL_IAM_FORMAT", value_enum, default_value_t)]
    pub(crate) format: IamFormat,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Args)]
pub(crate) struct SessionsOptions {
    /// List only those of this status, such as `active`.
    #[arg(long, env = "SKILL_SESSION_STATUS", value_name = "STATUS", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) page: PageOptions,
}

/// How much of a list is printed, and in which form.
#[derive(Args)]
pub(crate) struct PageOptions {
    /// Most entries, or `all`.
    #[arg(long, env = "SKILL_IAM_LIMIT", value_name = "NUMBER", default_value = "25", value_parser = limit)]
    pub(crate) limit: Limit,
    /// What to print.
    #[arg(long, env = "SKILL_IAM_FORMAT", value_enum, default_value_t)]
    pub(crate) format: IamFormat,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum IamFormat {
    /// A table for people, in which control characters are escaped; columns in which nothing is are left out.
    #[default]
    Table,
    /// What the platform says, as JSON.
    Json,
    /// CSV for spreadsheets. Texts that would be formulas there have a `'` before that. At a terminal control characters are
    /// escaped.
    Csv,
}

fn limit(text: &str) -> Result<Limit, String> {
    match text.parse() {
        _ if text == "all" => Ok(Limit::Unlimited),
        Ok(number @ 1..) => Ok(Limit::AtMost(number)),
        _ => Err("a limit is a number above zero, or all".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_or_all() {
        assert_eq!(limit("all"), Ok(Limit::Unlimited));
        assert_eq!(limit("1"), Ok(Limit::AtMost(1)));
        for text in ["", "0", "-1", "1.5", "ALL", "99999999999999999999"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
