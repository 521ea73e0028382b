//! Tokens as whoever receives them sees them: was this one signed by somebody we trust, and is it meant for us?
//!
//! What RFC 8725, section 3, asks for:
//!
//! | | |
//! |---|---|
//! | 3.1, 3.2 algorithms | those of the key and of the allow list; neither `none` nor HMAC exists here |
//! | 3.3 all operations validated | one signature a token; a header with `crit` is refused (RFC 7515, section 4.1.11) |
//! | 3.4, 3.5 inputs and keys | points are checked to be on their curve, RSA keys have 2048 bits or more |
//! | 3.6, 3.7 form | nothing is decompressed; header and claims are UTF-8 |
//! | 3.8, 3.9 issuer, subject, audience | as configured; `sub` must be there |
//! | 3.10 received claims | a `kid` is compared and nothing else; `jku`, `x5u`, `x5c` and `jwk` are not looked at |
//! | 3.11, 3.12 kinds of tokens | a `typ` must be `JWT` or `at+jwt` |

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::key_set::Keys;
use crate::auth::token::{DEFAULT_LEEWAY, INVALID, LAST_SECOND, check_end, decode_object, present};
use crate::auth::{AccessToken, Algorithm, Claims, KeySet};
use crate::client::refusal::words;
use crate::error::{Code, Error};

/// Most tokens that are remembered, at about 500 bytes each.
const REMEMBERED: usize = 10_000;

/// Longest token whose claims are remembered too, in bytes.
const LONGEST_READ_ONCE: usize = 2 << 10;

/// Checks tokens: signature, times, and what else the operator wants. Tokens that were found good are remembered until they
/// end or the keys change.
///
/// ```
/// # fn verifier() -> Result<skill_sdk::auth::Verifier, skill_sdk::Error> {
/// use skill_sdk::auth::{Algorithm, KeySet, Verifier};
///
/// let keys = KeySet::from_file("/etc/keys/jwks.json")?;
/// Ok(Verifier::new(keys).issuer("cognitivescale.com").audience("cortex").algorithms([Algorithm::EdDsa]))
/// # }
/// ```
pub struct Verifier {
    keys: KeySet,
    algorithms: Vec<Algorithm>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    leeway: Duration,
    seen: Cache<Fingerprint, Seen>,
    counts: Counts,
}

/// How often a token had been seen before, and how often not.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The SHA-256 of a token, so that no token is kept.
type Fingerprint = [u8; 32];

/// What is remembered of a good token. Its end is told by whoever asks, in the token.
#[derive(Clone)]
struct Seen {
    /// The keys that it was checked with.
    generation: u64,
    not_before: Timestamp,
    /// `None` of a token that is long.
    claims: Option<Arc<Claims>>,
}

