//! What can go wrong: one table of [`Code`]s, and the two types that carry one.
//!
//! [`Error`] is what the functions of this crate return. It is a [`std::error::Error`], so it can be wrapped in
//! whatever error type a skill already uses.
//!
//! [`SkillError`] is what a handler returns. `?` makes one out of any error, and it finds the [`Code`] of an [`Error`]
//! however deep that is buried: a token that expired in the middle of a download is `token_expired` to the host
//! even after three layers of context. It is not a [`std::error::Error`] itself, because only then can `?` accept
//! every type that is.

use std::error::Error as StdError;
use std::fmt;

use serde_json::{Map, Value};

pub use code::{Code, UnknownCode};
pub use items::ItemOutcomes;
use wire::Facts;
pub(crate) use wire::Wire;

mod code;
mod items;
mod wire;

/// A result whose error is, unless said otherwise, a [`SkillError`].
pub type Result<T, E = SkillError> = std::result::Result<T, E>;

type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// Longest `detail` kept, in bytes. An error text is for a person and for a log line.
const DETAIL_LIMIT: usize = 16 * 1024;

/// Most links of a source chain that are looked at. An error may name itself as its source.
const CHAIN_LIMIT: usize = 256;

/// A failure with its place in the error table.
///
/// `Display` gives the detail alone. The source chain continues with a link that carries the code (its text is the
/// code's name) and then with what caused the failure, if anything did.
pub struct Error(Box<Inner>);

struct Inner {
    detail: String,
    class: Class,
}

/// The part of an [`Error`] that decides. It is a link of the source chain of its own, because some wrappers keep an
/// error but hide its type: `anyhow` when it is boxed again, [`std::io::Error`] when its source is asked for.
struct Class {
    code: Code,
    facts: Facts,
    /// Whether what failed may have been done nevertheless.
    may_be_done: bool,
    source: Option<BoxError>,
}

