//! What somebody may do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Leave to do something with something.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Capability(Value);
