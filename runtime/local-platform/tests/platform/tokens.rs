//! Who is let in: every way a token can be wrong, and the ones that are right.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Local, content, header, json as body};

/// What somebody who holds the platform's `pat.json` can sign.
struct Signer {
    pat: Value,
    key: EncodingKey,
}

impl Signer {
    fn of(local: &Local) -> Self {
        let pat: Value = serde_json::from_slice(&std::fs::read(local.platform.pat_path()).unwrap()).unwrap();
        let seed = URL_SAFE_NO_PAD.decode(pat["jwk"]["d"].as_str().unwrap()).unwrap();
        // RFC 8410 section 7: the PKCS#8 form of an Ed25519 key is this prefix and the seed.
        let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let key = EncodingKey::from_ed_der(&[&prefix[..], &seed].concat());
        Self { pat, key }
    }

    fn claims(&self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        json!({
            "iss": self.pat["issuer"], "aud": self.pat["audience"], "sub": self.pat["username"],
            "iat": now, "nbf": now, "exp": now + 120,
        })
    }

    fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &self.key).unwrap()
    }

    fn with_kid(&self, kid: &str) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, &self.claims(), &self.key).unwrap()
    }

    fn changed(&self, name: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims();
        claims[name] = value.into();
        self.sign(&claims)
    }

    fn without(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        self.sign(&claims)
    }
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Expects the refusal of fabric-auth section 7, with its reason.
async fn assert_refused(local: &Local, authorization: Option<&str>, reason: &str) {
    let mut request = local.http.get(format!("{}{}", local.platform.url(), content("")));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 302, "{authorization:?}");
    assert_eq!(header(&response, "location"), format!("{}/login", local.platform.url()));
    assert_eq!(header(&response, "x-auth-error"), reason, "{authorization:?}");
    assert_eq!(body(response).await, json!({"success": false, "message": reason}));
}

async fn assert_bearer_refused(local: &Local, token: &str, reason: &str) {
    assert_refused(local, Some(&format!("Bearer {token}")), reason).await;
}

async fn assert_accepted(local: &Local, token: &str) {
    let request = local.http.get(format!("{}{}", local.platform.url(), content(""))).bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", header(&response, "x-auth-error"));
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let local = Local::start().await;
    assert_refused(&local, None, "missing token").await;
    for bare in ["Bearer", "bearer", "Bearer   "] {
        assert_refused(&local, Some(bare), "missing token").await;
    }
    for other in ["Basic dTpw", "Bear", "Bearers x", &format!("Bearer{}", local.token), &local.token] {
        assert_refused(&local, Some(other), "malformed token").await;
    }
    for token in ["x", "a.b", "a.b.c", "...", "ü.ü.ü", &"x".repeat(10_000), &format!("{}.x", local.token)] {
        assert_bearer_refused(&local, token, "malformed token").await;
    }
}

#[tokio::test]
async fn only_our_signature_counts() {
    let local = Local::start().await;
    let signer = Signer::of(&local);
    let public = signer.pat["jwk"]["x"].as_str().unwrap();
    let claims = signer.claims();

    let none = format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "JWT"})), encoded(&claims));
    assert_bearer_refused(&local, &none, "malformed token").await;

    for secret in [URL_SAFE_NO_PAD.decode(public).unwrap(), public.as_bytes().to_vec()] {
        let key = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        assert_bearer_refused(&local, &token, "algorithm not allowed").await;
    }

    let token = signer.sign(&claims);
    let parts: Vec<&str> = token.split('.').collect();
    let mut later = claims.clone();
    later["exp"] = json!(later["exp"].as_u64().unwrap() + 3600);
    let changed = format!("{}.{}.{}", parts[0], encoded(&later), parts[2]);
    assert_bearer_refused(&local, &changed, "invalid signature").await;
    assert_bearer_refused(&local, &format!("{}.{}.", parts[0], parts[1]), "invalid signature").await;

    let other = Local::start().await;
    assert_bearer_refused(&local, &Signer::of(&other).sign(&claims), "invalid signature").await;
    assert_bearer_refused(&local, &other.token, "unknown key").await;
}

