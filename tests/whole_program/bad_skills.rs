//! Skills that cannot be used, and skills that do not behave.

use super::{invoke, invoke_with, message, token};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use whole_program_tests::{built, root, skill_runtime};

/// A library made of C.
fn c_library(folder: &Path, source: &str) -> PathBuf {
    let (input, output) = (folder.join("library.c"), folder.join("liblibrary.so"));
    fs::write(&input, source).unwrap();
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&output).arg(&input).status().unwrap();
    assert!(status.success());
    output
}

fn unusable(path: &Path) -> String {
    let problem = skill_runtime().arg("invoke").arg(path).arg(r#"{"payload": 1}"#).end().problem("skill_not_found");
    problem["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_skill_that_is_not_there() {
    assert!(unusable(Path::new("/no/such/libskill.so")).contains("/no/such/libskill.so cannot be opened"));
    // A bare name is a file here, never a library of the system.
    assert!(unusable(Path::new("libc.so.6")).contains("cannot be opened"));
}

#[test]
fn files_that_are_no_library() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in
        [("libgarbage.so", &b"\x7fELF and then nothing"[..]), ("skill.txt", b"a text"), ("empty.so", b"")]
    {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        assert!(unusable(&path).contains("is not a skill library"), "{name}");
    }
    assert!(unusable(folder.path()).contains("is not a skill library"));
    assert!(unusable(&built().runtime).contains("is not a skill library"), "an executable");
}

#[test]
fn libraries_without_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let other = c_library(folder.path(), "int something_else(void) { return 1; }");
    assert!(unusable(&other).contains("lacks an entry point"));
    let null = c_library(folder.path(), "void *skill_sdk_plugin(void) { return 0; }");
    assert!(unusable(&null).contains("gives nothing"));
}

#[test]
fn a_library_of_another_abi_version() {
    let folder = tempfile::tempdir().unwrap();
    let library = |version: u32, size: u32| {
        let source = format!(
            "static const unsigned table[2] = {{ {version}u, {size}u }};\n\
             const void *skill_sdk_plugin(void) {{ return table; }}\n"
        );
        unusable(&c_library(folder.path(), &source))
    };
    let detail = library(999, 64);
    let own = skill_sdk::plugin::ABI_VERSION;
    assert!(detail.contains("version 999") && detail.contains(&format!("this host is for version {own}")), "{detail}");
    // The version alone is not believed.
    assert!(library(own, 8).contains("(8 bytes)"));
}

/// A library whose manifests are this JSON, and whose skills end the process.
fn library_of(folder: &Path, manifests: &Value) -> PathBuf {
    let header = skill_sdk::plugin::Header::of::<skill_sdk::plugin::Plugin>();
    // A text of JSON is one of C too, as long as it is ASCII.
    let json = json!(manifests.to_string());
    let source = format!(
        r#"
        #include <stddef.h>
        #include <stdlib.h>
        struct reply {{
            _Bool failed; const char *start; size_t length, capacity; void (*free)(void *, size_t, size_t);
        }};
        static const char json[] = {json};
        static void keep(void *start, size_t length, size_t capacity) {{}}
        static void start(const void *host) {{}}
        static struct reply manifests(void) {{
            struct reply reply = {{ 0, json, sizeof json - 1, sizeof json - 1, keep }};
            return reply;
        }}
        static void run(void) {{ abort(); }}
        static const struct {{
            unsigned abi_version, size; const char *version; size_t length;
            void (*start)(const void *); struct reply (*manifests)(void); void (*schemas)(void), (*call)(void);
        }} table = {{ {version}u, {size}u, "9", 1, start, manifests, run, run }};
        _Static_assert(sizeof table == {size}, "the table of the host");
        const void *skill_sdk_plugin(void) {{ return &table; }}
        "#,
        version = header.abi_version,
        size = header.size,
    );
    c_library(folder, &source)
}

