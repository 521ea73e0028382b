//! Personal access configs: a private key, and the tokens made with it (contract "fabric-auth", sections 3 and 5).

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::credentials;
use crate::auth::environment::CORTEX_PERSONAL_ACCESS_CONFIG;
use crate::auth::file::read_text;
use crate::auth::jwk::ed25519_thumbprint;
use crate::auth::{AccessToken, Environment, PersonalAccessTokens};
use crate::client::VerifySslCert;
use crate::client::address::{base_url, shown_url};
use crate::client::info::fetch_server_time;
use crate::client::request::Terms;
use crate::error::{Code, Error};

/// How long a token lives unless said otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_mins(2);

/// What every failure to make a token begins with (contract "fabric-auth", section 5).
const UNABLE: &str = "Unable to generate a JWT token, check PAT config or cortex profile: ";

/// A personal access config: who somebody is on a platform, and the Ed25519 key that proves it.
///
/// Its JSON has `jwk` (RFC 8037: `kty` OKP, `crv` Ed25519, `x` and `d`; `kid` optional), `issuer`, `audience`,
/// `username` and `url`; `project` is optional and other fields are ignored.
pub struct PersonalAccessConfig {
    /// Where the platform is.
    pub url: String,
    /// The project to work in unless another is named.
    pub project: Option<String>,
    issuer: String,
    audience: String,
    username: String,
    key_id: String,
    key: Ed25519KeyPair,
}

#[derive(Deserialize)]
struct File {
    jwk: Option<Key>,
    issuer: Option<String>,
    audience: Option<String>,
    username: Option<String>,
    url: Option<String>,
    project: Option<String>,
}

#[derive(Deserialize)]
struct Key {
    kty: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    d: Option<SecretText>,
    kid: Option<String>,
}

