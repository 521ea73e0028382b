//! Public keys as JSON (RFC 7517), and the algorithms with which each of them checks a signature.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use thiserror::Error;

/// An algorithm of a token's signature (RFC 7518, section 3.1; RFC 8037). There is none here that whoever can check a token
/// could also sign one with, and no `none`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519. Its newer name `Ed25519` (RFC 9864) is read too.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA-PSS with SHA-384.
    Ps384,
    /// RSA-PSS with SHA-512.
    Ps512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    /// The name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }
}

/// The algorithms of RSA keys.
const RSA: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
    (Algorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
    (Algorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
];

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of an [`Algorithm`].
#[derive(Debug, Error)]
#[error("`{0}` is not one of {names}", names = Algorithm::ALL.map(Algorithm::as_str).join(", "))]
pub struct UnknownAlgorithm(String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a name as it stands in a header; small and capital letters count.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        if name == "Ed25519" {
            return Ok(Self::EdDsa);
        }
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or_else(|| UnknownAlgorithm(name.to_owned()))
    }
}

/// A public key.
pub(super) struct Key {
    id: Option<String>,
    thumbprint: String,
    /// One form of the key for each algorithm that it may be used with.
    checks: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The members that are looked at. Those of a private key are not among them.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Key {
    /// Reads a key, or says why it cannot check a signature. What it says quotes nothing.
    pub(super) fn from_json(text: &str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "it is not a JSON object of the form of a key";
        // serde would also read a struct from a list.
        if !text.starts_with('{') {
            return Err(MALFORMED);
        }
        let jwk: Jwk = serde_json::from_str(text).map_err(|_| MALFORMED)?;
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err("its use is not sig");
        }
        if jwk.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|one| one == "verify")) {
            return Err("verify is not among its key_ops");
        }
        let (canonical, mut checks) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => ed25519(&jwk)?,
            ("EC", Some("P-256")) => ec(&jwk, 32, Algorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED)?,
            ("EC", Some("P-384")) => ec(&jwk, 48, Algorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED)?,
            ("RSA", _) => rsa(&jwk)?,
            _ => return Err("keys of its kind are not used here"),
        };
        if let Some(only) = jwk.alg {
            let only = only.parse::<Algorithm>().map_err(|_| "its alg is not used here")?;
            checks.retain(|(algorithm, _)| *algorithm == only);
        }
        if checks.is_empty() {
            return Err("its alg is not one of its kind");
        }
        Ok(Self { id: jwk.kid, thumbprint: thumbprint(&canonical), checks })
    }

    /// Whether a `kid` means this key: its own, or its thumbprint (contract "fabric-auth", section 5).
    pub(super) fn is_named(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id) || self.thumbprint == id
    }

    /// The key as one of an algorithm, if it may be used with that.
    pub(super) fn for_algorithm(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        self.checks.iter().find(|(of, _)| *of == algorithm).map(|(_, key)| key)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let algorithms = |key: &Self| key.checks.iter().map(|(algorithm, _)| *algorithm).collect::<Vec<_>>();
        self.id == other.id && self.thumbprint == other.thumbprint && algorithms(self) == algorithms(other)
    }
}

/// What a thumbprint is made from (RFC 7638, section 3.2), and the key in each of its uses.
type Parts = (String, Vec<(Algorithm, ParsedPublicKey)>);

fn ed25519(jwk: &Jwk) -> Result<Parts, &'static str> {
    const UNUSABLE: &str = "its x is not that of a key";
    let x = jwk.x.as_deref().ok_or(UNUSABLE)?;
    let bytes = URL_SAFE_NO_PAD.decode(x).map_err(|_| UNUSABLE)?;
    // A longer text would be read as another form of the key.
    if bytes.len() != 32 {
        return Err(UNUSABLE);
    }
    let key = ParsedPublicKey::new(&signature::ED25519, bytes).map_err(|_| UNUSABLE)?;
    Ok((canonical_ed25519(x), vec![(Algorithm::EdDsa, key)]))
}

/// The name of an Ed25519 key that has no other: its thumbprint. `x` is the public key in base64url.
pub(super) fn ed25519_thumbprint(x: &str) -> String {
    thumbprint(&canonical_ed25519(x))
}

fn canonical_ed25519(x: &str) -> String {
    format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
}

