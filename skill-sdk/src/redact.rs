//! Keeps tokens out of texts that people read.

use std::borrow::Cow;

/// What stands in the place of a token.
const PLACEHOLDER: &str = "[token]";

/// Replaces everything that has the form of a JSON Web Token (RFC 7519: base64url of `{"…`, a dot, base64url, a dot,
/// and a signature that may be empty).
///
/// Tokens are `SecretString`s and do not get into texts by themselves; this is for texts that come from outside: errors
/// of a skill, bodies of a platform, values that a parser quotes.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut copied = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find("eyJ") {
        let start = from + found;
        let header = base64url_run(&text[start..]);
        if let Some(length) = token_length(&text[start..], header) {
            clean.push_str(&text[copied..start]);
            clean.push_str(PLACEHOLDER);
            copied = start + length;
            from = copied;
        } else {
            // Any other start within this run would fail as well; looking again would cost quadratic time.
            from = start + header;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

/// The length of the token at the start of the text, given that of its header.
fn token_length(text: &str, header: usize) -> Option<usize> {
    let claims = base64url_run(text[header..].strip_prefix('.')?);
    if claims == 0 {
        return None;
    }
    let before_signature = header + 1 + claims;
    let signature = text[before_signature..].strip_prefix('.').map(base64url_run)?;
    Some(before_signature + 1 + signature)
}

fn base64url_run(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count()
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
    fn other_texts_are_left_alone() {
        for text in ["", "eyJ", "eyJ.", "eyJ..", "eyJa.b", "grüße eyJ", "a.b.c"] {
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
