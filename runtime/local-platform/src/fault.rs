//! Misbehaviour on request: rules that make the platform answer as a bad day would.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fastrand::Rng;
use jiff::SignedDuration;
use wildmatch::WildMatch;

use crate::answer::Refusal;
use crate::body;
use crate::cut::Cut;

/// Rules of misbehaviour, each with its own sequence of random numbers, which the seed decides.
///
/// A rule is `METHOD PATH-GLOB: ACTION[, rate=R][, count=N]`:
///
/// - `METHOD` is a method, or `*` for all;
/// - in `PATH-GLOB`, which the path must match as it was sent and without its query, `*` stands for any text, also with slashes, and
///   `?` for any one character;
/// - `ACTION` is one of these:
///
///   | action | what happens |
///   |---|---|
///   | `status=503` | that status is answered, from 400 to 599; nothing was done |
///   | `delay=2s` | the request is answered so much later; other rules still count |
///   | `cut=50%` | the request is done, and the connection ends after so much of the answer's body |
///   | `reset` | the connection is reset; nothing was done |
///   | `x-auth-error=expired` | the token is refused for this reason; nothing was done |
///
/// - `rate` is the share of requests, from 0 to 1, that it happens to: 1 by default;
/// - `count` is how often it happens at most: without end by default.
///
/// Rules are looked at in their order; the first one that happens ends the search, unless it is a delay.
///
/// ```
/// use local_platform::Faults;
///
/// let faults = Faults::new(["GET /fabric/v4/*/content/*: status=503, rate=0.1, count=3", "* *: delay=20ms"], 7)?;
/// assert!(Faults::new(["GET /: explode"], 7).is_err());
/// # let _ = faults;
/// # Ok::<(), local_platform::FaultError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<[Rule]>);

impl Faults {
    /// Reads the rules. The same seed and the same requests, one after the other, make the same faults.
    ///
    /// # Errors
    ///
    /// When a text is no rule.
    pub fn new<R: AsRef<str>>(rules: impl IntoIterator<Item = R>, seed: u64) -> Result<Self, FaultError> {
        let mut seeds = Rng::with_seed(seed);
        let rules = rules.into_iter().map(|text| {
            let rule: FaultRule = text.as_ref().parse()?;
            let chance = Mutex::new(Chance { random: seeds.fork(), left: rule.count });
            Ok(Rule { rule, chance })
        });
        Ok(Self(rules.collect::<Result<_, FaultError>>()?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug)]
struct Rule {
    rule: FaultRule,
    chance: Mutex<Chance>,
}

#[derive(Debug)]
struct Chance {
    random: Rng,
    /// How often it may still happen; `None` is without end.
    left: Option<u64>,
}

impl Rule {
    /// Whether it happens to this request.
    fn happens(&self, method: &Method, path: &str) -> bool {
        let rule = &self.rule;
        if rule.method.as_ref().is_some_and(|only| only != method) || !rule.path.matches(path) {
            return false;
        }
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        // The number is drawn also where none is left, so that rules stay in step with their requests.
        if chance.random.f64() >= rule.rate || chance.left == Some(0) {
            return false;
        }
        chance.left = chance.left.map(|left| left - 1);
        true
    }
}

/// One rule; see [`Faults`].
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// `None` is any.
    method: Option<Method>,
    path: WildMatch,
    action: Action,
    rate: f64,
    count: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    Status(StatusCode),
    Delay(Duration),
    /// The part of the body that is sent, from 0 to 1.
    Cut(f64),
    Reset,
    AuthError(String),
}

/// A text is no [rule](Faults); says what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(String);

impl FromStr for FaultRule {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let error = |what: &str| FaultError(format!("{what}, in the fault `{text}`"));
        // Paths may hold colons, but none with a blank after it.
        let (target, what) = text.split_once(": ").ok_or_else(|| error("a fault is `METHOD PATH-GLOB: ACTION`"))?;
        let (method, path) = target
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| error("a fault begins with a method and a path"))?;
        let method = match method {
            "*" => None,
            name if name.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                Some(Method::from_bytes(name.as_bytes()).map_err(|_| error("this is no method"))?)
            }
            _ => return Err(error("a method is written in capitals, or is `*`")),
        };
        let path = path.trim();
        // Every path begins with a slash: other rules would happen to no request, and nobody would know why.
        if !path.starts_with(['/', '*', '?']) {
            return Err(error("a path begins with `/` or `*`"));
        }
        let mut parts = what.split(',').map(str::trim);
        let action = action(parts.next().unwrap_or_default()).map_err(|what| error(&what))?;
        let mut rule = Self { method, path: WildMatch::new(path), action, rate: 1.0, count: None };
        for part in parts {
            match part.split_once('=') {
                Some(("rate", rate)) => {
                    let rate = rate.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
                    rule.rate = rate.ok_or_else(|| error("a rate is a number from 0 to 1"))?;
                }
                Some(("count", count)) => {
                    rule.count = Some(count.parse().map_err(|_| error("a count is a whole number"))?);
                }
                _ => return Err(error("after the action come `rate=` and `count=`")),
            }
        }
        Ok(rule)
    }
}

