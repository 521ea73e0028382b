//! `iam verify` and `iam inspect`: what a token is good for.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use whole_program_tests::{Ended, Run, built, root, skill_runtime};

use super::lists::{iam, scripted};

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

/// What a token is good for that may read assets in the project `p`, and write events of a data set in another.
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

#[test]
fn what_a_file_asks_for_is_verified_in_the_project() {
    let (url, asked) = scripted(&[("200 OK", inspection())]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("assets.json"), assets().to_string()).unwrap();
    let both = json!([assets(), events(&[123])]).to_string();

    printed(&verify(&url, path, &["--desired", "assets.json"]).end(), 0, "[]\n");
    printed(&verify(&url, path, &["--desired", "-"]).stdin(both.clone()).end(), 77, NO_EVENTS);
    assert_eq!(*asked.lock().unwrap(), ["GET /api/v1/token/inspect"; 2]);
    let other = verify(&url, path, &["--desired", "-", "--project", "other"]).stdin(both).end();
    printed(&other, 77, &format!("[\n  {}\n]\n", assets()));
    // The entries of a token count in the project.
    let wish = inspection().to_string();
    printed(&verify(&url, path, &["--desired", "-"]).stdin(wish).end(), 0, "[]\n");

    let one = json!({"assetsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": [7]}}}});
    printed(&verify(&url, path, &["--desired", "-"]).stdin(one.to_string()).end(), 0, "[]\n");
    let exactly = verify(&url, path, &["--desired", "-", "--ignore-allscope-meaning"]).stdin(one.to_string()).end();
    printed(&exactly, 77, &format!("[\n  {one}\n]\n"));
}

#[test]
fn what_skills_require_is_verified() {
    let (url, asked) = scripted(&[("200 OK", inspection())]);
    let guarded = built().guarded.to_str().unwrap();
    let run = |args: &[&str]| verify(&url, root(), args).end();
    printed(&run(&["--skill", guarded]), 77, NO_EVENTS);
    printed(&run(&["--skill", guarded, "--name", "guarded"]), 77, NO_EVENTS);
    // What is typed wins over a variable that says it in another way.
    let typed = verify(&url, root(), &["--skill", guarded]).env("SKILL_DESIRED", "none").end();
    printed(&typed, 77, NO_EVENTS);
    let package = run(&["--skill", "examples/guarded", "--project", "other"]);
    assert_eq!(package.code, Some(77), "{}", package.stderr);
    assert_eq!(package.stdout, format!("[\n  {}\n]\n", assets()));
    assert_eq!(asked.lock().unwrap().len(), 4);

    let mut all = inspection();
    all["capabilities"].as_array_mut().unwrap().push(entry(events(&[123, 7]), &json!({"allProjects": {}})));
    let (url, _) = scripted(&[("200 OK", all)]);
    printed(&verify(&url, root(), &["--skill", guarded]).end(), 0, "[]\n");
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
    assert!(ended.stderr.contains("the embedded one grants everything") && !ended.stderr.contains("started"));
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