#[test]
fn a_library_that_requires_what_is_not_understood() {
    let unusable = |requires: Value| {
        let folder = tempfile::tempdir().unwrap();
        let manifests = json!([
            {"name": "fine", "needsClient": false},
            {"name": "newer", "needsClient": false, "requires": requires},
        ]);
        unusable(&library_of(folder.path(), &manifests))
    };
    let all = json!({"all": {}});
    let detail = unusable(json!([{"moonAcl": {"actions": ["LAND"], "scope": all}}]));
    assert!(detail.starts_with("the skill `newer` of ") && detail.contains(r#"requires {"moonAcl":"#), "{detail}");
    let detail = unusable(json!([{"assetsAcl": {"actions": ["READ", "FLY"], "scope": all}}]));
    assert!(detail.contains("'FLY' is not a valid action of assetsAcl"), "{detail}");
    let detail = unusable(json!([{"assetsAcl": {"actions": [], "scope": all}}]));
    assert!(detail.contains("which nobody could lack"), "{detail}");
    // What has not even the form of a requirement.
    for requires in [json!([1]), json!({"assetsAcl": {}}), json!([{"assetsAcl": {"actions": ["READ"]}}])] {
        let detail = unusable(requires);
        assert!(detail.contains("has manifests that cannot be read"), "{detail}");
    }
    // It is the requirement that is refused: the skill beside it is found where there is none.
    let folder = tempfile::tempdir().unwrap();
    let library = library_of(folder.path(), &json!([{"name": "fine", "needsClient": false, "comesLater": 1}]));
    let ended = skill_runtime().arg("invoke").arg(&library).args(["--skill", "other", r#"{"payload": 1}"#]).end();
    let problem = ended.problem("skill_not_found");
    assert_eq!(problem["detail"], "there is no skill `other` here; there are: fine");
}

#[test]
fn packages_that_cannot_be_built() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "not a manifest").unwrap();
    assert!(unusable(folder.path()).contains("cargo gave"));
    let without_library = unusable(&root().join("runtime/local-platform"));
    assert!(without_library.contains("has no library of crate type \"cdylib\""), "{without_library}");
}

#[test]
fn a_skill_of_an_unknown_name() {
    let ended = invoke_with("nope", &json!(1)).end();
    ended.problem("skill_not_found");
    assert_eq!(ended.stderr.lines().count(), 1, "no platform is started for it: {}", ended.stderr);
    // Whoever may not ask is not told what there is.
    let stranger = invoke_with("nope", &json!(1)).arg("--deployed").end();
    assert!(!stranger.problem("token_missing")["detail"].as_str().unwrap().contains("echo"));
    let problem = invoke("nope").arg(message(&json!(1)).to_string()).end().problem("skill_not_found");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("there is no skill `nope` here; there are: echo, caller, "), "{detail}");
    let mut named = message(&json!(1));
    named["skillName"] = "acme/nope".into();
    let run = |message: &Value| skill_runtime().arg("invoke").arg(&built().misbehaving).arg(message.to_string()).end();
    assert!(run(&named).problem("skill_not_found")["detail"].as_str().unwrap().contains("`acme/nope`"));
    named["skillName"] = "echo".into();
    assert_eq!(run(&named).answer(), json!(1));
    // A host with one skill runs it under any name.
    named["skillName"] = "acme/other".into();
    named["payload"] = json!({"text": "a b"});
    let one = skill_runtime().arg("invoke").arg(&built().word_count).arg(named.to_string()).end();
    assert_eq!(one.answer()["words"], 2);
}

#[test]
fn a_skill_that_fails() {
    let ended = invoke_with("fails", &json!(1)).end();
    let problem = ended.problem("skill_failed");
    assert_eq!(problem["detail"], "cannot save the order: the disk is full");
    assert_eq!(ended.stderr.lines().count(), 1);
}

#[test]
fn a_skill_may_name_the_row() {
    for code in skill_sdk::Code::ALL {
        let failure = json!({"code": code.as_str(), "detail": "so it is"});
        let problem = invoke_with("fails-with", &failure).end().problem(code.as_str());
        assert_eq!(problem["detail"], "so it is");
    }
}

#[test]
fn an_expired_token_is_found_however_it_was_wrapped() {
    for how in ["bare", "anyhow", "context", "enum", "enum in anyhow", "io"] {
        let problem = invoke_with("wraps", &json!(how)).end().problem("token_expired");
        assert!(problem["detail"].as_str().unwrap().ends_with("Your Cortex Token expired at noon"), "{how}: {problem}");
    }
}

#[test]
fn a_skill_that_panics() {
    for (skill, text) in [("panics", "what a mess"), ("panics-later", "what a late mess")] {
        let ended = invoke_with(skill, &json!(1)).end();
        assert_eq!(ended.problem("skill_panicked")["detail"], format!("the skill panicked: {text}"));
        let logs = ended.logs();
        assert_eq!(logs.len(), 1, "{}", ended.stderr);
        assert_eq!(logs[0]["message"], format!("panicked: {text}"));
        assert!(logs[0]["place"].as_str().unwrap().contains("lib.rs:"), "{}", ended.stderr);
    }
}

#[test]
fn a_skill_that_hangs() {
    let problem = invoke_with("hangs", &json!(1)).args(["--timeout", "100ms"]).end().problem("timeout");
    assert_eq!(problem["detail"], "the skill did not answer within 100ms");
    // Its own limit counts when it is the shorter one.
    let problem = invoke_with("hurries", &json!(1)).end().problem("timeout");
    assert_eq!(problem["detail"], "the skill did not answer within 50ms");
}

#[test]
fn a_skill_that_never_yields() {
    let problem = invoke_with("spins", &json!(1)).env("SKILL_TIMEOUT", "100ms").end().problem("timeout");
    assert!(!problem["activationId"].as_str().unwrap().is_empty());
}

#[test]
fn a_skill_that_never_yields_has_its_own_limit() {
    let problem = invoke_with("spins-in-a-hurry", &json!(1)).end().problem("timeout");
    assert_eq!(problem["detail"], "the skill did not answer within 50ms");
}

#[test]
fn an_answer_after_the_deadline_is_none() {
    let problem = invoke_with("dawdles", &json!(200)).args(["--timeout", "50ms"]).end().problem("timeout");
    assert_eq!(problem["detail"], "the skill did not answer within 50ms");
    assert_eq!(invoke_with("dawdles", &json!(1)).end().answer(), 1);
}

#[test]
fn a_timeout_drops_the_handler() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    invoke_with("leaves-a-mark", &json!(mark)).args(["--timeout", "50ms"]).end().problem("timeout");
    assert_eq!(fs::read_to_string(mark).unwrap(), "inside: true\n");
}

