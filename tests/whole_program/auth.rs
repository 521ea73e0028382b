//! `skill-runtime auth`: profiles and tokens.

mod login;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use skill_sdk::testing;
use whole_program_tests::{Ended, PlatformProcess, Run, built, skill_runtime};

use super::token_text;

/// The private key of the contract's example, which no platform knows.
const KEY: &str = "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU";

/// A personal access config with that key.
fn pat() -> Value {
    json!({
        "jwk": {
            "crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ", "d": KEY,
            "kid": "example-key-1"
        },
        "issuer": "cognitivescale.com", "audience": "cortex", "username": "u-1", "url": "https://api.dci.example.com"
    })
}

/// A folder that holds a personal access config as `pat.json`.
fn folder_with(pat: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pat.json"), pat.to_string()).unwrap();
    folder
}

/// `skill-runtime auth`, which logs whatever it can.
fn auth(args: &[&str]) -> Run {
    skill_runtime().arg("auth").args(args).env("RUST_LOG", "trace")
}

/// What a command prints that did well.
fn printed(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The token that a command prints, and nothing else.
fn token(mut run: Run) -> String {
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let token = ended.stdout.strip_suffix('\n').unwrap();
    assert!(token.starts_with("eyJ") && !token.contains(char::is_whitespace), "{token}");
    assert!(!ended.stderr.contains(token) && !ended.stderr.contains("eyJ"), "{}", ended.stderr);
    token.to_owned()
}

/// What `inspect` says about a good token.
fn inspected(token: &str) -> Value {
    printed(&auth(&["inspect", token]).end())
}

#[test]
fn a_token_is_made_with_the_config_that_is_nearest() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    let file = platform.pat();
    let text = fs::read_to_string(file).unwrap();
    let key = serde_json::from_str::<Value>(&text).unwrap()["jwk"]["d"].as_str().unwrap().to_owned();
    let profiles = tempfile::tempdir().unwrap();
    let of_profiles = |args: &[&str]| auth(args).env("CORTEX_CONFIG_DIR", profiles.path());
    for name in ["dev", "other"] {
        let login = of_profiles(&["login", "--profile", name]).arg("--file").arg(file);
        assert_eq!({ login }.end().code, Some(0));
    }
    // What is farther away would fail.
    let nobody = pat().to_string();
    let runs = [
        of_profiles(&["token", "--profile", "none"])
            .arg("--file")
            .arg(file)
            .env("CORTEX_PERSONAL_ACCESS_CONFIG", &nobody),
        auth(&["token"]).env("SKILL_PERSONAL_ACCESS_CONFIG", file),
        of_profiles(&["token", "--profile", "dev"]).env("CORTEX_PERSONAL_ACCESS_CONFIG", &nobody),
        of_profiles(&["token"]).env("SKILL_PROFILE", "dev").env("CORTEX_PERSONAL_ACCESS_CONFIG", &nobody),
        auth(&["token"]).env("CORTEX_PERSONAL_ACCESS_CONFIG", &text).env("CORTEX_CONFIG_DIR", "/no/such/folder"),
        auth(&["token"]).env("CORTEX_PERSONAL_ACCESS_CONFIG", file).env("CORTEX_CONFIG_DIR", "/no/such/folder"),
        // A token that there is already does not matter.
        of_profiles(&["token"]).env("CORTEX_TOKEN", "asda"),
    ];
    for run in runs {
        let token = token(run);
        assert!(!token.contains(&key));
        let report = inspected(&token);
        assert_eq!(report["problems"], json!([]));
        assert_eq!(report["claims"]["exp"].as_i64().unwrap() - report["claims"]["iat"].as_i64().unwrap(), 120);
    }

    let day = token(of_profiles(&["token", "--ttl", "1d"]));
    let report = inspected(&day);
    assert_eq!(report["claims"]["exp"].as_i64().unwrap() - report["claims"]["iat"].as_i64().unwrap(), 86_400);
    let half = inspected(&token(of_profiles(&["token"]).env("SKILL_TOKEN_TTL", ".5h")));
    assert_eq!(half["claims"]["exp"].as_i64().unwrap() - half["claims"]["iat"].as_i64().unwrap(), 1800);

    // The platform takes it.
    let sample = r#"{"payload": {"op": "add", "by": 2}}"#;
    let invoke = skill_runtime().arg("invoke").arg(&built().content_counter).arg(sample).env("CORTEX_TOKEN", &day);
    let invoke = invoke.env("CORTEX_URI", platform.ready["url"].as_str().unwrap()).env("CORTEX_PROJECT", "local");
    assert_eq!({ invoke }.end().answer(), json!({"value": 2}));

    assert_eq!(platform.stop(), Some(0));
    of_profiles(&["token"]).end().problem("platform_unavailable");
}

