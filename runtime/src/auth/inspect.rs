//! `auth inspect`: what a token says about itself, and what is wrong with it.

use std::ffi::OsStr;
use std::io::Read;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use skill_sdk::auth::environment::CORTEX_TOKEN;
use skill_sdk::auth::token::{DEFAULT_LEEWAY, numeric_date};
use skill_sdk::auth::{AccessToken, Claims};
use skill_sdk::{Code, Error};

use crate::cli::exit;
use crate::outcome::Refusal;

/// How far the clocks of two machines may differ, as for a host.
const LEEWAY: SignedDuration = SignedDuration::from_secs(DEFAULT_LEEWAY.as_secs().cast_signed());

/// Longest text that is looked at, in bytes. Servers refuse headers of this size.
const LONGEST: usize = 64 * 1024;

type Object = Map<String, Value>;

pub(super) fn run(given: Option<&OsStr>) -> Result<ExitCode, Refusal> {
    let report = Report::of(&String::from_utf8_lossy(&read(given)?), Timestamp::now());
    super::print_json(&report)?;
    // As a job that comes with such a token exits.
    let exit_code = if report.problems.is_empty() { 0 } else { Code::TokenInvalid.exit_code() };
    Ok(exit_code.into())
}

fn read(given: Option<&OsStr>) -> Result<Vec<u8>, Refusal> {
    if given.is_some_and(|given| given == "-") {
        let mut bytes = Vec::new();
        // A little more, for the end of the line.
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(16);
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(|error| {
            let error = Error::new(Code::TokenMissing, "cannot read the token from standard input").with_source(error);
            Refusal::with_exit_code(error, exit::NO_INPUT)
        })?;
        bytes.truncate(bytes.trim_ascii_end().len());
        return Ok(bytes);
    }
    let variable = || std::env::var_os(CORTEX_TOKEN).filter(|token| !token.is_empty());
    given.map(OsStr::to_owned).or_else(variable).map(std::ffi::OsString::into_encoded_bytes).ok_or_else(|| {
        let detail = format!("no token to look at: give one, or - for standard input, or set {CORTEX_TOKEN}");
        Refusal::with_exit_code(Error::new(Code::TokenMissing, detail), exit::USAGE)
    })
}

/// What there is to say about a text that should be a token.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Such as `1m 30s` or `expired 5s ago`.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_left: Option<String>,
    problems: Vec<String>,
}

impl Report {
    fn of(text: &str, now: Timestamp) -> Self {
        let mut problems = Vec::new();
        let token = text.trim();
        if token.len() != text.len() {
            problems.push("there is white space around it".to_owned());
        }
        let (header, claims, is_signed) = match parts(token) {
            Ok(parts) => parts,
            Err(why) => {
                problems.push(format!("not a JWT: {why}"));
                return Self { problems, ..Self::default() };
            }
        };
        match header.get("alg") {
            Some(Value::String(alg)) if alg.eq_ignore_ascii_case("none") => {
                problems.push("its alg is none: nobody has signed it".to_owned());
            }
            Some(Value::String(_)) => {}
            _ => problems.push("its header has no alg".to_owned()),
        }
        if !is_signed {
            problems.push("it has no signature".to_owned());
        }
        problems.extend(Claims::problems(&claims));
        let end = claims.get("exp").and_then(numeric_date);
        let time_left = end.map(|end| match end.duration_since(now) {
            left if left.is_positive() => duration(left),
            past => {
                let ago = duration(past.abs());
                if past.abs() > LEEWAY {
                    problems.push(format!("expired at {end}, {ago} ago"));
                }
                format!("expired {ago} ago")
            }
        });
        match claims.get("nbf").filter(|claim| !claim.is_null()).map(numeric_date) {
            Some(Some(begin)) if begin.duration_since(now) > LEEWAY => {
                problems.push(format!("not valid before {begin}, {} from now", duration(begin.duration_since(now))));
            }
            Some(None) => problems.push("claim nbf is not a number".to_owned()),
            Some(Some(_)) | None => {}
        }
        // Whatever else keeps a host from accepting it, such as a claim that stands twice.
        if let (true, Err(error)) = (problems.is_empty(), AccessToken::decode(token.into())) {
            problems.push(error.detail().to_owned());
        }
        let expires_at = end.map(|end| end.to_string());
        Self { header: Some(header), claims: Some(claims), expires_at, time_left, problems }
    }
}

/// Header, claims, and whether there is a signature.
fn parts(token: &str) -> Result<(Object, Object, bool), String> {
    if token.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err(format!("it has {} of three parts", parts.len()));
    };
    let object = |part: &str, name: &str| {
        let json = URL_SAFE_NO_PAD.decode(part).ok().and_then(|json| serde_json::from_slice(&json).ok());
        json.ok_or_else(|| format!("its {name} is no JSON object in base64url"))
    };
    let (header, claims) = (object(header, "header")?, object(claims, "body")?);
    if !signature.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err("its signature is not base64url".to_owned());
    }
    Ok((header, claims, !signature.is_empty()))
}