#[tokio::test]
async fn claims_are_checked() {
    let local = Local::start().await;
    let signer = Signer::of(&local);
    let now = signer.claims()["iat"].as_u64().unwrap();
    for (name, value, reason) in [
        ("exp", json!(now - 1), "token expired"),
        ("exp", json!(now), "token expired"),
        ("exp", json!("soon"), "claim exp is missing"),
        ("nbf", json!(now + 60), "token not valid yet"),
        ("aud", json!("other"), "wrong audience"),
        ("aud", json!(["other", "another"]), "wrong audience"),
        ("aud", json!([]), "wrong audience"),
        ("iss", json!("cognitivescale.com"), "wrong issuer"),
        ("iss", json!(["local-platform"]), "wrong issuer"),
        ("sub", json!("somebody-else"), "wrong subject"),
    ] {
        assert_bearer_refused(&local, &signer.changed(name, value), reason).await;
    }
    for name in ["exp", "aud", "iss", "sub"] {
        assert_bearer_refused(&local, &signer.without(name), &format!("claim {name} is missing")).await;
    }
    let expired = local.platform.mint_token(std::time::Duration::ZERO).unwrap();
    assert_bearer_refused(&local, secrecy::ExposeSecret::expose_secret(&expired), "token expired").await;
}

#[tokio::test]
async fn valid_tokens_are_accepted_in_every_form() {
    let local = Local::start().await;
    let signer = Signer::of(&local);
    assert_accepted(&local, &local.token).await;
    assert_accepted(&local, &signer.sign(&signer.claims())).await;
    assert_accepted(&local, &signer.changed("aud", json!(["other", "cortex"]))).await;
    assert_accepted(&local, &signer.without("nbf")).await;
    assert_accepted(&local, &signer.with_kid(signer.pat["jwk"]["kid"].as_str().unwrap())).await;
    assert_bearer_refused(&local, &signer.with_kid("another"), "unknown key").await;
}

#[tokio::test]
async fn the_thumbprint_and_a_kid_of_its_own_both_name_the_key() {
    let local = Local::start().await;
    let mut pat = Signer::of(&local).pat;
    let thumbprint = pat["jwk"]["kid"].take();
    pat["jwk"]["kid"] = "my-key".into();
    std::fs::write(local.platform.pat_path(), pat.to_string()).unwrap();
    let local = local.restart().await;
    let signer = Signer::of(&local);
    assert_accepted(&local, &signer.with_kid("my-key")).await;
    assert_accepted(&local, &signer.with_kid(thumbprint.as_str().unwrap())).await;
    let minted = crate::support::token(&local.platform);
    assert_eq!(jsonwebtoken::decode_header(&minted).unwrap().kid.as_deref(), Some("my-key"));
}

#[tokio::test]
async fn a_refused_upload_still_reads_the_reason() {
    let local = Local::start().await;
    let url = format!("{}{}", local.platform.url(), content("/big"));
    let response = local.http.post(url).bearer_auth("x.y.z").body(vec![7; 8 << 20]).send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert!(local.keys("").await.is_empty());
}

#[tokio::test]
async fn only_info_is_open() {
    let local = Local::start().await;
    let response = local.http.get(format!("{}/fabric/v4/info", local.platform.url())).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let info = body(response).await;
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    assert!(now.abs_diff(info["serverTs"].as_u64().unwrap()) < 60_000);
    assert_eq!((&info["success"], &info["healths"], &info["endpoints"]), (&json!(true), &json!([]), &json!("{}")));
    assert!(info["version"].is_string());

    for path in ["/", "/fabric/v4/info/", "/fabric/v4/info/x", "/fabric/v4/projects/local/content/k", "/login"] {
        let response = local.http.get(format!("{}{path}", local.platform.url())).send().await.unwrap();
        assert_eq!(response.status(), 302, "{path}");
        let response = local.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(body(response).await["success"], false);
    }
}
