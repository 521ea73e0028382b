use aws_lc_rs::hmac;
use serde_json::json;

use super::*;
use crate::auth::signers::{Signer, claims, jwks, now};

fn verifier(signers: &[&Signer]) -> Verifier {
    Verifier::new(KeySet::from_json(&jwks(signers)).unwrap()).issuer("issuer").audience("cortex")
}

async fn check(verifier: &Verifier, token: &str) -> Result<(), Error> {
    verifier.verify(&AccessToken::decode(token.to_owned().into())?).await
}

/// Why a token is invalid. It must be so the second time too.
async fn refusal(verifier: &Verifier, token: &str) -> String {
    let error = check(verifier, token).await.expect_err("a refusal");
    assert_eq!(error.detail(), check(verifier, token).await.unwrap_err().detail());
    assert_eq!(error.code(), Code::TokenInvalid, "{error:?}");
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!format!("{error:?}{}", error.chain()).contains(part), "{error:?}");
    }
    error.detail().strip_prefix(INVALID).expect("the prefix of the contract").to_owned()
}

/// The value with a member changed.
fn with(mut value: Value, member: &str, to: impl Into<Value>) -> Value {
    value[member] = to.into();
    value
}

fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().unwrap().remove(member).unwrap();
    value
}

#[tokio::test]
async fn every_algorithm_is_checked() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm.as_str(), "one");
        let verifier = verifier(&[&signer]);
        let token = signer.token();
        check(&verifier, &token).await.unwrap();
        check(&verifier, &token).await.unwrap();

        // Anything that is changed, in the claims or in the signature.
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(with(claims(), "sub", "admin").to_string());
        assert_eq!(refusal(&verifier, &format!("{header}.{other}.{signature}")).await, "the signature is bad");
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            bytes[at] ^= 1;
            let signature = URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(refusal(&verifier, &format!("{message}.{signature}")).await, "the signature is bad");
            bytes[at] ^= 1;
        }
        for bytes in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), &vec![0; bytes.len()], &[]] {
            let signature = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(refusal(&verifier, &format!("{message}.{signature}")).await, "the signature is bad");
        }
    }
}

#[tokio::test]
async fn the_test_vector_of_the_contract_holds() {
    let keys = json!({"keys": [
        {"crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ", "kid": "example-key-1"}
    ]});
    let header = r#"{"alg":"EdDSA","kid":"example-key-1","typ":"JWT"}"#;
    let claims = concat!(
        r#"{"iss":"cognitivescale.com","aud":"cortex","sub":"71a8faac-9dfb-428d-a90c-0b53481b8665","#,
        r#""iat":1718000000,"nbf":1718000000,"exp":1718000120}"#
    );
    let token = format!(
        "{}.{}.SLlGNlvB7jQ-fT_kfFxOTWXuMv7eaacCj7Y2MsgHEAuTrYjJBfZHYkofDo1b6jhKrTlSRdcAZLl6426uZRxTCw",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let verifier = || Verifier::new(KeySet::from_json(&keys.to_string()).unwrap());
    check(&verifier().leeway(Duration::MAX), &token).await.unwrap();
    let error = check(&verifier(), &token).await.unwrap_err();
    assert!(error.is_token_expired() && error.detail().contains("at 2024-06-10T06:15:20Z"), "{error:?}");
}

#[tokio::test]
async fn a_token_without_a_signature_is_no_token() {
    let signer = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&signer]);
    check(&verifier, &signer.token()).await.unwrap();
    for name in ["none", "None", "NONE", "nOnE", "", " EdDSA", "eddsa", "HS256", "RSA-OAEP", "ES512"] {
        let token = signer.token_of(&with(signer.header(), "alg", name), &claims());
        let why = format!("the algorithm {} is not allowed", name.trim());
        assert_eq!(refusal(&verifier, &token).await, why);
        let unsigned = &token[..=token.rfind('.').unwrap()];
        assert_eq!(refusal(&verifier, unsigned).await, why);
    }
    for header in
        [without(signer.header(), "alg"), with(signer.header(), "alg", 5), with(signer.header(), "alg", Value::Null)]
    {
        assert_eq!(refusal(&verifier, &signer.token_of(&header, &claims())).await, "its header is malformed");
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    for algorithm in ["EdDSA", "ES256", "RS256"] {
        let signer = Signer::new(algorithm, "one");
        let verifier = verifier(&[&signer]);
        check(&verifier, &signer.token()).await.unwrap();
        let text = URL_SAFE_NO_PAD.encode(signer.public());
        let json = signer.jwk().to_string();
        for (name, hash) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let header = with(signer.header(), "alg", name);
            let message = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(header.to_string()),
                URL_SAFE_NO_PAD.encode(claims().to_string())
            );
            for secret in [signer.public(), text.as_bytes(), json.as_bytes()] {
                let tag = hmac::sign(&hmac::Key::new(hash, secret), message.as_bytes());
                let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
                assert_eq!(refusal(&verifier, &token).await, format!("the algorithm {name} is not allowed"));
            }
        }
    }
}