impl Error {
    /// A failure of the given kind. The detail says what happened to this invocation, for a person to read.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = shorten(detail.into());
        let class = Class { code, facts: Facts::default(), may_be_done: false, source: None };
        Self(Box::new(Inner { detail, class }))
    }

    /// Names what is missing: keys of the message, or capabilities.
    pub fn with_missing<T: Into<Value>>(mut self, missing: impl IntoIterator<Item = T>) -> Self {
        self.0.class.facts.missing = missing.into_iter().map(Into::into).collect();
        self
    }

    /// Says which field is bad, as a JSON pointer (RFC 6901).
    pub fn with_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.class.facts.pointer = Some(pointer.into());
        self
    }

    /// Records the HTTP status with which a platform refused.
    pub fn with_http_status(mut self, status: u16) -> Self {
        self.0.class.facts.http_status = Some(status);
        self
    }

    /// Records what a platform said in particular about why it refused.
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.0.class.facts.details = Some(details);
        self
    }

    /// Names what is there already.
    pub(crate) fn with_duplicated(mut self, duplicated: Vec<Value>) -> Self {
        self.0.class.facts.duplicated = duplicated;
        self
    }

    /// Records by which id a platform knows the request.
    pub(crate) fn with_request_id(mut self, id: String) -> Self {
        self.0.class.facts.request_id = Some(id);
        self
    }

    /// Records what else a platform said.
    pub(crate) fn with_extra(mut self, extra: Map<String, Value>) -> Self {
        self.0.class.facts.extra = extra;
        self
    }

    /// Records what became of the items of the call.
    pub(crate) fn with_items(mut self, items: ItemOutcomes) -> Self {
        self.0.class.facts.items = Some(items);
        self
    }

    /// Records whether what failed may have been done nevertheless.
    pub(crate) fn with_possible_effect(mut self, may_be_done: bool) -> Self {
        self.0.class.may_be_done |= may_be_done;
        self
    }

    /// Says more, at the end of the detail.
    pub(crate) fn with_more(mut self, more: &str) -> Self {
        self.0.detail = shorten(format!("{}{more}", self.0.detail));
        self
    }

    /// Records the cause. Its text follows the detail wherever the whole chain is shown.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.class.source = Some(source.into());
        self
    }

    /// The same failure for another caller, its causes as text only.
    pub(crate) fn without_source(&self) -> Self {
        Wire::from(self).into()
    }

    /// The row of the error table.
    pub fn code(&self) -> Code {
        self.0.class.code
    }

    /// What happened, without its causes.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is missing: keys of the message, capabilities, or what a platform has not got. Empty where nothing is.
    pub fn missing(&self) -> &[Value] {
        &self.0.class.facts.missing
    }

    /// The JSON pointer (RFC 6901) of the bad field: within the payload for [`Code::InvalidPayload`], within the
    /// message for [`Code::InvalidMessage`].
    pub fn pointer(&self) -> Option<&str> {
        self.0.class.facts.pointer.as_deref()
    }

    /// The HTTP status with which a platform refused, if one did.
    pub fn http_status(&self) -> Option<u16> {
        self.0.class.facts.http_status
    }

    /// What a platform said in particular about why it refused, if it did: an object of paths with a `message` each, or a list
    /// of objects with `path` and `message`, or with `name` and `type` of what depends on the thing (contract "fabric-api",
    /// section 1). The detail has it as text.
    pub fn details(&self) -> Option<&Value> {
        self.0.class.facts.details.as_ref()
    }

    /// What a platform has already and was to make, such as `{"name": "x"}`; empty where it did not say (contract "cdf-iam",
    /// section 4).
    pub fn duplicated(&self) -> &[Value] {
        &self.0.class.facts.duplicated
    }

    /// By which id the platform knows the request (`X-Request-ID`), if it said so. The detail has it too.
    pub fn request_id(&self) -> Option<&str> {
        self.0.class.facts.request_id.as_deref()
    }

    /// What else a platform said about why it refused: the fields of the body's `error` that have no method here (contract
    /// "cdf-iam", section 4).
    pub fn extra(&self) -> &Map<String, Value> {
        &self.0.class.facts.extra
    }

    /// What became of each item of a call with many, some of which failed. The detail has the numbers.
    pub fn items(&self) -> Option<&ItemOutcomes> {
        self.0.class.facts.items.as_ref()
    }

    /// Whether what failed may have been done nevertheless: nobody could say.
    pub(crate) fn may_be_done(&self) -> bool {
        self.0.class.may_be_done
    }

    /// Whether the token had expired: seen in its claims, or said by a platform.
    pub fn is_token_expired(&self) -> bool {
        self.code() == Code::TokenExpired
    }

    /// Whether a platform answered that there is no such thing: status 404, or 400 or 422 with what is
    /// [`missing`](Self::missing), and nothing said of the token.
    pub fn is_not_found(&self) -> bool {
        let says_so = match self.http_status() {
            Some(404) => true,
            Some(400 | 422) => !self.missing().is_empty(),
            _ => false,
        };
        says_so && self.code() == Code::SkillFailed
    }

    /// Whether a platform answered that it has such a thing already: status 409, with what is
    /// [`duplicated`](Self::duplicated).
    pub fn is_duplicated(&self) -> bool {
        self.http_status() == Some(409) && !self.duplicated().is_empty()
    }

    /// Whether the token is the reason: there is none, it is not valid, it has expired, or a platform answered 401.
    pub fn is_unauthorized(&self) -> bool {
        let of_token = matches!(self.code(), Code::TokenMissing | Code::TokenInvalid | Code::TokenExpired);
        of_token || self.http_status() == Some(401)
    }

    /// The detail followed by every cause, joined with `: `.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.code())
            .field("detail", &self.0.detail)
            .field("missing", &self.missing())
            .field("pointer", &self.pointer())
            .field("http_status", &self.http_status())
            .field("duplicated", &self.duplicated())
            .field("request_id", &self.request_id())
            .field("extra", &self.extra())
            .field("items", &self.items())
            .field("source", &self.0.class.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0.class)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Class {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The error of a handler.
///
/// ```
/// use skill_sdk::prelude::*;
///
/// fn parse(text: &str) -> Result<i64> {
///     Ok(text.trim().parse()?) // any error converts
/// }
///
/// fn share(total: i64, parts: i64) -> Result<i64> {
///     total.checked_div(parts).ok_or_else(|| SkillError::new("cannot divide by zero"))
/// }
/// # assert!(parse("x").is_err() && share(1, 0).is_err());
/// ```
pub struct SkillError(BoxError);

impl SkillError {
    /// A failure of the skill: [`Code::SkillFailed`].
    pub fn new(detail: impl Into<String>) -> Self {
        Self::with_code(Code::SkillFailed, detail)
    }

    /// A failure with a code of the table, for handlers that know better than `skill_failed`: an input that parses but
    /// makes no sense ([`Code::InvalidPayload`]), or a service that is worth another try
    /// ([`Code::PlatformUnavailable`]).
    pub fn with_code(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Error::new(code, detail)))
    }

    /// Puts a sentence in front that says what was being done.
    pub fn context(self, what: impl Into<String>) -> Self {
        let error = Error::from(self);
        let Inner { detail, class } = *error.0;
        Self(Box::new(Error(Box::new(Inner { detail: shorten(format!("{}: {detail}", what.into())), class }))))
    }

    /// The row of the error table: that of the first [`Error`] in the chain, else [`Code::SkillFailed`].
    pub fn code(&self) -> Code {
        find(&*self.0).map_or(Code::SkillFailed, |class| class.code)
    }

    /// Whether an expired token is the cause, however deep.
    pub fn is_token_expired(&self) -> bool {
        self.code() == Code::TokenExpired
    }

    /// The error this was made from.
    pub fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: Into<BoxError>> From<E> for SkillError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<SkillError> for Error {
    fn from(error: SkillError) -> Self {
        match error.0.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => {
                let mut error = Error::new(Code::SkillFailed, chain(&*other));
                if let Some(class) = find(&*other) {
                    let to = &mut error.0.class;
                    to.code = class.code;
                    to.facts = class.facts.clone();
                    to.may_be_done = class.may_be_done;
                }
                error
            }
        }
    }
}

impl fmt::Display for SkillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&*self.0))
    }
}

impl fmt::Debug for SkillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkillError").field("code", &self.code()).field("detail", &chain(&*self.0)).finish()
    }
}

fn links<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(CHAIN_LIMIT)
}

fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Class> {
    links(error).find_map(|link| link.downcast_ref::<Class>())
}

/// The texts of a chain, without the links that only carry a code and without causes that the text before already
/// ends with.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut whole = String::new();
    for link in links(error).filter(|link| !link.is::<Class>()) {
        let text = link.to_string();
        if whole.ends_with(&text) {
            continue;
        }
        if !whole.is_empty() {
            whole.push_str(": ");
        }
        whole.push_str(&text);
        if whole.len() > DETAIL_LIMIT {
            break;
        }
    }
    shorten(whole)
}

fn shorten(mut text: String) -> String {
    if text.len() > DETAIL_LIMIT {
        // Half a token is not recognised any more.
        text = crate::redact(&text).into_owned();
    }
    if text.len() > DETAIL_LIMIT {
        text.truncate(text.floor_char_boundary(DETAIL_LIMIT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