#[test]
fn no_token_is_made_without_a_config_that_can_be_used() {
    let folder = folder_with(&json!({"jwk": {"kty": "OKP", "d": "hunter2"}, "url": "https://hunter2"}));
    let file = folder.path().join("pat.json");
    let problem = auth(&["token"]).end().problem("token_missing");
    assert!(problem["detail"].as_str().unwrap().starts_with("Your Cortex credentials could not be retrieved."));
    let problem = auth(&["token", "--profile", "none"]).end().problem("token_missing");
    assert!(problem["detail"].as_str().unwrap().contains("there is no file "), "{problem}");
    let missing = auth(&["token", "--file", "/no/such/pat.json"]).end().problem_with_exit("token_missing", 66);
    assert_eq!(missing["detail"], "Personal Access Token file does not exist at: /no/such/pat.json");
    for mut run in [
        auth(&["token"]).arg("--file").arg(&file),
        auth(&["token"]).env("CORTEX_PERSONAL_ACCESS_CONFIG", &file),
        auth(&["token"]).env("CORTEX_PERSONAL_ACCESS_CONFIG", r#"{"jwk": "hunter2"}"#),
    ] {
        let ended = run.end();
        ended.problem("token_invalid");
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    // JSON where only a path can be.
    let ended = auth(&["token"]).env("SKILL_PERSONAL_ACCESS_CONFIG", pat().to_string()).end();
    ended.problem_with_exit("token_missing", 66);
    assert!(!ended.stderr.contains(KEY), "{}", ended.stderr);
    let help = auth(&["token", "--help"]).env("SKILL_PERSONAL_ACCESS_CONFIG", pat().to_string()).end();
    assert!(help.code == Some(0) && !help.stdout.contains(KEY), "{}", help.stdout);

    for ttl in ["2", "m", "1 d", "1e3s", "-1d"] {
        let ended = auth(&["token", &format!("--ttl={ttl}")]).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{}", ended.stderr);
        let words = format!("Invalid --ttl \"{ttl}\" must be a number followed by ms,s,m,h,d,w,M,y");
        assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    }
    let short = auth(&["token", "--ttl", "999ms"]).end();
    assert_eq!(short.code, Some(64));
    assert!(short.stderr.contains("at least one second"), "{}", short.stderr);
}

#[test]
fn a_token_can_be_looked_at() {
    // That may take longer than a token lives.
    built();
    let text = token_text(&testing::Token::new().with("groups", json!(["a", "b"])).expires_in(Duration::from_hours(9)));
    for mut run in [
        auth(&["inspect", &text]),
        auth(&["inspect", "-"]).stdin(format!("{text}\n")),
        auth(&["inspect"]).env("CORTEX_TOKEN", &text),
    ] {
        let ended = run.end();
        let report = printed(&ended);
        assert_eq!(report["header"], json!({"alg": "EdDSA"}));
        assert_eq!(report["claims"]["groups"], json!(["a", "b"]));
        assert!(report["expiresAt"].as_str().unwrap().ends_with('Z'), "{report}");
        let left = report["timeLeft"].as_str().unwrap();
        assert!(left.starts_with("8h 5") || left == "9h", "{left}");
        assert_eq!(report["problems"], json!([]));
        let shown = ended.stdout + &ended.stderr;
        assert!(!shown.contains("eyJ") && !shown.contains("c2ln"), "{shown}");
    }
}

#[test]
fn what_is_wrong_with_a_token_is_said() {
    let problems = |mut run: Run| {
        let ended = run.end();
        assert_eq!(ended.code, Some(77), "{}", ended.stderr);
        let shown = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!shown.contains("eyJ") && !shown.contains("hunter2"), "{shown}");
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    let old = token_text(&testing::Token::new().without("aud").expired_for(Duration::from_secs(7200)));
    let report = problems(auth(&["inspect", &old]));
    assert_eq!(report["problems"][0], "claim aud is missing");
    assert!(report["problems"][1].as_str().unwrap().starts_with("expired at 20"), "{report}");
    assert!(report["timeLeft"].as_str().unwrap().starts_with("expired 2h"), "{report}");
    let unsigned = token_text(&testing::Token::new());
    let unsigned = unsigned.strip_suffix("c2ln").unwrap();
    assert_eq!(problems(auth(&["inspect", unsigned]))["problems"], json!(["it has no signature"]));
    // A claim may hold another token.
    let nested = token_text(&testing::Token::new().with("of", token_text(&testing::Token::new())).without("sub"));
    let report = problems(auth(&["inspect", &nested]));
    assert_eq!(report["claims"]["of"], "[token]");
    assert_eq!(report["problems"], json!(["claim sub is missing"]));

    for run in [
        auth(&["inspect", "hunter2"]),
        auth(&["inspect", "-"]).stdin("hunter2"),
        auth(&["inspect", "-"]).stdin("hunter2.".repeat(100_000)),
        auth(&["inspect", "-"]).stdin([b'a', 0xff]),
        auth(&["inspect"]).env("CORTEX_TOKEN", " "),
    ] {
        let report = problems(run);
        assert!(report["problems"].to_string().contains("not a JWT: "), "{report}");
        assert!(report.get("claims").is_none(), "{report}");
    }

    for mut run in [auth(&["inspect"]), auth(&["inspect"]).env("CORTEX_TOKEN", "")] {
        let problem = run.end().problem_with_exit("token_missing", 64);
        assert!(problem["detail"].as_str().unwrap().contains("CORTEX_TOKEN"), "{problem}");
    }
    // Of a command line that makes no sense no token is repeated either.
    let ended = auth(&["inspect", "Bearer", unsigned]).end();
    assert_eq!(ended.code, Some(64));
    assert!(ended.stderr.contains("'[token]'") && !ended.stderr.contains("eyJ"), "{}", ended.stderr);
}

#[test]
fn profiles_are_listed_without_their_keys() {
    let none = auth(&["profiles"]).end();
    assert_eq!(printed(&none), json!([]));
    assert!(none.stderr.contains("auth login"), "{}", none.stderr);

    let folder = folder_with(&pat());
    let of_folder = |args: &[&str]| auth(args).env("CORTEX_CONFIG_DIR", folder.path()).current_dir(folder.path());
    for (name, project) in [("b", "orders-dev"), ("a", "")] {
        let login = of_folder(&["login", "--file", "pat.json", "--profile", name, "--project", project]).end();
        assert_eq!(login.code, Some(0), "{}", login.stderr);
    }
    let ended = of_folder(&["profiles"]).end();
    let profile = |name: &str, project: Option<&str>, current: bool| {
        json!({
            "name": name, "url": "https://api.dci.example.com", "project": project, "username": "u-1", "current": current
        })
    };
    assert_eq!(printed(&ended), json!([profile("a", None, true), profile("b", Some("orders-dev"), false)]));
    assert!(!(ended.stdout + &ended.stderr).contains(KEY));

    for text in [r#"{"version": "2", "profiles": {"default": {"token": "hunter2"}}}"#, "{}", "hunter2"] {
        fs::write(folder.path().join("config"), text).unwrap();
        let ended = of_folder(&["profiles"]).end();
        ended.problem_with_exit("token_missing", 78);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

/// The file of profiles in a folder.
fn config(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("config")).unwrap()).unwrap()
}