impl Verifier {
    /// Accepts tokens that one of the keys has signed, with any algorithm, from any issuer and for any audience, until more is
    /// said. A set of keys that signs tokens for more than one service needs an [`audience`](Self::audience).
    pub fn new(keys: KeySet) -> Self {
        Self {
            keys,
            algorithms: Algorithm::ALL.to_vec(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: DEFAULT_LEEWAY,
            seen: Cache::new(REMEMBERED),
            counts: Counts::default(),
        }
    }

    /// Asks for this `iss`, or one of several.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Asks for this `aud`, or one of several. A token for more than one audience needs one that fits.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts these algorithms alone; [`Algorithm::ALL`] unless said otherwise. Which of them a token may have depends on the
    /// key that it names.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How long after its `exp` and before its `nbf` a token is good; [`DEFAULT_LEEWAY`] unless said otherwise.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Checks a token.
    ///
    /// # Errors
    ///
    /// - [`Code::TokenInvalid`], which says why: it is not a JWT, its key is unknown, its signature is bad, or it is not what was
    ///   asked for.
    /// - [`Code::TokenExpired`] when its `exp` has passed, whatever else is known about its end.
    /// - [`Code::PlatformUnavailable`] when there are no keys and they cannot be read.
    pub async fn verify(&self, token: &AccessToken) -> Result<(), Error> {
        // What has no claims may be of any length and form.
        let claims = token.shared_claims().ok_or_else(|| invalid("not a JWT"))?;
        let text = token.secret().expose_secret();
        let keys = self.keys.current().await?;

        let fingerprint = fingerprint(text);
        if let Some(seen) = self.seen.get(&fingerprint).filter(|seen| seen.generation == keys.generation) {
            self.counts.hits.fetch_add(1, Ordering::Relaxed);
            let outcome = self.check_times(claims.expires_at, seen.not_before);
            if outcome.is_err() {
                self.seen.remove(&fingerprint);
            }
            return outcome;
        }
        self.counts.misses.fetch_add(1, Ordering::Relaxed);
        let parts = Parts::of(text).map_err(invalid)?;
        let generation = self.check_signature(&parts, keys).await?;
        let not_before = self.check_claims(claims).map_err(invalid)?;
        self.check_times(claims.expires_at, not_before)?;
        let claims = (text.len() <= LONGEST_READ_ONCE).then(|| Arc::clone(claims));
        self.seen.insert(fingerprint, Seen { generation, not_before, claims });
        Ok(())
    }

    /// A token that was found good before and still is, without reading its claims again: what [`AccessToken::decode`] and
    /// [`verify`](Self::verify) would give. `None` of any other, about which they say more.
    pub fn recognize(&self, text: &SecretString) -> Option<AccessToken> {
        let keys = self.keys.at_hand()?;
        let seen = self.seen.get(&fingerprint(text.expose_secret()))?;
        let claims = seen.claims.filter(|_| seen.generation == keys.generation)?;
        self.check_times(claims.expires_at, seen.not_before).ok()?;
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        Some(AccessToken::with_claims(text.clone(), claims))
    }

    /// How many of the tokens that were checked had been found good before and were remembered, and how many had not, for metrics.
    pub fn remembered(&self) -> (u64, u64) {
        (self.counts.hits.load(Ordering::Relaxed), self.counts.misses.load(Ordering::Relaxed))
    }

    /// Checks the signature with these keys or, where that may help, with later ones, and gives the generation of the keys that
    /// it was good with.
    async fn check_signature(&self, parts: &Parts<'_>, keys: Arc<Keys>) -> Result<u64, Error> {
        let name = &parts.header.alg;
        let algorithm = name.parse().ok().filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or_else(|| invalid(Fault::AlgorithmNotAllowed.text(&parts.header)))?;
        let fault = match parts.check_with(&keys, algorithm) {
            Ok(()) => return Ok(keys.generation),
            Err(fault) => fault,
        };
        // Without a name, a key that was replaced looks like a bad signature.
        let fault = if fault == Fault::UnknownKey || parts.header.kid.is_none() {
            match self.keys.later_than(keys.generation).await {
                Some(keys) => match parts.check_with(&keys, algorithm) {
                    Ok(()) => return Ok(keys.generation),
                    Err(fault) => fault,
                },
                None => fault,
            }
        } else {
            fault
        };
        Err(invalid(fault.text(&parts.header)))
    }

    /// Checks the claims of a token whose signature is good, apart from its end, and gives its beginning.
    fn check_claims(&self, claims: &Claims) -> Result<Timestamp, String> {
        if !self.issuers.is_empty() {
            match &claims.issuer {
                Some(Value::String(issuer)) if self.issuers.contains(issuer) => {}
                Some(Value::String(issuer)) => {
                    return Err(format!("the issuer {} is not trusted", words(issuer.as_bytes(), &[])));
                }
                None | Some(Value::Null) => return Err("claim iss is missing".to_owned()),
                Some(_) => return Err("claim iss is not text".to_owned()),
            }
        }
        if !self.audiences.is_empty() && !claims.audience.iter().any(|one| self.audiences.contains(one)) {
            return Err(format!("it is for the audience {}", words(claims.audience.join(", ").as_bytes(), &[])));
        }
        match &claims.not_before {
            None => Ok(Timestamp::MIN),
            Some(nbf) => not_before(nbf).ok_or_else(|| "claim nbf is not a number".to_owned()),
        }
    }

    fn check_times(&self, expires_at: Timestamp, not_before: Timestamp) -> Result<(), Error> {
        let now = Timestamp::now();
        check_end(expires_at, now, self.leeway)?;
        let ahead = not_before.duration_since(now);
        if ahead > SignedDuration::try_from(self.leeway).unwrap_or(SignedDuration::MAX) {
            return Err(invalid(format!("it is not valid before {not_before}")));
        }
        Ok(())
    }
}

fn fingerprint(token: &str) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    fingerprint
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys)
            .field("algorithms", &self.algorithms)
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .field("leeway", &self.leeway)
            .finish_non_exhaustive()
    }
}