/// A duration as people write it, to the second.
fn duration(duration: SignedDuration) -> String {
    format!("{:#}", SignedDuration::from_secs(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_718_000_000;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    fn report(token: &str) -> Value {
        serde_json::to_value(Report::of(token, Timestamp::from_second(NOW).unwrap())).unwrap()
    }

    #[test]
    fn a_good_token_has_no_problems() {
        let header = json!({"alg": "EdDSA", "kid": "k"});
        let claims = json!({"aud": ["a"], "sub": "u", "exp": NOW + 90, "nbf": NOW, "more": {"a": 1}});
        assert_eq!(
            report(&token(&header, &claims)),
            json!({
                "header": header, "claims": claims, "expiresAt": "2024-06-10T06:14:50Z", "timeLeft": "1m 30s",
                "problems": []
            })
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let header = json!({"alg": "EdDSA"});
        let with = |claim: &str, value: Value| {
            let mut claims = json!({"aud": "a", "sub": "u", "exp": NOW + 90});
            claims[claim] = value;
            report(&token(&header, &claims))["problems"].clone()
        };
        let all = ["claim aud is missing", "claim sub is missing", "claim exp is missing"];
        assert_eq!(report(&token(&header, &json!({})))["problems"], json!(all));
        assert_eq!(with("exp", json!("soon")), json!(["claim exp is not a number"]));
        // The clocks of two machines are never quite the same.
        assert_eq!(with("exp", json!(NOW - 10)), json!([]));
        assert_eq!(with("exp", json!(NOW - 11)), json!(["expired at 2024-06-10T06:13:09Z, 11s ago"]));
        assert_eq!(with("nbf", json!(NOW + 10)), json!([]));
        assert_eq!(with("nbf", json!(NOW + 60)), json!(["not valid before 2024-06-10T06:14:20Z, 1m from now"]));
        assert_eq!(with("nbf", json!(true)), json!(["claim nbf is not a number"]));
        assert_eq!(with("exp", json!(1e300)), json!([]));
        let claims = json!({"aud": "a", "sub": "u", "exp": NOW + 90});
        let unsigned = token(&json!({"alg": "None"}), &claims).replace("c2ln", "");
        assert_eq!(
            report(&unsigned)["problems"],
            json!(["its alg is none: nobody has signed it", "it has no signature"])
        );
        assert_eq!(report(&token(&json!({}), &claims))["problems"], json!(["its header has no alg"]));
        let spaced = format!("{}\n", token(&header, &claims));
        assert_eq!(report(&spaced)["problems"], json!(["there is white space around it"]));
        let past = report(&token(&header, &json!({"exp": NOW - 3600})));
        assert_eq!(past["timeLeft"], "expired 1h ago");
    }

    #[test]
    fn of_what_is_no_token_only_the_problem_is_told() {
        let good = token(&json!({"alg": "EdDSA"}), &json!({}));
        let (head, _) = good.rsplit_once('.').unwrap();
        for (text, why) in [
            ("", "not a JWT: it has 1 of three parts"),
            ("hunter2", "not a JWT: it has 1 of three parts"),
            (head, "not a JWT: it has 2 of three parts"),
            ("hunter2.e30.c2ln", "not a JWT: its header is no JSON object in base64url"),
            ("e30.WzFd.c2ln", "not a JWT: its body is no JSON object in base64url"),
            ("e30.e30.c2+n", "not a JWT: its signature is not base64url"),
            (&"e".repeat(70_000), "not a JWT: it is longer than 65536 bytes"),
        ] {
            assert_eq!(report(text), json!({"problems": [why]}), "{text}");
        }
    }

    #[test]
    fn what_is_accepted_has_no_problem() {
        use skill_sdk::auth::AccessToken;

        let now = Timestamp::now();
        let twice = format!(r#"{{"aud":"a","sub":"u","exp":1,"exp":{}}}"#, now.as_second() + 60);
        let twice = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(twice))
            .replace("e30", &URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#));
        assert_eq!(Report::of(&twice, now).problems, ["Your Cortex Token is invalid: not a JWT"]);
        let claims = [json!({}), json!({"aud": "a", "sub": "u", "exp": now.as_second() + 60}), json!({"exp": 0})];
        for claims in claims {
            let token = token(&json!({"alg": "EdDSA"}), &claims);
            let accepted = AccessToken::decode(token.clone().into()).is_ok();
            assert_eq!(Report::of(&token, now).problems.is_empty(), accepted, "{claims}");
        }
    }
}
