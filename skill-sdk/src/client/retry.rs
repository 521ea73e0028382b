//! When a call that failed is sent once more, and after what pause.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::error::Error;

/// The pause before the first repetition is at most this long, as in both platforms' Python clients (contracts "fabric-api",
/// section 1, and "cdf-iam", section 5); each further one at most twice as long as the one before, up to a
/// [longest](Rules::longest_pause).
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How many repetitions may follow on failures to connect unless said otherwise, as in both platforms' clients.
const CONNECTS: u32 = 3;

/// Longest pause that a platform may ask for: whoever waits for the call would rather know.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// By whose rules calls are repeated: each platform's clients have their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rules {
    /// Cortex Fabric (contract "fabric-api", section 1).
    Fabric,
    /// Cognite Data Fusion (contract "cdf-iam", section 5).
    Cognite,
}

impl Rules {
    /// How often a call is repeated unless said otherwise.
    fn retries(self) -> u32 {
        match self {
            Self::Fabric => 3,
            Self::Cognite => 9,
        }
    }

    fn longest_pause(self) -> Duration {
        match self {
            Self::Fabric => Duration::from_secs(10),
            Self::Cognite => Duration::from_secs(30),
        }
    }

    /// Whether a call is repeated of which the platform says that it may be.
    fn heeds_invitations(self) -> bool {
        self == Self::Cognite
    }
}

/// How often a call has failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    all: u32,
    connects: u32,
}

impl Failures {
    pub(super) fn count(&mut self, failure: &Failure) {
        self.all += 1;
        self.connects += u32::from(failure.cause == Cause::NotConnected);
    }

    /// Whether there may be one more attempt. What was set counts for all kinds of failures.
    pub(super) fn leave_one_more(self, rules: Rules, set: Option<u32>) -> bool {
        match set {
            Some(retries) => self.all <= retries,
            None => self.all <= rules.retries() && self.connects <= CONNECTS,
        }
    }

    /// The pause before it; `None` when the platform asks for too long a one.
    pub(super) fn pause(self, rules: Rules, asked: Option<Duration>) -> Option<Duration> {
        pause(asked, self.all, rules.longest_pause())
    }
}

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
    /// As [`Idempotent`](Self::Idempotent), and also when nothing came in time.
    AfterSilence,
}

/// What came of an attempt that failed.
pub(crate) struct Failure {
    pub(super) error: Error,
    pub(super) cause: Cause,
    /// The pause that the platform asks for before another attempt.
    pub(super) asked: Option<Duration>,
    /// Whether the platform says that the call may be repeated.
    pub(super) invites: bool,
}

impl Failure {
    pub(super) fn of(cause: Cause, error: Error) -> Self {
        Self { error, cause, asked: None, invites: false }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error.with_possible_effect(failure.cause.may_have_had_effect())
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
        let idempotent = self != Self::Unprocessed;
        match cause {
            Cause::NotConnected | Cause::Refused(StatusCode::TOO_MANY_REQUESTS) => true,
            Cause::Broken => idempotent,
            Cause::Refused(StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) => {
                idempotent
            }
            Cause::Refused(StatusCode::INTERNAL_SERVER_ERROR) => self == Self::Download,
            Cause::Silent => self == Self::AfterSilence,
            Cause::TokenRefused | Cause::Refused(_) | Cause::Lasting => false,
        }
    }

    /// Whether it may be after this failure, also because the platform says so.
    pub(super) fn allows_after(self, failure: &Failure, rules: Rules) -> bool {
        self.allows(failure.cause) || (failure.invites && rules.heeds_invitations())
    }
}

/// The pause before the next attempt, when `attempts` have failed: what the platform asks for, else a random part of a time that
/// doubles ("full jitter"), so that those who failed together do not come back together. `None` when it asks for too much.
fn pause(asked: Option<Duration>, attempts: u32, most: Duration) -> Option<Duration> {
    match asked {
        Some(asked) => (asked <= LONGEST_ASKED).then_some(asked),
        None => Some(longest(attempts, most).mul_f64(fastrand::f64())),
    }
}

