//! A request that has not been sent.

use std::collections::HashSet;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;
use url::Url;

use crate::error::{Code, Error};

use super::body::Body;
use super::retry::{Cause, Failure, Repeat, Rules};
use super::withheld::Withheld;

/// Most bytes of a body that are compressed where a call is made: more would keep other tasks waiting.
const COMPRESSED_AT_ONCE: usize = 64 * 1024;

/// A request that has not been sent.
pub(crate) struct Call {
    pub(super) head: Head,
    pub(super) body: Option<Body>,
}

/// A request without its body.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What fails if this fails, as the start of an error text.
    pub(super) failure: String,
    pub(super) wait: Wait,
    pub(super) repeat: Repeat,
    pub(super) rules: Rules,
    /// The ids that it deletes, of one that does so by another method than DELETE.
    pub(super) deletes: Vec<i64>,
    pub(super) headers: HeaderMap,
    pub(super) form: Option<Form>,
    /// What of its body no error may show.
    pub(super) withheld: Withheld,
}

/// How long a call may take.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Wait {
    /// For calls that are short: the whole answer must have come in the time of a call. It is read before it is given out.
    Whole,
    /// For what is sent, which takes as long as it takes: each step of it has the time of a call. The answer is read before it is
    /// given out.
    Upload,
    /// As [`Upload`](Self::Upload), but for what is received: the answer is given out when its head is there.
    Idle,
}

/// What stands around a body that is sent as a field of a form (`multipart/form-data`).
#[derive(Clone)]
pub(super) struct Form {
    /// The name and the text of the field before it.
    pub(super) text: (&'static str, String),
    pub(super) name: &'static str,
    pub(super) file_name: String,
    pub(super) content_type: String,
}

impl Call {
    /// A call. Those whose method is idempotent (RFC 9110, section 9.2.2) can be repeated when it is not known whether they
    /// reached the platform.
    pub(crate) fn new(method: Method, url: Url, failure: impl Into<String>) -> Self {
        let repeat = if method.is_idempotent() { Repeat::Idempotent } else { Repeat::Unprocessed };
        let (failure, wait, headers, form) = (failure.into(), Wait::Whole, HeaderMap::new(), None);
        let withheld = Withheld::default();
        let (rules, deletes) = (Rules::Fabric, Vec::new());
        let head = Head { method, url, failure, wait, repeat, rules, deletes, headers, form, withheld };
        Self { head, body: None }
    }

    pub(crate) fn get(url: Url, failure: impl Into<String>) -> Self {
        Self::new(Method::GET, url, failure)
    }

    pub(crate) fn post(url: Url, failure: impl Into<String>) -> Self {
        Self::new(Method::POST, url, failure)
    }

    pub(crate) fn put(url: Url, failure: impl Into<String>) -> Self {
        Self::new(Method::PUT, url, failure)
    }

    pub(crate) fn delete(url: Url, failure: impl Into<String>) -> Self {
        Self::new(Method::DELETE, url, failure)
    }

    /// What fails if this fails, as the start of an error text.
    pub(super) fn what_fails(&self) -> &str {
        &self.head.failure
    }

    /// What of its body no error may show.
    pub(super) fn withheld(&self) -> &Withheld {
        &self.head.withheld
    }

    /// Whether there can be another attempt with its body.
    pub(super) fn can_be_sent(&self) -> bool {
        self.body.as_ref().is_none_or(Body::can_be_sent)
    }

    pub(crate) fn wait(mut self, wait: Wait) -> Self {
        self.head.wait = wait;
        self
    }

    /// When it may be repeated, if its method does not tell.
    pub(crate) fn repeat(mut self, repeat: Repeat) -> Self {
        self.head.repeat = repeat;
        self
    }

    /// By whose rules it is repeated, if not by those of Cortex Fabric. The limit for the body of a call is Cortex Fabric's
    /// too.
    pub(crate) fn rules(mut self, rules: Rules) -> Self {
        self.head.rules = rules;
        self
    }

    /// The ids that it deletes: see [`is_gone_for`](Self::is_gone_for).
    pub(crate) fn deletes(mut self, ids: Vec<i64>) -> Self {
        self.head.deletes = ids;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.head.headers.insert(name, value);
        self
    }

    /// With a body, whose type is said apart.
    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With a value as its body.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a value that cannot be written as JSON, for example a map whose keys are no texts.
    pub(crate) fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        match serde_json::to_vec(value) {
            Ok(json) => Ok(self.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(json)),
            Err(error) => {
                let detail = format!("{}: the value cannot be written as JSON", self.head.failure);
                Err(Error::new(Code::SkillFailed, detail).with_source(error))
            }
        }
    }

    /// With a value as its body that holds secrets: `secrets` finds them in it. No error shows them, or what they were
    /// in.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a value that cannot be written as JSON.
    pub(crate) fn json_with_secrets(
        mut self,
        value: &(impl Serialize + ?Sized),
        secrets: impl FnOnce(&Value) -> Withheld,
    ) -> Result<Self, Error> {
        let written = serde_json::to_vec(value).and_then(|json| Ok((serde_json::from_slice(&json)?, json)));
        // The reason stays out of it: a type may name the value that it cannot write.
        let Ok((read, json)) = written else {
            let detail = format!("{}: the value cannot be written as JSON", self.head.failure);
            return Err(Error::new(Code::SkillFailed, detail));
        };
        self.head.withheld = secrets(&read);
        Ok(self.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(json))
    }

    /// With its body compressed, if that is in memory (RFC 9110, section 8.4.1.3).
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] when that cannot be done.
    pub(crate) async fn gzip(self) -> Result<Self, Error> {
        let Some(bytes) = self.body.as_ref().and_then(Body::bytes).cloned() else { return Ok(self) };
        let compressed = if bytes.len() <= COMPRESSED_AT_ONCE {
            compressed(&bytes)
        } else {
            spawn_blocking(move || compressed(&bytes)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        let failed = |error| {
            let detail = format!("{}: the body cannot be compressed", self.head.failure);
            Error::new(Code::Internal, detail).with_source(error)
        };
        let compressed = compressed.map_err(failed)?;
        Ok(self.header(CONTENT_ENCODING, HeaderValue::from_static("gzip")).body(compressed))
    }

    /// Refuses a short call whose body in memory has more bytes.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`], with both numbers, and what to do instead.
    pub(super) fn check_size(&self, limit: usize) -> Result<(), Error> {
        match self.body.as_ref().and_then(Body::size) {
            Some(size) if size > limit && self.head.wait == Wait::Whole && self.head.rules == Rules::Fabric => {
                Err(Error::new(
                    Code::SkillFailed,
                    format!(
                        "{}: the body is {size} bytes, over the limit of {limit}; store large input in managed content and send \
                     its key",
                        self.head.failure
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether it has failed because what it deletes is not there: none of it, if that is several things.
    pub(super) fn is_gone_for(&self, failure: &Failure) -> bool {
        if self.head.method == Method::DELETE {
            return failure.cause == Cause::Refused(StatusCode::NOT_FOUND);
        }
        let id = |missing: &Value| missing.get("id").unwrap_or(missing).as_i64();
        let missing: HashSet<i64> = failure.error.missing().iter().filter_map(id).collect();
        let deletes = &self.head.deletes;
        !deletes.is_empty() && failure.error.is_not_found() && deletes.iter().all(|id| missing.contains(id))
    }

    /// With the body as a field of a form.
    pub(super) fn form(mut self, form: Form) -> Self {
        self.head.form = Some(form);
        self
    }
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
