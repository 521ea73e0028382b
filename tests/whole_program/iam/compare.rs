//! `iam compare`: two files, and no platform.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use whole_program_tests::{Ended, Run, built, skill_runtime};

/// `iam compare` in a folder that holds the files.
fn compare(folder: &Path, args: &[&str]) -> Run {
    skill_runtime().args(["iam", "compare"]).args(args).current_dir(folder)
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Compares two texts.
fn compared(existing: &str, desired: &str, args: &[&str]) -> Ended {
    let folder = folder(&[("existing", existing), ("desired", desired)]);
    compare(folder.path(), &["--existing", "existing", "--desired", "desired"]).args(args).end()
}

fn capability(acl: &str, actions: &[&str], scope: &Value) -> Value {
    json!({acl: {"actions": actions, "scope": scope}})
}

/// Looks for exactly this, and nothing on stderr.
fn printed(ended: &Ended, code: i32, stdout: &str) {
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(code), stdout, ""));
}

const NO_LABELS: &str = "[\n  {\"labelsAcl\":{\"actions\":[\"READ\"],\"scope\":{\"all\":{}}}}\n]\n";

#[test]
fn what_is_missing_is_a_sorted_list_with_an_entry_a_line() {
    // Example 3 of the contract.
    let existing = capability("eventsAcl", &["READ"], &json!({"datasetScope": {"ids": [7]}}));
    let desired = json!([
        capability("sequencesAcl", &["WRITE", "READ"], &json!({"all": {}})),
        capability("eventsAcl", &["WRITE", "READ"], &json!({"datasetScope": {"ids": [12, 7, 3]}})),
        capability("labelsAcl", &["READ"], &json!({"all": {}})),
    ]);
    let expected = r#"[
  {"eventsAcl":{"actions":["READ"],"scope":{"datasetScope":{"ids":[3]}}}},
  {"eventsAcl":{"actions":["READ"],"scope":{"datasetScope":{"ids":[12]}}}},
  {"eventsAcl":{"actions":["WRITE"],"scope":{"datasetScope":{"ids":[3]}}}},
  {"eventsAcl":{"actions":["WRITE"],"scope":{"datasetScope":{"ids":[7]}}}},
  {"eventsAcl":{"actions":["WRITE"],"scope":{"datasetScope":{"ids":[12]}}}},
  {"labelsAcl":{"actions":["READ"],"scope":{"all":{}}}},
  {"sequencesAcl":{"actions":["READ"],"scope":{"all":{}}}},
  {"sequencesAcl":{"actions":["WRITE"],"scope":{"all":{}}}}
]
"#;
    printed(&compared(&existing.to_string(), &desired.to_string(), &[]), 77, expected);
    printed(&compared(&desired.to_string(), &desired.to_string(), &[]), 0, "[]\n");
}

#[test]
fn each_form_of_a_file_is_understood() {
    let labels = capability("labelsAcl", &["READ"], &json!({"all": {}}));
    let files = capability("filesAcl", &["READ"], &json!({"datasetScope": {"ids": [1]}}));
    let group = json!({"id": 1, "name": "readers", "capabilities": [labels, files]});
    let mut entry = labels.clone();
    entry["projectScope"] = json!({"projects": ["alpha"]});
    let inspection = json!({
        "subject": "9a3f-svc", "projects": [{"projectUrlName": "alpha", "groups": [1]}], "capabilities": [entry]
    });
    let yaml = "labelsAcl:\n  actions: [READ]\n  scope: {all: {}}\n";
    let alpha = ["--project", "alpha"];
    let desired = labels.to_string();
    for existing in [
        &labels.to_string(),
        &json!([files, labels]).to_string(),
        &group.to_string(),
        &json!([{"name": "empty"}, group]).to_string(),
        &json!({"items": [{"name": "empty"}, group]}).to_string(),
        &inspection.to_string(),
        &json!([entry]).to_string(),
        yaml,
        &format!("- {}", yaml.replace('\n', "\n  ")),
        &format!("\u{feff}{labels}\r\n"),
    ] {
        printed(&compared(existing, &desired, &alpha), 0, "[]\n");
        // As what is wished for too.
        let ended = compared("[]", existing, &alpha);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(77), ""));
        assert!(ended.stdout.contains("labelsAcl"), "{existing}");
    }
    // The entries of a token count in their projects.
    for project in ["Alpha", "beta"] {
        printed(&compared(&inspection.to_string(), &desired, &["--project", project]), 77, NO_LABELS);
    }
    printed(&compared("[]", &desired, &[]), 77, NO_LABELS);
    printed(&compared(&json!({"items": []}).to_string(), &desired, &[]), 77, NO_LABELS);
}

