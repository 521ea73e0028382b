//! Single grants: one action, one kind of scope, one entry.
//!
//! Both sides of a comparison are sorted by ACL, action and kind of scope. What is desired of one of these is then looked for in what is
//! held of it, in a set or a sorted list, so that the cost is linear, and no more than one of these is in memory at a time.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::ops::Range;
use std::ptr;

use smallvec::{SmallVec, smallvec};

use super::acl::Acl;
use super::action::Action;
use super::capability::Capability;
use super::comparable::{Entry, Side};
use super::compare::Warning;
use super::load::invalid;
use super::scope::{Database, Entries, Form, Scope, ScopeKind};
use crate::error::Error;

static WRITE: Action = Action::Write;

/// Of what there are grants.
type Key<'a> = (Acl, &'a Action, ScopeKind);

/// A table of a database, or none for the whole of it.
type Table<'a> = (&'a str, Option<&'a str>);

/// The grants of both sides, in the order of the result.
#[derive(Default)]
pub(super) struct Grants<'a>(BTreeMap<Key<'a>, Scopes<'a>>);

/// Of what for one action, in one kind of scope.
#[derive(Default)]
struct Scopes<'a> {
    held: Vec<&'a Scope>,
    desired: Vec<&'a Scope>,
}

impl<'a> Grants<'a> {
    /// Those of what exists and of what is desired.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`](crate::Code::SkillFailed) when nothing is desired, or in a scope that is not known.
    pub(super) fn of(
        existing: &'a Side<'_>,
        desired: &'a Side<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Error> {
        let mut grants = Self::default();
        for entry in existing.entries() {
            let Some((acl, scope)) = comparable(entry, warnings) else { continue };
            let Some(kind) = scope.kind() else {
                warnings.push(Warning::UnknownScope { acl, scope: scope.name().to_owned() });
                continue;
            };
            for action in distinct(entry.capability.actions()) {
                grants.0.entry((acl, action, kind)).or_default().held.push(scope);
            }
        }
        let mut is_empty = true;
        for entry in desired.entries() {
            let Some((acl, scope)) = comparable(entry, warnings) else {
                is_empty = false;
                continue;
            };
            let Some(kind) = scope.kind() else {
                let name = scope.name();
                return Err(invalid(format!("Unknown scope '{name}' of {acl} cannot be compared, and it is desired")));
            };
            if has_entries(scope) {
                let actions = distinct(entry.capability.actions());
                is_empty &= actions.is_empty();
                for action in actions {
                    grants.0.entry((acl, action, kind)).or_default().desired.push(scope);
                }
            }
        }
        if is_empty { Err(invalid("No capabilities given")) } else { Ok(grants) }
    }

    /// What is desired and not held, sorted; `exactly` when only what is equal counts.
    pub(super) fn missing(&self, exactly: bool, warnings: &mut Vec<Warning>) -> Vec<Capability> {
        let mut missing: Vec<Capability> = Vec::new();
        let mut found: HashMap<(Acl, ScopeKind), Found<'_>> = HashMap::new();
        for (&(acl, action, kind), Scopes { desired, .. }) in &self.0 {
            if desired.is_empty() || (!exactly && self.holds_everything(acl, action)) {
                continue;
            }
            let held = self.covering(acl, action, kind, exactly);
            let begin = missing.len();
            match found.get(&(acl, kind)) {
                // Several actions often come with the same scopes.
                Some(found) if are_same(&found.held, &held) && are_same(found.desired, desired) => {
                    for place in found.places.clone() {
                        let scope = missing.get(place).and_then(Capability::scope).cloned();
                        missing.extend(scope.map(|scope| Capability::new(acl, [action.clone()], scope)));
                    }
                }
                _ => each_without(kind, desired, &held, exactly, |form| {
                    missing.push(Capability::new(acl, [action.clone()], Scope(form)));
                }),
            }
            if missing.len() > begin && !acl.actions().contains(action) {
                warnings.push(Warning::UnknownAction { acl, action: action.clone() });
            }
            found.insert((acl, kind), Found { held, desired, places: begin..missing.len() });
        }
        missing
    }

    /// The scopes that may cover those of one kind, but for `all`.
    fn covering(&self, acl: Acl, action: &'a Action, kind: ScopeKind, exactly: bool) -> Cow<'_, [&'a Scope]> {
        let held = self.held(&(acl, action, kind));
        // Whoever may write instances in a space may write their properties.
        let writes = !exactly && may_write(acl, action) && kind.entries() == Entries::Texts;
        let spaces = if writes { self.held(&(acl, &WRITE, ScopeKind::SpaceId)) } else { &[] };
        if spaces.is_empty() { held.into() } else { [held, spaces].concat().into() }
    }

    fn held(&self, key: &Key<'a>) -> &[&'a Scope] {
        self.0.get(key).map(|scopes| scopes.held.as_slice()).unwrap_or_default()
    }

    /// Whether everything is covered, in whatever scope.
    fn holds_everything(&self, acl: Acl, action: &'a Action) -> bool {
        let holds = |action| !self.held(&(acl, action, ScopeKind::All)).is_empty();
        holds(action) || (may_write(acl, action) && holds(&WRITE))
    }
}

/// Where in the result it stands what one action lacks.
struct Found<'g> {
    held: Cow<'g, [&'g Scope]>,
    desired: &'g [&'g Scope],
    places: Range<usize>,
}

