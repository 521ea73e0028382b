//! Errors that cross the boundary of a library.

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::items::ItemOutcomes;
use super::{Code, Error};

/// What is known of a failure beside its code, in the form in which it crosses the boundary of a library.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Facts {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) missing: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) duplicated: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pointer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) http_status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) details: Option<Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) extra: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<ItemOutcomes>,
}

/// An [`Error`] as text that crosses the boundary of a library.
#[derive(Deserialize, Serialize)]
pub(crate) struct Wire<'a> {
    code: Cow<'a, str>,
    detail: Cow<'a, str>,
    #[serde(flatten)]
    facts: Cow<'a, Facts>,
}

impl<'a> From<&'a Error> for Wire<'a> {
    fn from(error: &'a Error) -> Self {
        Self {
            code: error.code().as_str().into(),
            detail: error.chain().into(),
            facts: Cow::Borrowed(&error.0.class.facts),
        }
    }
}

impl From<Wire<'_>> for Error {
    fn from(wire: Wire<'_>) -> Self {
        // A library of the same ABI but a newer table may know a code that this host does not.
        let code = Code::from_str(&wire.code).unwrap_or(Code::SkillFailed);
        let mut error = Error::new(code, wire.detail);
        error.0.class.facts = wire.facts.into_owned();
        error
    }
}