/// Text that is overwritten when it is dropped.
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl PersonalAccessConfig {
    /// Reads a config.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`], which names the absent field or the part of the key that cannot be used. No value of the
    /// config is part of the error.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Self::parse(text).map_err(|fault| unable(format!("the config {fault}")))
    }

    /// Reads a config from a file. This blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] for a file that cannot be read, otherwise as for [`from_json`](Self::from_json). The path is
    /// named.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        Self::from_file_of(path, "the config")
    }

    /// Finds the config of the profile that is named, else of `CORTEX_PERSONAL_ACCESS_CONFIG`, else of the current profile.
    /// This may block on the disk.
    ///
    /// # Errors
    ///
    /// [`Code::TokenMissing`] when there is none, otherwise as for [`from_file`](Self::from_file).
    pub fn find(environment: &dyn Environment, profile: Option<&str>) -> Result<Arc<Self>, Error> {
        credentials::personal_access_config(environment, profile.map(str::to_owned))
    }

    /// Reads a config as a variable has it: JSON, when it begins with `{`, else the path of a file (contract "fabric-auth",
    /// section 2). This may block on the disk.
    ///
    /// # Errors
    ///
    /// As for [`from_file`](Self::from_file). The variable is named.
    pub(crate) fn from_variable(value: &str, environment: &dyn Environment) -> Result<Self, Error> {
        const NAME: &str = CORTEX_PERSONAL_ACCESS_CONFIG;
        let value = value.trim();
        if value.starts_with('{') {
            return Self::parse(value).map_err(|fault| unable(format!("{NAME} {fault}")));
        }
        let path = expand_home(value, environment);
        if !may_be_shown(value) && !path.exists() {
            return Err(unable(format!("{NAME} is neither JSON nor the path of a file")));
        }
        Self::from_file_of(&path, &format!("{NAME} names a file that"))
    }

    /// Reads the config that a profile is.
    pub(crate) fn of_profile(json: &str, file: &Path, name: &str) -> Result<Self, Error> {
        Self::parse(json).map_err(|fault| unable(format!("{}: profile \"{name}\" {}", file.display(), fault.why)))
    }

    fn from_file_of(path: &Path, what: &str) -> Result<Self, Error> {
        // A key must not be shown as the name of a file that is not there.
        if path.as_os_str().as_encoded_bytes().trim_ascii_start().starts_with(b"{") {
            return Err(unable(format!("{what} must be a file, and is JSON")));
        }
        let text = read_text(path)
            .map_err(|error| unable(format!("{what} cannot be read: {}", path.display())).with_source(error))?;
        let text = SecretString::from(text);
        Self::parse(text.expose_secret()).map_err(|fault| unable(format!("{what} {fault}: {}", path.display())))
    }

    /// Reads a config, or says what is the matter with it.
    fn parse(json: &str) -> Result<Self, Fault> {
        let file: File = serde_json::from_str(json).map_err(|error| Fault {
            // The kind and the place of the fault, without serde's words: they quote the text, and it holds a key.
            why: "is not valid JSON of its form".to_owned(),
            place: Some((error.line(), error.column())),
        })?;
        file.try_into().map_err(|why| Fault { why, place: None })
    }

    /// Makes a token that the platform accepts, whatever the local clock says: its times come from the platform's, which is
    /// asked once. A [source of tokens](Self::tokens) asks again when that fails.
    ///
    /// # Errors
    ///
    /// [`Code::PlatformUnavailable`] when the platform's clock cannot be read, [`Code::TokenInvalid`] when the URL or the
    /// key cannot be used.
    pub async fn mint(&self, ttl: Duration, verify: &VerifySslCert) -> Result<AccessToken, Error> {
        self.mint_on(Terms::once(), ttl, verify).await
    }

    /// As [`mint`](Self::mint), on terms of how often the platform is asked.
    pub(super) async fn mint_on(
        &self,
        terms: Terms,
        ttl: Duration,
        verify: &VerifySslCert,
    ) -> Result<AccessToken, Error> {
        let url = base_url(&self.url).map_err(|why| unable(format!("the url of the config {why}")))?;
        // The platform reads its clock after this, so the token lives as long, to the second.
        let began = Instant::now();
        let now = fetch_server_time(&url, verify, terms).await.map_err(|error| {
            // No token was sent, so whatever else the platform says is about the config.
            let outage = error.code() == Code::PlatformUnavailable;
            let code = if outage { Code::PlatformUnavailable } else { Code::TokenInvalid };
            Error::new(code, format!("{UNABLE}the info call failed: {}", error.chain()))
        })?;
        let text = self.sign(now, ttl)?;
        Ok(match began.checked_add(ttl) {
            Some(end) => AccessToken::issued_until(text, end),
            None => AccessToken::issued(text),
        })
    }

    /// A source of tokens that live for `ttl`: each is used until 30 s before its end, and then made anew.
    pub fn tokens(self: Arc<Self>, ttl: Duration, verify: &VerifySslCert) -> Arc<PersonalAccessTokens> {
        Arc::new(PersonalAccessTokens::new(self, ttl, verify))
    }

    /// Makes a token for a given time.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] when the key cannot be used.
    pub fn sign(&self, now: Timestamp, ttl: Duration) -> Result<SecretString, Error> {
        let issued_at = now.as_second();
        self.sign_claims(&Claims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: &self.username,
            iat: issued_at,
            nbf: issued_at,
            exp: issued_at.saturating_add_unsigned(ttl.as_secs()),
            jti: Some(URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())),
        })
    }

    fn sign_claims(&self, claims: &Claims<'_>) -> Result<SecretString, Error> {
        let header = Header { alg: "EdDSA", kid: &self.key_id, typ: "JWT" };
        let json = |error: serde_json::Error| unable("the claims cannot be written").with_source(error);
        let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).map_err(json)?);
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).map_err(json)?);
        let message = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        Ok(format!("{message}.{signature}").into())
    }
}

impl TryFrom<File> for PersonalAccessConfig {
    type Error = String;

    fn try_from(file: File) -> Result<Self, String> {
        let jwk = required("jwk", file.jwk)?;
        let url = text("url", file.url)?;
        base_url(&url).map_err(|why| format!("has an unusable url: it {why}"))?;
        if jwk.kty.as_deref() != Some("OKP") || jwk.crv.as_deref() != Some("Ed25519") {
            return Err("has an unusable key: kty must be OKP and crv Ed25519".to_owned());
        }
        let x = required("jwk.x", jwk.x)?;
        let public = bytes_32(&x).ok_or("has an unusable key: x must be 32 bytes of base64url")?;
        let seed = bytes_32(required("jwk.d", jwk.d)?.0.expose_secret())
            .ok_or("has an unusable key: d must be 32 bytes of base64url")?;
        let key = Ed25519KeyPair::from_seed_and_public_key(&seed, &public)
            .map_err(|_| "has an unusable key: x and d do not belong together")?;
        let key_id = jwk.kid.filter(|kid| !kid.is_empty()).unwrap_or_else(|| ed25519_thumbprint(&x));
        Ok(Self {
            url,
            project: file.project.filter(|project| !project.is_empty()),
            issuer: text("issuer", file.issuer)?,
            audience: text("audience", file.audience)?,
            username: text("username", file.username)?,
            key_id,
            key,
        })
    }
}

/// What is the matter with a config, after its name.
struct Fault {
    why: String,
    /// Line and column.
    place: Option<(usize, usize)>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        self.place.map_or(Ok(()), |(line, column)| write!(f, " (line {line}, column {column})"))
    }
}

