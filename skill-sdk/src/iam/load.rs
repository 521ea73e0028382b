//! Reading capabilities from JSON (contract "cdf-capabilities", section 4).

use std::borrow::Cow;

use serde::de::Deserialize;
use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::error::{Code, Error};

use super::acl::Acl;
use super::action::Action;
use super::capability::{Actions, Capability, Loading};
use super::scope::{Database, Entries, Form, Scope, ScopeKind};
use super::snake_case::snake_case;
use super::suggest::{did_you_mean, nearest};
use super::tree::Tree;

/// What is accepted that is not known.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    acls: bool,
    actions: bool,
    scopes: bool,
}

impl Rules {
    pub(super) const STRICT: Self = Self { acls: false, actions: false, scopes: false };
    pub(super) const LENIENT: Self = Self { acls: true, actions: true, scopes: true };
    /// Of what somebody wants to have: an action that is not known is simply not there.
    pub(super) const WISH: Self = Self { acls: false, actions: true, scopes: false };
}

impl From<Loading> for Rules {
    fn from(loading: Loading) -> Self {
        match loading {
            Loading::Strict => Self::STRICT,
            Loading::Lenient => Self::LENIENT,
        }
    }
}

type Fields<'a> = Vec<(Cow<'a, str>, Tree<'a>)>;

pub(super) fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Code::SkillFailed, detail)
}

/// An error within what a key or an index leads to.
pub(super) fn within(step: &str, error: Error) -> Error {
    let step = step.replace('~', "~0").replace('/', "~1");
    let pointer = format!("/{step}{}", error.pointer().unwrap_or_default());
    error.with_pointer(pointer)
}

pub(super) fn tree(value: &Value) -> Result<Tree<'_>, Error> {
    Tree::deserialize(value).map_err(|error| invalid("the value cannot be read").with_source(error))
}

/// Reads JSON, or YAML where the text does not begin as JSON that has a capability.
pub(super) fn parse(text: &[u8]) -> Result<Tree<'_>, Error> {
    let error = match serde_json::from_slice(text) {
        Ok(tree) => return Ok(tree),
        Err(error) => error,
    };
    if matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"') | None) {
        // Its words say what was expected, and quote nothing of the text.
        return Err(invalid("neither JSON nor YAML").with_source(error));
    }
    match yaml_serde::from_slice::<Value>(text) {
        Ok(value) => Tree::deserialize(value).map_err(|error| invalid("the YAML cannot be read").with_source(error)),
        // Its words may quote the text.
        Err(error) => {
            let place = error.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
            Err(invalid(format!("neither JSON nor YAML{}", place.unwrap_or_default())))
        }
    }
}

/// Reads one capability.
pub(super) fn capability(tree: Tree<'_>, rules: Rules) -> Result<Capability, Error> {
    let fields = match tree {
        Tree::Object(fields) => fields,
        Tree::Text(text) => {
            return match parse(text.as_bytes())? {
                Tree::Text(_) => Err(invalid("a capability is an object, and not a text")),
                tree => capability(tree, rules),
            };
        }
        other => return Err(invalid(format!("a capability is an object, and not {}", other.what()))),
    };
    let mut known = fields.iter().enumerate().filter_map(|(i, (name, _))| Some((i, Acl::of(name)?)));
    match (known.next(), known.next()) {
        (Some((i, acl)), None) => {
            drop(known);
            let mut fields = fields;
            let (_, body) = fields.swap_remove(i);
            of_acl(acl, body, rules).map_err(|error| within(acl.as_str(), error))
        }
        _ if rules.acls => {
            drop(known);
            Ok(unknown(fields))
        }
        _ => Err(no_acl(fields.iter().map(|(name, _)| &**name))),
    }
}

/// For so many names it is looked what may have been meant: each is compared with all that are known.
const LOOKED_AT: usize = 10;

/// The error of an object that has no known ACL, or several.
pub(super) fn no_acl<'k>(keys: impl Iterator<Item = &'k str>) -> Error {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    let all: Vec<&str> = Acl::ALL.iter().map(|acl| acl.as_str()).collect();
    let mut near: Vec<&str> = Vec::new();
    for name in keys.iter().take(LOOKED_AT).flat_map(|key| nearest(key, &all)) {
        if !near.contains(&name) {
            near.push(name);
        }
    }
    let near = if near.is_empty() { String::new() } else { format!("Did you mean one of: {}? ", near.join(", ")) };
    invalid(format!(
        "Unable to parse Capability, none of the top-level keys in the input, {}, matched known ACLs, - or - multiple was found. \
         Pass `Loading::Lenient` to force loading it as an unknown capability. {near}List of all ACLs: `skill_sdk::iam::Acl::ALL`",
        listed(&keys)
    ))
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("[{}]", quoted.join(", "))
}