#[test]
fn options_have_variables_and_one_file_may_be_standard_input() {
    let labels = capability("labelsAcl", &["READ"], &json!({"all": {}})).to_string();
    let folder = folder(&[("labels.json", &labels)]);
    let path = folder.path();
    printed(&compare(path, &["--existing", "-", "--desired", "labels.json"]).stdin("[]").end(), 77, NO_LABELS);
    printed(&compare(path, &["--existing", "labels.json", "--desired", "-"]).stdin(labels).end(), 0, "[]\n");
    let of_variables = compare(path, &[])
        .env("SKILL_EXISTING", "labels.json")
        .env("SKILL_DESIRED", "labels.json")
        .env("SKILL_PROJECT", "")
        .end();
    printed(&of_variables, 0, "[]\n");

    let all = capability("filesAcl", &["READ"], &json!({"all": {}})).to_string();
    let one = capability("filesAcl", &["READ"], &json!({"datasetScope": {"ids": [41]}})).to_string();
    let one_is_missing =
        "[\n  {\"filesAcl\":{\"actions\":[\"READ\"],\"scope\":{\"datasetScope\":{\"ids\":[41]}}}}\n]\n";
    printed(&compared(&all, &one, &[]), 0, "[]\n");
    printed(&compared(&all, &one, &["--ignore-allscope-meaning"]), 77, one_is_missing);
}

#[test]
fn warnings_are_log_lines() {
    let moon = capability("moonAcl", &["READ"], &json!({"all": {}})).to_string();
    let labels = capability("labelsAcl", &["READ", "FLY"], &json!({"all": {}})).to_string();
    let ended = compared(&moon, &labels, &[]);
    assert_eq!(ended.code, Some(77), "{}", ended.stderr);
    let missing: Value = serde_json::from_str(&ended.stdout).unwrap();
    let all = json!({"all": {}});
    assert_eq!(missing, json!([capability("labelsAcl", &["FLY"], &all), capability("labelsAcl", &["READ"], &all)]));
    let logs = ended.logs();
    assert_eq!(logs.len(), 2, "{}", ended.stderr);
    assert_eq!(logs[0]["message"], "Unknown capability moonAcl will be ignored in comparison");
    assert_eq!(logs[0]["level"], "WARN");
    assert!(logs[1]["message"].as_str().unwrap().contains("FLY"), "{}", logs[1]);
}

#[test]
fn files_that_cannot_be_read_exit_with_66() {
    let labels = capability("labelsAcl", &["READ"], &json!({"all": {}})).to_string();
    let folder = folder(&[("labels", &labels)]);
    for (existing, desired, named) in [("none", "labels", "none"), ("labels", "none", "none"), ("labels", ".", ".")] {
        let ended = compare(folder.path(), &["--existing", existing, "--desired", desired]).end();
        let problem = ended.problem_with_exit("invalid_payload", 66);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("cannot read {named}: ")), "{detail}");
    }
}

