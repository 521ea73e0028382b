//! The payload of an answer.

use std::{fmt, io};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Code, Error};

/// JSON text of at most the size that the trigger allows.
#[derive(Clone, Eq, PartialEq)]
pub struct Response(String);

/// Shows the length alone: the answer is the caller's business.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of JSON", self.0.len())
    }
}

impl Response {
    /// Writes a value. What is over the limit is counted, to be named in the error, but not kept.
    ///
    /// # Errors
    ///
    /// [`Code::ResponseTooLarge`] over the limit, [`Code::SkillFailed`] for a value that cannot be written as JSON.
    pub(crate) fn of<T: Serialize>(value: &T, limit: usize) -> Result<Self, Error> {
        let mut buffer = Buffer { text: Vec::with_capacity(128), size: 0, limit };
        serde_json::to_writer(&mut buffer, value).map_err(|error| {
            Error::new(Code::SkillFailed, "the skill's output cannot be written as JSON").with_source(error)
        })?;
        if buffer.size > limit {
            return Err(too_large(buffer.size, limit));
        }
        // serde_json writes nothing but UTF-8.
        String::from_utf8(buffer.text).map(Self).map_err(|error| Error::new(Code::Internal, error.to_string()))
    }

    /// Takes what is JSON text already.
    ///
    /// # Errors
    ///
    /// [`Code::ResponseTooLarge`] over the limit.
    pub(crate) fn of_raw(value: Box<RawValue>, limit: usize) -> Result<Self, Error> {
        let text: Box<str> = value.into();
        if text.len() > limit { Err(too_large(text.len(), limit)) } else { Ok(Self(text.into())) }
    }

    /// Takes the text that a library gave.
    ///
    /// # Errors
    ///
    /// [`Code::ResponseTooLarge`] over the limit, [`Code::SkillFailed`] when it is not UTF-8.
    pub fn from_utf8(bytes: &[u8], limit: usize) -> Result<Self, Error> {
        if bytes.len() > limit {
            return Err(too_large(bytes.len(), limit));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self(text.to_owned())),
            Err(_) => Err(Error::new(Code::SkillFailed, "the skill's output is not UTF-8")),
        }
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JSON text.
    pub fn into_string(self) -> String {
        self.0
    }
}

fn too_large(size: usize, limit: usize) -> Error {
    let detail = format!(
        "the response is {size} bytes of JSON, over the limit of {limit}; \
         store it in managed content and answer with its key"
    );
    Error::new(Code::ResponseTooLarge, detail)
}

struct Buffer {
    text: Vec<u8>,
    size: usize,
    limit: usize,
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len();
        if self.size <= self.limit {
            self.text.extend_from_slice(bytes);
        } else {
            self.text = Vec::new();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_inclusive_and_the_size_is_named() {
        let fits = Response::of(&"abc", 5).unwrap();
        assert_eq!(fits.as_str(), "\"abc\"");
        let error = Response::of(&"abc", 4).unwrap_err();
        assert_eq!(error.code(), Code::ResponseTooLarge);
        assert!(error.detail().contains("is 5 bytes") && error.detail().contains("limit of 4"), "{error}");
        assert_eq!(Response::from_utf8(b"\"abc\"", 4).unwrap_err().code(), Code::ResponseTooLarge);
    }

    #[test]
    fn what_json_cannot_say_is_the_skills_failure() {
        let map = std::collections::HashMap::from([(vec![1], 1)]);
        assert_eq!(Response::of(&map, 100).unwrap_err().code(), Code::SkillFailed);
        assert_eq!(Response::from_utf8(&[0xff], 100).unwrap_err().code(), Code::SkillFailed);
    }
}
