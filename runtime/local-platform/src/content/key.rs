//! Names that clients choose, checked, and the file names they are kept under.

use std::fmt::{self, Display, Write};

use aws_lc_rs::digest;

use crate::answer::Refusal;

/// Bytes of a key, after its leading slashes are dropped.
const LONGEST_KEY: usize = 1024;
/// Bytes of a project. Escaped it is at most three times as long, which fits the 255 bytes of a file name.
const LONGEST_PROJECT: usize = 80;

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

    /// SHA-256 in hexadecimal: no key decides a path, `a` and `a/b` coexist, letter case matters on every file
    /// system, and the longest key fits a file name.
    pub(crate) fn file_name(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.0.as_bytes());
        hash.as_ref().iter().fold(String::with_capacity(64), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A project name.
#[derive(Clone, Debug)]
pub(crate) struct Project(String);

impl Project {
    /// Refuses the empty name, more than 80 bytes, and control characters.
    pub(crate) fn new(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() || text.len() > LONGEST_PROJECT || text.chars().any(char::is_control) {
            let rule = format!("a project is 1 to {LONGEST_PROJECT} bytes without control characters");
            return Err(Refusal::bad_request(rule));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name with every byte but lower-case letters, digits, `-` and `_` as `%XX`: two projects never share a
    /// folder, and none is called `.`, `..` or like a folder of ours.
    pub(crate) fn folder_name(&self) -> String {
        self.0.bytes().fold(String::with_capacity(self.0.len()), |mut name, byte| {
            if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') {
                name.push(char::from(byte));
            } else {
                let _ = write!(name, "%{byte:02X}");
            }
            name
        })
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

    #[test]
    fn file_names_are_hashes() {
        assert_eq!(
            Key::new("abc").unwrap().file_name(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn projects_are_escaped() {
        for (project, folder) in [("local-1_a", "local-1_a"), ("..", "%2E%2E"), ("A/ü", "%41%2F%C3%BC"), ("%", "%25")]
        {
            assert_eq!(Project::new(project).unwrap().folder_name(), folder);
        }
        assert!(Project::new("").is_err());
        assert!(Project::new(&"p".repeat(81)).is_err());
    }
}
