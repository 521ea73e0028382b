//! When a call that failed is sent once more, and after what pause.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::error::Error;

/// How often a call is repeated unless said otherwise, as the platform's command line does (contract "fabric-api", section 1).
pub(super) const DEFAULT_RETRIES: u32 = 3;

/// The pause before the first repetition is at most this long, as in the platform's Python client (contract "fabric-api",
/// section 1); each further one at most twice as long as the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Longest pause that a platform may ask for: whoever waits for the call would rather know.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// When a call may be repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repeat {
    /// When it has surely had no effect: there was no connection, or the platform said that there were too many calls (429).
    Unprocessed,
    /// Also when it may have had its effect, because a second time makes no difference: the connection broke, or something in
    /// between could not say (502, 503, 504).
    Idempotent,
    /// As [`Idempotent`](Self::Idempotent), and also when the platform failed (500).
    Download,
}

/// What came of an attempt that failed.
pub(crate) struct Failure {
    pub(super) error: Error,
    pub(super) cause: Cause,
    /// The pause that the platform asks for before another attempt.
    pub(super) asked: Option<Duration>,
}

impl Failure {
    pub(super) fn of(cause: Cause, error: Error) -> Self {
        Self { error, cause, asked: None }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// There was no connection: nothing was sent.
    NotConnected,
    /// The connection broke before the whole answer had come.
    Broken,
    /// Nothing came in time.
    Silent,
    /// The platform refused the token.
    TokenRefused,
    /// The platform refused for another reason.
    Refused(StatusCode),
    /// What will not change when it is tried again.
    Lasting,
}

impl Cause {
    /// Whether what failed may have been done nevertheless.
    pub(super) fn may_have_had_effect(self) -> bool {
        match self {
            Self::Broken | Self::Silent => true,
            Self::Refused(status) => status.is_server_error(),
            Self::NotConnected | Self::TokenRefused | Self::Lasting => false,
        }
    }
}

impl Repeat {
    /// Whether a call that failed so may be sent once more.
    pub(super) fn allows(self, cause: Cause) -> bool {
        let idempotent = matches!(self, Self::Idempotent | Self::Download);
        match cause {
            Cause::NotConnected | Cause::Refused(StatusCode::TOO_MANY_REQUESTS) => true,
            Cause::Broken => idempotent,
            Cause::Refused(StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) => {
                idempotent
            }
            Cause::Refused(StatusCode::INTERNAL_SERVER_ERROR) => self == Self::Download,
            Cause::Silent | Cause::TokenRefused | Cause::Refused(_) | Cause::Lasting => false,
        }
    }
}

/// The pause before the next attempt, when `attempts` have failed: what the platform asks for, else a random part of a time that
/// doubles ("full jitter"), so that those who failed together do not come back together. `None` when it asks for too much.
pub(super) fn pause(asked: Option<Duration>, attempts: u32) -> Option<Duration> {
    match asked {
        Some(asked) => (asked <= LONGEST_ASKED).then_some(asked),
        None => Some(longest(attempts).mul_f64(fastrand::f64())),
    }
}

fn longest(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_PAUSE)
}

/// The pause that an answer asks for: seconds, or a date (RFC 9110, section 10.2.3). What is neither asks for none.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Of so many that they make no number, it is too long in any case.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let at: Timestamp = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn what_had_no_effect_is_repeated_and_other_things_only_when_they_may() {
        let status = |code| Cause::Refused(StatusCode::from_u16(code).unwrap());
        for (cause, unprocessed, idempotent, download) in [
            (Cause::NotConnected, true, true, true),
            (status(429), true, true, true),
            (Cause::Broken, false, true, true),
            (status(502), false, true, true),
            (status(503), false, true, true),
            (status(504), false, true, true),
            (status(500), false, false, true),
            (status(501), false, false, false),
            (status(408), false, false, false),
            (status(404), false, false, false),
            (status(302), false, false, false),
            (Cause::Silent, false, false, false),
            (Cause::TokenRefused, false, false, false),
            (Cause::Lasting, false, false, false),
        ] {
            let allowed =
                [Repeat::Unprocessed, Repeat::Idempotent, Repeat::Download].map(|repeat| repeat.allows(cause));
            assert_eq!(allowed, [unprocessed, idempotent, download], "{cause:?}");
        }
    }

    #[test]
    fn pauses_grow_and_are_spread_over_their_whole_length() {
        assert_eq!(
            [1, 2, 3, 6, 60, u32::MAX].map(longest).map(|pause| pause.as_millis()),
            [500, 1000, 2000, 10_000, 10_000, 10_000]
        );
        let pauses: Vec<Duration> = (0..1000).filter_map(|_| pause(None, 2)).collect();
        assert_eq!(pauses.len(), 1000);
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(1)));
        assert!(pauses.iter().any(|pause| *pause < Duration::from_millis(200)));
        assert!(pauses.iter().any(|pause| *pause > Duration::from_millis(800)));
    }

    #[test]
    fn a_platform_may_ask_for_a_pause() {
        let of = |text: &str| asked(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]));
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("0"), Some(Duration::ZERO));
        assert_eq!(of(&"9".repeat(30)), Some(Duration::MAX));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = rfc2822::DateTimePrinter::new();
        let soon = soon.timestamp_to_rfc9110_string(&(Timestamp::now() + Duration::from_secs(20))).unwrap();
        let wait = of(&soon).unwrap();
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(asked(&HeaderMap::new()), None);
        assert_eq!(pause(Some(Duration::from_secs(60)), 1), Some(Duration::from_secs(60)));
        assert_eq!(pause(Some(Duration::from_secs(61)), 1), None);
    }
}
