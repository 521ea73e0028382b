//! Tokens: minting them and checking them (fabric-auth sections 5 to 7).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation, dangerous};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::{AUDIENCE, Access, ISSUER};
use crate::error::TokenError;
use crate::principals::{Principal, Principals};

/// Makes tokens with the administrator's key, and checks those of all principals. Holds a private key, which its `Debug`
/// leaves out.
pub(crate) struct Tokens {
    signing: EncodingKey,
    principals: Principals,
    administrator: Arc<Principal>,
    validation: Validation,
    /// Sent in the header of minted tokens: `jwk.kid`, else the thumbprint (design section 10).
    kid: String,
    /// The longest that a token is accepted after it was issued, in whole seconds.
    ttl: Option<Duration>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("administrator", &self.administrator.name).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
}

/// `jsonwebtoken` accepts an array of issuers; only one of them signs our tokens, so the type is looked at here.
#[derive(Deserialize)]
struct Checked {
    #[serde(default)]
    iss: Value,
    #[serde(default)]
    iat: Value,
}

/// Whom a token that nobody has checked yet claims to speak for.
#[derive(Deserialize)]
struct Claimed {
    #[serde(default)]
    sub: Value,
}

impl Tokens {
    pub(crate) fn new(access: &Access, principals: Principals, ttl: Option<Duration>) -> Result<Self, TokenError> {
        let pkcs8 = access.pair.to_pkcs8v1().map_err(|_| TokenError(ErrorKind::InvalidEddsaKey.into()))?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        // The library lets a token live through the second `exp` names; RFC 7519 section 4.1.4 ends it there.
        validation.reject_tokens_expiring_in_less_than = 1;
        let administrator = principals.get(&access.username);
        let administrator = administrator.ok_or_else(|| TokenError(ErrorKind::InvalidSubject.into()))?;
        Ok(Self {
            signing: EncodingKey::from_ed_der(pkcs8.as_ref()),
            principals,
            administrator,
            validation,
            kid: access.kid.clone().unwrap_or_else(|| access.thumbprint.clone()),
            ttl,
        })
    }

    /// A token of the administrator that is valid from now on for `ttl`, in whole seconds.
    pub(crate) fn mint(&self, ttl: Duration) -> Result<SecretString, TokenError> {
        self.mint_for(&self.administrator, ttl)
    }

    /// A token with which the platform lets somebody act in the name of a principal.
    pub(crate) fn mint_for(&self, principal: &Principal, ttl: Duration) -> Result<SecretString, TokenError> {
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| TokenError(ErrorKind::Signing("no random bytes".to_owned()).into()))?;
        let now = now().as_secs();
        let ttl = self.ttl.map_or(ttl, |longest| longest.min(ttl));
        let claims = Claims {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: &principal.name,
            iat: now,
            nbf: now,
            exp: now.saturating_add(ttl.as_secs()),
            jti: URL_SAFE_NO_PAD.encode(id),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.signing).map_err(TokenError)?;
        Ok(token.into())
    }

    /// Whom the value of an `Authorization` header speaks for; the error is the reason for `X-Auth-Error`.
    pub(crate) fn check(&self, authorization: Option<&[u8]>) -> Result<Arc<Principal>, &'static str> {
        let authorization = authorization.ok_or("missing token")?;
        let (scheme, token) = authorization.split_at_checked(6).ok_or("malformed token")?;
        // The scheme is case-insensitive (RFC 9110 section 11.1).
        if !scheme.eq_ignore_ascii_case(b"Bearer") {
            return Err("malformed token");
        }
        let token = match token {
            // HTTP drops white space at the end of a header.
            [] => return Err("missing token"),
            [b' ', token @ ..] => token.trim_ascii(),
            _ => return Err("malformed token"),
        };
        let header = jsonwebtoken::decode_header(token).map_err(|_| "malformed token")?;
        if header.alg != Algorithm::EdDSA {
            return Err("algorithm not allowed");
        }
        // RFC 7515 section 4.1.11: what is critical and not understood invalidates the token.
        if header.crit.is_some() {
            return Err("malformed token");
        }
        let claimed: Claimed = dangerous::insecure_decode_claims(token).map_err(|_| "malformed token")?;
        // A token that speaks for nobody is looked at all the same: there may be more wrong with it.
        let principal = claimed.sub.as_str().and_then(|name| self.principals.get(name));
        let speaker = principal.as_ref().unwrap_or(&self.administrator);
        let is_of = |owner: &Principal| header.kid.as_ref().is_some_and(|kid| owner.key_ids.contains(kid));
        let signer = match &header.kid {
            None => speaker,
            Some(_) if is_of(speaker) => speaker,
            // The platform's own key speaks for all.
            Some(_) if is_of(&self.administrator) => &self.administrator,
            Some(_) => return Err("unknown key"),
        };
        match jsonwebtoken::decode::<Checked>(token, &signer.key, &self.validation) {
            Ok(token) if token.claims.iss == *ISSUER => self.check_age(&token.claims.iat)?,
            Ok(_) => return Err("wrong issuer"),
            Err(error) => return Err(reason(error.kind())),
        }
        principal.ok_or("wrong subject")
    }

    /// Where tokens may only be so old, whatever their `exp` says.
    fn check_age(&self, iat: &Value) -> Result<(), &'static str> {
        let Some(ttl) = self.ttl else {
            return Ok(());
        };
        let issued = iat.as_f64().ok_or("claim iat is missing")?;
        if now().as_secs_f64() < issued + ttl.as_secs_f64() { Ok(()) } else { Err("token expired") }
    }
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "invalid signature",
        ErrorKind::ExpiredSignature => "token expired",
        ErrorKind::ImmatureSignature => "token not valid yet",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidSubject => "wrong subject",
        ErrorKind::InvalidAlgorithm => "algorithm not allowed",
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => "claim exp is missing",
            "aud" => "claim aud is missing",
            "iss" => "claim iss is missing",
            _ => "claim sub is missing",
        },
        _ => "malformed token",
    }
}

/// The platform's clock: time since 1970 in UTC.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