/// A token in its parts (RFC 7515, section 7.1).
struct Parts<'a> {
    /// What was signed: the first two parts as they are.
    signed: &'a str,
    header: Header,
    signature: Vec<u8>,
}

/// The members of a header (RFC 7515, section 4.1) that count. One that is there twice is refused, as among the claims.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, &'static str> {
        const NOT_A_JWT: &str = "not a JWT";
        let (signed, signature) = token.rsplit_once('.').ok_or(NOT_A_JWT)?;
        let (header, _) = signed.split_once('.').ok_or(NOT_A_JWT)?;
        let header: Header = decode_object(header).ok_or("its header is malformed")?;
        if header.crit.is_some() {
            return Err("its header asks for an extension");
        }
        if header.typ.as_deref().is_some_and(|kind| !is_token(kind)) {
            return Err("its header says that it is for something else");
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NOT_A_JWT)?;
        Ok(Self { signed, header, signature })
    }

    /// Checks the signature with the key that the header names; without a name, with the only one of the algorithm.
    fn check_with(&self, keys: &Keys, algorithm: Algorithm) -> Result<(), Fault> {
        let check = |key: &ParsedPublicKey| {
            key.verify_sig(self.signed.as_bytes(), &self.signature).map_err(|_| Fault::BadSignature)
        };
        let Some(id) = &self.header.kid else {
            let mut fitting = keys.iter().filter_map(|key| key.for_algorithm(algorithm));
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) => check(key),
                (None, _) => Err(Fault::UnknownKey),
                (Some(_), Some(_)) => Err(Fault::NoKeyNamed),
            };
        };
        let mut fault = Fault::UnknownKey;
        for key in keys.iter().filter(|key| key.is_named(id)) {
            match key.for_algorithm(algorithm).map(check) {
                Some(Ok(())) => return Ok(()),
                Some(Err(bad)) => fault = bad,
                None if fault == Fault::UnknownKey => fault = Fault::OtherAlgorithm,
                None => {}
            }
        }
        Err(fault)
    }
}

/// Whether a `typ` means a token for us (RFC 7519, section 5.1; RFC 9068, section 2.1).
fn is_token(kind: &str) -> bool {
    const PREFIX: &str = "application/";
    let kind = match kind.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => kind,
    };
    kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt")
}

/// Why a signature does not count.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    AlgorithmNotAllowed,
    OtherAlgorithm,
    UnknownKey,
    NoKeyNamed,
    BadSignature,
}

impl Fault {
    fn text(self, header: &Header) -> String {
        let algorithm = words(header.alg.as_bytes(), &[]);
        match self {
            Self::AlgorithmNotAllowed => format!("the algorithm {algorithm} is not allowed"),
            Self::OtherAlgorithm => format!("its key is not one for the algorithm {algorithm}"),
            Self::UnknownKey => match &header.kid {
                Some(id) => format!("the key {} is unknown", words(id.as_bytes(), &[])),
                None => format!("no key for the algorithm {algorithm} is known"),
            },
            Self::NoKeyNamed => format!("it does not say which of the keys for {algorithm} is its own"),
            Self::BadSignature => "the signature is bad".to_owned(),
        }
    }
}

/// Reads a `NumericDate`, rounded up to the second.
fn not_before(claim: &Value) -> Option<Timestamp> {
    let Value::Number(number) = claim else { return None };
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a range that fits")]
    let whole = number.as_f64()?.ceil().clamp(0.0, LAST_SECOND) as i64;
    Timestamp::from_second(whole).ok()
}

fn invalid(why: impl fmt::Display) -> Error {
    Error::new(Code::TokenInvalid, format!("{INVALID}{why}"))
}

#[cfg(test)]
impl Verifier {
    pub(super) fn keys(&self) -> &KeySet {
        &self.keys
    }
}

#[cfg(test)]
mod tests;
