//! How a request is made: one way for all resources.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use reqwest::multipart::{self, Part};
use secrecy::ExposeSecret;

use crate::auth::{AccessToken, TokenSource};
use crate::error::{Code, Error};

use super::body::Progress;
use super::call::{Call, Form, Head, Wait};
use super::observer::Observed;
use super::pool;
use super::response::Response;
use super::retry::{Cause, Failure, Failures};
use super::tls::VerifySslCert;
use super::trace::{TRACEPARENT, Trace};

/// Longest wait for an answer, and for each step of a transfer, unless said otherwise (contract "fabric-api", section 1).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest timeout: longer ones would be beyond what clocks can say.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Most bytes of a JSON body unless said otherwise: 500k in the words of the documentation (contract "fabric-invocation",
/// section 7).
pub(super) const DEFAULT_BODY_LIMIT: usize = 500 * 1024;

/// How much of an upload may be under way, in bytes, when the last of it has been taken from us: what the buffers of the system
/// hold.
const UNDER_WAY: u64 = 4 * 1024 * 1024;

/// The slowest way, in bytes per second, on which that still arrives in time.
const SLOWEST: u64 = 64 * 1024;

/// In whose name a request is made.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) verify: &'a VerifySslCert,
    /// Where tokens are from, for a call that carries one.
    pub(crate) tokens: Option<&'a dyn TokenSource>,
    /// How long after its end a token is still sent.
    pub(crate) leeway: Duration,
    pub(crate) terms: Terms,
}

impl<'a> Caller<'a> {
    /// Nobody in particular, for a call that needs no token.
    pub(crate) fn open(verify: &'a VerifySslCert) -> Self {
        Self { verify, tokens: None, leeway: Duration::ZERO, terms: Terms::default() }
    }
}

/// For how long, and how often, an answer is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// Longest wait for an answer, and for each step of a transfer.
    pub(crate) timeout: Duration,
    /// How often a call that failed may be repeated, if that was set. Each platform has [rules](super::retry::Rules) of its own.
    pub(crate) retries: Option<u32>,
    /// After which nobody wants the answer.
    pub(crate) deadline: Option<Instant>,
    /// Most bytes of a JSON body.
    pub(crate) body_limit: usize,
    /// The trace of the invocation; each call has one of its own where there is none.
    pub(super) trace: Option<Trace>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { timeout: DEFAULT_TIMEOUT, retries: None, deadline: None, body_limit: DEFAULT_BODY_LIMIT, trace: None }
    }
}

impl Terms {
    /// The usual ones, of a call that is not repeated.
    pub(crate) fn once() -> Self {
        Self { retries: Some(0), ..Self::default() }
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
    }

    /// The pause before a call is repeated that has failed so often; `None` when it is not.
    fn pause(&self, call: &Call, failure: &Failure, failed: Failures) -> Option<Duration> {
        let Head { repeat, rules, .. } = call.head;
        if !failed.leave_one_more(rules, self.retries) || !repeat.allows_after(failure, rules) || !call.can_be_sent() {
            return None;
        }
        let pause = failed.pause(rules, failure.asked)?;
        let in_time = self.deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        in_time.then_some(pause)
    }
}

/// Sends a request. An answer whose status is not a success is an error. After a refusal of the token it is sent once more
/// if there is another token, and after other failures as often as the terms and the kind of call allow; either only if
/// its body can be sent again. The error is that of the last attempt.
///
/// # Errors
///
/// - [`Code::TokenExpired`] and [`Code::TokenInvalid`] for 401, for 302 and for any answer with `X-Auth-Error` (contract
///   "fabric-auth", section 7): the former when the token is past its end or the platform's words say so. A token that
///   is past it already is not sent at all.
/// - [`Code::PlatformUnavailable`] when there is no answer, and for 407, 429 and 5xx.
/// - [`Code::SkillFailed`] with the [status](Error::http_status) for every other refusal, and for a body that cannot be read.
/// - [`Code::Timeout`] when the deadline passes.
/// - What the source of tokens fails with.
pub(crate) async fn send(caller: Caller<'_>, call: Call) -> Result<Response, Error> {
    let Some(deadline) = caller.terms.deadline else { return repeated(caller, call).await };
    let what = call.head.failure.clone();
    match tokio::time::timeout_at(deadline.into(), repeated(caller, call)).await {
        Ok(result) => result,
        Err(_) => Err(overdue(&what).with_possible_effect(true)),
    }
}

