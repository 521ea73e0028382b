//! Names in snake case, as other clients of the platform write them.

use serde_json::Value;

/// `dbs_to_tables` for `dbsToTables`.
pub(crate) fn snake_case(name: &str) -> String {
    name.chars().fold(String::with_capacity(name.len() + 4), |mut snake, c| {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        snake
    })
}

/// The value with the keys of so many levels of objects in snake case.
pub(super) fn snake_keys(value: Value, levels: u32) -> Value {
    match (value, levels.checked_sub(1)) {
        (Value::Object(fields), Some(below)) => Value::Object(
            fields.into_iter().map(|(name, value)| (snake_case(&name), snake_keys(value, below))).collect(),
        ),
        (value, _) => value,
    }
}
