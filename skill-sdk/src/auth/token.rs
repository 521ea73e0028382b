//! Tokens as their holder sees them: the claims are read, the signature is not checked.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::error::{Code, Error};

/// How long after its `exp` a token still counts as alive, unless said otherwise: the clocks of two machines are never
/// quite the same.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(10);

/// Longest token that is looked at, in bytes. Servers refuse headers of this size.
const LONGEST: usize = 64 * 1024;

/// Longest time that is still shown as a date: the end of the year 9999.
pub(super) const LAST_SECOND: f64 = 253_402_207_200.0;

/// What every refusal of a token begins with (contract "fabric-auth", section 6).
pub(super) const INVALID: &str = "Your Cortex Token is invalid: ";

/// What is wrong with a text that has not the form of a token.
pub(crate) const NOT_A_JWT: &str = "not a JWT";

/// A bearer token together with what is known about it. Cheap to clone.
///
/// The signature is not looked at: a client cannot know the platform's key, and the platform checks it on every call. Hosts
/// check it with a [`Verifier`](super::Verifier).
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    text: SecretString,
    claims: Option<Arc<Claims>>,
    end: End,
}

/// When a token ends.
enum End {
    Unknown,
    /// As the token says, by the clock of whoever made it.
    At(Timestamp),
    /// As whoever asked for it knows. What the clock says does not matter.
    After(Instant),
}

/// The claims that every token of a platform has (contract "fabric-auth", section 6).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Claims {
    /// Who the token is for. In the token it is one text or a list of them.
    pub audience: Vec<String>,
    /// Who the token speaks for.
    pub subject: String,
    /// When the token ends, rounded down to the second. A time beyond the year 9999 reads as the end of that year.
    pub expires_at: Timestamp,
    /// `iss` as it is, for whoever checks it. Reading it later would mean to read the claims twice.
    pub(super) issuer: Option<Value>,
    /// `nbf` as it is, for whoever checks it.
    pub(super) not_before: Option<Value>,
}

impl AccessToken {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] when it is not three parts of base64url (RFC 7515, section 3.1) with JSON objects in the
    /// first two, or lacks `aud`, `sub` or `exp`. The token itself is never part of the error.
    pub fn decode(text: SecretString) -> Result<Self, Error> {
        let claims = Claims::of(text.expose_secret())
            .map_err(|why| Error::new(Code::TokenInvalid, format!("{INVALID}{why}")))?;
        Ok(Self::with_claims(text, Arc::new(claims)))
    }

    /// A token whose claims have been read.
    pub(super) fn with_claims(text: SecretString, claims: Arc<Claims>) -> Self {
        let end = End::At(claims.expires_at);
        Self(Arc::new(Inner { text, claims: Some(claims), end }))
    }

    /// A token that was made for this process, as one of [`decode`](Self::decode) where it is a token of that form. Others
    /// are taken as they are, because whoever made it is trusted to know what the platform takes.
    pub fn issued(text: SecretString) -> Self {
        match Claims::of(text.expose_secret()) {
            Ok(claims) => Self::with_claims(text, Arc::new(claims)),
            Err(_) => Self(Arc::new(Inner { text, claims: None, end: End::Unknown })),
        }
    }

    /// As [`issued`](Self::issued), for a token that is known to end at some point of this process's time. Unlike a date in
    /// the token, that needs no clock that agrees with the platform's.
    pub fn issued_until(text: SecretString, end: Instant) -> Self {
        let claims = Claims::of(text.expose_secret()).ok().map(Arc::new);
        Self(Arc::new(Inner { text, claims, end: End::After(end) }))
    }

    /// What the token says about itself; `None` for one of a form that only the platform understands.
    pub fn claims(&self) -> Option<&Claims> {
        self.0.claims.as_deref()
    }

    /// As [`claims`](Self::claims), to be kept.
    pub(super) fn shared_claims(&self) -> Option<&Arc<Claims>> {
        self.0.claims.as_ref()
    }

    /// The token as it goes into an `Authorization` header.
    pub fn secret(&self) -> &SecretString {
        &self.0.text
    }

    /// The time that is left; negative when the token has ended, and `None` when it is not known when it does.
    pub fn time_left(&self) -> Option<SignedDuration> {
        match self.0.end {
            End::Unknown => None,
            End::At(end) => Some(end.duration_since(Timestamp::now())),
            End::After(end) => Some(span(Instant::now(), end)),
        }
    }

    /// Refuses a token that ended more than `leeway` ago.
    ///
    /// # Errors
    ///
    /// [`Code::TokenExpired`], which says when.
    pub fn check_expiry(&self, leeway: Duration) -> Result<(), Error> {
        match self.0.end {
            End::Unknown => Ok(()),
            End::At(end) => check_end(end, Timestamp::now(), leeway),
            End::After(end) => {
                let past = span(end, Instant::now());
                if past <= signed(leeway) { Ok(()) } else { Err(expired(&format!("{} ago", seconds(past)))) }
            }
        }
    }
}

