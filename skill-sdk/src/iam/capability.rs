//! Permission to do something with things of a kind.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::error::Error;

use super::acl::Acl;
use super::action::Action;
use super::load::{self, Rules};
use super::scope::{Scope, Single, json_text};
use super::snake_case::snake_keys;
use super::tree::Tree;

/// Permission to do something with things of a kind: an [ACL](Acl), actions, and a scope.
///
/// ```
/// use skill_sdk::iam::{Acl, Action::*, Capability, Scope};
/// # use serde_json::json;
/// let capability = Capability::new(Acl::Assets, [Read, Write], Scope::dataset([1]));
/// # assert_eq!(serde_json::to_value(&capability).unwrap(),
/// # json!(
/// // {"assetsAcl": {"actions": ["READ", "WRITE"], "scope": {"datasetScope": {"ids": [1]}}}}
/// # {"assetsAcl": {"actions": ["READ", "WRITE"], "scope": {"datasetScope": {"ids": [1]}}}}
/// # ));
/// ```
///
/// As JSON it is an object with the name of the ACL as its only key (contract "cdf-capabilities", section 1). One that is
/// deserialized is read [leniently](Loading::Lenient), as what platforms say must be: what is not known here is kept, and
/// written as it was.
#[derive(Clone, PartialEq)]
pub struct Capability(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Known { acl: Acl, actions: Actions, scope: Scope },
    Unknown(Box<Unknown>),
}

pub(super) type Actions = SmallVec<[Action; 1]>;

/// A capability for what is not known here.
#[derive(Clone, PartialEq)]
pub(super) struct Unknown {
    pub(super) name: String,
    pub(super) actions: Actions,
    pub(super) scope: Option<Scope>,
    /// As it was received.
    pub(super) raw: Map<String, Value>,
}

/// What becomes of names that are not known here (contract "cdf-capabilities", section 4).
///
/// | | strict | lenient |
/// |---|---|---|
/// | no known ACL, or several | error | kept as [unknown](Capability::acl) |
/// | an action that the ACL does not have | error | kept |
/// | one scope that is not known | error | kept |
/// | a scope that the ACL does not allow | error | kept |
///
/// In both, keys beside those that count are left out, and what has not the form of a capability is an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loading {
    /// They are errors, which suggest what may have been meant: for what people write.
    Strict,
    /// They are kept as received: for what platforms say, which may be newer than this.
    Lenient,
}

impl Capability {
    /// The name of a capability that has no ACL, or several.
    const NAMELESS: &str = "unknownAcl";

    /// Permission for these actions in this scope. Whether the ACL has them, [`check`](Self::check) tells.
    pub fn new(acl: Acl, actions: impl IntoIterator<Item = Action>, scope: Scope) -> Self {
        Self(Kind::Known { acl, actions: actions.into_iter().collect(), scope })
    }

    pub(super) fn unknown(
        name: Option<String>,
        raw: Map<String, Value>,
        actions: Actions,
        scope: Option<Scope>,
    ) -> Self {
        let name = name.unwrap_or_else(|| Self::NAMELESS.to_owned());
        Self(Kind::Unknown(Box::new(Unknown { name, actions, scope, raw })))
    }

    /// Reads one from JSON. Ids may be texts, and the names of fields in snake case. A text is read as JSON or YAML first.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`](crate::Code::SkillFailed) for what is no capability, and for what is not known when that is an error;
    /// [`Error::pointer`] says where it is. The detail suggests the nearest known name.
    pub fn load(value: &Value, loading: Loading) -> Result<Self, Error> {
        load::capability(load::tree(value)?, loading.into())
    }

    /// As [`load`](Self::load), from JSON or YAML as text. One that begins with `{`, `[` or `"` must be JSON.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and for what is neither JSON nor YAML.
    pub fn from_text(text: &str, loading: Loading) -> Result<Self, Error> {
        load::capability(load::parse(text.as_bytes())?, loading.into())
    }

    /// The kind of thing that it is for; `None` when that is not known here.
    pub fn acl(&self) -> Option<Acl> {
        match &self.0 {
            Kind::Known { acl, .. } => Some(*acl),
            Kind::Unknown(_) => None,
        }
    }

    /// The name of its ACL, known or not; `unknownAcl` of one that has none, or several.
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Known { acl, .. } => acl.as_str(),
            Kind::Unknown(unknown) => &unknown.name,
        }
    }

    /// The actions. There may be none, or one twice.
    pub fn actions(&self) -> &[Action] {
        match &self.0 {
            Kind::Known { actions, .. } => actions,
            Kind::Unknown(unknown) => &unknown.actions,
        }
    }

    /// The scope; `None` of one that is not known and has nothing of the kind.
    pub fn scope(&self) -> Option<&Scope> {
        match &self.0 {
            Kind::Known { scope, .. } => Some(scope),
            Kind::Unknown(unknown) => unknown.scope.as_ref(),
        }
    }

    /// Checks that its ACL is known, and has its actions and its scope.
    ///
    /// # Errors
    ///
    /// As a [strict](Loading::Strict) [`load`](Self::load).
    pub fn check(&self) -> Result<(), Error> {
        match &self.0 {
            Kind::Known { acl, actions, scope } => load::check(*acl, actions, scope, Rules::STRICT),
            Kind::Unknown(unknown) => Err(load::no_acl(unknown.raw.keys().map(String::as_str))),
        }
    }

    /// As JSON with names in snake case, such as `assets_acl` and `dbs_to_tables`. What is not known is as it was received.
    pub fn to_snake_case(&self) -> Value {
        // What is written here has texts as keys and no numbers that JSON lacks.
        let value = serde_json::to_value(self).unwrap_or_default();
        match &self.0 {
            // ACL, body, scope, field. What is within a field are names of the platform's things.
            Kind::Known { scope, .. } if scope.kind().is_some() => snake_keys(value, 4),
            Kind::Known { .. } => snake_keys(value, 1),
            Kind::Unknown(_) => value,
        }
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            actions: &'a [Action],
            scope: &'a Scope,
        }

        match &self.0 {
            Kind::Known { acl, actions, scope } => Single(acl.as_str(), Body { actions, scope }).serialize(serializer),
            Kind::Unknown(unknown) => unknown.raw.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        load::capability(Tree::deserialize(deserializer)?, Rules::LENIENT).map_err(de::Error::custom)
    }
}

/// Reads it [strictly](Loading::Strict): for capabilities that are written down as JSON.
impl TryFrom<Value> for Capability {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self, Error> {
        Self::load(&value, Loading::Strict)
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json_text(self))
    }
}
