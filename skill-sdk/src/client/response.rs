//! An answer.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use serde::de::DeserializeOwned;

use crate::auth::AccessToken;
use crate::error::{Code, Error};

use super::call::Call;
use super::refusal::{self, Refusal};
use super::request::{overdue, unavailable};
use super::retry::{self, Cause, Failure};
use super::withheld::Withheld;

/// Most bytes of a JSON answer that are read.
const JSON_LIMIT: usize = 16 * 1024 * 1024;

/// An answer.
pub(crate) struct Response {
    pub(super) answer: reqwest::Response,
    pub(super) failure: String,
    /// Longest wait for the next piece of its body.
    pub(super) patience: Duration,
    /// When all of it must have come, if it has not as long as it gets on.
    pub(super) until: Option<Instant>,
    /// When the invocation is over that this is for.
    pub(super) deadline: Option<Instant>,
    /// What was read ahead of its body.
    pub(super) ahead: Option<Bytes>,
}

impl Response {
    /// What stands for the answer to a call of which an attempt before the last did what it should.
    pub(super) fn nothing(call: &Call) -> Self {
        Self {
            answer: http::Response::new(reqwest::Body::default()).into(),
            failure: call.what_fails().to_owned(),
            patience: Duration::ZERO,
            until: None,
            deadline: None,
            ahead: Some(Bytes::new()),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.answer.status()
    }

    pub(super) fn is_success(&self) -> bool {
        self.status().is_success() && !self.refuses_token()
    }

    pub(super) fn refuses_token(&self) -> bool {
        refusal::is_of_token(self.status(), self.headers())
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The length of its body in bytes, where the platform says it.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next piece of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let failure = &self.failure;
        let idle = Instant::now() + self.patience;
        let mut until = self.until.map_or(idle, |until| until.min(idle));
        let ends_first = self.deadline.filter(|deadline| *deadline < until);
        until = ends_first.unwrap_or(until);
        match tokio::time::timeout_at(until.into(), self.answer.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => {
                let error = unavailable(failure, "the answer broke off").with_source(error.without_url());
                Err(Failure::of(Cause::Broken, error))
            }
            Err(_) if ends_first.is_some() => {
                Err(Failure::of(Cause::Lasting, overdue(failure).with_possible_effect(true)))
            }
            Err(_) => {
                let why = format!("the answer did not come in {:?}", self.patience);
                Err(Failure::of(Cause::Silent, unavailable(failure, &why)))
            }
        }
    }

    /// Reads the whole body ahead. The next [`chunk`](Self::chunk) is that.
    pub(super) async fn read_ahead(mut self) -> Result<Self, Failure> {
        self.ahead = Some(self.whole().await?);
        Ok(self)
    }

    /// All of the body, of which at most 16 MiB are read.
    async fn whole(&mut self) -> Result<Bytes, Failure> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        let is_known_to_be_over = self.content_length().is_some_and(|length| length > JSON_LIMIT as u64);
        let body = if is_known_to_be_over { Bytes::new() } else { self.read(JSON_LIMIT).await? };
        if is_known_to_be_over || body.len() > JSON_LIMIT {
            let why = format!("{}: the answer is over {JSON_LIMIT} bytes; lists take a limit", self.failure);
            // The platform has done what it was asked for.
            let error = Error::new(Code::SkillFailed, why).with_possible_effect(true);
            return Err(Failure::of(Cause::Lasting, error));
        }
        Ok(body)
    }

    /// The body as JSON, of which at most 16 MiB are read.
    pub(crate) async fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let body = self.whole().await?;
        self.parse(&body)
    }

    /// The body as JSON, of which at most 16 MiB are read, if there is one.
    pub(crate) async fn json_or_nothing<T: DeserializeOwned>(mut self) -> Result<Option<T>, Error> {
        let body = self.whole().await?;
        if body.is_empty() { Ok(None) } else { self.parse(&body).map(Some) }
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| {
            let words = error.to_string();
            let why = match words.split('`').next() {
                // This names a field of ours.
                Some("missing field ") => words.split('`').nth(1).map(|field| format!("it has no {field}")),
                // Other words would quote the answer.
                _ => None,
            };
            let place = || format!("line {}, column {}", error.line(), error.column());
            let why = why.unwrap_or_else(place);
            unavailable(&self.failure, &format!("the answer is not the JSON that was expected ({why})"))
        })
    }

    /// Reads up to the limit and, if there is more, a little beyond, in the time of a call.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Bytes, Failure> {
        let until = Instant::now() + self.patience;
        self.until.get_or_insert(until);
        let mut body = BytesMut::new();
        while body.len() <= limit {
            match self.chunk().await? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(body.freeze())
    }

    /// The failure that an answer means which is no success, to a call that carried this.
    pub(super) async fn refusal(mut self, token: Option<&AccessToken>, withheld: &Withheld) -> Failure {
        // A search for secrets in all of a long one would take too long.
        let most = if withheld.is_empty() { refusal::MOST_READ } else { refusal::LONGEST };
        let body = self.read(most).await.unwrap_or_default();
        let refusal = Refusal { status: self.status(), headers: self.headers(), body: &body, withheld };
        let error = refusal.error(&self.failure, token);
        let cause = if self.refuses_token() { Cause::TokenRefused } else { Cause::Refused(self.status()) };
        Failure { error, cause, asked: retry::asked(self.headers()), invites: refusal.invites_repetition() }
    }
}
