//! What an answer means that is no success.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::auth::AccessToken;
use crate::error::{Code, Error};

use super::withheld::{LEFT_OUT, Withheld};

/// Most bytes of a refusal that are read: it may name all items of a call.
pub(super) const MOST_READ: usize = 1024 * 1024;

/// Most bytes of it that are searched for secrets that the call carried, or for words in what is not JSON.
pub(super) const LONGEST: usize = 64 * 1024;

/// Most things that are missing, or there already, that are shown.
const LISTED: usize = 10;

/// Most characters of it that are shown.
const SHOWN: usize = 500;

/// The header that says why a token was refused.
const AUTH_ERROR: HeaderName = HeaderName::from_static("x-auth-error");

/// The header that says by which id a platform knows a request (contract "cdf-iam", section 4).
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that says whether a call may be repeated (contract "cdf-iam", section 5).
const MAY_BE_REPEATED: HeaderName = HeaderName::from_static("cdf-is-auto-retryable");

/// Whether an answer says that the token is no good (contract "fabric-auth", section 7).
pub(super) fn is_of_token(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FOUND) || headers.contains_key(AUTH_ERROR)
}

/// Whether a server may answer otherwise later. 407 is the word of a proxy: the server was not reached.
pub(crate) fn is_temporary(status: StatusCode) -> bool {
    let not_now = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    not_now || status.is_server_error()
}

/// An answer that is no success.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// What the call carried that may not be shown.
    pub(super) withheld: &'a Withheld,
}

impl Refusal<'_> {
    /// The failure that it is, of a call that carried this token.
    pub(super) fn error(&self, failure: &str, token: Option<&AccessToken>) -> Error {
        let status = self.status.as_u16();
        let Said { body, reasons, request_id } = self.said(token);
        let InBody { message, details, missing, duplicated, extra } = body;
        let error = if is_of_token(self.status, self.headers) {
            self.of_token(failure, token, reasons)
        } else {
            let code = if is_temporary(self.status) { Code::PlatformUnavailable } else { Code::SkillFailed };
            let colon = if message.is_empty() { "" } else { ": " };
            Error::new(code, format!("{failure}: the platform answered {status}{colon}{message}"))
        };
        let error = details.into_iter().fold(error, Error::with_details).with_http_status(status);
        let error = error.with_missing(missing).with_duplicated(duplicated).with_extra(extra);
        match request_id {
            Some(id) => error.with_more(&format!(" (request {id})")).with_request_id(id),
            None => error,
        }
    }

    /// Whether it says that the call may be repeated: in a header, or as `isAutoRetryable` in the body's `error` (contract
    /// "cdf-iam", section 5).
    pub(super) fn invites_repetition(&self) -> bool {
        #[derive(Deserialize)]
        struct Body {
            error: Marks,
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marks {
            is_auto_retryable: bool,
        }

        let in_header =
            self.headers.get(MAY_BE_REPEATED).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        in_header || serde_json::from_slice(self.body).is_ok_and(|body: Body| body.error.is_auto_retryable)
    }

    fn of_token(&self, failure: &str, token: Option<&AccessToken>, mut said: Vec<String>) -> Error {
        said.retain(|words| !words.is_empty());
        said.dedup();
        if said.is_empty() {
            said.push(format!("the platform answered {}", self.status.as_u16()));
        }
        let said = said.join("; ");
        let past = token.and_then(|token| token.check_expiry(Duration::ZERO).err());
        let expired = past.is_some() || said.to_ascii_lowercase().contains("expired");
        let when = past.map(|past| format!(". {past}")).unwrap_or_default();
        let code = if expired { Code::TokenExpired } else { Code::TokenInvalid };
        Error::new(code, format!("{failure}: Authentication error: {said}{when}"))
    }

    /// What its headers and its body say, if none of that repeats what the call carried.
    fn said(&self, token: Option<&AccessToken>) -> Said {
        let header = |name| self.headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let texts = header(AUTH_ERROR).chain([self.body]).chain(header(WWW_AUTHENTICATE)).chain(header(REQUEST_ID));
        if self.withheld.is_repeated_by(texts) {
            let body = InBody { message: LEFT_OUT.to_owned(), ..InBody::default() };
            return Said { body, reasons: vec![LEFT_OUT.to_owned()], request_id: None };
        }
        // Whoever refuses a token may repeat it.
        let secrets = token.map(|token| std::slice::from_ref(token.secret())).unwrap_or_default();
        let words = |text: &[u8]| words(text, secrets);
        let body = in_body(self.body, words);
        let (before, after) = (header(AUTH_ERROR).map(words), header(WWW_AUTHENTICATE).map(words));
        let reasons = before.chain([body.message.clone()]).chain(after).collect();
        let request_id = header(REQUEST_ID).map(words).find(|id| !id.is_empty());
        Said { body, reasons, request_id }
    }
}

