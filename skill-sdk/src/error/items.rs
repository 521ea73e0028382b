//! What became of the items of a call with many.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What became of each item of a call with many that went out in several requests, some of which failed (contract "cdf-iam",
/// section 4). Each item is what it is known by: the id, or an object such as `{"name": "x"}`. Those of one list are in the
/// order in which they were given.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ItemOutcomes {
    /// What was done.
    #[serde(default)]
    pub successful: Vec<Value>,
    /// What may have been done: the platform failed (5xx), the connection broke, or there was no answer that could be read.
    #[serde(default)]
    pub unknown: Vec<Value>,
    /// What was refused (4xx).
    #[serde(default)]
    pub failed: Vec<Value>,
    /// What was not sent.
    #[serde(default)]
    pub skipped: Vec<Value>,
}

/// How many there are of each, such as `1000 successful, 501 failed`.
impl fmt::Display for ItemOutcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            (&self.successful, "successful"),
            (&self.unknown, "unknown"),
            (&self.failed, "failed"),
            (&self.skipped, "skipped"),
        ];
        let told = lists.iter().filter(|(items, _)| !items.is_empty());
        let told: Vec<String> = told.map(|(items, what)| format!("{} {what}", items.len())).collect();
        f.write_str(&told.join(", "))
    }
}
