//! What can be compared.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::Error;

use super::acl::Acl;
use super::capability::Capability;
use super::compare::CompareOptions;
use super::load::{self, Rules, invalid, parse, within};
use super::project_capability::{self, ProjectCapability};
use super::tree::Tree;

/// What one side of a [comparison](super::compare_capabilities) can be:
///
/// - capabilities: one, several, or `()` for none;
/// - groups, of which all capabilities count;
/// - the answer to a [token inspection](super::TokenInspection), or entries of it, of which those for the project count;
/// - any of these as JSON: a [`Value`] or a text, as [`str`] or bytes, which may also be YAML unless it begins with `{`, `[` or
///   `"`. A list may be in an object as its `items`, as platforms answer;
/// - slices, vectors and arrays of all these.
///
/// Capabilities in JSON are read [leniently](super::Loading::Lenient) where they are in a group or in a token inspection, or are what
/// somebody has. Those that somebody wants are read strictly, but for their actions: one that is not known is
/// reported missing.
pub trait Comparable {
    /// Adds what this is to one side.
    #[doc(hidden)]
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error>;
}

/// How many texts may be in one another: a file that holds a list of texts has two. Each is read in its own turn of the stack.
const NESTED_TEXTS: u8 = 4;

/// One side of a comparison, read: for whoever wants to tell the errors of both sides apart, or compares a side several times.
/// [`compare_sides`](super::compare::compare_sides) compares two.
pub struct Side<'a> {
    role: Role,
    project: Option<&'a str>,
    entries: Vec<Entry<'a>>,
    /// In how many texts that is which is being read.
    texts: u8,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Role {
    /// What somebody has.
    Existing,
    /// What somebody wants to have.
    Desired,
}

pub(super) struct Entry<'a> {
    pub(super) capability: Cow<'a, Capability>,
    /// Whether it is from a token inspection.
    pub(super) is_of_token: bool,
}

impl<'a> Side<'a> {
    /// Reads what somebody has.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`](crate::Code::SkillFailed) for JSON that makes no capabilities ([`Error::pointer`] says where), and for
    /// token entries when no project is given ([`Error::missing`] says `project` then).
    pub fn existing(comparable: &'a (impl Comparable + ?Sized), options: &'a CompareOptions) -> Result<Self, Error> {
        Self::of(comparable, Role::Existing, options)
    }

    /// Reads what somebody wants to have.
    ///
    /// # Errors
    ///
    /// As for [`existing`](Self::existing).
    pub fn desired(comparable: &'a (impl Comparable + ?Sized), options: &'a CompareOptions) -> Result<Self, Error> {
        Self::of(comparable, Role::Desired, options)
    }

    fn of(comparable: &'a (impl Comparable + ?Sized), role: Role, options: &'a CompareOptions) -> Result<Self, Error> {
        let mut side = Self { role, project: options.project.as_deref(), entries: Vec::new(), texts: 0 };
        comparable.add_to(&mut side)?;
        Ok(side)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter()
    }

    fn add(&mut self, capability: Cow<'a, Capability>, is_of_token: bool) {
        self.entries.push(Entry { capability, is_of_token });
    }

    /// Whether an entry of a token counts, from the projects that it is for.
    fn counts(&self, entry: &ProjectCapability) -> Result<bool, Error> {
        let project = self.project.ok_or_else(|| {
            let detail = "what a token may do depends on the project: say for which the capabilities are compared";
            invalid(detail).with_missing(["project"])
        })?;
        Ok(entry.is_for(project))
    }

    fn rules(&self) -> Rules {
        match self.role {
            Role::Existing => Rules::LENIENT,
            Role::Desired => Rules::WISH,
        }
    }

    fn add_text(&mut self, text: &[u8]) -> Result<(), Error> {
        if self.texts == NESTED_TEXTS {
            return Err(invalid(format!("more than {NESTED_TEXTS} texts are in one another")));
        }
        self.texts += 1;
        let added = match parse(text)? {
            Tree::Text(_) => Err(invalid("a capability is an object, and not a text")),
            tree => self.add_tree(tree, self.rules()),
        };
        self.texts -= 1;
        added
    }

    fn add_tree(&mut self, tree: Tree<'_>, rules: Rules) -> Result<(), Error> {
        match tree {
            Tree::List(items) => self.add_list(items, rules),
            Tree::Texts(texts) => {
                let added = |(i, text): (usize, Box<str>)| {
                    self.add_text(text.as_bytes()).map_err(|error| within(&i.to_string(), error))
                };
                texts.into_iter().enumerate().try_for_each(added)
            }
            Tree::Text(text) => self.add_text(text.as_bytes()),
            Tree::Object(fields) => self.add_object(fields, rules),
            other @ (Tree::Ids(_) | Tree::Id(_) | Tree::Other(_)) => {
                Err(invalid(format!("a capability is an object, and not {}", other.what())))
            }
        }
    }

