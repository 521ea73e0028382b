//! The personal access config, `pat.json`: the platform's key and principal (fabric-auth section 3).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, OctetKeyPairParameters, OctetKeyPairType, ThumbprintHash,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::StartError;
use crate::folder;

/// The project of the config; others can be used with the same token.
pub(crate) const PROJECT: &str = "local";
/// `iss` of our tokens, which also tells our `pat.json` from another platform's.
pub(crate) const ISSUER: &str = "local-platform";
/// `aud` of our tokens.
pub(crate) const AUDIENCE: &str = "cortex";

/// The platform's key pair and principal. Holds a private key, so it has no `Debug`.
pub(crate) struct Access {
    pub(crate) username: String,
    /// `jwk.kid`, when the config has one.
    pub(crate) kid: Option<String>,
    /// RFC 7638, SHA-256, base64url.
    pub(crate) thumbprint: String,
    /// base64url, as in the config.
    pub(crate) public: String,
    pub(crate) pair: Ed25519KeyPair,
}

impl Access {
    /// Reads `pat.json` and, to `announce` it, updates its `url`; or creates it. Blocking.
    ///
    /// A config that cannot be ours is an error and stays untouched: it may be somebody's only copy of a key.
    pub(crate) fn open(path: &Path, url: &str, announce: bool) -> Result<Self, StartError> {
        let (mut config, written) = match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => (read(path)?, announce),
            Ok(_) => return Err(not_ours(path)("it is not a regular file".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (generate().ok_or_else(|| StartError::Key { path: path.to_owned() })?, true)
            }
            Err(source) => return Err(StartError::data(path, source)),
        };
        let access = Self::from_config(&config).map_err(not_ours(path))?;
        if written {
            config.insert("url".to_owned(), url.into());
            let text = format!("{:#}\n", Value::Object(config));
            folder::replace(path, text.as_bytes()).map_err(|source| StartError::data(path, source))?;
        }
        Ok(access)
    }

    fn from_config(config: &Map<String, Value>) -> Result<Self, String> {
        let text = |map: &Map<String, Value>, name: &str, path: &str| match map.get(name).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("field {path} is missing or not text")),
        };
        let fixed = |map: &Map<String, Value>, name: &str, path: &str, wanted: &str| match text(map, name, path)? {
            found if found == wanted => Ok(()),
            _ => Err(format!("field {path} is not {wanted}")),
        };
        let key_part = |map: &Map<String, Value>, name: &str, path: &str| {
            key_bytes(&text(map, name, path)?).ok_or_else(|| format!("field {path} is not 32 bytes in base64url"))
        };

        fixed(config, "issuer", "issuer", ISSUER)?;
        fixed(config, "audience", "audience", AUDIENCE)?;
        let username = text(config, "username", "username")?;
        let jwk = config.get("jwk").and_then(Value::as_object).ok_or("field jwk is missing or not an object")?;
        fixed(jwk, "kty", "jwk.kty", "OKP")?;
        fixed(jwk, "crv", "jwk.crv", "Ed25519")?;
        let kid = match jwk.get("kid") {
            None | Some(Value::Null) => None,
            Some(_) => Some(text(jwk, "kid", "jwk.kid")?),
        };
        let (public, private) = (key_part(jwk, "x", "jwk.x")?, key_part(jwk, "d", "jwk.d")?);
        let pair = Ed25519KeyPair::from_seed_and_public_key(&private, &public)
            .map_err(|_| "fields jwk.x and jwk.d do not belong together")?;
        let public = URL_SAFE_NO_PAD.encode(public);
        let thumbprint = thumbprint(&public).ok_or("jwk has no thumbprint")?;
        Ok(Self { username, kid, thumbprint, public, pair })
    }
}

