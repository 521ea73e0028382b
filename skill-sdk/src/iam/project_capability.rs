//! Capabilities as a token has them: in some projects, or in all.

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::error::Error;

use super::capability::Capability;
use super::load::{self, Rules, invalid, within};
use super::tree::Tree;

/// The key beside the name of the ACL.
const PROJECT_SCOPE: &str = "projectScope";

/// A capability that a token has in some projects, or in all: a token entry (contract "cdf-capabilities", section 1).
///
/// As JSON it is that of the [`Capability`] with one more key, `projectScope`. What is deserialized is read
/// [leniently](super::Loading::Lenient).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProjectCapability {
    /// What it permits.
    pub capability: Capability,
    /// Where.
    pub project_scope: ProjectScope,
}

/// The projects that a token entry is for.
#[derive(Clone, Debug, PartialEq)]
pub enum ProjectScope {
    /// These. Names are case-sensitive.
    Projects(Vec<String>),
    /// Every project.
    AllProjects,
}

impl ProjectCapability {
    /// A capability in these projects.
    pub fn new(capability: Capability, project_scope: ProjectScope) -> Self {
        Self { capability, project_scope }
    }

    /// Whether it counts in a project.
    pub fn is_for(&self, project: &str) -> bool {
        self.project_scope.contains(project)
    }
}

impl ProjectScope {
    /// These projects.
    pub fn projects<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self::Projects(names.into_iter().map(Into::into).collect())
    }

    /// Whether a project is among them.
    pub fn contains(&self, project: &str) -> bool {
        match self {
            Self::AllProjects => true,
            Self::Projects(names) => names.iter().any(|name| name == project),
        }
    }
}

/// Whether an object is a token entry.
pub(super) fn is_entry(fields: &[(std::borrow::Cow<'_, str>, Tree<'_>)]) -> bool {
    fields.iter().any(|(name, _)| name == PROJECT_SCOPE)
}

/// Reads a token entry.
pub(super) fn load(tree: Tree<'_>, rules: Rules) -> Result<ProjectCapability, Error> {
    let Tree::Object(mut fields) = tree else {
        return Err(invalid(format!("a token entry is an object, and not {}", tree.what())));
    };
    let Some(at) = fields.iter().position(|(name, _)| name == PROJECT_SCOPE) else {
        return Err(invalid(format!("a token entry has a `{PROJECT_SCOPE}`")));
    };
    let (_, scope) = fields.remove(at);
    let project_scope = project_scope(scope).map_err(|error| within(PROJECT_SCOPE, error))?;
    Ok(ProjectCapability { capability: load::capability(Tree::Object(fields), rules)?, project_scope })
}

fn project_scope(tree: Tree<'_>) -> Result<ProjectScope, Error> {
    let Tree::Object(mut fields) = tree else {
        return Err(invalid(format!("Unknown project scope: it is an object, and not {}", tree.what())));
    };
    // Where both are given, the narrower one counts.
    match fields.iter().position(|(name, _)| name == "projects") {
        Some(at) => match fields.swap_remove(at).1 {
            Tree::Texts(names) => Ok(ProjectScope::projects(names)),
            Tree::List(items) if items.is_empty() => Ok(ProjectScope::Projects(Vec::new())),
            other => Err(invalid(format!(
                "Unknown project scope: `projects` is an array of texts, and not {}",
                other.what()
            ))),
        },
        None if fields.iter().any(|(name, _)| name == "allProjects") => Ok(ProjectScope::AllProjects),
        None => Err(invalid(format!("Unknown project scope: {}", Value::from(Tree::Object(fields))))),
    }
}

impl<'de> Deserialize<'de> for ProjectCapability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        load(Tree::deserialize(deserializer)?, Rules::LENIENT).map_err(de::Error::custom)
    }
}

impl Serialize for ProjectCapability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let capability = serde_json::to_value(&self.capability).map_err(S::Error::custom)?;
        let fields = capability.as_object();
        let mut object = serializer.serialize_map(None)?;
        for (name, value) in fields.into_iter().flatten() {
            object.serialize_entry(name, value)?;
        }
        object.serialize_entry(PROJECT_SCOPE, &self.project_scope)?;
        object.end()
    }
}

impl Serialize for ProjectScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        match self {
            Self::Projects(names) => object.serialize_entry("projects", names)?,
            Self::AllProjects => object.serialize_entry("allProjects", &serde_json::Map::new())?,
        }
        object.end()
    }
}
