//! How a request is made: one way for all resources.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::{AccessToken, TokenSource};
use crate::error::{Code, Error};

use super::pool;
use super::refusal::{self, Refusal};
use super::tls::VerifySslCert;

/// Longest wait for an answer, and for each step of a transfer, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of a JSON answer that are read.
const JSON_LIMIT: usize = 16 * 1024 * 1024;

/// How long a call may take.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    limit: Duration,
    /// Whether progress of the request's body starts the wait anew.
    renewed_by_progress: bool,
}

impl Wait {
    /// For calls that are short: the whole answer must have come in this time.
    pub(crate) const WHOLE: Self = Self { limit: PATIENCE, renewed_by_progress: false };
    /// For transfers, which take as long as they take while they get on.
    pub(crate) const IDLE: Self = Self { limit: PATIENCE, renewed_by_progress: true };
}

/// A request that has not been sent.
pub(crate) struct Call {
    head: Head,
    body: Option<Body>,
}

/// A request without its body.
struct Head {
    method: Method,
    url: Url,
    /// What fails if this fails, as the start of an error text.
    failure: String,
    wait: Wait,
    headers: HeaderMap,
}

/// What a request carries.
enum Body {
    /// Can be sent again.
    Bytes(Bytes),
    /// Can be sent once.
    Stream(BodyStream),
}

type BodyStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

impl Call {
    pub(crate) fn new(method: Method, url: Url, failure: impl Into<String>) -> Self {
        let head = Head { method, url, failure: failure.into(), wait: Wait::WHOLE, headers: HeaderMap::new() };
        Self { head, body: None }
    }

    pub(crate) fn get(url: Url, failure: impl Into<String>) -> Self {
        Self::new(Method::GET, url, failure)
    }

    pub(crate) fn wait(mut self, wait: Wait) -> Self {
        self.head.wait = wait;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.head.headers.insert(name, value);
        self
    }

    /// With a body that can be sent again.
    pub(crate) fn bytes(mut self, bytes: Bytes) -> Self {
        self.body = Some(Body::Bytes(bytes));
        self
    }

    /// With a body that can be sent once.
    pub(crate) fn stream(mut self, stream: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Self {
        self.body = Some(Body::Stream(Box::pin(stream)));
        self
    }

    /// The body of the next attempt and its length where it is known, and whether one more can follow.
    fn next_body(&mut self) -> (Option<(BodyStream, Option<u64>)>, bool) {
        match self.body.take() {
            None => (None, true),
            Some(Body::Bytes(bytes)) => {
                let (length, pieces) = (bytes.len() as u64, Pieces(bytes.clone()));
                self.body = Some(Body::Bytes(bytes));
                (Some((Box::pin(pieces), Some(length))), true)
            }
            Some(Body::Stream(stream)) => (Some((stream, None)), false),
        }
    }
}

/// In whose name a request is made.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) verify: &'a VerifySslCert,
    pub(crate) tokens: &'a dyn TokenSource,
    /// How long after its end a token is still sent.
    pub(crate) leeway: Duration,
}

/// Sends a request. An answer whose status is not a success is an error. After a refusal of the token it is sent once more
/// if there is another token, and if its body can be sent again.
///
/// # Errors
///
/// - [`Code::TokenExpired`] and [`Code::TokenInvalid`] for 401, for 302 and for any answer with `X-Auth-Error` (contract
///   "fabric-auth", section 7): the former when the token is past its end or the platform's words say so. A token that
///   is past it already is not sent at all.
/// - [`Code::PlatformUnavailable`] when there is no answer, and for 407, 429 and 5xx.
/// - [`Code::SkillFailed`] with the [status](Error::http_status) for every other refusal.
/// - What the source of tokens fails with.
pub(crate) async fn send(caller: Caller<'_>, mut call: Call) -> Result<Response, Error> {
    let mut token = caller.tokens.token().await?;
    let mut renewed = false;
    loop {
        token.check_expiry(caller.leeway)?;
        let (body, again) = call.next_body();
        let response = attempt(caller.verify, Some(&token), &call.head, body).await?;
        if response.is_success() {
            return Ok(response);
        }
        let refused = response.refuses_token();
        let error = response.refusal(Some(&token)).await;
        if !refused || renewed {
            return Err(error);
        }
        match caller.tokens.renew(&token).await {
            Ok(Some(other)) if again => token = other,
            Ok(_) => return Err(error),
            // That nobody could be asked for another token is worth another try.
            Err(why) if why.code() == Code::PlatformUnavailable => return Err(why),
            Err(why) => return Err(error.with_source(why)),
        }
        renewed = true;
    }
}