fn longest(attempts: u32, most: Duration) -> Duration {
    FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1))).min(most)
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
        for (cause, allowed) in [
            (Cause::NotConnected, [true, true, true, true]),
            (status(429), [true, true, true, true]),
            (Cause::Broken, [false, true, true, true]),
            (status(502), [false, true, true, true]),
            (status(503), [false, true, true, true]),
            (status(504), [false, true, true, true]),
            (status(500), [false, false, true, false]),
            (status(501), [false, false, false, false]),
            (status(408), [false, false, false, false]),
            (status(404), [false, false, false, false]),
            (status(302), [false, false, false, false]),
            (Cause::Silent, [false, false, false, true]),
            (Cause::TokenRefused, [false, false, false, false]),
            (Cause::Lasting, [false, false, false, false]),
        ] {
            let kinds = [Repeat::Unprocessed, Repeat::Idempotent, Repeat::Download, Repeat::AfterSilence];
            assert_eq!(kinds.map(|repeat| repeat.allows(cause)), allowed, "{cause:?}");
        }
    }

    fn failure(cause: Cause) -> Failure {
        Failure::of(cause, Error::new(crate::Code::PlatformUnavailable, "down"))
    }

    #[test]
    fn who_may_repeat_a_call_is_heeded_where_that_is_the_rule() {
        let refused = |invites| Failure { invites, ..failure(Cause::Refused(StatusCode::BAD_REQUEST)) };
        assert!(Repeat::Unprocessed.allows_after(&refused(true), Rules::Cognite));
        assert!(!Repeat::Unprocessed.allows_after(&refused(true), Rules::Fabric));
        assert!(!Repeat::AfterSilence.allows_after(&refused(false), Rules::Cognite));
    }

    #[test]
    fn each_platform_has_its_number_of_attempts_unless_one_is_set() {
        use Cause::{Broken, NotConnected};
        let attempts = |rules, set, causes: &[Cause]| {
            let mut failures = Failures::default();
            let mut causes = causes.iter().cycle();
            (1..100).find(|_| {
                failures.count(&failure(*causes.next().unwrap()));
                !failures.leave_one_more(rules, set)
            })
        };
        for (rules, set, causes, expected) in [
            (Rules::Fabric, None, &[Broken][..], 4),
            (Rules::Fabric, None, &[NotConnected], 4),
            (Rules::Cognite, None, &[Broken], 10),
            (Rules::Cognite, None, &[NotConnected], 4),
            (Rules::Cognite, None, &[NotConnected, Broken], 7),
            (Rules::Cognite, Some(0), &[Broken], 1),
            (Rules::Cognite, Some(5), &[NotConnected], 6),
            (Rules::Fabric, Some(20), &[NotConnected], 21),
        ] {
            assert_eq!(attempts(rules, set, causes), Some(expected), "{rules:?} {set:?} {causes:?}");
        }
    }

    #[test]
    fn pauses_grow_and_are_spread_over_their_whole_length() {
        for (rules, longest_ones) in [
            (Rules::Fabric, [500, 1000, 2000, 10_000, 10_000, 10_000]),
            (Rules::Cognite, [500, 1000, 2000, 16_000, 30_000, 30_000]),
        ] {
            let longest = |attempts| longest(attempts, rules.longest_pause()).as_millis();
            assert_eq!([1, 2, 3, 6, 60, u32::MAX].map(longest), longest_ones, "{rules:?}");
        }
        let pauses: Vec<Duration> = (0..1000).filter_map(|_| pause(None, 2, Duration::MAX)).collect();
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
        assert_eq!(pause(Some(Duration::from_secs(60)), 1, Duration::ZERO), Some(Duration::from_secs(60)));
        assert_eq!(pause(Some(Duration::from_secs(61)), 1, Duration::MAX), None);
    }
}
