//! A group that is to be created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::group::{GroupAttributes, Members};
use crate::client::nullable;
use crate::error::{Code, Error};
use crate::iam::Capability;
use crate::iam::comparable::{Comparable, Side};

/// The limits of metadata (contract "cdf-iam", section 6), all but the number of pairs in bytes.
const LONGEST_KEY: usize = 32;
const LONGEST_VALUE: usize = 512;
const MOST_PAIRS: usize = 16;
const MOST_METADATA: usize = 4096;

/// A group that is to be created.
///
/// ```
/// # use skill_sdk::iam::GroupWrite;
/// let group = GroupWrite::new("readers").source_id("7c2d").metadata("team", "orders");
/// assert_eq!(
///     serde_json::to_value(&group)?,
///     serde_json::json!({"name": "readers", "sourceId": "7c2d", "metadata": {"team": "orders"}}),
/// );
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupWrite {
    /// Its name.
    pub name: String,
    /// The id of the group at the identity provider whose members are its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// What its members may do.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// Whatever is to be noted. It never changes.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Who its members are, if it has no source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// What else holds for its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<GroupAttributes>,
    /// Whatever else is to be sent.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl GroupWrite {
    /// A group of this name, which gives nobody anything.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            source_id: None,
            capabilities: Vec::new(),
            metadata: BTreeMap::new(),
            members: None,
            attributes: None,
            other: Map::new(),
        }
    }

    /// Whose members are those of the group with this id at the identity provider. It cannot have other members then.
    pub fn source_id(mut self, id: impl Into<String>) -> Self {
        self.source_id = Some(id.into());
        self
    }

    /// Whose members may do this too.
    pub fn capabilities(mut self, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        self.capabilities.extend(capabilities);
        self
    }

    /// With a note: at most 32 bytes for the key and 512 for the value. There can be 16, and 4096 bytes in all.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Whose members are these. It cannot have a source then.
    pub fn members(mut self, members: Members) -> Self {
        self.members = Some(members);
        self
    }

    /// Of whose members this holds too.
    pub fn attributes(mut self, attributes: GroupAttributes) -> Self {
        self.attributes = Some(attributes);
        self
    }

    /// Refuses what no platform takes.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`], which names the group; `failure` says what fails then.
    pub(super) fn check(&self, failure: &str) -> Result<(), Error> {
        let why = self.metadata_problem().or_else(|| {
            let both = self.source_id.is_some() && self.members.is_some();
            both.then(|| "it can have either a source or members".to_owned())
        });
        match why {
            Some(why) => Err(Error::new(Code::SkillFailed, format!("{failure}: the group {:?}: {why}", self.name))),
            None => Ok(()),
        }
    }

    fn metadata_problem(&self) -> Option<String> {
        let over = |what: &str, size: usize, limit: usize| {
            (size > limit).then(|| format!("{what} has {size} bytes, over the limit of {limit}"))
        };
        if self.metadata.len() > MOST_PAIRS {
            return Some(format!("its metadata has {} pairs, over the limit of {MOST_PAIRS}", self.metadata.len()));
        }
        let of_pair = |(key, value): (&String, &String)| {
            let of_key = over(&format!("the key {key:?} of its metadata"), key.len(), LONGEST_KEY);
            of_key.or_else(|| over(&format!("the value of {key:?} in its metadata"), value.len(), LONGEST_VALUE))
        };
        let all = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.metadata.iter().find_map(of_pair).or_else(|| over("its metadata", all, MOST_METADATA))
    }
}

impl Comparable for GroupWrite {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.capabilities.add_to(side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(pairs: impl IntoIterator<Item = (String, String)>) -> Option<String> {
        let group = GroupWrite { metadata: pairs.into_iter().collect(), ..GroupWrite::new("g") };
        let prefix = "cannot create groups: the group \"g\": ";
        let error = group.check("cannot create groups").err()?;
        assert_eq!(error.code(), Code::SkillFailed);
        Some(error.detail().strip_prefix(prefix).unwrap().to_owned())
    }

    #[test]
    fn metadata_has_limits_in_bytes() {
        let pair = |key: usize, value: usize| [("k".repeat(key), "v".repeat(value))];
        let pairs = |count: usize, value: usize| (0..count).map(move |n| (format!("{n:02}"), "v".repeat(value)));
        assert_eq!(problem(pair(32, 512)), None);
        assert_eq!(problem(pairs(16, 254)), None);
        let key = format!("the key {:?} of its metadata has 33 bytes, over the limit of 32", "k".repeat(33));
        assert_eq!(problem(pair(33, 1)), Some(key));
        let value = "the value of \"k\" in its metadata has 513 bytes, over the limit of 512";
        assert_eq!(problem(pair(1, 513)).as_deref(), Some(value));
        assert_eq!(problem(pairs(17, 1)).as_deref(), Some("its metadata has 17 pairs, over the limit of 16"));
        let all = "its metadata has 4112 bytes, over the limit of 4096";
        assert_eq!(problem(pairs(16, 255)).as_deref(), Some(all));
        // A letter may be several bytes.
        let letters = problem([("ä".repeat(17), String::new())]).unwrap();
        assert!(letters.ends_with("has 34 bytes, over the limit of 32"), "{letters}");
    }

    #[test]
    fn a_group_has_either_a_source_or_members() {
        let sourced = GroupWrite::new("g").source_id("s");
        assert!(sourced.check("f").is_ok());
        assert!(GroupWrite::new("g").members(Members::AllUserAccounts).check("f").is_ok());
        let error = sourced.members(Members::users(["u"])).check("f").unwrap_err();
        assert_eq!(error.detail(), "f: the group \"g\": it can have either a source or members");
    }
}
