//! `iam verify` and `iam inspect`: what a token is good for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use whole_program_tests::{Ended, Run, built, root, skill_runtime};

use super::lists::{iam, scripted};
use crate::local::Local;

fn assets() -> Value {
    json!({"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}})
}

fn events(data_sets: &[i64]) -> Value {
    json!({"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": data_sets}}}})
}

fn entry(mut capability: Value, projects: &Value) -> Value {
    capability["projectScope"] = projects.clone();
    capability
}

/// A platform, and somebody there who may read assets in the project `p`, and write events of a data set in another.
async fn local() -> (Local, PathBuf) {
    let local = Local::start();
    let pat = local.principal("reader", &["readers"]);
    local.group("p", "readers", &[assets()]).await;
    local.group("other", "readers", &[events(&[123])]).await;
    (local, pat)
}

fn verify_on(local: &Local, pat: &Path, folder: &Path, args: &[&str]) -> Run {
    let run = skill_runtime().args(["iam", "verify"]).current_dir(folder);
    // Of two projects that are given the last counts.
    let in_p = if args.contains(&"--project") { &[][..] } else { &["--project", "p"] };
    let run = run.arg("--personal-access-config").arg(pat).args(["--api-endpoint", local.url()]);
    run.args(in_p).args(args)
}

/// What a platform says that does not say it as the embedded one does.
fn inspection() -> Value {
    json!({
        "subject": "9a3f-svc",
        "projects": [{"projectUrlName": "p", "groups": [11]}],
        "capabilities": [
            entry(assets(), &json!({"projects": ["p"]})),
            entry(events(&[123]), &json!({"projects": ["other"]})),
        ],
    })
}

fn verify(url: &str, folder: &Path, args: &[&str]) -> Run {
    iam(url, &["verify"]).args(args).current_dir(folder)
}

/// Looks for exactly this, and nothing on stderr.
fn printed(ended: &Ended, code: i32, stdout: &str) {
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(code), stdout, ""));
}

const NO_EVENTS: &str =
    "[\n  {\"eventsAcl\":{\"actions\":[\"WRITE\"],\"scope\":{\"datasetScope\":{\"ids\":[123]}}}}\n]\n";

#[tokio::test]
async fn what_a_file_asks_for_is_verified_in_the_project() {
    let (local, pat) = local().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let verify = |args: &[&str]| verify_on(&local, &pat, path, args);
    fs::write(path.join("assets.json"), assets().to_string()).unwrap();
    let both = json!([assets(), events(&[123])]).to_string();

    printed(&verify(&["--desired", "assets.json"]).end(), 0, "[]\n");
    printed(&verify(&["--desired", "-"]).stdin(both.clone()).end(), 77, NO_EVENTS);
    let other = verify(&["--desired", "-", "--project", "other"]).stdin(both).end();
    printed(&other, 77, &format!("[\n  {}\n]\n", assets()));
    // The entries of a token count in the project.
    let inspected = local.as_principal(skill_runtime().args(["iam", "inspect"]), &pat, "p").end();
    assert_eq!(serde_json::from_str::<Value>(&inspected.stdout).unwrap()["subject"], "reader");
    printed(&verify(&["--desired", "-"]).stdin(inspected.stdout).end(), 0, "[]\n");

    let one = json!({"assetsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": [7]}}}});
    printed(&verify(&["--desired", "-"]).stdin(one.to_string()).end(), 0, "[]\n");
    let exactly = verify(&["--desired", "-", "--ignore-allscope-meaning"]).stdin(one.to_string()).end();
    printed(&exactly, 77, &format!("[\n  {one}\n]\n"));
}

#[tokio::test]
async fn what_skills_require_is_verified() {
    let (local, pat) = local().await;
    let guarded = built().guarded.to_str().unwrap();
    let verify = |args: &[&str]| verify_on(&local, &pat, root(), args);
    printed(&verify(&["--skill", guarded]).end(), 77, NO_EVENTS);
    printed(&verify(&["--skill", guarded, "--name", "guarded"]).end(), 77, NO_EVENTS);
    // What is typed wins over a variable that says it in another way.
    let typed = verify(&["--skill", guarded]).env("SKILL_DESIRED", "none").end();
    printed(&typed, 77, NO_EVENTS);
    let package = verify(&["--skill", "examples/guarded", "--project", "other"]).end();
    assert_eq!(package.code, Some(77), "{}", package.stderr);
    assert_eq!(package.stdout, format!("[\n  {}\n]\n", assets()));

    local.group("p", "readers", &[events(&[123, 7])]).await;
    printed(&verify(&["--skill", guarded]).end(), 0, "[]\n");
}