#[tokio::test]
async fn the_key_and_the_list_say_which_algorithms_are_good() {
    let (rs, ps) = (Signer::new("RS256", "one"), Signer::new("PS256", "one"));
    // Without an alg, an RSA key is good for both.
    for signer in [&rs, &ps] {
        check(&verifier(&[&rs]), &signer.token()).await.unwrap();
    }
    let only = json!({"keys": [with(ps.jwk(), "alg", "PS256")]}).to_string();
    let verifier_of_ps = || Verifier::new(KeySet::from_json(&only).unwrap());
    check(&verifier_of_ps(), &ps.token()).await.unwrap();
    assert_eq!(refusal(&verifier_of_ps(), &rs.token()).await, "its key is not one for the algorithm RS256");

    let listed = || verifier(&[&rs]).algorithms([Algorithm::EdDsa, Algorithm::Ps256]);
    check(&listed(), &ps.token()).await.unwrap();
    assert_eq!(refusal(&listed(), &rs.token()).await, "the algorithm RS256 is not allowed");

    // The newer name of the same algorithm, in the header and in the key.
    let ed = Signer::new("EdDSA", "one");
    let newer = json!({"keys": [with(ed.jwk(), "alg", "Ed25519")]}).to_string();
    let verifier = Verifier::new(KeySet::from_json(&newer).unwrap());
    check(&verifier, &ed.token()).await.unwrap();
    check(&verifier, &ed.token_of(&with(ed.header(), "alg", "Ed25519"), &claims())).await.unwrap();
    assert_eq!(
        refusal(&verifier, &ed.token_of(&with(ed.header(), "alg", "ES256"), &claims())).await,
        "its key is not one for the algorithm ES256"
    );
}

#[tokio::test]
async fn a_kid_is_only_compared() {
    let (one, two) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "two"));
    let both = verifier(&[&one, &two]);
    check(&both, &one.token()).await.unwrap();
    check(&both, &two.token()).await.unwrap();
    // A swapped one.
    assert_eq!(refusal(&both, &one.token_of(&two.header(), &claims())).await, "the signature is bad");
    for kid in [
        "",
        "three",
        "ONE",
        "one ",
        "one\0",
        "../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:9/keys",
        "' OR 1=1 --",
        "$(id)",
    ] {
        let token = one.token_of(&with(one.header(), "kid", kid), &claims());
        let shown: String = kid.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        assert_eq!(refusal(&both, &token).await, format!("the key {} is unknown", shown.trim()));
    }
    for kid in [json!(1), json!(["one"]), json!({"kid": "one"})] {
        let token = one.token_of(&with(one.header(), "kid", kid), &claims());
        assert_eq!(refusal(&both, &token).await, "its header is malformed");
    }
    // A token in the place of a name is not shown.
    let token = one.token_of(&with(one.header(), "kid", two.token()), &claims());
    assert_eq!(refusal(&both, &token).await, "the key [token] is unknown");
}

#[tokio::test]
async fn a_thumbprint_is_a_name_too() {
    for algorithm in ["EdDSA", "ES256", "ES384", "RS256"] {
        let signer = Signer::new(algorithm, "one");
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(signer.jwk()).unwrap();
        let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
        let token = signer.token_of(&with(signer.header(), "kid", thumbprint), &claims());
        check(&verifier(&[&signer]), &token).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_name_there_must_be_one_key() {
    let (one, two, other) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "two"), Signer::new("ES256", "three"));
    let token = one.token_of(&json!({"alg": "EdDSA"}), &claims());
    check(&verifier(&[&one]), &token).await.unwrap();
    check(&verifier(&[&one, &other]), &token).await.unwrap();
    assert_eq!(
        refusal(&verifier(&[&one, &two]), &token).await,
        "it does not say which of the keys for EdDSA is its own"
    );
    assert_eq!(refusal(&verifier(&[&two]), &token).await, "the signature is bad");
    assert_eq!(refusal(&verifier(&[&other]), &token).await, "no key for the algorithm EdDSA is known");
}