#[test]
fn a_skill_that_answers_fifty_megabytes() {
    let problem = invoke_with("floods", &json!(50_000_000)).end().problem("response_too_large");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("is 50000002 bytes") && detail.contains("limit of 102400"), "{detail}");
    let allowed = invoke_with("floods", &json!(50_000_000)).args(["--max-response", "50000002"]).end();
    assert_eq!(allowed.answer().as_str().map(str::len), Some(50_000_000));
}

#[test]
fn a_skill_that_gives_its_token_away() {
    let compact = message(&json!(1));
    // JSON with white space is as good a header as any.
    let (_, rest) = token(&compact).split_once('.').unwrap();
    let mut spaced = compact.clone();
    spaced["token"] = format!("ewogICJhbGciOiAiRWREU0EiCn0.{rest}").into();
    for message in [compact, spaced] {
        gives_its_token_away(&message);
    }
}

fn gives_its_token_away(message: &Value) {
    for (skill, code) in [("leaks", "skill_failed"), ("panics-with-token", "skill_panicked")] {
        let ended = invoke(skill).arg(message.to_string()).env("RUST_LOG", "trace").end();
        let problem = ended.problem(code);
        assert!(problem["detail"].as_str().unwrap().ends_with("the token is [token]"), "{problem}");
        assert!(!ended.stderr.contains(token(message)), "{}", ended.stderr);
    }
}

#[test]
fn an_answer_that_nobody_can_read() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(&built().runtime)
        .arg("invoke")
        .arg(&built().misbehaving)
        .args(["--skill", "echo", r#"{"payload": 1}"#])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(70));
    let problem: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(problem["code"], "internal");
}