fn thumbprint(canonical: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

fn ec(
    jwk: &Jwk,
    length: usize,
    algorithm: Algorithm,
    check: &'static dyn VerificationAlgorithm,
) -> Result<Parts, &'static str> {
    const UNUSABLE: &str = "its x and y are not those of a key";
    let (Some(curve), Some(x), Some(y)) = (&jwk.crv, &jwk.x, &jwk.y) else { return Err(UNUSABLE) };
    // An uncompressed point (SEC 1, section 2.3.3).
    let mut point = vec![4];
    for part in [x, y] {
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| UNUSABLE)?;
        if bytes.len() != length {
            return Err(UNUSABLE);
        }
        point.extend(bytes);
    }
    let key = ParsedPublicKey::new(check, point).map_err(|_| UNUSABLE)?;
    Ok((format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#), vec![(algorithm, key)]))
}

fn rsa(jwk: &Jwk) -> Result<Parts, &'static str> {
    const UNUSABLE: &str = "its n and e are not those of a key";
    let (Some(n), Some(e)) = (&jwk.n, &jwk.e) else { return Err(UNUSABLE) };
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| UNUSABLE);
    let components = PublicKeyComponents { n: bytes(n)?, e: bytes(e)? };
    let bits = components.n.len() * 8 - components.n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("it has not 2048 to 8192 bits");
    }
    let checks = RSA.into_iter().map(|(algorithm, parameters)| {
        components.to_parsed_public_key(parameters).map(|key| (algorithm, key)).map_err(|_| UNUSABLE)
    });
    Ok((format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#), checks.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::signers::Signer;

    fn read(jwk: &Value) -> Result<Vec<Algorithm>, &'static str> {
        let key = Key::from_json(&jwk.to_string())?;
        Ok(Algorithm::ALL.into_iter().filter(|algorithm| key.for_algorithm(*algorithm).is_some()).collect())
    }

    #[test]
    fn names_are_read_and_written() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
        }
        assert_eq!("Ed25519".parse::<Algorithm>().unwrap(), Algorithm::EdDsa);
        for name in ["", "none", "HS256", "HS384", "HS512", "eddsa", "ES256K", "RS1", "EdDSA "] {
            let error = name.parse::<Algorithm>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{name}` is not one of EdDSA, ES256")), "{error}");
        }
    }

    #[test]
    fn a_key_has_the_algorithms_of_its_kind() {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

        for (signer, algorithms) in [
            ("EdDSA", &[EdDsa][..]),
            ("ES256", &[Es256]),
            ("ES384", &[Es384]),
            ("RS256", &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]),
        ] {
            let jwk = Signer::new(signer, "one").jwk();
            assert_eq!(read(&jwk).unwrap(), algorithms);
            for algorithm in Algorithm::ALL {
                let mut jwk = jwk.clone();
                jwk["alg"] = algorithm.as_str().into();
                let expected = if algorithms.contains(&algorithm) {
                    Ok(vec![algorithm])
                } else {
                    Err("its alg is not one of its kind")
                };
                assert_eq!(read(&jwk), expected);
            }
        }
    }

    #[test]
    fn thumbprints_are_those_of_others() {
        let key = Key::from_json(
            r#"{"crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ", "kid": "example-key-1"}"#,
        )
        .unwrap();
        // Of the contract "fabric-auth", section 5.
        assert!(key.is_named("Yqj-lS_CbsuHy3kQvLroHU1bBze4gPG9sHqn_OzNwRo") && key.is_named("example-key-1"));
        assert!(!key.is_named("") && !key.is_named("example-key"));
    }

    #[test]
    fn what_cannot_check_a_signature_is_passed_over() {
        let ed = Signer::new("EdDSA", "one").jwk();
        let ec = Signer::new("ES256", "one").jwk();
        let rsa = Signer::new("RS256", "one").jwk();
        let with = |jwk: &Value, member: &str, value: Value| {
            let mut jwk = jwk.clone();
            jwk[member] = value;
            jwk
        };
        for good in [
            with(&ed, "use", json!("sig")),
            with(&ed, "key_ops", json!(["verify"])),
            with(&ed, "d", json!("private")),
            with(&ed, "other", json!({"a": [1]})),
            with(&ed, "kid", Value::Null),
        ] {
            assert_eq!(read(&good).unwrap(), [Algorithm::EdDsa], "{good}");
        }
        let bytes = |length| URL_SAFE_NO_PAD.encode(vec![0x95; length]);
        for (jwk, why) in [
            (json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}), "keys of its kind are not used here"),
            (with(&ed, "crv", json!("X25519")), "keys of its kind are not used here"),
            (with(&ec, "crv", json!("secp256k1")), "keys of its kind are not used here"),
            (with(&ed, "kty", json!("AKP")), "keys of its kind are not used here"),
            (with(&ed, "use", json!("enc")), "its use is not sig"),
            (with(&ed, "key_ops", json!(["sign", "encrypt"])), "verify is not among its key_ops"),
            (with(&ed, "alg", json!("none")), "its alg is not used here"),
            (with(&ed, "alg", json!("HS256")), "its alg is not used here"),
            (with(&ed, "x", bytes(31).into()), "its x is not that of a key"),
            (with(&ed, "x", json!("*")), "its x is not that of a key"),
            (with(&ed, "x", Value::Null), "its x is not that of a key"),
            (with(&ec, "y", bytes(32).into()), "its x and y are not those of a key"),
            (with(&ec, "x", bytes(31).into()), "its x and y are not those of a key"),
            (with(&ec, "crv", json!("P-384")), "its x and y are not those of a key"),
            (with(&rsa, "n", bytes(128).into()), "it has not 2048 to 8192 bits"),
            (with(&rsa, "n", bytes(255).into()), "it has not 2048 to 8192 bits"),
            (with(&rsa, "n", bytes(2048).into()), "it has not 2048 to 8192 bits"),
            (with(&rsa, "n", json!("")), "it has not 2048 to 8192 bits"),
            (with(&rsa, "e", json!("")), "its n and e are not those of a key"),
            (with(&rsa, "n", Value::Null), "its n and e are not those of a key"),
            (with(&rsa, "kty", json!(1)), "it is not a JSON object of the form of a key"),
            (json!(["OKP"]), "it is not a JSON object of the form of a key"),
        ] {
            assert_eq!(read(&jwk).unwrap_err(), why, "{jwk}");
        }
        assert!(Key::from_json(r#"{"kty":"OKP","kty":"OKP","crv":"Ed25519"}"#).is_err());
    }
}