/// Whether these are the same scopes, and not only equal ones.
fn are_same(some: &[&Scope], others: &[&Scope]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| ptr::eq(*one, *other))
}

/// Gives the entries of scopes of one kind that are desired and not held, in order.
fn each_without(kind: ScopeKind, desired: &[&Scope], held: &[&Scope], exactly: bool, mut each: impl FnMut(Form)) {
    match kind.entries() {
        Entries::Nothing => {
            if held.is_empty() {
                each(Form::Plain(kind));
            }
        }
        Entries::Ids => {
            for id in ids_without(desired, held) {
                each(Form::Ids(kind, smallvec![id]));
            }
        }
        Entries::Texts => {
            for text in without(desired, held, texts) {
                each(Form::Texts(kind, smallvec![text.into()]));
            }
        }
        Entries::Tables => {
            for (name, table) in without_tables(desired, held, exactly) {
                let tables = table.into_iter().map(Into::into).collect();
                each(Form::Tables(vec![Database { name: name.into(), tables }]));
            }
        }
    }
}

/// Whether whoever may write may do this too: write the properties of instances.
fn may_write(acl: Acl, action: &Action) -> bool {
    acl == Acl::DataModelInstances && *action == Action::WriteProperties
}

/// What of these is desired and not held, sorted; `entries` takes the entries out of each.
fn without<'a, S, T, E>(desired: &[&'a S], held: &[&'a S], entries: impl Fn(&'a S) -> E) -> Vec<T>
where
    T: Copy + Hash + Ord,
    E: Iterator<Item = T>,
{
    // The room for all of them is made at once: making it step by step takes as long as all the rest.
    let count = held.iter().map(|held| entries(held).size_hint().0).sum();
    let mut set = HashSet::with_capacity(count);
    set.extend(held.iter().flat_map(|held| entries(held)));
    sorted(desired.iter().flat_map(|wish| entries(wish)).filter(|wish| !set.contains(wish)).collect())
}

/// The items in order, each once.
fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

/// As [`without`], of ids. To go along two sorted lists takes less than to look into a set that is larger than the processor's
/// memory, and the result has to be sorted anyway.
fn ids_without(desired: &[&Scope], held: &[&Scope]) -> Vec<i64> {
    let sorted = |scopes: &[&Scope]| sorted(scopes.iter().copied().flat_map(ids).collect());
    let mut held = sorted(held).into_iter().peekable();
    let mut missing = sorted(desired);
    missing.retain(|wish| {
        while held.next_if(|id| id < wish).is_some() {}
        held.peek() != Some(wish)
    });
    missing
}

/// As [`without`], of tables. Each database is looked at by itself: its tables are near each other in memory.
fn without_tables<'a>(desired: &[&'a Scope], held: &[&'a Scope], exactly: bool) -> Vec<Table<'a>> {
    let mut held_of: HashMap<&str, SmallVec<[&Database; 1]>> = HashMap::new();
    for database in held.iter().copied().flat_map(databases) {
        held_of.entry(&database.name).or_default().push(database);
    }
    let mut desired: Vec<&Database> = desired.iter().copied().flat_map(databases).collect();
    desired.sort_unstable_by_key(|database| &database.name);
    let mut missing = Vec::new();
    for desired in desired.chunk_by(|a, b| a.name == b.name) {
        let held = desired.first().and_then(|database| held_of.get(&*database.name));
        let held = held.map(SmallVec::as_slice).unwrap_or_default();
        if exactly || !held.iter().any(|database| database.tables.is_empty()) {
            missing.extend(without(desired, held, tables));
        }
    }
    missing
}

/// The ACL and the scope of a capability, if it takes part in comparisons.
fn comparable<'e>(entry: &'e Entry<'_>, warnings: &mut Vec<Warning>) -> Option<(Acl, &'e Scope)> {
    match (entry.capability.acl(), entry.capability.scope()) {
        (Some(acl), _) if acl.is_legacy() => None,
        (Some(acl), Some(scope)) => Some((acl, scope)),
        _ => {
            let name = entry.capability.name().to_owned();
            warnings.push(Warning::UnknownCapability { name, is_of_token: entry.is_of_token });
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

/// Whether a scope grants anything at all.
fn has_entries(scope: &Scope) -> bool {
    match &scope.0 {
        Form::Plain(_) => true,
        Form::Ids(_, ids) => !ids.is_empty(),
        Form::Texts(_, texts) => !texts.is_empty(),
        Form::Tables(databases) => !databases.is_empty(),
        Form::Unknown(_) => false,
    }
}

fn ids(scope: &Scope) -> impl Iterator<Item = i64> {
    let ids = if let Form::Ids(_, ids) = &scope.0 { ids.as_slice() } else { &[] };
    ids.iter().copied()
}

fn texts(scope: &Scope) -> impl Iterator<Item = &str> {
    let texts = if let Form::Texts(_, texts) = &scope.0 { texts.as_slice() } else { &[] };
    texts.iter().map(|text| &**text)
}

fn databases(scope: &Scope) -> impl Iterator<Item = &Database> {
    let databases = if let Form::Tables(databases) = &scope.0 { databases.as_slice() } else { &[] };
    databases.iter()
}

/// A database and each of its tables, or none for the whole.
fn tables(database: &Database) -> impl Iterator<Item = Table<'_>> {
    let whole = database.tables.is_empty().then_some(None);
    let each = database.tables.iter().map(|table| Some(&**table));
    whole.into_iter().chain(each).map(|table| (&*database.name, table))
}
