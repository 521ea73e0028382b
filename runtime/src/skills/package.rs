//! Cargo packages: built into a library before they are loaded.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use skill_sdk::{Code, Error};

/// The manifest of the package at a path: a folder that holds one, or the manifest itself.
pub(super) fn manifest(path: &Path) -> Option<PathBuf> {
    if path.file_name().is_some_and(|name| name == "Cargo.toml") {
        return Some(path.to_owned());
    }
    let inside = path.join("Cargo.toml");
    inside.is_file().then_some(inside)
}

/// Builds the package's library, with the profile that this program was built with, and gives its path.
pub(super) fn build(manifest: &Path) -> Result<PathBuf, Error> {
    let failed = |why: String| Error::new(Code::SkillNotFound, format!("cannot build {}: {why}", manifest.display()));
    let manifest_path =
        manifest.canonicalize().map_err(|error| failed("it cannot be opened".to_owned()).with_source(error))?;
    // `cargo run` and `cargo test` say which cargo they are.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let mut child = Command::new(cargo)
        .args(["build", "--lib", "--message-format=json-render-diagnostics", "--profile", profile])
        .arg("--manifest-path")
        .arg(&manifest_path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed("cargo cannot be started".to_owned()).with_source(error))?;
    let output = child.stdout.take().map(BufReader::new);
    let library = output.and_then(|output| find_library(output.lines().map_while(Result::ok), &manifest_path));
    let status = child.wait().map_err(|error| failed("cargo was lost".to_owned()).with_source(error))?;
    if !status.success() {
        return Err(failed(format!("cargo gave {status}")));
    }
    library.ok_or_else(|| failed("it has no library of crate type \"cdylib\"".to_owned()))
}

/// A line of cargo's output, as far as it says what was built.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

fn find_library(lines: impl Iterator<Item = String>, manifest: &Path) -> Option<PathBuf> {
    lines
        .filter_map(|line| serde_json::from_str::<Artifact>(&line).ok())
        .filter(|artifact| artifact.reason == "compiler-artifact" && artifact.manifest_path == manifest)
        .flat_map(|artifact| artifact.filenames)
        .filter(|file| file.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION))
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_folder_or_its_manifest() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(manifest(folder.path()), None);
        let file = folder.path().join("Cargo.toml");
        assert_eq!(manifest(&file), Some(file.clone()));
        std::fs::write(&file, "").unwrap();
        assert_eq!(manifest(folder.path()), Some(file));
    }

    #[test]
    fn the_library_is_the_one_of_the_package() {
        let line = |manifest: &str, files: &[&str]| {
            let kind = "compiler-artifact";
            serde_json::json!({"reason": kind, "manifest_path": manifest, "filenames": files, "x": 1}).to_string()
        };
        let library = format!("/t/libskill.{}", std::env::consts::DLL_EXTENSION);
        let lines = [
            "not json".to_owned(),
            line("/other/Cargo.toml", &["/t/libother.so"]),
            line("/p/Cargo.toml", &["/t/libskill.rlib", &library]),
            serde_json::json!({"reason": "build-finished", "success": true}).to_string(),
        ];
        let found = find_library(lines.into_iter(), Path::new("/p/Cargo.toml"));
        assert_eq!(found, Some(PathBuf::from(library)));
        assert_eq!(find_library(std::iter::empty(), Path::new("/p/Cargo.toml")), None);
    }
}