impl fmt::Debug for PersonalAccessConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalAccessConfig")
            // A URL that was set by hand may hold a password.
            .field("url", &shown_url(&self.url))
            .field("project", &self.project)
            .field("username", &self.username)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// In the order of the contract's test vector.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

fn unable(why: impl fmt::Display) -> Error {
    Error::new(Code::TokenInvalid, format!("{UNABLE}{why}"))
}

fn required<T>(field: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("lacks {field}"))
}

/// A text that is there and not empty.
fn text(field: &str, value: Option<String>) -> Result<String, String> {
    required(field, value.filter(|text| !text.is_empty()))
}

/// Whether a text looks so much like a path that it may be shown as one. It may be a key or a token that was put in the wrong
/// place, and those have neither a slash nor, as a whole, the form of a file's name.
fn may_be_shown(path: &str) -> bool {
    let looks_like_path = path.contains(['/', '.', '\\']) && !path.contains(['{', '"', '\n']);
    looks_like_path && matches!(crate::redact(path), Cow::Borrowed(_))
}

/// A path in which a leading `~` stands for the user's home.
pub(crate) fn expand_home(path: &str, environment: &(impl Environment + ?Sized)) -> PathBuf {
    match (path.strip_prefix("~/"), environment.home()) {
        (Some(below), Some(home)) => home.join(below),
        _ => PathBuf::from(path),
    }
}

fn bytes_32(base64url: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(base64url).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The config of the contract, section 3. Its key was made up there and no platform knows it.
    fn config() -> Value {
        serde_json::json!({
            "jwk": {
                "crv": "Ed25519", "kty": "OKP",
                "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ",
                "d": "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU",
                "kid": "example-key-1"
            },
            "issuer": "cognitivescale.com", "audience": "cortex",
            "username": "71a8faac-9dfb-428d-a90c-0b53481b8665", "url": "https://api.dci.example.com"
        })
    }

    #[test]
    fn the_test_vector_of_the_contract_holds() {
        let config = PersonalAccessConfig::from_json(&config().to_string()).unwrap();
        let token = config
            .sign_claims(&Claims {
                iss: &config.issuer,
                aud: &config.audience,
                sub: &config.username,
                iat: 1_718_000_000,
                nbf: 1_718_000_000,
                exp: 1_718_000_120,
                jti: None,
            })
            .unwrap();
        let token = token.expose_secret();
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signature, "SLlGNlvB7jQ-fT_kfFxOTWXuMv7eaacCj7Y2MsgHEAuTrYjJBfZHYkofDo1b6jhKrTlSRdcAZLl6426uZRxTCw");
    }

    #[test]
    fn without_a_kid_the_thumbprint_names_the_key() {
        let mut value = config();
        value["jwk"].as_object_mut().unwrap().remove("kid");
        let config = PersonalAccessConfig::from_json(&value.to_string()).unwrap();
        assert_eq!(config.key_id, "Yqj-lS_CbsuHy3kQvLroHU1bBze4gPG9sHqn_OzNwRo");
    }

    #[test]
    fn what_is_wrong_is_named_without_values() {
        let without = |field: &str| {
            let mut value = config();
            value.as_object_mut().unwrap().remove(field);
            value.to_string()
        };
        let with_key = |field: &str, text: &str| {
            let mut value = config();
            value["jwk"][field] = text.into();
            value.to_string()
        };
        for (text, why) in [
            (without("jwk"), "the config lacks jwk"),
            (without("issuer"), "the config lacks issuer"),
            (without("audience"), "the config lacks audience"),
            (without("username"), "the config lacks username"),
            (without("url"), "the config lacks url"),
            (with_key("kty", "RSA"), "the config has an unusable key: kty must be OKP and crv Ed25519"),
            (with_key("x", "short"), "the config has an unusable key: x must be 32 bytes of base64url"),
            (
                with_key("x", "Yqj-lS_CbsuHy3kQvLroHU1bBze4gPG9sHqn_OzNwRo"),
                "the config has an unusable key: x and d do not belong together",
            ),
            (with_key("d", "hunter2"), "the config has an unusable key: d must be 32 bytes of base64url"),
            (r#"{"jwk": "hunter2"}"#.to_owned(), "the config is not valid JSON of its form (line 1, column 17)"),
        ] {
            let error = PersonalAccessConfig::from_json(&text).unwrap_err();
            assert_eq!(error.code(), Code::TokenInvalid);
            assert_eq!(error.detail(), format!("{UNABLE}{why}"));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let shown = format!("{:?}", PersonalAccessConfig::from_json(&config().to_string()).unwrap());
        assert!(shown.contains("example-key-1") && !shown.contains("ZXhhbXBsZ"), "{shown}");
    }
}
