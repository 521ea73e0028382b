//! How a request is made: one way for all resources.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::AccessToken;
use crate::auth::token::DEFAULT_LEEWAY;
use crate::error::{Code, Error};

use super::pool;

/// Longest wait for an answer, and for each step of a transfer, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of a JSON answer that are read.
const JSON_LIMIT: usize = 16 * 1024 * 1024;

/// Most bytes of a refusal that are read, and most characters of it that are shown.
const REFUSAL_LIMIT: usize = 64 * 1024;
const SHOWN: usize = 500;

/// How long a call may take.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    limit: Duration,
    /// Whether progress of the request's body starts the wait anew.
    renewed_by_progress: bool,
}

impl Wait {
    /// For calls that are short: the answer must have begun in this time.
    pub(super) const WHOLE: Self = Self { limit: PATIENCE, renewed_by_progress: false };
    /// For transfers, which take as long as they take while they get on.
    pub(super) const IDLE: Self = Self { limit: PATIENCE, renewed_by_progress: true };
}

/// A request that has not been sent.
pub(super) struct Call {
    method: Method,
    url: Url,
    /// What fails if this fails, as the start of an error text.
    failure: String,
    wait: Wait,
    body: Option<Body>,
}

/// A body and what is said about it.
struct Body {
    stream: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
    length: Option<u64>,
    content_type: String,
}

impl Call {
    pub(super) fn new(method: Method, url: Url, failure: impl Into<String>) -> Self {
        Self { method, url, failure: failure.into(), wait: Wait::WHOLE, body: None }
    }

    pub(super) fn get(url: Url, failure: impl Into<String>) -> Self {
        Self::new(Method::GET, url, failure)
    }

    pub(super) fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    pub(super) fn body(
        mut self,
        stream: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
        content_type: &str,
    ) -> Self {
        self.body = Some(Body { stream: Box::pin(stream), length, content_type: content_type.to_owned() });
        self
    }
}

/// Sends a request. An answer whose status is not a success is an error.
///
/// # Errors
///
/// - [`Code::TokenExpired`] and [`Code::TokenInvalid`] for 401, for 302 and for any answer with `X-Auth-Error` (contract
///   "fabric-auth", section 7): the former when the token is past its `exp` or the platform's words say so. A token that
///   is past it already is not sent at all.
/// - [`Code::PlatformUnavailable`] when there is no answer, and for 429 and 5xx.
/// - [`Code::SkillFailed`] with the [status](Error::http_status) for every other refusal.
pub(super) async fn send(token: Option<&AccessToken>, call: Call) -> Result<Response, Error> {
    let Call { method, url, failure, wait, body } = call;
    let http = pool::shared(url.scheme() == "https")?;
    let origin = url.origin().ascii_serialization();
    let mut request = http.request(method, url);
    if let Some(token) = token {
        token.check_expiry(Timestamp::now(), DEFAULT_LEEWAY)?;
        request = request.header(AUTHORIZATION, bearer(token)?);
    }
    let progress = Progress::new();
    if let Some(Body { stream, length, content_type }) = body {
        request = request
            .header(CONTENT_TYPE, content_type)
            .body(reqwest::Body::wrap_stream(Watched { stream, progress: progress.clone() }));
        // hyper sends a stream in chunks unless the length is declared.
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
    }
    let answer = within(wait, &progress, request.send()).await.map_err(|why| match why {
        Stalled::Silent => unavailable(&failure, &format!("{origin} did not answer in {} s", wait.limit.as_secs())),
        Stalled::Failed(error) => {
            unavailable(&failure, &format!("no answer from {origin}")).with_source(error.without_url())
        }
    })?;
    let response = Response { answer, failure };
    if response.answer.status().is_success() && !response.answer.headers().contains_key("x-auth-error") {
        return Ok(response);
    }
    Err(response.refusal(token).await)
}