/// Writes a URL into the personal access config of a principal, if it is still that. Blocking.
pub(crate) fn set_url(path: &Path, username: &str, public: &str, url: &str) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err("it is not a regular file".to_owned()),
        // Whoever moved it sees to it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    }
    let mut config = read(path).map_err(|error| error.to_string())?;
    let is_of = |config: &Map<String, Value>| {
        config.get("username").and_then(Value::as_str) == Some(username)
            && config.get("jwk").and_then(|jwk| jwk.get("x")?.as_str()) == Some(public)
    };
    if !is_of(&config) {
        return Err("it is of another principal or key".to_owned());
    }
    if config.get("url").and_then(Value::as_str) != Some(url) {
        config.insert("url".to_owned(), url.into());
        let text = format!("{:#}\n", Value::Object(config));
        folder::replace(path, text.as_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn not_ours(path: &Path) -> impl Fn(String) -> StartError {
    let path = PathBuf::from(path);
    move |reason| StartError::Access { path: path.clone(), reason }
}

fn read(path: &Path) -> Result<Map<String, Value>, StartError> {
    let text = fs::read(path).map_err(|source| StartError::data(path, source))?;
    match serde_json::from_slice(&text) {
        Ok(Value::Object(config)) => Ok(config),
        Ok(_) => Err(not_ours(path)("it is not a JSON object".to_owned())),
        // The parser's own text is left out: it could quote what it read.
        Err(error) => {
            let reason = format!("it is not JSON (line {}, column {})", error.line(), error.column());
            Err(not_ours(path)(reason))
        }
    }
}

fn generate() -> Option<Map<String, Value>> {
    let pair = Ed25519KeyPair::generate().ok()?;
    let seed: Curve25519SeedBin<'_> = pair.seed().ok()?.as_be_bytes().ok()?;
    let public = URL_SAFE_NO_PAD.encode(pair.public_key());
    let config = json!({
        "jwk": {
            "crv": "Ed25519",
            "kty": "OKP",
            "x": public,
            "d": URL_SAFE_NO_PAD.encode(seed.as_ref()),
            "kid": thumbprint(&public)?,
        },
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "username": Uuid::new_v4().to_string(),
        "project": PROJECT,
        "name": "Local platform",
    });
    match config {
        Value::Object(config) => Some(config),
        _ => None,
    }
}

/// The 32 bytes of a key in base64url.
pub(crate) fn key_bytes(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// RFC 7638, SHA-256, base64url.
pub(crate) fn thumbprint(public: &str) -> Option<String> {
    let key = Jwk {
        common: CommonParameters::default(),
        algorithm: AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: public.to_owned(),
        }),
    };
    key.thumbprint(ThumbprintHash::SHA256).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_that_of_the_contract() {
        let found = thumbprint("sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ");
        assert_eq!(found.as_deref(), Some("Yqj-lS_CbsuHy3kQvLroHU1bBze4gPG9sHqn_OzNwRo"));
    }

    #[test]
    fn a_config_that_is_not_ours_is_named_without_its_values() {
        let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQ";
        let change = |change: fn(&mut Value, &str)| {
            let mut config = Value::Object(generate().unwrap());
            change(&mut config, secret);
            let Err(reason) = Access::from_config(config.as_object().unwrap()) else { panic!("accepted") };
            assert!(!reason.contains(secret), "{reason}");
            reason
        };
        assert!(change(|config, _| config["issuer"] = "cognitivescale.com".into()).contains("issuer"));
        assert!(change(|config, _| config["audience"] = Value::Null).contains("audience"));
        assert!(change(|config, secret| config["jwk"]["d"] = secret.into()).contains("jwk.d"));
        assert!(change(|config, _| config["jwk"]["x"] = "A".repeat(43).into()).contains("jwk.x and jwk.d"));
        assert!(change(|config, _| config["jwk"]["crv"] = "X25519".into()).contains("jwk.crv"));
        assert!(change(|config, secret| config["jwk"] = secret.into()).contains("jwk"));
    }

    #[test]
    fn unknown_fields_and_the_key_survive_a_new_url() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pat.json");
        Access::open(&path, "http://127.0.0.1:1", true).unwrap();
        let mut first: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        first["note"] = "mine".into();
        fs::write(&path, first.to_string()).unwrap();
        Access::open(&path, "http://127.0.0.1:2", true).unwrap();
        let second: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        first["url"] = "http://127.0.0.1:2".into();
        assert_eq!(first, second);
    }
}