/// Sends a request that needs no token once, and gives the answer whatever its status.
///
/// # Errors
///
/// [`Code::PlatformUnavailable`] when there is no answer.
pub(crate) async fn exchange(verify: &VerifySslCert, mut call: Call) -> Result<Response, Error> {
    let attempt = Attempt { verify, token: None, terms: &Terms::default(), trace: Trace::new() };
    Ok(attempt.exchange(&mut call, &Progress::new()).await?)
}

async fn repeated(caller: Caller<'_>, mut call: Call) -> Result<Response, Error> {
    let Caller { verify, tokens, leeway, terms } = caller;
    call.check_size(terms.body_limit)?;
    let trace = terms.trace.unwrap_or_else(Trace::new);
    let mut token = current(tokens).await?;
    let (mut failed, mut renewed, mut may_be_done) = (Failures::default(), false, false);
    let told = |error: Error, may_be_done| error.with_possible_effect(may_be_done);
    loop {
        if let Some(token) = &token {
            token.check_expiry(leeway).map_err(|error| told(error, may_be_done))?;
        }
        let attempt = Attempt { verify, token: token.as_ref(), terms: &terms, trace };
        let failure = match attempt.send(&mut call).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        if failure.cause == Cause::TokenRefused {
            let (Some(tokens), Some(refused), false) = (tokens, &token, renewed) else {
                return Err(told(failure.error, may_be_done));
            };
            let other = other_than(refused, tokens, failure.error).await;
            // Whoever calls next has the other token, even if this call cannot be repeated.
            let other = other.and_then(|(other, error)| if call.can_be_sent() { Ok(other) } else { Err(error) });
            token = Some(other.map_err(|error| told(error, may_be_done))?);
            renewed = true;
            continue;
        }
        if may_be_done && call.is_gone_for(&failure) {
            return Ok(Response::nothing(&call));
        }
        may_be_done |= failure.cause.may_have_had_effect();
        failed.count(&failure);
        let Some(pause) = terms.pause(&call, &failure, failed) else { return Err(told(failure.error, may_be_done)) };
        tracing::debug!(error = failure.error.chain(), ?pause, "the call is repeated");
        tokio::time::sleep(pause).await;
        // It may have ended meanwhile.
        token = current(tokens).await.map_err(|error| told(error, may_be_done))?;
    }
}

async fn current(tokens: Option<&dyn TokenSource>) -> Result<Option<AccessToken>, Error> {
    match tokens {
        Some(tokens) => tokens.token().await.map(Some),
        None => Ok(None),
    }
}

/// Another token than the one that was refused, and the refusal. The failure is the refusal where there is none.
async fn other_than(
    refused: &AccessToken,
    tokens: &dyn TokenSource,
    refusal: Error,
) -> Result<(AccessToken, Error), Error> {
    match tokens.renew(refused).await {
        Ok(Some(other)) => Ok((other, refusal)),
        Ok(None) => Err(refusal),
        // That nobody could be asked for another token is worth another try.
        Err(why) if why.code() == Code::PlatformUnavailable => Err(why),
        Err(why) => Err(refusal.with_source(why)),
    }
}

/// One attempt of a call.
struct Attempt<'a> {
    verify: &'a VerifySslCert,
    token: Option<&'a AccessToken>,
    terms: &'a Terms,
    trace: Trace,
}

