//! Fields that may be `null` where nothing is meant.

use serde::{Deserialize, Deserializer};

/// Reads `null` as what is empty.
pub(crate) fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
