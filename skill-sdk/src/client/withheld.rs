//! What a call carries that no error may repeat.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::refusal;

/// How much of a secret, in bytes, may not be shown either: whoever refuses a long value may repeat only where it
/// begins.
const PART: usize = 8;

/// Numbers of fewer digits are no secret: they stand in many texts, and are soon guessed.
const DIGITS: usize = 4;

/// Most bytes of secrets that are looked for. Where there are more, no words are shown: the search takes time in which
/// nothing else gets on.
const MOST: usize = 512 * 1024;

/// What stands in the place of words that may repeat a secret. They go as a whole: what is around a gap can tell what
/// was in it.
pub(super) const LEFT_OUT: &str = "its words are left out, because they may repeat what is secret";

/// Secrets that a call carries. Whoever refuses them may repeat them.
#[derive(Clone, Default)]
pub(crate) struct Withheld(Arc<[SecretString]>);

impl Withheld {
    /// All texts in a value, however deep, and all numbers of at least four digits. The names of fields are not secret.
    pub(crate) fn of(value: &Value) -> Self {
        Self::of_all([value])
    }

    /// As [`of`](Self::of), in several values.
    pub(crate) fn of_all<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let texts = values.into_iter().flat_map(texts).filter(|text| !text.is_empty());
        Self(texts.map(SecretString::from).collect())
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Text of a server as it may stand in an error: as [`refusal::words`], or that it is left out.
    pub(super) fn words(&self, text: &[u8], secrets: &[SecretString]) -> String {
        // What is shown of it is in this much of it.
        let text = &text[..text.len().min(refusal::LONGEST)];
        if self.is_repeated_by([text]) { LEFT_OUT.to_owned() } else { refusal::words(text, secrets) }
    }

    /// Whether any of the texts may repeat any of the secrets, or a part of one. All that a server says is best asked
    /// about at once: this goes once over it, and once over the secrets.
    pub(super) fn is_repeated_by<'t>(&self, texts: impl IntoIterator<Item = &'t [u8]>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let readings: BTreeSet<String> = texts.into_iter().filter(|text| !text.is_empty()).flat_map(readings).collect();
        if self.0.iter().map(|secret| secret.expose_secret().len()).sum::<usize>() > MOST {
            return !readings.is_empty();
        }
        let spelled: Vec<SecretString> = self.0.iter().flat_map(spellings).collect();
        let secrets = || spelled.iter().map(|secret| secret.expose_secret().as_bytes());
        let part_of = |secret: &[u8]| secret.len().min(PART);
        let sizes: BTreeSet<usize> = secrets().map(part_of).collect();
        let windows = |size| readings.iter().flat_map(move |text| text.as_bytes().windows(size));
        let said: HashSet<&[u8]> = sizes.into_iter().flat_map(windows).collect();
        secrets().any(|secret| secret.windows(part_of(secret)).any(|part| said.contains(part)))
    }
}

/// The texts in a value, and the numbers that may be secret.
fn texts(value: &Value) -> Vec<String> {
    let (mut open, mut texts) = (vec![value], Vec::new());
    while let Some(value) = open.pop() {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                let text = number.to_string();
                if text.bytes().filter(u8::is_ascii_digit).count() >= DIGITS {
                    texts.push(text);
                }
            }
            Value::String(text) => texts.push(text.clone()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
        }
    }
    texts
}

/// A secret as it is, and in base64 with both alphabets.
fn spellings(secret: &SecretString) -> [SecretString; 3] {
    let secret = secret.expose_secret();
    [secret.to_owned(), STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)].map(SecretString::from)
}

/// What a text says as it stands, as JSON, as JSON that quotes JSON, as part of a URL, and as a field of a form.
fn readings(text: &[u8]) -> [String; 5] {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let plain = String::from_utf8_lossy(text).into_owned();
    let json = unescaped(&plain);
    let (quoted, url, form) = (unescaped(&json), decoded(&json), decoded(&json.replace('+', " ")));
    [plain, json, quoted, url, form]
}

/// A text with what JSON writes for a letter replaced by that letter. The text need not be JSON as a whole: it may be
/// cut off, or have other words around it.
fn unescaped(mut text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    while let Some(start) = text.find('\\') {
        plain.push_str(&text[..start]);
        text = &text[start..];
        // Two of `\u0000` may stand for one letter. Whatever else is in as many bytes is read along with them.
        let read = |size| {
            let letters: String = serde_json::from_str(&format!("\"{}\"", text.get(..size)?)).ok()?;
            Some((size, letters))
        };
        let (size, letters) = [12, 6, 2].into_iter().find_map(read).unwrap_or((1, "\\".to_owned()));
        plain.push_str(&letters);
        text = &text[size..];
    }
    plain + text
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
            (json!("a\"b"), r#"{"message": "not valid: {\"value\": \"a\\\"b\"}"}"#),
            (json!("hunter2"), r#"{"message": "hunt\u0065r2", "details": ["and so"#),
            // As part of a URL, and as a field of a form.
            (json!("p@ss/w"), "no such user: ann:p%40ss%2Fw@db"),
            (json!("p@ss/w"), r#"{"message": "p%40ss\/w"}"#),
            (json!("\u{df} + 1"), "%c3%9f+%2B+1"),
            (json!("1+%31"), "1+%2531"),
            (json!("p%40ss"), "p%40ss"),
            // In base64.
            (json!("hunter2"), "aHVudGVyMg=="),
            (json!({"password": "ha>?\u{ff}"}), "Basic aGE+P8O/"),
            (json!("ha>?\u{ff}"), "aGE-P8O_"),
            (json!("ha>?\u{ff}"), "data=aGE%2BP8O%2F"),
            (json!("a secret of several words"), "YSBzZWNyZXQg\nb2Ygc2V2ZXJhbCB3b3Jkcw=="),
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

    #[test]
    fn booleans_and_short_numbers_are_no_secret() {
        for secret in [json!(1), json!(-3.5), json!(999), json!(true), json!([false, {"retries": 10}])] {
            assert_eq!(said(&secret, "-3.5, 1, 10, 999, true, false"), "-3.5, 1, 10, 999, true, false", "{secret}");
        }
        for (secret, words) in [(json!(1000), "port 1000"), (json!(-12.34), "-12.34"), (json!("1"), "1")] {
            assert_eq!(said(&secret, words), LEFT_OUT, "{secret}");
        }
    }

    #[test]
    fn what_json_writes_for_letters_is_read_wherever_it_stands() {
        for (text, plain) in [
            ("", ""),
            ("no \"escape\"", "no \"escape\""),
            (r"\n", "\n"),
            (r"\\n", "\\n"),
            (r#"{"a": "\u00df\"\/", "b"#, "{\"a\": \"\u{df}\"/\", \"b"),
            (r"\ud83d\ude00 \ud83d, \x \u12", "\u{1f600} \\ud83d, \\x \\u12"),
            (r"日\n本\t語\", "日\n本\t語\\"),
        ] {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }

    #[test]
    fn secrets_that_are_too_many_to_look_for_leave_nothing_to_show() {
        let secret = json!("0".repeat(MOST + 1));
        assert_eq!(said(&secret, "over quota"), LEFT_OUT);
        assert_eq!(said(&secret, ""), "");
        assert_eq!(said(&json!("0".repeat(MOST)), "over quota"), "over quota");
    }
}