fn unknown(fields: Fields<'_>) -> Capability {
    let raw: Map<String, Value> = fields.into_iter().map(|(name, tree)| (name.into_owned(), tree.into())).collect();
    let mut entries = raw.iter();
    let (name, body) = match (entries.next(), entries.next()) {
        (Some((name, body)), None) => (Some(name.clone()), Some(body)),
        _ => (None, None),
    };
    let part = |name| body.and_then(|body| tree(body.get(name)?).ok());
    let actions = part("actions").and_then(|tree| actions(tree).ok()).unwrap_or_default();
    let scope = part("scope").and_then(|tree| scope(tree, Rules::LENIENT).ok());
    Capability::unknown(name, raw, actions, scope)
}

fn of_acl(acl: Acl, body: Tree<'_>, rules: Rules) -> Result<Capability, Error> {
    let refuse = |why: String| invalid(format!("Could not load {acl} due to: {why}"));
    let Tree::Object(mut fields) = body else {
        return Err(refuse(format!("it is an object, and not {}", body.what())));
    };
    let mut take = |name| take(&mut fields, name).ok_or_else(|| refuse(format!("it has no `{name}`")));
    let actions = actions(take("actions")?).map_err(|why| within("actions", refuse(why)))?;
    let scope = take("scope")?;
    let scope = self::scope(scope, rules).map_err(|why| within("scope", refuse(why)))?;
    check(acl, &actions, &scope, rules)?;
    Ok(Capability::new(acl, actions, scope))
}

/// Checks that an ACL has these actions and this scope, as far as the rules ask.
pub(super) fn check(acl: Acl, actions: &[Action], scope: &Scope, rules: Rules) -> Result<(), Error> {
    if !rules.actions {
        for action in actions {
            check_action(acl, action).map_err(|why| within("actions", invalid(why)))?;
        }
    }
    if rules.scopes || scope.kind().is_some_and(|kind| acl.scopes().contains(&kind)) {
        return Ok(());
    }
    let name = scope.name();
    let why = match scope.kind() {
        Some(_) => {
            let allowed: Vec<&str> = acl.scopes().iter().map(|kind| kind.as_str()).collect();
            format!("{acl} got an unknown scope: {name}, expected one of: [{}]", allowed.join(", "))
        }
        None => unknown_scope(name),
    };
    Err(within("scope", invalid(format!("Could not load {acl} due to: {why}"))))
}

/// Why an action is not one of the ACL's, with what may have been meant.
pub(super) fn check_action(acl: Acl, action: &Action) -> Result<(), String> {
    if acl.actions().contains(action) {
        return Ok(());
    }
    let names: Vec<&str> = acl.actions().iter().map(Action::as_str).collect();
    let upper = action.as_str().to_uppercase();
    let near = if names.contains(&upper.as_str()) {
        format!(". Did you mean {upper}?")
    } else {
        did_you_mean(action.as_str(), &names)
    };
    Err(format!("'{action}' is not a valid action of {acl}, which has {}{near}", names.join(", ")))
}

fn unknown_scope(name: &str) -> String {
    let known: Vec<&str> = ScopeKind::ALL.iter().map(|kind| kind.as_str()).collect();
    format!(
        "Unable to parse Scope, '{name}' is not a known scope. Pass `Loading::Lenient` to force loading it as an unknown scope. \
         List of known: {}{}",
        listed(&known),
        did_you_mean(name, &known)
    )
}

/// Takes a field out of an object, by its name or by that in snake case.
fn take<'a>(fields: &mut Fields<'a>, name: &str) -> Option<Tree<'a>> {
    let at = |wanted: &str| fields.iter().position(|(name, _)| name == wanted);
    let i = at(name).or_else(|| at(&snake_case(name)))?;
    Some(fields.swap_remove(i).1)
}