fn action(text: &str) -> Result<Action, String> {
    match text.split_once('=') {
        None if text == "reset" => Ok(Action::Reset),
        Some(("status", status)) => {
            let status = status.parse().ok().filter(|status| (400..600).contains(status));
            let status = status.and_then(|status: u16| StatusCode::from_u16(status).ok());
            status.map(Action::Status).ok_or_else(|| "a status is a number from 400 to 599".to_owned())
        }
        Some(("delay", delay)) => {
            let delay: Result<SignedDuration, _> = delay.parse();
            let delay = delay.ok().and_then(|delay| Duration::try_from(delay).ok());
            delay.map(Action::Delay).ok_or_else(|| "a delay is a number and a unit, such as 500ms or 2s".to_owned())
        }
        Some(("cut", part)) => {
            let part = part.strip_suffix('%').and_then(|part| part.parse().ok());
            let part = part.filter(|part| (0.0..100.0).contains(part));
            part.map(|part: f64| Action::Cut(part / 100.0))
                .ok_or_else(|| "a cut is a part from 0% to less than 100%".to_owned())
        }
        Some(("x-auth-error", reason)) => {
            let is_text = !reason.is_empty() && reason.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if is_text { Ok(Action::AuthError(reason.to_owned())) } else { Err("a reason is ASCII text".to_owned()) }
        }
        _ => Err("an action is `status=`, `delay=`, `cut=`, `reset` or `x-auth-error=`".to_owned()),
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status={}", status.as_u16()),
            Self::Delay(delay) => write!(f, "delay={delay:?}"),
            Self::Cut(part) => write!(f, "cut={}%", part * 100.0),
            Self::Reset => f.write_str("reset"),
            Self::AuthError(reason) => write!(f, "x-auth-error={reason}"),
        }
    }
}

/// Marks the answer in whose place the connection is to be reset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset;

/// Lets faults happen to requests, before anything else looks at them.
pub(crate) async fn inject(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut cut = None;
    for rule in faults.0.iter().filter(|rule| rule.happens(&method, &path)) {
        let action = &rule.rule.action;
        tracing::debug!(%method, path, %action, "a fault happens");
        match action {
            Action::Delay(delay) => tokio::time::sleep(*delay).await,
            Action::Status(status) => {
                body::drain(request).await;
                return Refusal::new(*status, "a fault that was asked for").into_response();
            }
            Action::AuthError(reason) => {
                body::drain(request).await;
                return Refusal::token(reason.as_str()).into_response();
            }
            Action::Reset => {
                let mut response = Response::new(Body::empty());
                response.extensions_mut().insert(Reset);
                return response;
            }
            Action::Cut(part) => {
                cut = Some(*part);
                break;
            }
        }
    }
    let response = next.run(request).await;
    match cut {
        Some(part) => Cut::answer(response, part),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<FaultRule, FaultError> {
        text.parse()
    }

    #[test]
    fn rules_are_read() {
        let read = rule("POST /fabric/v4/projects/a:b/*: cut=12.5%, rate=0.25, count=3").unwrap();
        assert_eq!((read.method, read.action), (Some(Method::POST), Action::Cut(0.125)));
        assert_eq!((read.rate, read.count), (0.25, Some(3)));
        assert!(read.path.matches("/fabric/v4/projects/a:b/content/x/y"));
        assert!(!read.path.matches("/fabric/v4/projects/b/content"));
        for (text, action) in [
            ("* *: status=503", Action::Status(StatusCode::SERVICE_UNAVAILABLE)),
            ("* *: delay=2s", Action::Delay(Duration::from_secs(2))),
            ("* *: reset", Action::Reset),
            ("* *: x-auth-error=token expired", Action::AuthError("token expired".to_owned())),
        ] {
            let read = rule(text).unwrap();
            assert_eq!((read.method, read.action, read.rate, read.count), (None, action, 1.0, None), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "GET /x",
            "GET: reset",
            "get /x: reset",
            "GET x: reset",
            "GET http://127.0.0.1/x: reset",
            "GET /x: explode",
            "GET /x: status=200",
            "GET /x: status=x",
            "GET /x: delay=2",
            "GET /x: delay=-2s",
            "GET /x: cut=100%",
            "GET /x: cut=0.5",
            "GET /x: reset, rate=2",
            "GET /x: reset, rate=NaN",
            "GET /x: reset, count=-1",
            "GET /x: reset, often",
            "GET /x: x-auth-error=",
            "GET /x: x-auth-error=a\nb",
        ] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let happened = |seed| {
            let faults = Faults::new(["GET /*: reset, rate=0.5", "* /*: reset, rate=0.5, count=10"], seed).unwrap();
            let happens = |_| faults.0.iter().map(|rule| rule.happens(&Method::GET, "/x")).collect::<Vec<_>>();
            (0..100).map(happens).collect::<Vec<_>>()
        };
        assert_eq!(happened(1), happened(1));
        assert_ne!(happened(1), happened(2));
        let first = happened(1).iter().filter(|both| both[0]).count();
        assert!((30..70).contains(&first), "{first}");
        assert_eq!(happened(1).iter().filter(|both| both[1]).count(), 10);
    }
}