#[tokio::test]
async fn keys_of_one_name_are_all_tried() {
    let (one, same, other) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "one"), Signer::new("ES256", "one"));
    let verifier = verifier(&[&one, &same, &other]);
    for signer in [&one, &same, &other] {
        check(&verifier, &signer.token()).await.unwrap();
    }
    let stranger = Signer::new("EdDSA", "one");
    assert_eq!(refusal(&verifier, &stranger.token()).await, "the signature is bad");
}

#[tokio::test]
async fn a_token_cannot_bring_its_key() {
    let (one, attacker) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "mine"));
    let verifier = verifier(&[&one]);
    for (member, value) in [
        ("jwk", attacker.jwk()),
        ("jku", json!("http://127.0.0.1:9/keys")),
        ("x5u", json!("http://127.0.0.1:9/certificate")),
        ("x5c", json!([URL_SAFE_NO_PAD.encode(attacker.public())])),
        ("x5t", json!("thumb")),
    ] {
        let header = with(one.header(), member, value);
        // Passed over: good with the right key, bad with the one that it brings.
        check(&verifier, &one.token_of(&header, &claims())).await.unwrap();
        assert_eq!(refusal(&verifier, &attacker.token_of(&header, &claims())).await, "the signature is bad");
        let named = attacker.token_of(&with(header, "kid", "mine"), &claims());
        assert_eq!(refusal(&verifier, &named).await, "the key mine is unknown");
    }
}

#[tokio::test]
async fn a_header_for_something_else_is_refused() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "Application/at+jwt"] {
        check(&verifier, &one.token_of(&with(one.header(), "typ", kind), &claims())).await.unwrap();
    }
    check(&verifier, &one.token_of(&without(one.header(), "typ"), &claims())).await.unwrap();
    for kind in ["", "dpop+jwt", "logout+jwt", "application/", "application/application/jwt", "JWT "] {
        let token = one.token_of(&with(one.header(), "typ", kind), &claims());
        assert_eq!(refusal(&verifier, &token).await, "its header says that it is for something else");
    }
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null)] {
        let token = one.token_of(&with(one.header(), "crit", crit), &claims());
        assert_eq!(refusal(&verifier, &token).await, "its header asks for an extension");
    }
}