    fn add_list(&mut self, items: Vec<Tree<'_>>, rules: Rules) -> Result<(), Error> {
        let added =
            |(i, item): (usize, Tree<'_>)| self.add_tree(item, rules).map_err(|error| within(&i.to_string(), error));
        items.into_iter().enumerate().try_for_each(added)
    }

    fn add_object(&mut self, mut fields: Vec<(Cow<'_, str>, Tree<'_>)>, rules: Rules) -> Result<(), Error> {
        let at = |name: &str| fields.iter().position(|(field, _)| field == name);
        let is_acl = || fields.iter().any(|(name, _)| Acl::of(name).is_some());
        if project_capability::is_entry(&fields) {
            return self.add_entry(Tree::Object(fields));
        }
        if is_acl() {
            return self.add_capability(Tree::Object(fields), rules);
        }
        if let Some(at) = at("items") {
            let (_, items) = fields.swap_remove(at);
            return self.add_tree(items, rules).map_err(|error| within("items", error));
        }
        let is_text = |name: &str| at(name).is_some_and(|at| matches!(fields[at].1, Tree::Text(_)));
        let (is_group, is_inspection) = (is_text("name"), is_text("subject"));
        if let Some(at) = at("capabilities") {
            let (_, capabilities) = fields.swap_remove(at);
            let added = match capabilities {
                Tree::Other(Value::Null) => Ok(()),
                capabilities if is_inspection => self.add_entries(capabilities),
                // What a platform says, whoever asks.
                capabilities => self.add_tree(capabilities, Rules::LENIENT),
            };
            return added.map_err(|error| within("capabilities", error));
        }
        // A group need not have any. But one with a slip in the name of an ACL may not go for a group.
        let is_like_acl = || fields.iter().any(|(name, _)| name.to_ascii_lowercase().ends_with("acl"));
        if (is_group || is_inspection) && !is_like_acl() {
            return Ok(());
        }
        self.add_capability(Tree::Object(fields), rules)
    }

    /// Adds what a token inspection has. Without a project an entry would count in all of them.
    fn add_entries(&mut self, entries: Tree<'_>) -> Result<(), Error> {
        let Tree::List(entries) = entries else {
            return Err(invalid(format!("the capabilities of a token are an array, and not {}", entries.what())));
        };
        let mut entries = entries.into_iter().enumerate();
        entries.try_for_each(|(i, entry)| self.add_entry(entry).map_err(|error| within(&i.to_string(), error)))
    }

    fn add_entry(&mut self, entry: Tree<'_>) -> Result<(), Error> {
        let entry = project_capability::load(entry, Rules::LENIENT)?;
        if self.counts(&entry)? {
            self.add(Cow::Owned(entry.capability), true);
        }
        Ok(())
    }

    fn add_capability(&mut self, tree: Tree<'_>, rules: Rules) -> Result<(), Error> {
        let capability = load::capability(tree, rules)?;
        self.add(Cow::Owned(capability), false);
        Ok(())
    }
}

impl Comparable for () {
    fn add_to<'a>(&'a self, _: &mut Side<'a>) -> Result<(), Error> {
        Ok(())
    }
}

impl Comparable for Capability {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        side.add(Cow::Borrowed(self), false);
        Ok(())
    }
}

impl Comparable for ProjectCapability {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        if side.counts(self)? {
            side.add(Cow::Borrowed(&self.capability), true);
        }
        Ok(())
    }
}

impl Comparable for Value {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        side.add_tree(load::tree(self)?, side.rules())
    }
}

/// JSON or YAML, in UTF-8.
impl Comparable for [u8] {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        side.add_text(self)
    }
}

/// JSON or YAML.
impl Comparable for str {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.as_bytes().add_to(side)
    }
}

impl Comparable for String {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.as_str().add_to(side)
    }
}

impl<T: Comparable + ?Sized> Comparable for &T {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        (**self).add_to(side)
    }
}

impl<T: Comparable> Comparable for [T] {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        let mut items = self.iter().enumerate();
        items.try_for_each(|(i, item)| item.add_to(side).map_err(|error| within(&i.to_string(), error)))
    }
}

impl<T: Comparable> Comparable for Vec<T> {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.as_slice().add_to(side)
    }
}

impl<T: Comparable, const N: usize> Comparable for [T; N] {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.as_slice().add_to(side)
    }
}
