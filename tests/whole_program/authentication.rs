//! What an operator asks of messages: signatures, issuers, audiences, platforms.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use whole_program_tests::{Ended, built, program, skill_runtime};

use super::{invoke, message, samples};

/// The public key of `samples::config_of_nobody`, as a set.
fn key_set() -> Value {
    let mut jwk = samples::config_of_nobody("http://h")["jwk"].clone();
    jwk.as_object_mut().unwrap().remove("d");
    json!({"keys": [jwk]})
}

/// A message whose token was signed with that key, for the audience `a` by the issuer `i`.
fn signed_message() -> Value {
    let config = PersonalAccessConfig::from_json(&samples::config_of_nobody("http://h").to_string()).unwrap();
    let token = config.sign(Timestamp::now(), Duration::from_mins(2)).unwrap();
    let mut message = message(&json!(1));
    message["token"] = token.expose_secret().into();
    message
}

fn with_keys(keys: &str, args: &[&str], message: &Value) -> Ended {
    invoke("caller").args(["--jwks", keys]).args(args).arg(message.to_string()).end()
}

#[test]
fn signatures_are_checked_when_there_are_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, key_set().to_string()).unwrap();
    let keys = file.to_str().unwrap();
    let good = signed_message();
    assert_eq!(with_keys(keys, &[], &good).answer()["subject"], "u");
    for args in [
        &["--issuer", "i"][..],
        &["--audience", "a"],
        &["--issuer", "x", "--issuer", "i", "--audience", "a"],
        &["--issuer", "x, i"],
    ] {
        assert_eq!(with_keys(keys, args, &good).code, Some(0), "{args:?}");
    }
    for (args, why) in [
        (&["--issuer", "x"][..], "the issuer i is not trusted"),
        (&["--audience", "x"], "it is for the audience a"),
        (&["--issuer", "i", "--audience", "x,y"], "it is for the audience a"),
    ] {
        let problem = with_keys(keys, args, &good).problem("token_invalid");
        assert_eq!(problem["detail"], format!("Your Cortex Token is invalid: {why}"));
    }
    // Signed by nobody whose key is known.
    let problem = with_keys(keys, &[], &message(&json!(1))).problem("token_invalid");
    assert!(problem["detail"].as_str().unwrap().starts_with("Your Cortex Token is invalid: "), "{problem}");
    let mut changed = good.clone();
    let parts: Vec<&str> = good["token"].as_str().unwrap().split('.').collect();
    let other = message(&json!(1));
    let payload = other["token"].as_str().unwrap().split('.').nth(1).unwrap();
    changed["token"] = [parts[0], payload, parts[2]].join(".").into();
    let problem = with_keys(keys, &[], &changed).problem("token_invalid");
    assert_eq!(problem["detail"], "Your Cortex Token is invalid: the signature is bad");
    assert_eq!(with_keys(&format!("file://{keys}"), &[], &good).code, Some(0));
    // The settings are variables too.
    let mut run = invoke("caller").env("SKILL_JWKS", keys).env("SKILL_AUDIENCE", "x,a").arg(good.to_string());
    assert_eq!(run.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_may_be_fetched() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let keys = axum::Router::new().route("/keys", axum::routing::get(async || key_set().to_string()));
    let server = tokio::spawn(async move { axum::serve(listener, keys).await });
    let good = signed_message();
    let run = |url: String| {
        let good = good.clone();
        tokio::task::spawn_blocking(move || with_keys(&url, &["--timeout", "20s"], &good))
    };
    assert_eq!(run(url.clone()).await.unwrap().answer()["subject"], "u");
    run(url.replace("/keys", "/other")).await.unwrap().problem("platform_unavailable");
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    run(url).await.unwrap().problem("platform_unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_do_not_come_are_not_waited_for_beyond_the_deadline() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let good = signed_message();
    let run = tokio::task::spawn_blocking(move || with_keys(&url, &["--timeout", "300ms"], &good));
    run.await.unwrap().problem("timeout");
}

#[test]
fn keys_that_cannot_be_used_are_a_bad_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let keys = file.to_str().unwrap();
    for text in
        [None, Some(""), Some("{}"), Some(r#"{"keys": []}"#), Some(r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#)]
    {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let ended = with_keys(keys, &[], &signed_message());
        let problem = ended.problem_with_exit("token_invalid", 78);
        assert!(problem["detail"].as_str().unwrap().contains(keys), "{problem}");
    }
    for keys in ["ftp://h/keys", "https://user:hunter2@h/keys"] {
        let ended = with_keys(keys, &[], &signed_message());
        ended.problem_with_exit("token_invalid", 78);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    // An issuer is worth nothing while anybody can be it.
    let ended = invoke("caller").args(["--issuer", "i"]).arg(signed_message().to_string()).end();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
}

#[test]
fn only_platforms_that_are_allowed_are_acted_on() {
    // The platform of the message is http://127.0.0.1:9.
    let run = |allowed: &[&str]| {
        let args = allowed.iter().flat_map(|url| ["--allow-endpoint", url]);
        invoke("caller").args(args).arg(message(&json!(1)).to_string()).end()
    };
    for allowed in [
        &["http://127.0.0.1:9"][..],
        &["http://127.0.0.1:9/"],
        &["https://api.example.com", "http://127.0.0.1:9"],
        &["https://api.example.com,HTTP://127.0.0.1:9"],
    ] {
        assert_eq!(run(allowed).code, Some(0), "{allowed:?}");
    }
    for allowed in [
        &["https://127.0.0.1:9"][..],
        &["http://127.0.0.1"],
        &["http://127.0.0.1:90"],
        &["http://localhost:9"],
        &["http://127.0.0.2:9", "https://api.example.com"],
    ] {
        let problem = run(allowed).problem("endpoint_not_allowed");
        assert_eq!(problem["detail"], "this host acts on no platform at http://127.0.0.1:9", "{allowed:?}");
    }
    for not_an_origin in
        ["127.0.0.1:9", "http://127.0.0.1:9/fabric", "http://u@127.0.0.1:9", "ftp://h", "http://h?x", ""]
    {
        assert_eq!(run(&[not_an_origin]).code, Some(64), "{not_an_origin}");
    }
    // A platform in disguise.
    for url in
        ["http://127.0.0.1:9@evil.example", "http://127.0.0.1:9.evil.example", "http://evil.example#http://127.0.0.1:9"]
    {
        let mut message = message(&json!(1));
        message["apiEndpoint"] = url.into();
        let ended = invoke("caller").args(["--allow-endpoint", "http://127.0.0.1:9"]).arg(message.to_string()).end();
        assert!(matches!(ended.code, Some(65 | 77)), "{url}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_not_allowed_is_not_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let turns = Arc::clone(&asked);
    let count = async move || turns.fetch_add(1, Ordering::SeqCst).to_string();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(count)).await });

    let config = samples::config_of_nobody(&url).to_string();
    let plainly = json!({"how": "plainly"});
    let mut complete = message(&plainly);
    complete["apiEndpoint"] = url.as_str().into();
    let runs = move || {
        let run = |skill: &str, message: &Value| {
            let args = ["--allow-endpoint", "https://api.example.com", &message.to_string()];
            invoke(skill).args(args).env("CORTEX_PERSONAL_ACCESS_CONFIG", &config).end()
        };
        // Neither for a token that fills a sample, nor by a skill that said it needs no client.
        run("asks-platform", &complete).problem("endpoint_not_allowed");
        run("asks-platform", &json!({"payload": plainly})).problem("endpoint_not_allowed");
        run("asks-platform-unasked", &complete).problem("endpoint_not_allowed");
        run("echo", &complete).answer();
    };
    tokio::task::spawn_blocking(runs).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_skill_that_needs_no_client_gets_none_that_nobody_has_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, key_set().to_string()).unwrap();
    let forged = message(&json!({"how": "plainly"})).to_string();
    for form in ["linked", "library"] {
        let run = |skill: &str| {
            let run = match form {
                "linked" => program(Path::new(env!("CARGO_BIN_EXE_linked-misbehaving"))).arg("invoke"),
                _ => skill_runtime().arg("invoke").arg(&built().misbehaving),
            };
            run.args(["--skill", skill, "--jwks", file.to_str().unwrap(), &forged]).end()
        };
        let problem = run("asks-platform-unasked").problem("token_invalid");
        assert!(problem["detail"].as_str().unwrap().starts_with("Your Cortex Token is invalid: "), "{form}: {problem}");
        run("echo").answer();
    }
}

#[test]
fn a_ca_bundle_that_cannot_be_used_is_named() {
    let mut message = message(&json!({"how": "plainly"}));
    message["apiEndpoint"] = "https://127.0.0.1:9".into();
    let run = || invoke("asks-platform").arg(message.to_string());
    let missing = Path::new("/no/such/bundle.pem").display();
    // An option is looked at before anything is run, whether it will matter or not.
    for (run, exit_code) in [
        (run().args(["--verify-ssl-cert", "/no/such/bundle.pem"]), 78),
        (run().env("SKILL_VERIFY_SSL_CERT", "/no/such/bundle.pem"), 78),
        (run().env("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem"), 75),
        (run().env("SSL_CERT_FILE", "/no/such/bundle.pem"), 75),
    ] {
        let problem = { run }.end().problem_with_exit("platform_unavailable", exit_code);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("the CA bundle {missing} cannot be read")), "{detail}");
    }
    let ended = run().args(["--verify-ssl-cert", "false"]).end();
    ended.problem("platform_unavailable");
    let warned = ended.logs().iter().any(|line| line["message"].as_str().unwrap().contains("not checked"));
    assert!(warned, "{}", ended.stderr);
}
