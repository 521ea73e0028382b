//! Checking a token, beside the crypto library's check of its signature and beside `jsonwebtoken`.
//!
//! All of them see the same tokens in turn, so that whatever else the machine does meets all of them. No token is seen twice,
//! except where that is what is measured. What counts is the ratio of the medians.
//!
//! ```sh
//! cargo bench -p skill-sdk --bench token
//! ```

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench shows what it measured")]
#![expect(clippy::unwrap_used, reason = "a bench ends at the first fault")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};
use secrecy::SecretString;
use serde_json::{Value, json};
use skill_sdk::auth::{AccessToken, KeySet, Verifier};

const ROUNDS: usize = 4000;

/// How often a seen token is checked for one time of it.
const REPEATS: u32 = 100;

/// What is measured, beside the check of a seen token.
const BARE: usize = 0;
const UNSEEN: usize = 1;
const FROM_TEXT: usize = 2;
const PEER: usize = 3;

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

struct Signer {
    algorithm: &'static str,
    jwk: Value,
    public: ParsedPublicKey,
    sign: Sign,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("Checking a token, medians of {ROUNDS} rounds:\n");
    println!("| algorithm | what | median | times the bare check | target |");
    println!("|---|---|---|---|---|");
    let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    for signer in [ed25519(), p256(), rsa_signer(rsa(), "RS256"), rsa_signer(rsa(), "PS256")] {
        measure(&signer).await;
    }
}

async fn measure(signer: &Signer) {
    let Signer { algorithm, jwk, public, sign } = signer;
    let texts: Vec<String> = (0..ROUNDS).map(|round| token(algorithm, round, sign)).collect();
    println!("| {algorithm} | a token of {} bytes | | | |", texts[0].len());

    let verifier = || {
        let keys = KeySet::from_json(&json!({"keys": [jwk]}).to_string()).unwrap();
        Verifier::new(keys).issuer("cognitivescale.com").audience("cortex")
    };
    let (of_tokens, of_texts) = (verifier(), verifier());
    let key = DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk.clone()).unwrap()).unwrap();
    let mut validation = Validation::new(algorithm.parse().unwrap());
    validation.set_audience(&["cortex"]);
    validation.set_issuer(&["cognitivescale.com"]);
    let seen = AccessToken::decode(texts[0].clone().into()).unwrap();
    let of_seen = verifier();
    of_seen.verify(&seen).await.unwrap();

    let mut times: [Vec<Duration>; 5] = Default::default();
    for (round, text) in texts.into_iter().enumerate() {
        let (message, signature) = text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let token = AccessToken::decode(text.clone().into()).unwrap();
        // In another order each round: the first to run finds the processor's caches full of other things.
        for turn in 0..times.len() {
            let which = (round + turn) % times.len();
            let secret = SecretString::from(text.clone());
            let began = Instant::now();
            match which {
                BARE => public.verify_sig(message.as_bytes(), &signature).unwrap(),
                UNSEEN => of_tokens.verify(&token).await.unwrap(),
                FROM_TEXT => of_texts.verify(&AccessToken::decode(secret).unwrap()).await.unwrap(),
                PEER => drop(black_box(jsonwebtoken::decode::<Value>(&text, &key, &validation).unwrap())),
                _ => {
                    for _ in 0..REPEATS {
                        of_seen.verify(black_box(&seen)).await.unwrap();
                    }
                }
            }
            times[which].push(began.elapsed());
        }
    }

    let [bare, unseen, from_text, peer, seen] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let show = |what: &str, time: Duration, target: &str| {
        let (time, ratio) = (time.as_secs_f64() * 1e6, time.as_secs_f64() / bare.as_secs_f64());
        println!("| {algorithm} | {what} | {time:.2} µs | {ratio:.2} | {target} |");
    };
    show("bare: the signature alone", bare, "");
    show("unseen", unseen, "");
    show("unseen, and read from its text", from_text, "≤ 1.1");
    show("`jsonwebtoken::decode`", peer, "");
    show("seen", seen / REPEATS, "≤ 1 µs");
}

/// A token like those of the platform, unlike any other.
fn token(algorithm: &str, round: usize, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> String {
    let header = json!({"alg": algorithm, "kid": "example-key-1", "typ": "JWT"});
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": "cognitivescale.com", "aud": "cortex", "sub": "71a8faac-9dfb-428d-a90c-0b53481b8665",
        "iat": now, "nbf": now, "exp": now + 3600, "jti": URL_SAFE_NO_PAD.encode(format!("{round:016}")),
    });
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn ed25519() -> Signer {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = pair.public_key().as_ref().to_vec();
    Signer {
        algorithm: "EdDSA",
        jwk: json!({"kty": "OKP", "crv": "Ed25519", "kid": "example-key-1", "x": URL_SAFE_NO_PAD.encode(&x)}),
        public: ParsedPublicKey::new(&ED25519, x).unwrap(),
        sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
    }
}

fn p256() -> Signer {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    Signer {
        algorithm: "ES256",
        jwk: json!({"kty": "EC", "crv": "P-256", "kid": "example-key-1", "x": x, "y": y}),
        public: ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).unwrap(),
        sign: Box::new(move |message| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()),
    }
}

fn rsa_signer(pair: RsaKeyPair, algorithm: &'static str) -> Signer {
    let n = URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero());
    let e = URL_SAFE_NO_PAD.encode(pair.public_key().exponent().big_endian_without_leading_zero());
    let (check, padding): (_, &'static dyn aws_lc_rs::signature::RsaEncoding) = match algorithm {
        "RS256" => (&RSA_PKCS1_2048_8192_SHA256, &RSA_PKCS1_SHA256),
        _ => (&RSA_PSS_2048_8192_SHA256, &RSA_PSS_SHA256),
    };
    Signer {
        algorithm,
        jwk: json!({"kty": "RSA", "kid": "example-key-1", "n": n, "e": e}),
        public: ParsedPublicKey::new(check, pair.public_key()).unwrap(),
        sign: Box::new(move |message| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        }),
    }
}