/// Sends a request that needs no token.
///
/// # Errors
///
/// As for [`send`].
pub(crate) async fn send_open(verify: &VerifySslCert, call: Call) -> Result<Response, Error> {
    let response = exchange(verify, call).await?;
    if response.is_success() { Ok(response) } else { Err(response.refusal(None).await) }
}

/// Sends a request that needs no token, and gives the answer whatever its status.
///
/// # Errors
///
/// [`Code::PlatformUnavailable`] when there is no answer.
pub(crate) async fn exchange(verify: &VerifySslCert, mut call: Call) -> Result<Response, Error> {
    let (body, _) = call.next_body();
    attempt(verify, None, &call.head, body).await
}

async fn attempt(
    verify: &VerifySslCert,
    token: Option<&AccessToken>,
    head: &Head,
    body: Option<(BodyStream, Option<u64>)>,
) -> Result<Response, Error> {
    let Head { method, url, failure, wait, headers } = head;
    let http = pool::http(url, verify).await?;
    let mut request = http.request(method.clone(), url.clone()).headers(headers.clone());
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, bearer(token)?);
    }
    let progress = Progress::new();
    if let Some((stream, length)) = body {
        request = request.body(reqwest::Body::wrap_stream(Watched { stream, progress: progress.clone() }));
        // hyper sends a stream in chunks unless the length is declared.
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
    }
    let origin = || url.origin().ascii_serialization();
    let began = Instant::now();
    let answer = within(*wait, &progress, request.send()).await.map_err(|why| match why {
        Stalled::Silent => unavailable(failure, &format!("{} did not answer in {} s", origin(), wait.limit.as_secs())),
        Stalled::Failed(error) => {
            unavailable(failure, &format!("no answer from {}", origin())).with_source(error.without_url())
        }
    })?;
    let until = (!wait.renewed_by_progress).then(|| began + wait.limit);
    Ok(Response { answer, failure: failure.clone(), patience: wait.limit, until })
}

fn bearer(token: &AccessToken) -> Result<HeaderValue, Error> {
    let text = format!("Bearer {}", token.secret().expose_secret());
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::new(Code::TokenInvalid, "the token cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn unavailable(failure: &str, why: &str) -> Error {
    Error::new(Code::PlatformUnavailable, format!("{failure}: {why}"))
}

/// Whether a name can be a segment of a path. Empty ones vanish, dots mean a place above, in every spelling, and tabs and
/// line ends are taken out before a URL is read (WHATWG URL, "double-dot path segment", "ASCII tab or newline"): the
/// request would be for something else.
pub(crate) fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(char::is_control)
}

/// An answer.
pub(crate) struct Response {
    answer: reqwest::Response,
    failure: String,
    /// Longest wait for the next piece of its body.
    patience: Duration,
    /// When all of it must have come, if it has not as long as it gets on.
    until: Option<Instant>,
}

impl Response {
    pub(crate) fn status(&self) -> StatusCode {
        self.answer.status()
    }

    fn is_success(&self) -> bool {
        self.status().is_success() && !refusal::is_of_token(self.status(), self.headers())
    }

    fn refuses_token(&self) -> bool {
        refusal::is_of_token(self.status(), self.headers())
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The next piece of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let failure = &self.failure;
        let idle = Instant::now() + self.patience;
        let until = self.until.map_or(idle, |until| until.min(idle));
        match tokio::time::timeout_at(until.into(), self.answer.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(unavailable(failure, "the answer broke off").with_source(error.without_url())),
            Err(_) => Err(unavailable(failure, &format!("the answer did not come in {} s", self.patience.as_secs()))),
        }
    }

    /// The body as JSON, of which at most 16 MiB are read.
    pub(crate) async fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
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
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        while body.len() <= limit {
            match self.chunk().await? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(body.freeze())
    }

    /// The failure that an answer means which is no success.
    async fn refusal(mut self, token: Option<&AccessToken>) -> Error {
        let body = self.read(refusal::LONGEST).await.unwrap_or_default();
        let refusal = Refusal { status: self.status(), headers: self.headers(), body: &body };
        refusal.error(&self.failure, token)
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

/// Bytes that go out in pieces, so that progress can be seen.
struct Pieces(Bytes);

/// Size of the pieces in which a body goes out, in bytes.
pub(crate) const PIECE: usize = 64 * 1024;

impl Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.0.len().min(PIECE);
        let piece = self.0.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// A body that notes its progress.
struct Watched {
    stream: BodyStream,
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

#[cfg(test)]
mod tests;
