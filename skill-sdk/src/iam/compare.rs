//! What somebody lacks of what they want to have (contract "cdf-capabilities", section 6).
//!
//! Both sides are taken apart into single grants: one action, one kind of scope, one entry. What is held is kept in a set for each
//! action and kind of scope, so that looking for one costs the same however many there are.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use crate::error::{Code, Error};

use super::acl::Acl;
use super::action::Action;
use super::capability::Capability;
use super::comparable::{Comparable, Side};
use super::load::{check_action, invalid};
use super::scope::{Database, Form, Scope, ScopeKind};

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
        /// Of what it is leave for.
        acl: Acl,
        /// The name of the scope.
        scope: String,
    },
    /// An action is missing that the ACL does not have.
    UnknownAction {
        /// Of what it would be leave for.
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
    let held = Held::of(existing, &mut warnings);
    let lacking = held.lacking(desired, options.ignore_allscope_meaning, &mut warnings)?;
    let missing = lacking.capabilities(&mut warnings);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Ok(Comparison { missing, warnings })
}

static WRITE: Action = Action::Write;

/// What an entry is of.
type Key<'a> = (Acl, &'a Action, ScopeKind);

/// The grants that somebody has.
struct Held<'a>(HashMap<Key<'a>, Set<'a>>);

/// The entries of grants for one action in one kind of scope.
#[derive(Default)]
struct Set<'a> {
    ids: HashSet<i64, RandomState>,
    texts: HashSet<&'a str, RandomState>,
    /// Databases with a table each, or with none for the whole.
    tables: HashSet<(&'a str, Option<&'a str>), RandomState>,
}

impl<'a> Held<'a> {
    fn of(side: &'a Side<'_>, warnings: &mut Vec<Warning>) -> Self {
        let mut held: HashMap<Key<'a>, Set<'a>> = HashMap::new();
        for (capability, is_of_token) in side.entries().map(|entry| (&*entry.capability, entry.is_of_token)) {
            let Some((acl, scope)) = comparable(capability, is_of_token, warnings) else { continue };
            let Some(kind) = scope.kind() else {
                warnings.push(Warning::UnknownScope { acl, scope: scope.name().to_owned() });
                continue;
            };
            for action in distinct(capability.actions()) {
                held.entry((acl, action, kind)).or_default().insert(scope);
            }
        }
        Self(held)
    }

    /// What is desired and not held.
    fn lacking(&self, desired: &'a Side<'_>, exactly: bool, warnings: &mut Vec<Warning>) -> Result<Lacking<'a>, Error> {
        let mut lacking = Lacking::default();
        let mut is_empty = true;
        for (capability, is_of_token) in desired.entries().map(|entry| (&*entry.capability, entry.is_of_token)) {
            let Some((acl, scope)) = comparable(capability, is_of_token, warnings) else {
                is_empty = false;
                continue;
            };
            let Some(kind) = scope.kind() else {
                let name = scope.name();
                return Err(invalid(format!("Unknown scope '{name}' of {acl} cannot be compared, and it is desired")));
            };
            for action in distinct(capability.actions()) {
                let held = self.covering((acl, action, kind), exactly);
                is_empty &= !lacking.add((acl, action, kind), scope, &held);
            }
        }
        if is_empty {
            return Err(invalid("No capabilities given"));
        }
        Ok(lacking)
    }

    /// What may cover an entry.
    fn covering(&self, key: Key<'a>, exactly: bool) -> Covering<'_, 'a> {
        let (acl, action, kind) = key;
        let get = |action: &'a Action, kind| self.0.get(&(acl, action, kind));
        let equal = get(action, kind);
        if exactly {
            return Covering { everything: false, whole_databases: false, equal, spaces: None };
        }
        // Whoever may write instances may write their properties.
        let writes = acl == Acl::DataModelInstances && *action == Action::WriteProperties;
        let write = |kind| if writes { get(&WRITE, kind) } else { None };
        let everything = get(action, ScopeKind::All).or_else(|| write(ScopeKind::All)).is_some();
        Covering { everything, whole_databases: true, equal, spaces: write(ScopeKind::SpaceId) }
    }
}

/// The ACL and the scope of a capability, if it takes part in comparisons.
fn comparable<'c>(
    capability: &'c Capability,
    is_of_token: bool,
    warnings: &mut Vec<Warning>,
) -> Option<(Acl, &'c Scope)> {
    match (capability.acl(), capability.scope()) {
        (Some(acl), _) if acl.is_legacy() => None,
        (Some(acl), Some(scope)) => Some((acl, scope)),
        _ => {
            let name = capability.name().to_owned();
            warnings.push(Warning::UnknownCapability { name, is_of_token });
            None
        }
    }
}

