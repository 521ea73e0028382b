//! The options of one command among several.

use clap::builder::{Resettable, StyledStr};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::without_empty_variables;

/// Options that are put together when their command is the one that is run: the others cost a job nothing.
pub(crate) struct Later<T>(pub(crate) Box<T>);

impl<T: Args> Args for Later<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| {
            // The docs of structs of options would take the place of those of the command.
            let kept = |text: Option<&StyledStr>| text.cloned().map_or(Resettable::Reset, Resettable::Value);
            let (about, long_about) = (kept(command.get_about()), kept(command.get_long_about()));
            without_empty_variables(T::augment_args(command).about(about).long_about(long_about))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for Later<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        prefer_typed(matches);
        T::from_arg_matches_mut(matches).map(|options| Self(Box::new(options)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Options that say one thing in several ways: who asks, which capabilities are looked for, and whether data are kept.
const WAYS: [&[&str]; 3] =
    [&["token_file", "personal_access_config", "file", "profile"], &["desired", "skill_path"], &["data", "memory"]];

/// Forgets what variables say where it was typed in another way: otherwise somebody who types a profile could act as somebody
/// else.
fn prefer_typed(matches: &mut ArgMatches) {
    let source = |matches: &ArgMatches, id| match matches.try_contains_id(id) {
        Ok(true) => matches.value_source(id),
        _ => None,
    };
    for ways in WAYS {
        if ways.iter().any(|id| source(matches, id) == Some(ValueSource::CommandLine)) {
            for id in ways {
                if source(matches, id) == Some(ValueSource::EnvVariable) {
                    // It is there.
                    let _ = matches.try_clear_id(id);
                }
            }
        }
    }
}