#[tokio::test]
async fn what_is_said_twice_is_refused() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    let header = r#""alg":"EdDSA","kid":"one","typ":"JWT""#;
    let claims = format!(r#""iss":"issuer","aud":"cortex","sub":"u","exp":{},"nbf":1"#, now() + 3600);
    let token = |header: &str, claims: &str| one.token_of_texts(&format!("{{{header}}}"), &format!("{{{claims}}}"));
    // White space in the JSON, and what nobody reads, are fine.
    check(&verifier, &token(header, &claims)).await.unwrap();
    check(&verifier, &token(&format!("\n {header} "), &format!("{claims},\t\"x\":1,\"x\":2"))).await.unwrap();
    for member in [r#""alg":"EdDSA""#, r#""\u0061lg":"none""#, r#""kid":"one""#, r#""typ":"JWT""#] {
        for header in [format!("{header},{member}"), format!("{member},{header}")] {
            assert_eq!(refusal(&verifier, &token(&header, &claims)).await, "its header is malformed");
        }
    }
    for claim in
        [r#""iss":"issuer""#, r#""aud":"cortex""#, r#""sub":"u""#, r#""exp":9e9"#, r#""nbf":1"#, r#""\u0065xp":9e9"#]
    {
        for claims in [format!("{claims},{claim}"), format!("{claim},{claims}")] {
            assert_eq!(refusal(&verifier, &token(header, &claims)).await, "not a JWT");
        }
    }
}

#[tokio::test]
async fn an_end_is_a_number() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    let text = |exp: &str| {
        one.token_of_texts(
            &one.header().to_string(),
            &format!(r#"{{"iss":"issuer","aud":"cortex","sub":"u","exp":{exp}}}"#),
        )
    };
    let soon = now() + 3600;
    for exp in [
        soon.to_string(),
        format!("{soon}.5"),
        "4e9".into(),
        u64::MAX.to_string(),
        "1e300".into(),
        (now() - 5).to_string(),
    ] {
        check(&verifier, &text(&exp)).await.unwrap();
    }
    for exp in ["-1", "-1e300", "1", "0.5", "-9223372036854775808", &(now() - 60).to_string()] {
        let error = check(&verifier, &text(exp)).await.unwrap_err();
        assert!(error.is_token_expired(), "{exp}: {error:?}");
    }
    for (exp, why) in [
        (format!("\"{soon}\""), "claim exp is not a number"),
        (format!("[{soon}]"), "claim exp is not a number"),
        ("true".into(), "claim exp is not a number"),
        ("null".into(), "claim exp is missing"),
        ("1e400".into(), "not a JWT"),
        ("NaN".into(), "not a JWT"),
        (format!("0{soon}"), "not a JWT"),
        (format!("+{soon}"), "not a JWT"),
    ] {
        assert_eq!(refusal(&verifier, &text(&exp)).await, why, "{exp}");
    }
}

#[tokio::test]
async fn a_token_begins_with_a_leeway() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    let token = |nbf: Value| one.token_of(&one.header(), &with(claims(), "nbf", nbf));
    for nbf in [json!(now()), json!(now() + 5), json!(0), json!(-1e300), json!(1.5)] {
        check(&verifier, &token(nbf)).await.unwrap();
    }
    for nbf in [json!(now() + 60), json!(4e9), json!(1e300), json!(u64::MAX)] {
        let why = refusal(&verifier, &token(nbf)).await;
        assert!(why.starts_with("it is not valid before 2") || why.contains("before 9999"), "{why}");
    }
    for nbf in [json!(now().to_string()), json!(null), json!([1]), json!(false)] {
        assert_eq!(refusal(&verifier, &token(nbf)).await, "claim nbf is not a number");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_as_asked_for() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]).issuer("second").audience("tools");
    let token = |claim: &str, value: Value| one.token_of(&one.header(), &with(claims(), claim, value));
    for aud in [json!("cortex"), json!("tools"), json!(["cortex"]), json!(["x", "tools"]), json!(["", "cortex"])] {
        check(&verifier, &token("aud", aud)).await.unwrap();
    }
    for (aud, why) in [
        (json!("Cortex"), "it is for the audience Cortex"),
        (json!("cortex "), "it is for the audience cortex"),
        (json!(["x", "y"]), "it is for the audience x, y"),
        (json!(["cortex, tools"]), "it is for the audience cortex, tools"),
        (json!([]), "claim aud is missing"),
        (json!(["cortex", 1]), "claim aud is not text"),
        (json!({"cortex": "cortex"}), "claim aud is not text"),
    ] {
        assert_eq!(refusal(&verifier, &token("aud", aud)).await, why);
    }
    check(&verifier, &token("iss", json!("second"))).await.unwrap();
    for (iss, why) in [
        (json!("issuer/"), "the issuer issuer/ is not trusted"),
        (json!(["issuer"]), "claim iss is not text"),
        (json!(1), "claim iss is not text"),
        (json!(null), "claim iss is missing"),
    ] {
        assert_eq!(refusal(&verifier, &token("iss", iss)).await, why);
    }
    assert_eq!(
        refusal(&verifier, &one.token_of(&one.header(), &without(claims(), "iss"))).await,
        "claim iss is missing"
    );
    // Not asked for, so not looked at.
    let open = Verifier::new(KeySet::from_json(&jwks(&[&one])).unwrap());
    check(&open, &token("iss", json!(1))).await.unwrap();
    check(&open, &token("aud", json!("x"))).await.unwrap();
}

#[tokio::test]
async fn the_parts_are_strict_base64url() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    let token = one.token();
    check(&verifier, &token).await.unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let mut odd = signature.to_owned();
    // 64 bytes leave four bits of the last letter over, which must be zero.
    let last = odd.pop().unwrap();
    odd.push(char::from(last as u8 + 1));
    for changed in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{header} .{claims}.{signature}"),
        format!("{header}.\t{claims}.{signature}"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{signature}=="),
        format!("{header}.{claims}.{odd}"),
        format!("{header}.{claims}.+{}", &signature[1..]),
        format!("{header}..{claims}.{signature}"),
        format!("{token}."),
        format!("Bearer {token}"),
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
    ] {
        assert_eq!(refusal(&verifier, &changed).await, "not a JWT", "{changed}");
    }
    // Signed as it is, but with padding or white space inside the parts.
    for (header, claims) in [(format!("{header}="), claims.to_owned()), (header.to_owned(), format!("{claims}\n"))] {
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(one.sign(&signed));
        assert_eq!(refusal(&verifier, &format!("{signed}.{signature}")).await, "not a JWT");
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_looked_at() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    let token = |length| one.token_of(&one.header(), &with(claims(), "x", "x".repeat(length)));
    check(&verifier, &token(10_000)).await.unwrap();
    let long = token(1_000_000);
    let why = refusal(&verifier, &long).await;
    assert!(why.starts_with("not a JWT: ") && why.ends_with(" bytes are too many"), "{why}");
    for odd in [long, "opaque".to_owned(), String::new()] {
        let error = verifier.verify(&AccessToken::issued(odd.into())).await.unwrap_err();
        assert_eq!(error.detail(), "Your Cortex Token is invalid: not a JWT");
    }
}