#[test]
fn what_makes_no_capabilities_exits_with_65_and_is_pointed_at() {
    let good = capability("labelsAcl", &["READ"], &json!({"all": {}}));
    let bad_scope = capability("labelsAcl", &["READ"], &json!({"moonScope": {"ids": [1]}}));
    let (bad_ids, moon) = (
        json!([good, capability("filesAcl", &["READ"], &json!({"datasetScope": {"ids": ["x"]}}))]),
        json!({"capabilities": [good, 5]}),
    );
    let good = good.to_string();
    for (existing, desired, file, why, pointer) in [
        ("", &*good, "existing", "neither JSON nor YAML", None),
        ("{\"labelsAcl\"", &good, "existing", "neither JSON nor YAML", None),
        ("true", &good, "existing", "a capability is an object, and not a boolean", None),
        (&bad_ids.to_string(), &good, "existing", "'x' is not an integer", Some("/1/filesAcl/scope")),
        (&moon.to_string(), &good, "existing", "a capability is an object", Some("/capabilities")),
        (&good, "", "desired", "neither JSON nor YAML", None),
        (&good, "[]", "desired", "No capabilities given", None),
        (&good, "{\"name\": \"empty\"}", "desired", "No capabilities given", None),
        (&good, &good.replace("labels", "label"), "desired", "Did you mean one of: labelsAcl", None),
        (&good, &bad_scope.to_string(), "desired", "'moonScope' is not a known scope", Some("/labelsAcl/scope")),
        (&good, "{\"labelsAcl\": {\"scope\": {\"all\": {}}}}", "desired", "it has no `actions`", Some("/labelsAcl")),
    ] {
        let problem = compared(existing, desired, &[]).problem("invalid_payload");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("cannot compare {file}: ")) && detail.contains(why), "{why}: {detail}");
        let at = problem.get("pointer").and_then(Value::as_str);
        assert_eq!(at.is_some(), pointer.is_some(), "{problem}");
        assert!(at.unwrap_or_default().starts_with(pointer.unwrap_or_default()), "{problem}");
    }
}

#[test]
fn command_lines_that_make_no_sense_exit_with_64() {
    let labels = capability("labelsAcl", &["READ"], &json!({"all": {}}));
    let mut entry = labels.clone();
    entry["projectScope"] = json!({"allProjects": {}});
    for (existing, desired, file) in [(&entry, &labels, "existing"), (&labels, &entry, "desired")] {
        let ended = compared(&existing.to_string(), &desired.to_string(), &[]);
        let problem = ended.problem_with_exit("invalid_payload", 64);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("cannot compare {file} without --project: ")), "{detail}");
    }
    let folder = folder(&[("labels", &labels.to_string())]);
    let both = compare(folder.path(), &["--existing", "-", "--desired", "-"]).stdin("[]").end();
    both.problem_with_exit("invalid_payload", 64);
    for args in [
        &["--existing", "labels"][..],
        &["--desired", "labels"],
        &["--existing", "labels", "--desired", "labels", "--project", ""],
        &["--existing", "labels", "--desired", "labels", "labels"],
    ] {
        let ended = compare(folder.path(), args).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{args:?}: {}", ended.stderr);
    }
    assert_eq!(skill_runtime().arg("iam").end().code, Some(64));
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let ids: Vec<i64> = (0..20_000).collect();
    let many = capability("filesAcl", &["READ"], &json!({"datasetScope": {"ids": ids}}));
    let folder = folder(&[("many", &many.to_string()), ("none", "[]")]);
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        shell.env("PROGRAM", &built().runtime).current_dir(folder.path()).output().unwrap()
    };
    let output = shell("{ \"$PROGRAM\" iam compare --existing none --desired many; echo $? >&2; } | head -c 3");
    assert_eq!((&*output.stdout, &*output.stderr), (&b"[\n "[..], &b"141\n"[..]));
    let output = shell("\"$PROGRAM\" iam compare --existing none --desired many > /dev/full");
    assert_eq!(output.status.code(), Some(70));
}