#[test]
fn a_platform_is_asked_once_what_a_token_is_good_for() {
    let (url, asked) = scripted(&[("200 OK", inspection())]);
    let folder = tempfile::tempdir().unwrap();
    let run = verify(&url, folder.path(), &["--desired", "-"]).stdin(assets().to_string());
    printed(&{ run }.end(), 0, "[]\n");
    assert_eq!(*asked.lock().unwrap(), ["GET /api/v1/token/inspect"]);
}

#[test]
fn whoever_needs_nothing_has_it() {
    let word_count = built().word_count.to_str().unwrap();
    // No platform is asked.
    let ended = skill_runtime().args(["iam", "verify", "--skill", word_count]).end();
    printed(&ended, 0, "[]\n");
    let ended = skill_runtime().args(["iam", "verify", "--skill", word_count, "--name", "other"]).end();
    ended.problem("skill_not_found");
}

#[test]
fn the_embedded_platform_grants_what_skills_require() {
    let folder = tempfile::tempdir().unwrap();
    let on_embedded = |args: &[&str]| {
        let run = skill_runtime().arg("iam").args(args).env("SKILL_DATA", folder.path());
        let ended = { run }.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let guarded = built().guarded.to_str().unwrap();
    assert_eq!(on_embedded(&["verify", "--skill", guarded]), "[]\n");
    let inspection: Value = serde_json::from_str(&on_embedded(&["inspect"])).unwrap();
    assert!(inspection["capabilities"].as_array().unwrap().len() > 50, "{inspection}");
}

#[test]
fn without_a_platform_nothing_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wish.json");
    std::fs::write(&file, json!([assets()]).to_string()).unwrap();
    let ended = skill_runtime().args(["iam", "verify", "--desired"]).arg(file).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("of the embedded one you are the administrator") && !ended.stderr.contains("started")
    );
}

#[test]
fn files_and_command_lines_that_are_no_good_are_refused_before_anything_is_asked() {
    let (url, asked) = scripted(&[("200 OK", inspection())]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    verify(&url, path, &["--desired", "none"]).end().problem_with_exit("invalid_payload", 66);
    let bad = assets().to_string().replace("assets", "asset");
    let ended = verify(&url, path, &["--desired", "-"]).stdin(bad).end();
    let problem = ended.problem("invalid_payload");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("cannot compare standard input: ") && detail.contains("assetsAcl"), "{detail}");
    verify(&url, path, &["--skill", "none"]).end().problem("skill_not_found");
    verify(&url, path, &["--skill", ".", "--desired", "-"]).end().problem_with_exit("invalid_payload", 64);
    let ended = verify(&url, path, &[]).env("SKILL_DESIRED", "").end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{}", ended.stderr);
    // What is said is both ways.
    assert!(ended.stderr.contains("<--desired <FILE>|--skill <SKILL>>"), "{}", ended.stderr);
    assert!(asked.lock().unwrap().is_empty());
    // Nothing that is desired shows only in the comparison.
    let ended = verify(&url, path, &["--desired", "-"]).stdin("[]").end();
    assert!(ended.problem("invalid_payload")["detail"].as_str().unwrap().ends_with("No capabilities given"));
}

#[test]
fn a_platform_that_refuses_is_not_a_capability_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for (status, code) in [("401 Unauthorized", "token_invalid"), ("403 Forbidden", "skill_failed")] {
        let (url, _) = scripted(&[(status, json!({"error": {"code": 1, "message": "no"}}))]);
        verify(&url, folder.path(), &["--desired", "-"]).stdin(assets().to_string()).end().problem(code);
    }
}

#[test]
fn what_a_token_is_good_for_is_json_a_table_or_csv() {
    let mut said = inspection();
    said["new"] = json!({"x": "\u{9b}"});
    let (url, _) = scripted(&[("200 OK", said.clone())]);
    let ended = iam(&url, &["inspect"]).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), said);
    assert!(ended.stdout.starts_with("{\n") && !ended.stdout.contains('\u{9b}'), "{}", ended.stdout);
    printed(
        &iam(&url, &["inspect", "--format", "table"]).end(),
        0,
        "acl        actions    scope                           projectScope\n\
         assetsAcl  [\"READ\"]   {\"all\":{}}                      {\"projects\":[\"p\"]}\n\
         eventsAcl  [\"WRITE\"]  {\"datasetScope\":{\"ids\":[123]}}  {\"projects\":[\"other\"]}\n",
    );
    let csv = iam(&url, &["inspect"]).env("SKILL_IAM_FORMAT", "csv").end();
    assert_eq!(csv.stdout.lines().next(), Some("acl,actions,scope,projectScope"));
    assert_eq!(csv.stdout.lines().count(), 3);
}