/// The actions, each once: what is done for each of them takes time by the number of entries.
fn distinct(actions: &[Action]) -> SmallVec<[&Action; 4]> {
    let mut actions: SmallVec<[&Action; 4]> = actions.iter().collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}

impl<'a> Set<'a> {
    fn insert(&mut self, scope: &'a Scope) {
        match &scope.0 {
            // That there is a set says it.
            Form::Plain(_) | Form::Unknown(_) => {}
            Form::Ids(_, ids) => self.ids.extend(ids),
            Form::Texts(_, texts) => self.texts.extend(texts.iter().map(|text| &**text)),
            Form::Tables(databases) => self.tables.extend(databases.iter().flat_map(tables)),
        }
    }
}

/// A database and each of its tables, or none for the whole.
fn tables(database: &Database) -> impl Iterator<Item = (&str, Option<&str>)> {
    let whole = database.tables.is_empty().then_some(None);
    let each = database.tables.iter().map(|table| Some(&**table));
    whole.into_iter().chain(each).map(|table| (&*database.name, table))
}

/// What is held that may cover the entries of one scope, for one action.
struct Covering<'h, 'a> {
    everything: bool,
    /// Whether a database covers its tables.
    whole_databases: bool,
    /// Grants for the same action in the same kind of scope.
    equal: Option<&'h Set<'a>>,
    /// Spaces that may be written, where that counts.
    spaces: Option<&'h Set<'a>>,
}

impl Covering<'_, '_> {
    fn has_id(&self, id: i64) -> bool {
        self.equal.is_some_and(|set| set.ids.contains(&id))
    }

    fn has_text(&self, text: &str) -> bool {
        [self.equal, self.spaces].into_iter().flatten().any(|set| set.texts.contains(text))
    }

    fn has_table(&self, table: &(&str, Option<&str>)) -> bool {
        self.equal.is_some_and(|set| set.tables.contains(table))
    }
}

/// What somebody lacks. Each may stand here several times.
#[derive(Default)]
struct Lacking<'a>(BTreeMap<Key<'a>, Entries<'a>>);

#[derive(Default)]
struct Entries<'a> {
    /// Whether it is lacking as such, in a kind of scope without entries.
    plain: bool,
    ids: Vec<i64>,
    texts: Vec<&'a str>,
    tables: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Lacking<'a> {
    /// Adds the entries of a scope that nothing covers. Tells whether it has any entries at all.
    fn add(&mut self, key: Key<'a>, scope: &'a Scope, held: &Covering<'_, '_>) -> bool {
        let has_any = match &scope.0 {
            Form::Plain(_) => true,
            Form::Ids(_, ids) => !ids.is_empty(),
            Form::Texts(_, texts) => !texts.is_empty(),
            Form::Tables(databases) => !databases.is_empty(),
            Form::Unknown(_) => false,
        };
        if !has_any || held.everything {
            return has_any;
        }
        let entries = self.0.entry(key).or_default();
        match &scope.0 {
            Form::Plain(_) => entries.plain |= held.equal.is_none(),
            Form::Ids(_, ids) => {
                entries.ids.extend(ids.iter().filter(|id| !held.has_id(**id)));
            }
            Form::Texts(_, texts) => {
                let texts = texts.iter().map(|text| &**text);
                entries.texts.extend(texts.filter(|text| !held.has_text(text)));
            }
            Form::Tables(databases) => {
                for database in databases {
                    if !(held.whole_databases && held.has_table(&(&database.name, None))) {
                        entries.tables.extend(tables(database).filter(|table| !held.has_table(table)));
                    }
                }
            }
            Form::Unknown(_) => {}
        }
        has_any
    }

    fn capabilities(self, warnings: &mut Vec<Warning>) -> Vec<Capability> {
        let mut missing = Vec::new();
        for ((acl, action, kind), entries) in self.0 {
            let before = missing.len();
            let Entries { plain, ids, texts, tables } = entries;
            let mut add = |form| missing.push(Capability::new(acl, [action.clone()], Scope(form)));
            if plain {
                add(Form::Plain(kind));
            }
            for id in sorted(ids) {
                add(Form::Ids(kind, smallvec![id]));
            }
            for text in sorted(texts) {
                add(Form::Texts(kind, smallvec![text.into()]));
            }
            for (name, table) in sorted(tables) {
                add(Form::Tables(vec![Database {
                    name: name.into(),
                    tables: table.into_iter().map(Into::into).collect(),
                }]));
            }
            if missing.len() > before && !acl.actions().contains(action) {
                warnings.push(Warning::UnknownAction { acl, action: action.clone() });
            }
        }
        missing
    }
}

/// The items in order, each once.
fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}
