//! A request that has not been sent.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::error::{Code, Error};

use super::body::Body;
use super::retry::{Cause, Repeat};
use super::withheld::Withheld;

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
    /// For transfers, which take as long as they take: each step of them has the time of a call. The answer is given out when
    /// its head is there.
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
        Self { head: Head { method, url, failure, wait, repeat, headers, form, withheld }, body: None }
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

    /// Refuses a short call whose body in memory has more bytes.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`], with both numbers, and what to do instead.
    pub(super) fn check_size(&self, limit: usize) -> Result<(), Error> {
        match self.body.as_ref().and_then(Body::size) {
            Some(size) if size > limit && self.head.wait == Wait::Whole => Err(Error::new(
                Code::SkillFailed,
                format!(
                    "{}: the body is {size} bytes, over the limit of {limit}; store large input in managed content and send \
                     its key",
                    self.head.failure
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Whether it has failed because what it deletes is not there.
    pub(super) fn is_gone_for(&self, cause: Cause) -> bool {
        self.head.method == Method::DELETE && cause == Cause::Refused(StatusCode::NOT_FOUND)
    }

    /// With the body as a field of a form.
    pub(super) fn form(mut self, form: Form) -> Self {
        self.head.form = Some(form);
        self
    }
}