/// What a refusal says, fit to be shown.
struct Said {
    body: InBody,
    /// Why a token is no good. That may stand in any of three places: a header of the platform, the message, and the
    /// header of RFC 6750, section 3.
    reasons: Vec<String>,
    request_id: Option<String>,
}

/// What the body of a refusal says.
#[derive(Default)]
struct InBody {
    message: String,
    details: Option<Value>,
    missing: Vec<Value>,
    duplicated: Vec<Value>,
    /// What else there is in its `error`.
    extra: Map<String, Value>,
}

/// What the body of a refusal says (contracts "fabric-api", section 1, and "cdf-iam", section 4).
fn in_body(body: &[u8], words: impl Fn(&[u8]) -> String) -> InBody {
    #[derive(Deserialize)]
    struct Body {
        message: Option<Value>,
        error: Option<Value>,
        details: Option<Value>,
    }

    let as_it_is = || words(&body[..body.len().min(LONGEST)]);
    let Ok(Body { message, error, details }) = serde_json::from_slice(body) else {
        return InBody { message: as_it_is(), ..InBody::default() };
    };
    let within = error.as_ref().and_then(|error| error.get("message"));
    let said = [message.as_ref(), within, error.as_ref()].into_iter().flatten().find_map(Value::as_str);
    let said = said.map(|said| words(said.as_bytes()));
    let details = details.map(|details| shown(details, &words));
    let mut extra = match error {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut things = |name: &str| match extra.shift_remove(name) {
        Some(Value::Array(things)) => things.into_iter().map(|thing| shown(thing, &words)).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(thing) => vec![shown(thing, &words)],
    };
    let (missing, duplicated) = (things("missing"), things("duplicated"));
    extra.retain(|name, _| !matches!(name.as_str(), "code" | "message"));
    let extra = extra.into_iter().map(|(name, value)| (words(name.as_bytes()), shown(value, &words))).collect();
    let named =
        [("missing", &missing), ("duplicated", &duplicated)].into_iter().filter(|(_, things)| !things.is_empty());
    let named = named.map(|(what, things)| format!("{what}: {}", listed_things(things)));
    let listed = details.as_ref().map(listed).filter(|listed| !listed.is_empty());
    let listed: Vec<String> = listed.into_iter().chain(named).collect();
    let message = match (said, listed.is_empty()) {
        (Some(said), true) => said,
        (Some(said), false) => format!("{said} ({})", listed.join("; ")),
        (None, false) => listed.join("; "),
        (None, true) => as_it_is(),
    };
    InBody { message, details, missing, duplicated, extra }
}

/// The first of several things as text, and how many there are beside.
fn listed_things(things: &[Value]) -> String {
    let first = things.iter().take(LISTED).map(Value::to_string).collect::<Vec<_>>().join(", ");
    let first = words(first.as_bytes(), &[]);
    match things.len().saturating_sub(LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Details as text: those of the forms that are known.
fn listed(details: &Value) -> String {
    let items: Vec<String> = match details {
        Value::Object(paths) => {
            paths.iter().filter_map(|(path, of)| Some(format!("{path}: {}", of.get("message")?.as_str()?))).collect()
        }
        Value::Array(items) => items.iter().filter_map(listed_item).collect(),
        _ => Vec::new(),
    };
    words(items.join("; ").as_bytes(), &[])
}

fn listed_item(item: &Value) -> Option<String> {
    let text = |name| item.get(name).and_then(Value::as_str);
    match (text("path"), text("message")) {
        (Some(path), Some(message)) => Some(format!("{path}: {message}")),
        // What depends on a thing that is to be deleted.
        _ => Some(format!("{} {}", text("type")?, text("name")?)),
    }
}

/// A value whose texts are fit to be shown.
fn shown(value: Value, words: &impl Fn(&[u8]) -> String) -> Value {
    match value {
        Value::String(text) => words(text.as_bytes()).into(),
        Value::Array(items) => items.into_iter().map(|item| shown(item, words)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (words(name.as_bytes()), shown(value, words)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// Text of a server as it may stand in an error: short, on one line, without tokens and without these secrets.
pub(crate) fn words(text: &[u8], secrets: &[SecretString]) -> String {
    let text = String::from_utf8_lossy(text);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = crate::redact_secrets(line.trim(), secrets);
    match clean.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean.into_owned(),
    }
}