#[tokio::test]
async fn a_good_token_is_remembered_to_its_end_and_no_other() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]).leeway(Duration::ZERO);
    for bad in [one.token_of(&one.header(), &with(claims(), "iss", "x")), Signer::new("EdDSA", "one").token()] {
        refusal(&verifier, &bad).await;
    }
    assert_eq!(verifier.seen.len(), 0);
    let token = one.token();
    check(&verifier, &token).await.unwrap();
    check(&verifier, &token).await.unwrap();
    assert_eq!(verifier.seen.len(), 1);

    // As if it had been found good while it lived.
    let ended = one.token_of(&one.header(), &with(claims(), "exp", now() - 1));
    let claims = AccessToken::decode(ended.clone().into()).unwrap().shared_claims().cloned();
    verifier.seen.insert(fingerprint(&ended), Seen { generation: 0, not_before: Timestamp::MIN, claims });
    assert!(verifier.recognize(&ended.clone().into()).is_none());
    assert!(check(&verifier, &ended).await.unwrap_err().is_token_expired());
    assert_eq!(verifier.seen.len(), 1);
    // The end is the token's, whatever whoever passes it on knows.
    let kept = AccessToken::issued_until(ended.into(), std::time::Instant::now() + Duration::from_mins(1));
    assert!(verifier.verify(&kept).await.unwrap_err().is_token_expired());
}

#[tokio::test]
async fn a_token_is_recognized_once_it_was_found_good() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]).audience("cortex");
    let good = one.token();
    assert!(verifier.recognize(&good.clone().into()).is_none());
    check(&verifier, &good).await.unwrap();
    let recognized = verifier.recognize(&good.clone().into()).unwrap();
    assert_eq!(recognized.claims(), AccessToken::decode(good.clone().into()).unwrap().claims());
    assert_eq!((recognized.secret().expose_secret(), verifier.remembered()), (good.as_str(), (1, 1)));
    verifier.verify(&recognized).await.unwrap();

    let bad = one.token_of(&one.header(), &with(claims(), "aud", "other"));
    check(&verifier, &bad).await.unwrap_err();
    for other in [bad, format!("{good}A"), good[..good.len() - 1].to_owned(), String::new()] {
        assert!(verifier.recognize(&other.clone().into()).is_none(), "{other}");
    }
    // It is not worth the memory.
    let long = one.token_of(&one.header(), &with(claims(), "x", "x".repeat(LONGEST_READ_ONCE)));
    check(&verifier, &long).await.unwrap();
    assert!(verifier.recognize(&long.into()).is_none());
}

#[test]
fn no_more_than_so_many_tokens_are_remembered() {
    let verifier = verifier(&[&Signer::new("EdDSA", "one")]);
    for number in 0..REMEMBERED + 1000 {
        let mut fingerprint = Fingerprint::default();
        fingerprint[..8].copy_from_slice(&number.to_be_bytes());
        verifier.seen.insert(fingerprint, Seen { generation: 0, not_before: Timestamp::MIN, claims: None });
    }
    assert!(verifier.seen.len() <= REMEMBERED + REMEMBERED / 10, "{}", verifier.seen.len());
}

#[tokio::test]
async fn debug_shows_no_key_and_no_token() {
    let one = Signer::new("EdDSA", "one");
    let verifier = verifier(&[&one]);
    let token = one.token();
    check(&verifier, &token).await.unwrap();
    let shown = format!("{verifier:?}");
    assert!(shown.contains("cortex") && shown.contains("EdDsa"), "{shown}");
    assert!(!shown.contains("eyJ") && !shown.contains(one.jwk()["x"].as_str().unwrap()), "{shown}");
}
