//! What a call carries that no error may repeat.

use std::collections::HashSet;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::refusal;

/// How much of a secret, in bytes, may not be shown either: whoever refuses a long value may repeat only where it
/// begins.
const PART: usize = 8;

/// What stands in the place of words that repeat a secret. They go as a whole: what is around a gap can tell what was
/// in it.
const LEFT_OUT: &str = "its words are left out, because they repeat what is secret";

/// Secrets that a call carries. Whoever refuses them may repeat them.
#[derive(Clone, Default)]
pub(crate) struct Withheld(Arc<[SecretString]>);

impl Withheld {
    /// All texts and numbers in a value, however deep. The names of fields are not secret.
    pub(crate) fn of(value: &Value) -> Self {
        Self::of_all([value])
    }

    /// As [`of`](Self::of), in several values.
    pub(crate) fn of_all<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let texts = values.into_iter().flat_map(texts).filter(|text| !text.is_empty());
        texts.flat_map(spellings).map(SecretString::from).collect()
    }

    /// Text of a server as it may stand in an error: as [`refusal::words`], or that it is left out.
    pub(super) fn words(&self, text: &[u8], secrets: &[SecretString]) -> String {
        if self.is_repeated_by(text) { LEFT_OUT.to_owned() } else { refusal::words(text, secrets) }
    }

    fn is_repeated_by(&self, text: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        // JSON can spell every letter in several ways.
        let within = serde_json::from_slice(text).map(|value| texts(&value)).unwrap_or_default();
        let plain = String::from_utf8_lossy(text);
        std::iter::once(&*plain).chain(within.iter().map(String::as_str)).any(|text| {
            let parts: HashSet<&[u8]> = text.as_bytes().windows(PART).collect();
            self.0.iter().map(ExposeSecret::expose_secret).any(|secret| match secret.len() {
                ..=PART => text.contains(secret),
                _ => secret.as_bytes().windows(PART).any(|part| parts.contains(part)),
            })
        })
    }
}

impl FromIterator<SecretString> for Withheld {
    fn from_iter<I: IntoIterator<Item = SecretString>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

/// The texts and numbers in a value.
fn texts(value: &Value) -> Vec<String> {
    let (mut open, mut texts) = (vec![value], Vec::new());
    while let Some(value) = open.pop() {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => texts.push(number.to_string()),
            Value::String(text) => texts.push(text.clone()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
        }
    }
    texts
}

/// A text as it is, and as JSON has it where that differs.
fn spellings(text: String) -> impl Iterator<Item = String> {
    let json = Value::from(text.as_str()).to_string();
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json);
    let other = (inner != text).then(|| inner.to_owned());
    std::iter::once(text).chain(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(secret: &Value, words: &str) -> String {
        Withheld::of(secret).words(words.as_bytes(), &[])
    }

    #[test]
    fn words_that_repeat_a_secret_are_left_out() {
        for (secret, words) in [
            (json!("hunter2"), "bad value hunter2"),
            (json!("a"), "a"),
            (json!(1234), "1234 is too short"),
            (json!({"u": ["x", {"p": "hunter2"}]}), "hunter2!"),
            // Spelled as JSON, inside and outside of it.
            (json!("a\"b\\c"), r#"not valid: {"value": "a\"b\\c"}"#),
            (json!("pa\u{df}"), r#"{"details": "pa\u00df"}"#),
            (json!("two\nlines"), r#"{"details": ["two\nlines"]}"#),
            // Only a part of it.
            (json!("-----BEGIN KEY-----\nMIIEvQIBADANBg\n"), "no key: MIIEvQIBA…"),
            (json!("0123456789"), "12345678"),
        ] {
            assert_eq!(said(&secret, words), LEFT_OUT, "{words}");
        }
    }

    #[test]
    fn other_words_are_shown() {
        for secret in [json!("hunter2"), json!(""), json!(null), json!([true, {"quota": 7}]), json!("over the top")] {
            assert_eq!(said(&secret, "over quota"), "over quota", "{secret}");
        }
        assert_eq!(Withheld::default().words(b" bad\nvalue ", &[]), "bad value");
    }
}
