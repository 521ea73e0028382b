//! What holds for the project as a whole.

use skill_sdk::Code;
use std::fs;
use std::path::{Path, PathBuf};
use whole_program_tests::root;

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
