//! Keeps tokens out of texts that people read.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a token.
const PLACEHOLDER: &str = "[token]";

/// Replaces everything that has the form of a JSON Web Token (RFC 7519): base64url of a JSON object, a dot, base64url, a
/// dot, and a signature that may be empty. A token that was cut off behind its claims is replaced too.
///
/// Tokens are `SecretString`s and do not get into texts by themselves; this is for texts that come from outside: errors
/// of a skill, bodies of a platform, values that a parser quotes.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut copied = 0;
    let mut from = 0;
    // Every token has a dot, and what is before it is looked at once.
    while let Some(dot) = text[from..].find('.').map(|found| from + found) {
        let before = &text[from..dot];
        let run = before.len() - before.bytes().rev().take_while(|&byte| is_base64url(byte)).count();
        let header = &before[run..];
        let claims = base64url_run(&text[dot + 1..]);
        let end = match (header_start(header), text[dot + 1 + claims..].strip_prefix('.')) {
            (Some(_), Some(signature)) if claims > 0 => Some(dot + 1 + claims + 1 + base64url_run(signature)),
            (Some(_), None) if is_object(&text[dot + 1..dot + 1 + claims]) => Some(dot + 1 + claims),
            _ => None,
        };
        from = match (end, header_start(header)) {
            (Some(end), Some(start)) => {
                clean.push_str(&text[copied..from + run + start]);
                clean.push_str(PLACEHOLDER);
                copied = end;
                end
            }
            _ => dot + 1,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

/// Secrets shorter than this are not looked for: `a` would be found everywhere.
const SHORTEST_SECRET: usize = 8;

/// As [`redact`], for a text of somebody who knows secrets and may repeat them: each is replaced wherever it stands, whatever
/// its form, in the order in which they are given. One of less than eight bytes is not looked for.
pub fn redact_secrets<'t>(text: &'t str, secrets: &[SecretString]) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    // They go first: what they leave behind is no part of another.
    for secret in secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= SHORTEST_SECRET) {
        if text.contains(secret) {
            text = Cow::Owned(text.replace(secret, PLACEHOLDER));
        }
    }
    match text {
        Cow::Borrowed(text) => redact(text),
        Cow::Owned(text) => Cow::Owned(redact(&text).into_owned()),
    }
}

/// Where in a run of base64url the header of a token begins: at its start if that is a JSON object, else at what an object
/// without white space begins with, as when other letters stand before the token.
fn header_start(run: &str) -> Option<usize> {
    if is_object(run) { Some(0) } else { run.find("eyJ") }
}

/// Whether base64url decodes to what a JSON object begins with.
fn is_object(run: &str) -> bool {
    // Only these letters begin what decodes to a brace or to white space.
    if !run.starts_with(['e', 'C', 'D', 'I']) {
        return false;
    }
    // Decodes in groups of four letters; white space is short, so a few groups will do.
    let groups = run.len().min(64) / 4 * 4;
    let decoded = URL_SAFE_NO_PAD.decode(&run[..groups]).unwrap_or_default();
    decoded.trim_ascii_start().first() == Some(&b'{')
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn base64url_run(text: &str) -> usize {
    text.bytes().take_while(|&byte| is_base64url(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced_wherever_they_stand() {
        let token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln-_";
        assert_eq!(redact(token), "[token]");
        assert_eq!(redact(&format!("a {token}, {token}.")), "a [token], [token].");
        assert_eq!(redact(&format!("{}x", "eyJ".repeat(100_000))).len(), 300_001);
        assert_eq!(redact(&format!("eyJ eyJx.y eyJ{token}ü")), "eyJ eyJx.y [token]ü");
        assert_eq!(redact("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0."), "[token]");
    }

    #[test]
    fn a_header_may_be_written_in_any_way() {
        for header in
            [r#"{ "alg": "EdDSA" }"#, "{\n  \"alg\": \"EdDSA\"\n}", "   {\"alg\":\"none\"}", "\r\n\t{\"a\":1}"]
        {
            let token = format!("{}.eyJzdWIiOiJ1In0.c2ln", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(redact(&format!("<{token}>")), "<[token]>", "{header}");
        }
    }

    #[test]
    fn a_token_that_was_cut_off_is_one() {
        assert_eq!(redact("the eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1"), "the [token]");
        assert_eq!(redact("the eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1…"), "the [token]…");
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in
            ["", "eyJ", "eyJ.", "eyJ..", "eyJa.b", "grüße eyJ", "a.b.c", "lib.rs:1.2.3", "..ü..", "skill.example.com"]
        {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_token_never_survives(before in ".{0,20}", after in "[^A-Za-z0-9_-].{0,20}") {
            let token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln";
            let text = format!("{before}{token}{after}");
            proptest::prop_assert!(!redact(&text).contains("eyJzdWIiOiJ1In0"));
        }
    }
}
