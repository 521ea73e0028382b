//! What an answer means that is no success.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::AccessToken;
use crate::error::{Code, Error};

use super::withheld::{LEFT_OUT, Withheld};

/// Most bytes of a refusal that are read.
pub(super) const LONGEST: usize = 64 * 1024;

/// Most characters of it that are shown.
const SHOWN: usize = 500;

/// The header that says why a token was refused.
const AUTH_ERROR: HeaderName = HeaderName::from_static("x-auth-error");

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
        let Said { message, details, reasons } = self.said(token);
        let error = if is_of_token(self.status, self.headers) {
            self.of_token(failure, token, reasons)
        } else {
            let code = if is_temporary(self.status) { Code::PlatformUnavailable } else { Code::SkillFailed };
            let colon = if message.is_empty() { "" } else { ": " };
            Error::new(code, format!("{failure}: the platform answered {status}{colon}{message}"))
        };
        details.into_iter().fold(error, Error::with_details).with_http_status(status)
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
        let texts = header(AUTH_ERROR).chain([self.body]).chain(header(WWW_AUTHENTICATE));
        if self.withheld.is_repeated_by(texts) {
            return Said { message: LEFT_OUT.to_owned(), details: None, reasons: vec![LEFT_OUT.to_owned()] };
        }
        // Whoever refuses a token may repeat it.
        let secrets = token.map(|token| std::slice::from_ref(token.secret())).unwrap_or_default();
        let words = |text: &[u8]| words(text, secrets);
        let (message, details) = in_body(self.body, words);
        let (before, after) = (header(AUTH_ERROR).map(words), header(WWW_AUTHENTICATE).map(words));
        let reasons = before.chain([message.clone()]).chain(after).collect();
        Said { message, details, reasons }
    }
}

/// What a refusal says, fit to be shown.
struct Said {
    message: String,
    details: Option<Value>,
    /// Why a token is no good. That may stand in any of three places: a header of the platform, the message, and the
    /// header of RFC 6750, section 3.
    reasons: Vec<String>,
}

/// What the body of a refusal says: its message and its details (contracts "fabric-api", section 1, and "cdf-iam",
/// section 4).
fn in_body(body: &[u8], words: impl Fn(&[u8]) -> String) -> (String, Option<Value>) {
    #[derive(Deserialize)]
    struct Body {
        message: Option<Value>,
        error: Option<Value>,
        details: Option<Value>,
    }

    let Ok(Body { message, error, details }) = serde_json::from_slice(body) else {
        return (words(body), None);
    };
    let within = error.as_ref().and_then(|error| error.get("message"));
    let said = [message.as_ref(), within, error.as_ref()].into_iter().flatten().find_map(Value::as_str);
    let said = said.map(|said| words(said.as_bytes()));
    let details = details.map(|details| shown(details, &words));
    let listed = details.as_ref().map(listed).unwrap_or_default();
    let message = match (said, listed.is_empty()) {
        (Some(said), true) => said,
        (Some(said), false) => format!("{said} ({listed})"),
        (None, false) => listed,
        (None, true) => words(body),
    };
    (message, details)
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