/// Refuses an end that was more than `leeway` before `now`.
pub(crate) fn check_end(end: Timestamp, now: Timestamp, leeway: Duration) -> Result<(), Error> {
    let past = now.duration_since(end);
    if past <= signed(leeway) { Ok(()) } else { Err(expired(&format!("at {end}, {} ago", seconds(past)))) }
}

fn expired(when: &str) -> Error {
    Error::new(Code::TokenExpired, format!("Your Cortex Token expired {when}"))
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn span(from: Instant, to: Instant) -> SignedDuration {
    signed(to.saturating_duration_since(from)) - signed(from.saturating_duration_since(to))
}

/// A duration as people write it, such as `1m 15s`.
fn seconds(duration: SignedDuration) -> String {
    format!("{:#}", SignedDuration::from_secs(duration.as_secs()))
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("claims", &self.0.claims).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Body {
    aud: Option<Value>,
    sub: Option<Value>,
    exp: Option<Value>,
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
}

/// Reads `null` as a value that is there.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Claims {
    /// Everything that keeps the claims of a token from being ones that [`AccessToken::decode`] accepts, such as `claim aud
    /// is missing`; nothing when they are. No value of a claim is part of it.
    pub fn problems(claims: &Map<String, Value>) -> Vec<String> {
        let claim = |name: &str| claims.get(name).cloned();
        let problems = [audience(claim("aud")).err(), subject(claim("sub")).err(), expires_at(claim("exp")).err()];
        problems.into_iter().flatten().collect()
    }

    fn of(token: &str) -> Result<Self, String> {
        if token.len() > LONGEST {
            return Err(format!("{NOT_A_JWT}: {} bytes are too many", token.len()));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NOT_A_JWT.to_owned());
        };
        let base64url = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !base64url(signature) {
            return Err(NOT_A_JWT.to_owned());
        }
        decode_object::<IgnoredAny>(header).ok_or(NOT_A_JWT)?;
        let body: Body = decode_object(body).ok_or(NOT_A_JWT)?;
        Ok(Self {
            audience: audience(body.aud)?,
            subject: subject(body.sub)?,
            expires_at: expires_at(body.exp)?,
            issuer: body.iss,
            not_before: body.nbf,
        })
    }
}

pub(super) fn decode_object<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde would also read a struct from a list.
    if !json.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    // What is skipped must be text as well.
    serde_json::from_str(std::str::from_utf8(&json).ok()?).ok()
}

fn missing(claim: &str) -> String {
    format!("claim {claim} is missing")
}

fn audience(claim: Option<Value>) -> Result<Vec<String>, String> {
    let list = match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many
            .into_iter()
            .map(|one| match one {
                Value::String(one) => Ok(one),
                _ => Err("claim aud is not text".to_owned()),
            })
            .collect::<Result<_, _>>()?,
        None | Some(Value::Null) => return Err(missing("aud")),
        Some(_) => return Err("claim aud is not text".to_owned()),
    };
    if list.iter().all(String::is_empty) {
        return Err(missing("aud"));
    }
    Ok(list)
}

