//! What holds for the project as a whole.

use skill_sdk::Code;
use std::fs;
use std::path::{Path, PathBuf};
use whole_program_tests::{built, root, skill_runtime};

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn two_modules_hold_unsafe_code() {
    let mut files = Vec::new();
    rust_files(root(), &mut files);
    assert!(files.len() > 30, "the sources were found");
    let word = concat!("un", "safe");
    let starts = [" {", " impl", " fn", " extern", "("].map(|after| format!("{word}{after}"));
    let mut unsafe_files: Vec<_> = files
        .iter()
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            code.into_iter().any(|line| starts.iter().any(|start| line.contains(start.as_str())))
        })
        .map(|file| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    unsafe_files.sort();
    assert_eq!(unsafe_files, ["runtime/src/skills/library.rs", "skill-sdk/src/plugin.rs"]);
}

#[test]
fn the_readme_has_the_error_table() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.lines().skip_while(|line| !line.starts_with("| code | HTTP | exit | retry | when |"));
    let listed: Vec<&str> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(listed.len(), Code::ALL.len());
    for (line, code) in listed.iter().zip(Code::ALL) {
        let retry = if code.is_retryable() { "yes" } else { "no" };
        let row = format!("| `{code}` | {} | {} | {retry} | ", code.http_status(), code.exit_code());
        assert!(line.starts_with(&row), "{line} is not {row}");
    }
}

/// The first code block of a language in a text.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, from) = text.split_once(&format!("```{language}\n")).unwrap();
    from.split_once("```").unwrap().0
}

#[test]
fn the_skill_of_the_readme_runs() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sdk = format!("{:?}", root().join("skill-sdk"));
    let manifest = block(&readme, "toml").replace("\"../../skill-sdk\"", &sdk) + "\n[workspace]\n";
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/lib.rs"), block(&readme, "rust")).unwrap();
    // The versions and the builds of the workspace will do.
    fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let target = built().runtime.parent().and_then(Path::parent).unwrap();
    let invoke = |payload: &str| {
        let run = skill_runtime().arg("invoke").arg(folder.path()).arg(payload);
        { run }.env("CARGO_TARGET_DIR", target).end()
    };
    let ended = invoke(r#"{"payload": {"lines": ["a", "b"]}}"#);
    assert_eq!(ended.answer(), serde_json::json!({"lines": 2, "rules": false}));
    let problem = invoke(r#"{"payload": {"lines": []}}"#).problem("skill_failed");
    assert_eq!(problem["detail"], "an order needs lines");
}