impl Attempt<'_> {
    /// Sends it, and fails unless the answer is a success. That of a call that receives nothing large is read.
    async fn send(&self, call: &mut Call) -> Result<Response, Failure> {
        let progress = Progress::new();
        let response = self.exchange(call, &progress).await?;
        if !response.is_success() {
            let refusal = response.refusal(self.token, call.withheld()).await;
            // Without this the rest of an upload would still go out, if somebody takes it.
            progress.end();
            return Err(refusal);
        }
        match call.head.wait {
            Wait::Whole | Wait::Upload => response.read_ahead().await,
            Wait::Idle => Ok(response),
        }
    }

    /// Sends it, and gives the answer whatever its status.
    async fn exchange(&self, call: &mut Call, progress: &Progress) -> Result<Response, Failure> {
        let request = self.request(call, progress).await?;
        let Call { head, .. } = call;
        let failure = &head.failure;
        let Terms { timeout, deadline, .. } = *self.terms;
        let origin = || head.url.origin().ascii_serialization();
        let mut observed = Observed::begin();
        let began = observed.began;
        let answer = match within(timeout, head.wait, progress, request.send()).await {
            Some(Ok(answer)) => {
                observed.answered(answer.status().as_u16());
                answer
            }
            Some(Err(error)) => return Err(no_answer(failure, &origin(), error, progress)),
            None => {
                let why = format!("{} did not answer in {timeout:?}", origin());
                return Err(Failure::of(Cause::Silent, unavailable(failure, &why)));
            }
        };
        let until = (head.wait == Wait::Whole).then(|| began + timeout);
        Ok(Response { answer, failure: failure.clone(), patience: timeout, until, deadline, ahead: None })
    }

    async fn request(&self, call: &mut Call, progress: &Progress) -> Result<reqwest::RequestBuilder, Failure> {
        let lasting = |error| Failure::of(Cause::Lasting, error);
        let http = pool::http(&call.head.url, self.verify).await.map_err(lasting)?;
        let Call { head, body } = call;
        let mut request = http.request(head.method.clone(), head.url.clone()).headers(head.headers.clone());
        if let Some(header) = self.trace.header() {
            request = request.header(TRACEPARENT, header);
        }
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, bearer(token).map_err(lasting)?);
        }
        let Some(body) = body else { return Ok(request) };
        let outgoing = body.next(&head.failure).await.map_err(lasting)?;
        let length = outgoing.length;
        let body = reqwest::Body::wrap_stream(outgoing.watched(progress));
        Ok(match (&head.form, length) {
            (Some(form), length) => request.multipart(multipart(form, body, length).map_err(lasting)?),
            // hyper sends a stream in chunks unless the length is declared.
            (None, Some(length)) => request.header(CONTENT_LENGTH, length).body(body),
            (None, None) => request.body(body),
        })
    }
}

fn multipart(form: &Form, body: reqwest::Body, length: Option<u64>) -> Result<multipart::Form, Error> {
    let part = match length {
        Some(length) => Part::stream_with_length(body, length),
        None => Part::stream(body),
    };
    let part = part.file_name(form.file_name.clone()).mime_str(&form.content_type).map_err(|error| {
        let detail = format!("{:?} is no media type", form.content_type);
        Error::new(Code::SkillFailed, detail).with_source(error)
    })?;
    let (name, text) = form.text.clone();
    Ok(multipart::Form::new().text(name, text).part(form.name, part))
}

fn bearer(token: &AccessToken) -> Result<HeaderValue, Error> {
    let text = format!("Bearer {}", token.secret().expose_secret());
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::new(Code::TokenInvalid, "the token cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why there is no answer.
fn no_answer(failure: &str, origin: &str, error: reqwest::Error, progress: &Progress) -> Failure {
    if let Some(why) = progress.take_failure() {
        let error = Error::new(Code::SkillFailed, format!("{failure}: what was to be sent cannot be read"));
        return Failure::of(Cause::Lasting, error.with_source(why));
    }
    let cause = match (error.is_connect(), is_of_certificate(&error)) {
        (_, true) => Cause::Lasting,
        (true, false) => Cause::NotConnected,
        (false, false) => Cause::Broken,
    };
    let error = unavailable(failure, &format!("no answer from {origin}")).with_source(error.without_url());
    Failure::of(cause, error)
}

/// Whether a connection failed because of who is at its other end.
fn is_of_certificate(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&link| {
        // The source of an I/O error is not what it was made from, but the source of that.
        let within = link.downcast_ref().and_then(io::Error::get_ref);
        within.map_or_else(|| link.source(), |within| Some(within as _))
    })
    .any(<dyn StdError>::is::<rustls::Error>)
}

pub(crate) fn unavailable(failure: &str, why: &str) -> Error {
    Error::new(Code::PlatformUnavailable, format!("{failure}: {why}"))
}

/// The failure of a call that nobody waits for any more.
pub(super) fn overdue(failure: &str) -> Error {
    Error::new(Code::Timeout, format!("{failure}: the deadline of the invocation has passed"))
}

/// The answer; `None` when it has not come in time.
async fn within(
    timeout: Duration,
    wait: Wait,
    progress: &Progress,
    answer: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Option<reqwest::Result<reqwest::Response>> {
    let mut answer = std::pin::pin!(answer);
    let mut until = Instant::now() + timeout;
    loop {
        if let Ok(answer) = tokio::time::timeout_at(until.into(), answer.as_mut()).await {
            return Some(answer);
        }
        let renewed = progress.last() + timeout + time_under_way(progress.sent());
        if wait == Wait::Whole || renewed <= until {
            return None;
        }
        until = renewed;
    }
}

/// How long what is under way may take to arrive, of so many bytes that have been taken from us.
fn time_under_way(sent: u64) -> Duration {
    Duration::from_millis(sent.min(UNDER_WAY) * 1000 / SLOWEST)
}

#[cfg(test)]
mod tests;