fn subject(claim: Option<Value>) -> Result<String, String> {
    match claim {
        Some(Value::String(subject)) if !subject.is_empty() => Ok(subject),
        None | Some(Value::Null | Value::String(_)) => Err(missing("sub")),
        Some(_) => Err("claim sub is not text".to_owned()),
    }
}

fn expires_at(claim: Option<Value>) -> Result<Timestamp, String> {
    match claim {
        None | Some(Value::Null) => Err(missing("exp")),
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => Err(missing("exp")),
        Some(claim) => numeric_date(&claim).ok_or_else(|| "claim exp is not a number".to_owned()),
    }
}

/// Reads a `NumericDate`: seconds since 1970 UTC, fractions allowed (RFC 7519, section 2), rounded down to the second. A time
/// before or beyond the years 1970 to 9999 reads as their beginning or end; what is no number, as `None`.
pub fn numeric_date(claim: &Value) -> Option<Timestamp> {
    let seconds = claim.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a range that fits")]
    let whole = seconds.floor().clamp(0.0, LAST_SECOND) as i64;
    Timestamp::from_second(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(json: &Value) -> String {
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    fn token(claims: &Value) -> SecretString {
        format!("{}.{}.c2ln", part(&json!({"alg": "EdDSA"})), part(claims)).into()
    }

    fn refusal(token: impl Into<SecretString>) -> String {
        let error = AccessToken::decode(token.into()).unwrap_err();
        assert_eq!(error.code(), Code::TokenInvalid);
        error.detail().strip_prefix(INVALID).expect("the prefix of the contract").to_owned()
    }

    #[test]
    fn claims_are_read() {
        let token = AccessToken::decode(token(&json!({"aud": "cortex", "sub": "u", "exp": 1_718_000_120}))).unwrap();
        let claims = token.claims().unwrap();
        assert_eq!(claims.audience, ["cortex"]);
        assert_eq!(claims.subject, "u");
        assert_eq!(claims.expires_at.as_second(), 1_718_000_120);
    }

    #[test]
    fn an_audience_may_be_a_list_and_a_signature_empty() {
        let claims = json!({"aud": ["a", "b"], "sub": "u", "exp": 1.5e9});
        let text = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims));
        assert_eq!(AccessToken::decode(text.into()).unwrap().claims().unwrap().audience, ["a", "b"]);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = part(&json!({"alg": "EdDSA"}));
        let body = part(&json!({"aud": "a", "sub": "u", "exp": 1}));
        for text in [
            String::new(),
            "asda".to_owned(),
            format!("{good}.{body}"),
            format!("{good}.{body}.c2ln.more"),
            format!(" {good}.{body}.c2ln"),
            format!("{good}.{body}.c2ln\n"),
            format!("{good}==.{body}.c2ln"),
            format!("{good}.{body}.c2+n"),
            format!("{good}.{}.c2ln", URL_SAFE_NO_PAD.encode("[1]")),
            format!("{}.{body}.c2ln", URL_SAFE_NO_PAD.encode("text")),
            format!("{good}.{}.c2ln", URL_SAFE_NO_PAD.encode([b'{', 0xff, b'}'])),
        ] {
            assert_eq!(refusal(text.clone()), "not a JWT", "{text:?}");
        }
        assert_eq!(refusal("e".repeat(1_000_000)), "not a JWT: 1000000 bytes are too many");
    }

    #[test]
    fn absent_empty_and_odd_claims_are_named() {
        for (claims, why) in [
            (json!({"sub": "u", "exp": 1}), "claim aud is missing"),
            (json!({"aud": "", "sub": "u", "exp": 1}), "claim aud is missing"),
            (json!({"aud": [], "sub": "u", "exp": 1}), "claim aud is missing"),
            (json!({"aud": [7], "sub": "u", "exp": 1}), "claim aud is not text"),
            (json!({"aud": {"a": 1}, "sub": "u", "exp": 1}), "claim aud is not text"),
            (json!({"aud": "a", "exp": 1}), "claim sub is missing"),
            (json!({"aud": "a", "sub": "", "exp": 1}), "claim sub is missing"),
            (json!({"aud": "a", "sub": null, "exp": 1}), "claim sub is missing"),
            (json!({"aud": "a", "sub": 5, "exp": 1}), "claim sub is not text"),
            (json!({"aud": "a", "sub": "u"}), "claim exp is missing"),
            (json!({"aud": "a", "sub": "u", "exp": 0}), "claim exp is missing"),
            (json!({"aud": "a", "sub": "u", "exp": "1718000120"}), "claim exp is not a number"),
            (json!({"aud": "a", "sub": "u", "exp": [1]}), "claim exp is not a number"),
        ] {
            assert_eq!(refusal(token(&claims)), why, "{claims}");
            assert_eq!(Claims::problems(claims.as_object().unwrap()), [why], "{claims}");
        }
        let all = ["claim aud is missing", "claim sub is missing", "claim exp is missing"];
        assert_eq!(Claims::problems(&Map::new()), all);
    }

    #[test]
    fn any_number_is_a_time() {
        for (exp, second) in
            [(json!(-5), 0), (json!(1.9), 1), (json!(1e300), 253_402_207_200), (json!(u64::MAX), 253_402_207_200)]
        {
            let token = AccessToken::decode(token(&json!({"aud": "a", "sub": "u", "exp": exp}))).unwrap();
            assert_eq!(token.claims().unwrap().expires_at.as_second(), second, "{exp}");
        }
    }

    #[test]
    fn expiry_has_a_leeway_and_says_when() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let end = at(1_718_000_000);
        assert!(check_end(end, at(1_718_000_010), DEFAULT_LEEWAY).is_ok());
        let error = check_end(end, at(1_718_000_075), DEFAULT_LEEWAY).unwrap_err();
        assert!(error.is_token_expired());
        assert_eq!(error.detail(), "Your Cortex Token expired at 2024-06-10T06:13:20Z, 1m 15s ago");
        assert!(check_end(end, at(1_718_000_001), Duration::ZERO).is_err());
        assert!(check_end(end, at(1_818_000_000), Duration::MAX).is_ok());
    }

    #[test]
    fn a_token_that_was_issued_ends_when_its_issuer_says() {
        let text = || token(&json!({"aud": "a", "sub": "u", "exp": 1}));
        let now = Instant::now();
        let living = AccessToken::issued_until(text(), now + Duration::from_mins(1));
        assert!(living.check_expiry(Duration::ZERO).is_ok() && living.claims().is_some());
        assert!(living.time_left().unwrap() > SignedDuration::from_secs(50));
        let dead = AccessToken::issued_until("opaque".into(), now.checked_sub(Duration::from_secs(5)).unwrap());
        assert!(dead.check_expiry(Duration::ZERO).unwrap_err().is_token_expired() && dead.claims().is_none());
        assert!(dead.check_expiry(DEFAULT_LEEWAY).is_ok());
        assert!(AccessToken::issued(text()).check_expiry(DEFAULT_LEEWAY).is_err());
        let unknown = AccessToken::issued("opaque".into());
        assert!(unknown.check_expiry(Duration::ZERO).is_ok() && unknown.time_left().is_none());
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let secret = token(&json!({"aud": "a", "sub": "u", "exp": 1}));
        let text = secret.expose_secret().to_owned();
        let shown = format!("{:?}", AccessToken::decode(secret).unwrap());
        assert!(shown.contains("subject") && !shown.contains(&text) && !shown.contains("eyJ"), "{shown}");
    }
}
