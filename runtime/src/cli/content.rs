//! The options of `content`.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{Args, Subcommand, ValueEnum};

use super::call::CallOptions;
use super::later::Later;

#[derive(Args)]
pub(crate) struct ContentOptions {
    #[command(subcommand)]
    pub(crate) command: ContentCommand,
}

#[derive(Subcommand)]
pub(crate) enum ContentCommand {
    /// Store a file, a folder or standard input, and print the keys of what was stored.
    ///
    /// What was under a key is replaced. Each key is printed on a line of its own when it is stored; at a terminal, all at the
    /// end. The first failure ends it: what is under way is still stored, nothing new is begun.
    Put(Later<PutOptions>),
    /// Write what is stored under a key to a file or to standard output.
    ///
    /// A file is there as a whole or not at all: what was there before stays until everything has come.
    Get(Later<GetOptions>),
    /// List what is stored.
    List(Later<ListOptions>),
    /// Delete what is stored under keys.
    ///
    /// A key with nothing under it is an error; the others are deleted nevertheless. When the platform cannot be reached or refuses
    /// the token, that is the end.
    Rm(Later<RemoveOptions>),
}

#[derive(Args)]
pub(crate) struct PutOptions {
    /// File to store, or `-` for standard input. A pipe is read to its end, and needs a key.
    // What is called `file` elsewhere says who asks.
    #[arg(value_name = "FILE")]
    pub(crate) source: PathBuf,
    /// Key to store it under [default: the name of the file]. To one that ends in `/` the name of the file is added.
    ///
    /// Of a folder, the keys are this, `/` and the path below the folder; without it, the path alone.
    #[arg(value_name = "KEY", required_if_eq("source", "-"), value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// Store every file below a folder, four at a time. What has a name that starts with a dot is left out, and so are links
    /// to folders, pipes and devices. A link that leads nowhere is an error.
    #[arg(long, short, env = "SKILL_RECURSIVE", value_parser = FalseyValueParser::new())]
    pub(crate) recursive: bool,
    /// Media type to store it with.
    #[arg(
        long,
        env = "SKILL_CONTENT_TYPE",
        value_name = "TYPE",
        default_value = skill_sdk::client::content::OCTET_STREAM,
        value_parser = media_type
    )]
    pub(crate) content_type: String,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Args)]
pub(crate) struct GetOptions {
    /// Key of what is wanted.
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// File to write, or `-` for standard output [default: standard output]. In a folder the file is called like the last part
    /// of the key.
    #[arg(value_name = "FILE")]
    pub(crate) target: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Args)]
pub(crate) struct ListOptions {
    /// How the keys begin.
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Most entries [default: as many as the platform gives].
    #[arg(long, env = "SKILL_LIMIT", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Entries to leave out at the start.
    #[arg(long, env = "SKILL_SKIP", value_name = "NUMBER")]
    pub(crate) skip: Option<u32>,
    /// What to print: a table for people, in which control characters are escaped, or a JSON list for programs.
    #[arg(long, env = "SKILL_LIST_FORMAT", value_enum, default_value_t)]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Size in bytes, time of the last change, media type and key.
    #[default]
    Table,
    /// `Key`, `Size`, `LastModified` and `ContentType`, as the platform says them.
    Json,
}

#[derive(Args)]
pub(crate) struct RemoveOptions {
    /// Keys of what is to be deleted.
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) call: CallOptions,
}

/// A type and a subtype, and perhaps parameters (RFC 9110, section 8.3.1), as far as a mistake is worth a word.
fn media_type(text: &str) -> Result<String, String> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    let (names, parameters) = text.split_once(';').unwrap_or((text, ""));
    let is_whole =
        names.trim_end_matches(' ').split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype));
    if is_whole && parameters.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("a media type is a type and a subtype, such as text/csv".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_have_a_type_and_a_subtype() {
        for text in ["text/csv", "text/plain; charset=utf-8", "application/vnd.x+json"] {
            assert_eq!(media_type(text).as_deref(), Ok(text));
        }
        for text in ["", "csv", "text/", "/csv", "bad type", "te xt/csv", "text/csv\n", "text/csv; a=\n"] {
            assert!(media_type(text).is_err(), "{text:?}");
        }
    }
}
