//! What somebody lacks of what they want to have (contract "cdf-capabilities", section 6).

use std::fmt;

use serde_json::Value;

use crate::error::{Code, Error};

use super::acl::Acl;
use super::action::Action;
use super::capability::Capability;
use super::comparable::{Comparable, Side};
use super::grants::Grants;
use super::load::check_action;

/// How capabilities are compared.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CompareOptions {
    /// The project whose token entries count. Without one they cannot be compared.
    pub project: Option<String>,
    /// Whether only equal grants count, so that what is held for everything covers nothing narrower: see
    /// [`ignore_allscope_meaning`](Self::ignore_allscope_meaning).
    pub ignore_allscope_meaning: bool,
}

impl CompareOptions {
    /// The usual ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whose token entries count.
    pub fn project(mut self, name: impl Into<String>) -> Self {
        self.project = Some(name.into());
        self
    }

    /// Says that only equal grants count, which gives the plain difference of two sets. A wish for a data set is then missing
    /// also where `all` is held, and one for a table where the whole database is held. In the same way, `WRITE` of data model
    /// instances then does not cover `WRITE_PROPERTIES`.
    pub fn ignore_allscope_meaning(mut self) -> Self {
        self.ignore_allscope_meaning = true;
        self
    }
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// What is missing: each with one action and one entry (of a database, the whole or one table), sorted by ACL, action, scope
    /// and entry, all ascending; names by code point, ids by value.
    pub missing: Vec<Capability>,
    /// What could not be compared, or makes no sense. These are logged too.
    pub warnings: Vec<Warning>,
}

impl Comparison {
    /// Whether nothing is missing.
    pub fn is_granted(&self) -> bool {
        self.missing.is_empty()
    }

    /// Makes an error of what is missing.
    ///
    /// # Errors
    ///
    /// [`Code::MissingCapabilities`] unless nothing is missing; [`Error::missing`] lists it.
    pub fn check(&self) -> Result<(), Error> {
        /// So many are named in the text.
        const NAMED: usize = 3;
        if self.is_granted() {
            return Ok(());
        }
        let named: Vec<String> = self.missing.iter().take(NAMED).map(|missing| format!("{missing:?}")).collect();
        let more = match self.missing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let detail = format!("the caller lacks {}{more}", named.join(", "));
        // What is written has texts as keys, and no numbers that JSON lacks.
        let missing = self.missing.iter().map(|missing| serde_json::to_value(missing).unwrap_or(Value::Null));
        Err(Error::new(Code::MissingCapabilities, detail).with_missing(missing))
    }
}

/// What is remarkable about a comparison.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A capability for what is not known here was left out.
    UnknownCapability {
        /// The name of its ACL.
        name: String,
        /// Whether it is from a token inspection.
        is_of_token: bool,
    },
    /// A capability that somebody has was left out, because its scope is not known here.
    UnknownScope {
        /// Its ACL.
        acl: Acl,
        /// The name of the scope.
        scope: String,
    },
    /// An action is missing that the ACL does not have.
    UnknownAction {
        /// The ACL.
        acl: Acl,
        /// The action.
        action: Action,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCapability { name, is_of_token: false } => {
                write!(f, "Unknown capability {name} will be ignored in comparison")
            }
            Self::UnknownCapability { name, is_of_token: true } => {
                write!(f, "Unknown capability '{name}' will be ignored in comparison")
            }
            Self::UnknownScope { acl, scope } => {
                write!(f, "Unknown scope '{scope}' of {acl} will be ignored in comparison")
            }
            Self::UnknownAction { acl, action } => match check_action(*acl, action) {
                Err(why) => f.write_str(&why),
                Ok(()) => write!(f, "'{action}' is an action of {acl}"),
            },
        }
    }
}

/// What somebody lacks: what is desired and not covered by what exists.
///
/// A grant is covered by an equal one, and by one for `all` of the same ACL and action; a table also by its database; and
/// `WRITE_PROPERTIES` of data model instances by `WRITE` for `all`, or for a `spaceIdScope` with the same space. Nothing else covers
/// anything: `WRITE` does not include `READ`.
///
/// Capabilities of [legacy](Acl::is_legacy) ACLs are left out on both sides, and so are those whose ACL is not known, with a warning.
///
/// ```
/// use skill_sdk::iam::{Acl, Action::*, Capability, CompareOptions, Scope, compare_capabilities};
/// use serde_json::json;
///
/// let existing = json!({"filesAcl": {"actions": ["READ"], "scope": {"all": {}}}});
/// let desired = [
///     Capability::new(Acl::Files, [Read, Write], Scope::dataset([41])),
///     Capability::new(Acl::Labels, [Read], Scope::all()),
/// ];
/// let comparison = compare_capabilities(&existing, &desired, &CompareOptions::new())?;
/// assert_eq!(
///     comparison.missing,
///     [
///         Capability::new(Acl::Files, [Write], Scope::dataset([41])),
///         Capability::new(Acl::Labels, [Read], Scope::all()),
///     ]
/// );
/// # Ok::<_, skill_sdk::Error>(())
/// ```
///
/// # Errors
///
/// [`Code::SkillFailed`] when nothing is desired, when what is desired has a scope that is not known, for JSON that makes no
/// capabilities ([`Error::pointer`] says where), and for token entries when no project is given ([`Error::missing`] says `project`
/// then). Nothing existing is no error: everything is missing then.
pub fn compare_capabilities(
    existing: &(impl Comparable + ?Sized),
    desired: &(impl Comparable + ?Sized),
    options: &CompareOptions,
) -> Result<Comparison, Error> {
    let existing = Side::existing(existing, options)?;
    let desired = Side::desired(desired, options)?;
    compare_sides(&existing, &desired, options)
}

/// As [`compare_capabilities`], of sides that have been read.
///
/// # Errors
///
/// [`Code::SkillFailed`] when nothing is desired, or when what is desired has a scope that is not known.
pub fn compare_sides(existing: &Side<'_>, desired: &Side<'_>, options: &CompareOptions) -> Result<Comparison, Error> {
    let mut warnings = Vec::new();
    let grants = Grants::of(existing, desired, &mut warnings)?;
    let missing = grants.missing(options.ignore_allscope_meaning, &mut warnings);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Ok(Comparison { missing, warnings })
}
