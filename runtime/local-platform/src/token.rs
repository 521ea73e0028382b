//! Tokens of the platform's own principal: minting them and checking them (fabric-auth sections 5 to 7).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::{AUDIENCE, Access, ISSUER};
use crate::error::TokenError;

/// Makes and checks the platform's tokens. Holds a private key, which its `Debug` leaves out.
pub(crate) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    username: String,
    /// Sent in the header of minted tokens: `jwk.kid`, else the thumbprint (design section 10).
    kid: String,
    thumbprint: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("username", &self.username).finish_non_exhaustive()
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
struct Issuer {
    #[serde(default)]
    iss: Value,
}

impl Tokens {
    pub(crate) fn new(access: &Access) -> Result<Self, TokenError> {
        let pkcs8 = access.pair.to_pkcs8v1().map_err(|_| TokenError(ErrorKind::InvalidEddsaKey.into()))?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.sub = Some(access.username.clone());
        validation.validate_nbf = true;
        validation.leeway = 0;
        // The library lets a token live through the second `exp` names; RFC 7519 section 4.1.4 ends it there.
        validation.reject_tokens_expiring_in_less_than = 1;
        Ok(Self {
            signing: EncodingKey::from_ed_der(pkcs8.as_ref()),
            verifying: DecodingKey::from_ed_components(&access.public).map_err(TokenError)?,
            validation,
            username: access.username.clone(),
            kid: access.kid.clone().unwrap_or_else(|| access.thumbprint.clone()),
            thumbprint: access.thumbprint.clone(),
        })
    }

    /// A token that is valid from now on for `ttl`, in whole seconds.
    pub(crate) fn mint(&self, ttl: Duration) -> Result<SecretString, TokenError> {
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| TokenError(ErrorKind::Signing("no random bytes".to_owned()).into()))?;
        let now = now().as_secs();
        let claims = Claims {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: &self.username,
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

    /// Whom every token that is accepted speaks for: its `sub`.
    pub(crate) fn subject(&self) -> &str {
        &self.username
    }

    /// Checks the value of an `Authorization` header; the error is the reason for `X-Auth-Error`.
    pub(crate) fn check(&self, authorization: Option<&[u8]>) -> Result<(), &'static str> {
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
        if header.kid.is_some_and(|kid| kid != self.kid && kid != self.thumbprint) {
            return Err("unknown key");
        }
        match jsonwebtoken::decode::<Issuer>(token, &self.verifying, &self.validation) {
            Ok(token) if token.claims.iss == *ISSUER => Ok(()),
            Ok(_) => Err("wrong issuer"),
            Err(error) => Err(reason(error.kind())),
        }
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
