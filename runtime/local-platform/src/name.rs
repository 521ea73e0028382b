//! Names that clients choose, checked.

use std::fmt::{self, Display};

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::answer::Refusal;

/// Bytes of a name: of a skill, a secret, a run, a principal and so on.
const LONGEST_NAME: usize = 512;
/// Bytes of a project.
const LONGEST_PROJECT: usize = 80;

/// Refuses what nothing can be called: nothing, more than 512 bytes, control characters, and `.` and `..`, which clients take out of
/// paths, so that what has such a name could not be asked for.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        Err(Refusal::bad_request(format!("the name of the {what} is empty")))
    } else if name.len() > LONGEST_NAME {
        Err(Refusal::bad_request(format!("the name of the {what} is longer than {LONGEST_NAME} bytes")))
    } else if name.chars().any(char::is_control) {
        Err(Refusal::bad_request(format!("the name of the {what} holds a control character")))
    } else if matches!(name, "." | "..") {
        Err(Refusal::bad_request(format!("the name of the {what} is `{name}`")))
    } else {
        Ok(())
    }
}

/// The named parts of a path, decoded. Those that are not UTF-8 are refused in the form of the API.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let segments: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        let Path(segments) = segments?;
        Ok(Self(segments))
    }
}

/// A project name. As an extractor it is the `{project}` of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Project {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Named {
            project: String,
        }
        let Segments(Named { project }) = Segments::from_request_parts(parts, state).await?;
        Self::new(&project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nothing_are_refused() {
        for name in ["", ".", "..", "a\nb", "a\u{7f}", "\u{85}", &"n".repeat(513)] {
            assert!(check_name("skill", name).is_err(), "{name:?}");
        }
        for name in ["acme/greet", "...", "../x", "ü", &"n".repeat(512)] {
            assert!(check_name("skill", name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn projects_are_short() {
        assert!(Project::new("").is_err());
        assert!(Project::new(&"p".repeat(81)).is_err());
        assert!(Project::new("a\0").is_err());
        assert_eq!(Project::new("..").unwrap().as_str(), "..");
    }
}
