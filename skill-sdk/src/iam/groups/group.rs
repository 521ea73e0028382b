//! A group as a platform says it, and what groups consist of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::write::GroupWrite;
use crate::client::nullable;
use crate::error::{Code, Error};
use crate::iam::Capability;
use crate::iam::comparable::{Comparable, Side};

/// A group.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Group {
    /// What the platform knows it by.
    pub id: i64,
    /// Its name. Others may have the same.
    pub name: String,
    /// The id of the group at the identity provider whose members are its members. It may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// What its members may do.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// Whatever its creator noted. It never changes.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Who its members are, if the platform keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// What else holds for its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<GroupAttributes>,
    /// Whether it has been deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_deleted: Option<bool>,
    /// When it was deleted, in milliseconds since 1970 UTC; −1 when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_time: Option<i64>,
    /// Whatever else the platform says of it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Who the members of a group are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Members {
    /// Every user account of the project: `"allUserAccounts"`.
    AllUserAccounts,
    /// These users, by their identifiers.
    Users(Vec<String>),
    /// What this version does not know, as it came.
    Other(Value),
}

/// What else holds for the members of a group.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupAttributes {
    /// With which tokens one is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<AppToken>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// With which tokens one is a member of a group.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AppToken {
    /// The applications whose tokens count.
    #[serde(default, deserialize_with = "nullable::or_empty")]
    pub app_ids: Vec<String>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Group {
    /// Whether its members are those of a group at the identity provider. A source without a name counts.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`], `Managed status is unknown`, when it has both a source and members.
    pub fn is_managed_by_idp(&self) -> Result<bool, Error> {
        check_managed(self.source_id.as_deref(), self.members.as_ref())?;
        Ok(self.source_id.is_some())
    }

    /// Whether the platform keeps its members.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`], `Managed status is unknown`, when it has both a source and members.
    pub fn is_managed_in_cdf(&self) -> Result<bool, Error> {
        check_managed(self.source_id.as_deref(), self.members.as_ref())?;
        Ok(self.members.is_some())
    }

    /// What would create one like it.
    pub fn as_write(&self) -> GroupWrite {
        GroupWrite {
            name: self.name.clone(),
            // The platform says an empty one of groups that have members, but takes only one of both.
            source_id: self.source_id.clone().filter(|source| !source.is_empty() || self.members.is_none()),
            capabilities: self.capabilities.clone(),
            metadata: self.metadata.clone(),
            members: self.members.clone(),
            attributes: self.attributes.clone(),
            other: Map::new(),
        }
    }
}

impl Comparable for Group {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.capabilities.add_to(side)
    }
}

/// Refuses what has both a source and members, neither of them empty.
fn check_managed(source: Option<&str>, members: Option<&Members>) -> Result<(), Error> {
    if source.is_some_and(|source| !source.is_empty()) && members.is_some_and(|members| !members.is_empty()) {
        return Err(Error::new(Code::SkillFailed, "Managed status is unknown: the group has a source and members"));
    }
    Ok(())
}

impl Members {
    /// The word for every user account.
    const ALL: &str = "allUserAccounts";

    /// These users, by their identifiers.
    pub fn users<U: Into<String>>(identifiers: impl IntoIterator<Item = U>) -> Self {
        Self::Users(identifiers.into_iter().map(Into::into).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::AllUserAccounts => false,
            Self::Users(users) => users.is_empty(),
            Self::Other(other) => other.as_str().is_some_and(str::is_empty),
        }
    }
}

impl GroupAttributes {
    /// That one is a member only with tokens of these applications.
    pub fn of_applications<A: Into<String>>(app_ids: impl IntoIterator<Item = A>) -> Self {
        let app_ids = app_ids.into_iter().map(Into::into).collect();
        Self { token: Some(AppToken { app_ids, other: Map::new() }), other: Map::new() }
    }
}

impl Serialize for Members {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AllUserAccounts => Self::ALL.serialize(serializer),
            Self::Users(users) => users.serialize(serializer),
            Self::Other(other) => other.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value == Self::ALL {
            return Ok(Self::AllUserAccounts);
        }
        Ok(match Vec::deserialize(&value) {
            Ok(users) => Self::Users(users),
            Err(_) => Self::Other(value),
        })
    }
}