fn bearer(token: &AccessToken) -> Result<HeaderValue, Error> {
    let text = format!("Bearer {}", token.secret().expose_secret());
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::new(Code::TokenInvalid, "the token cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unavailable(failure: &str, why: &str) -> Error {
    Error::new(Code::PlatformUnavailable, format!("{failure}: {why}"))
}

/// Whether a name can be a segment of a path. Empty ones vanish, dots mean a place above, in every spelling, and tabs and
/// line ends are taken out before a URL is read (WHATWG URL, "double-dot path segment", "ASCII tab or newline"): the
/// request would be for something else.
pub(super) fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(char::is_control)
}

/// An answer that is a success.
pub(super) struct Response {
    answer: reqwest::Response,
    failure: String,
}

impl Response {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The next piece of the body.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let failure = &self.failure;
        match tokio::time::timeout(PATIENCE, self.answer.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(unavailable(failure, "the answer broke off").with_source(error.without_url())),
            Err(_) => Err(unavailable(failure, &format!("nothing more came in {} s", PATIENCE.as_secs()))),
        }
    }

    /// The body as JSON, of which at most 16 MiB are read.
    pub(super) async fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let body = self.read(JSON_LIMIT).await?;
        if body.len() > JSON_LIMIT {
            return Err(unavailable(&self.failure, &format!("the answer is over {JSON_LIMIT} bytes")));
        }
        serde_json::from_slice(&body).map_err(|error| {
            // serde's words would quote the answer.
            let place = format!("line {}, column {}", error.line(), error.column());
            unavailable(&self.failure, &format!("the answer is not the JSON that was expected ({place})"))
        })
    }

    /// Reads up to the limit and, if there is more, a little beyond.
    async fn read(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        while body.len() <= limit {
            match self.chunk().await? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(body.freeze())
    }

    async fn refusal(mut self, token: Option<&AccessToken>) -> Error {
        let status = self.answer.status();
        let auth_error = self.answer.headers().get("x-auth-error").map(|value| words(value.as_bytes()));
        let body = self.read(REFUSAL_LIMIT).await.unwrap_or_default();
        let message = body_message(&body);
        let failure = &self.failure;
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FOUND || auth_error.is_some() {
            let said = auth_error.unwrap_or(message);
            let past = token.map(|token| token.check_expiry(Timestamp::now(), Duration::ZERO));
            let expired = matches!(past, Some(Err(_))) || said.to_ascii_lowercase().contains("expired");
            let mut detail = format!("{failure}: Authentication error: {said}");
            if let Some(Err(when)) = past {
                detail = format!("{detail}. {when}");
            }
            let code = if expired { Code::TokenExpired } else { Code::TokenInvalid };
            return Error::new(code, detail).with_http_status(status.as_u16());
        }
        let code = if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Code::PlatformUnavailable
        } else {
            Code::SkillFailed
        };
        let colon = if message.is_empty() { "" } else { ": " };
        Error::new(code, format!("{failure}: the platform answered {}{colon}{message}", status.as_u16()))
            .with_http_status(status.as_u16())
    }
}

/// What a refusal says (contract "fabric-api", section 1).
fn body_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: Option<String>,
        error: Option<String>,
    }

    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { message: Some(text), .. } | Refusal { error: Some(text), .. }) => words(text.as_bytes()),
        _ => words(body),
    }
}

/// Text of a platform as it may stand in an error: short, on one line, without tokens.
fn words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = crate::redact(line.trim());
    match clean.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean.into_owned(),
    }
}

/// When a body last got on.
#[derive(Clone)]
struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that notes its progress.
struct Watched {
    stream: Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>,
    progress: Progress,
}

impl Stream for Watched {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.as_mut().poll_next(context);
        if next.is_ready() {
            self.progress.note();
        }
        next
    }
}

enum Stalled {
    Silent,
    Failed(reqwest::Error),
}

async fn within(
    wait: Wait,
    progress: &Progress,
    answer: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Result<reqwest::Response, Stalled> {
    let mut answer = std::pin::pin!(answer);
    let mut until = Instant::now() + wait.limit;
    loop {
        if let Ok(answer) = tokio::time::timeout_at(until.into(), answer.as_mut()).await {
            return answer.map_err(Stalled::Failed);
        }
        let renewed = progress.last() + wait.limit;
        if !wait.renewed_by_progress || renewed <= until {
            return Err(Stalled::Silent);
        }
        until = renewed;
    }
}
