//! Keys of content, checked.

use std::fmt::{self, Display};

use crate::answer::Refusal;

/// Bytes of a key, after its leading slashes are dropped.
const LONGEST_KEY: usize = 1024;

/// A content key: a path of one or more segments, without leading slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// Drops all leading slashes (as the Python client does) and refuses what no object can be called: nothing,
    /// more than 1024 bytes, control characters, and the segments `.` and `..`.
    pub(crate) fn new(text: &str) -> Result<Self, Refusal> {
        let text = text.trim_start_matches('/');
        if text.is_empty() {
            Err(Refusal::bad_request("the key is empty"))
        } else if text.len() > LONGEST_KEY {
            Err(Refusal::bad_request(format!("the key is longer than {LONGEST_KEY} bytes")))
        } else if text.chars().any(char::is_control) {
            Err(Refusal::bad_request("the key holds a control character"))
        } else if text.split('/').any(|segment| matches!(segment, "." | "..")) {
            Err(Refusal::bad_request("the key holds a segment `.` or `..`"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_slashes_are_dropped() {
        assert_eq!(Key::new("//a/b//c/").unwrap().as_str(), "a/b//c/");
    }

    #[test]
    fn keys_that_name_nothing_are_refused() {
        let long = "k".repeat(1025);
        for text in ["", "/", "a\nb", "a\u{7f}", "a\u{85}", "..", ".", "a/../b", "a/.", "../../etc/passwd", &long] {
            assert!(Key::new(text).is_err(), "{text:?}");
        }
        for text in ["a", "...", "a..b", ".hidden", "..%2F", "ü/ 1.txt", "50%", "a\\..\\b", &long[1..]] {
            assert!(Key::new(text).is_ok(), "{text:?}");
        }
    }
}
