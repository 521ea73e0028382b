//! What skills say about themselves.

use serde_json::{Value, json};
use std::path::Path;
use whole_program_tests::{Ended, built, program, root, skill_runtime};

fn describe(args: &[&str]) -> Ended {
    skill_runtime().arg("describe").arg(&built().word_count).args(args).end()
}

fn json_of(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_manifest_has_schemas() {
    let manifest = json_of(&describe(&[]));
    assert_eq!(manifest["name"], "word-count");
    assert_eq!(manifest["description"], "Counts the words of a text");
    assert_eq!(manifest["needsClient"], true);
    assert_eq!(manifest["input"]["properties"]["text"], json!({"description": "Any text", "type": "string"}));
    assert_eq!(manifest["output"]["required"], json!(["words", "lines", "top"]));
    let linked = program(Path::new(env!("CARGO_BIN_EXE_linked-word-count"))).arg("describe").end();
    assert_eq!(json_of(&linked), manifest);
    let package = skill_runtime().args(["describe", "examples/word-count"]).current_dir(root()).end();
    assert_eq!(json_of(&package), manifest);
}

#[test]
fn several_skills_are_a_list() {
    let all = json_of(&skill_runtime().arg("describe").arg(&built().misbehaving).end());
    assert_eq!(all[0]["name"], "echo");
    assert_eq!(all.as_array().unwrap().iter().find(|skill| skill["name"] == "hurries").unwrap()["timeoutMs"], 50);
    let one = skill_runtime().arg("describe").arg(&built().misbehaving).args(["--skill", "caller"]).end();
    assert_eq!(json_of(&one)["name"], "caller");
    let none = skill_runtime().arg("describe").arg(&built().misbehaving).args(["--skill", "nope"]).end();
    none.problem("skill_not_found");
    let several = skill_runtime().arg("describe").arg(&built().misbehaving).arg("--skill-yaml").end();
    several.problem("skill_not_found");
}

#[test]
fn a_definition_can_be_written() {
    let definition = describe(&["--skill-yaml", "--image", "registry/word-count:1"]);
    assert_eq!(definition.code, Some(0), "{}", definition.stderr);
    assert!(definition.stdout.starts_with("camel: 1.0.0\nname: word-count\n"), "{}", definition.stdout);
    assert!(definition.stdout.contains("image: registry/word-count:1"), "{}", definition.stdout);
}