fn actions(tree: Tree<'_>) -> Result<Actions, String> {
    match tree {
        Tree::Texts(names) => Ok(names.iter().map(|name| Action::from(&**name)).collect()),
        Tree::List(items) if items.is_empty() => Ok(Actions::new()),
        Tree::List(_) | Tree::Ids(_) => Err("`actions` are texts".to_owned()),
        other => Err(format!("`actions` is an array of texts, and not {}", other.what())),
    }
}

fn scope(tree: Tree<'_>, rules: Rules) -> Result<Scope, String> {
    let Tree::Object(mut fields) = tree else { return Err(format!("`scope` is an object, and not {}", tree.what())) };
    let mut known = fields.iter().enumerate().filter_map(|(i, (name, _))| Some((i, ScopeKind::of(name)?)));
    match (known.next(), known.next()) {
        (Some((i, kind)), None) => {
            drop(known);
            let (_, body) = fields.swap_remove(i);
            Ok(Scope(of_kind(kind, body).map_err(|why| format!("{kind}: {why}"))?))
        }
        (None, _) if fields.len() == 1 => {
            drop(known);
            match fields.swap_remove(0) {
                (name, body) if rules.scopes => Ok(Scope(Form::Unknown(Box::new((name.into_owned(), body.into()))))),
                (name, _) => Err(unknown_scope(&name)),
            }
        }
        _ => {
            drop(known);
            let mut keys: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
            keys.sort_unstable();
            let known: Vec<&str> = ScopeKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Err(format!(
                "Unable to parse Scope, none of the top-level keys in the input, {}, matched known Scopes, - or - multiple was \
                 found. List of known: {}",
                listed(&keys),
                listed(&known)
            ))
        }
    }
}

fn of_kind(kind: ScopeKind, body: Tree<'_>) -> Result<Form, String> {
    let Tree::Object(mut fields) = body else { return Err(format!("it is an object, and not {}", body.what())) };
    let mut field = || take(&mut fields, kind.field()).ok_or_else(|| format!("it has no `{}`", kind.field()));
    let form = match kind.entries() {
        Entries::Nothing => Form::Plain(kind),
        Entries::Ids => Form::Ids(kind, ids(field()?)?.into()),
        Entries::Texts => Form::Texts(kind, texts(field()?)?.into()),
        Entries::Tables => Form::Tables(databases(field()?)?),
    };
    if !fields.is_empty() {
        let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
        tracing::warn!(scope = kind.as_str(), fields = ?names, "fields that the scope does not have are left out");
    }
    Ok(form)
}

fn ids(tree: Tree<'_>) -> Result<Vec<i64>, String> {
    let of_text = |text: &str| text.parse().map_err(|_| format!("'{text}' is not an integer"));
    match tree {
        Tree::Ids(ids) => Ok(ids),
        Tree::Texts(texts) => texts.iter().map(|text| of_text(text)).collect(),
        Tree::List(items) => items
            .iter()
            .map(|item| match item {
                Tree::Id(id) => Ok(*id),
                Tree::Text(text) => of_text(text),
                other => Err(format!("ids are integers, and not {}", other.what())),
            })
            .collect(),
        other => Err(format!("ids are an array, and not {}", other.what())),
    }
}

fn texts(tree: Tree<'_>) -> Result<Vec<Box<str>>, String> {
    match tree {
        Tree::Texts(texts) => Ok(texts),
        Tree::List(items) if items.is_empty() => Ok(Vec::new()),
        Tree::List(_) | Tree::Ids(_) => Err("its entries are texts".to_owned()),
        other => Err(format!("its entries are an array, and not {}", other.what())),
    }
}

fn databases(tree: Tree<'_>) -> Result<Vec<Database>, String> {
    let Tree::Object(fields) = tree else { return Err(format!("databases are an object, and not {}", tree.what())) };
    let database = |(name, of): (Cow<'_, str>, Tree<'_>)| {
        let tables = match of {
            Tree::Object(fields) if fields.is_empty() => Ok(Vec::new()),
            // Without the field this would be the whole database, which nobody means who writes others.
            Tree::Object(mut fields) => {
                take(&mut fields, "tables").ok_or_else(|| "it has no `tables`".to_owned()).and_then(texts)
            }
            list => texts(list),
        };
        let tables = tables.map_err(|why| format!("database {name:?}: {why}"))?;
        Ok(Database { name: name.into(), tables: SmallVec::from_vec(tables) })
    };
    fields.into_iter().map(database).collect()
}
