//! JSON for people and programs.

use serde::Serialize;
use skill_sdk::{Code, Error};

/// A value as JSON on several lines. What could steer a terminal is escaped, so that it means the same.
///
/// # Errors
///
/// [`Code::Internal`] when it cannot be written as JSON.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(Code::Internal, "the result cannot be written as JSON").with_source(error))?;
    let mut clean = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => clean.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => clean.push(c),
        }
    }
    clean.push('\n');
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn nothing_steers_a_terminal_and_nothing_is_lost() {
        let value = json!(["ä \u{1b}[2J\u{9b}\u{7f}", {"a": 1}]);
        let text = pretty(&value).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
