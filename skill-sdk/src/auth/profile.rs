//! The command line's configuration file (contract "fabric-auth", section 4). It is only read here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::auth::PersonalAccessConfig;
use crate::error::{Code, Error};

/// The file `config` in the given folder.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("config")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Box<RawValue>>,
    current_profile: Option<String>,
}

/// Reads a profile: the named one, else the file's current one, else `default`. `None` when there is no such file, or
/// when it has no profiles at all and none was asked for. This blocks on the disk.
///
/// # Errors
///
/// [`Code::TokenMissing`] for a file that cannot be read, is of a version other than 3, 4 or 5, or lacks the profile; the
/// detail names the file and the profile. Otherwise as for [`PersonalAccessConfig::from_json`].
pub fn read(path: &Path, name: Option<&str>) -> Result<Option<PersonalAccessConfig>, Error> {
    let refuse = |why: String| Error::new(Code::TokenMissing, format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && name.is_none() => return Ok(None),
        Err(error) => return Err(refuse("the file of profiles cannot be read".to_owned()).with_source(error)),
    };
    let file: File = serde_json::from_str(&text).map_err(|error| {
        refuse(format!("not a file of profiles (line {}, column {})", error.line(), error.column()))
    })?;
    match file.version.as_deref() {
        Some("3" | "4" | "5") => {}
        Some("2") => {
            return Err(refuse(
                "version 2 of this file holds no key to make tokens with. Please run \"cortex configure\"".to_owned(),
            ));
        }
        Some(version) => return Err(refuse(format!("version {version:?} of this file is not known"))),
        None => return Err(refuse("Please configure the Cortex CLI by running \"cortex configure\"".to_owned())),
    }
    if file.profiles.is_empty() && name.is_none() {
        return Ok(None);
    }
    let name = name.or(file.current_profile.as_deref()).unwrap_or("default");
    match file.profiles.get(name) {
        Some(profile) => PersonalAccessConfig::from_json(profile.get()).map(Some),
        None => Err(refuse(format!(
            "Profile with name \"{name}\" could not be located in your configuration.  Please run \"cortex configure\"."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(url: &str) -> serde_json::Value {
        serde_json::json!({
            "url": url, "username": "u-1", "issuer": "i", "audience": "cortex", "project": "orders-dev",
            "jwk": {
                "crv": "Ed25519", "kty": "OKP", "kid": "example-key-1",
                "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ",
                "d": "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU"
            }
        })
    }

    fn read_text(text: &str, name: Option<&str>) -> Result<Option<PersonalAccessConfig>, Error> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path()), text).unwrap();
        read(&path(folder.path()), name)
    }

    #[test]
    fn versions_3_to_5_are_read() {
        for version in ["3", "4", "5"] {
            let text = serde_json::json!({
                "version": version, "currentProfile": "b", "unknown": 1,
                "profiles": {"a": profile("http://a"), "b": profile("http://b")}
            });
            let read = |name| read_text(&text.to_string(), name).unwrap().unwrap();
            assert_eq!(read(None).url, "http://b");
            assert_eq!(read(Some("a")).url, "http://a");
            assert_eq!(read(None).project.as_deref(), Some("orders-dev"));
        }
    }

    #[test]
    fn without_a_current_profile_the_default_one_counts() {
        let text = serde_json::json!({"version": "5", "profiles": {"default": profile("http://d")}});
        assert_eq!(read_text(&text.to_string(), None).unwrap().unwrap().url, "http://d");
    }

    #[test]
    fn nothing_configured_is_none_and_everything_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&path(folder.path()), None).unwrap().is_none());
        assert!(read_text(r#"{"version": "5", "profiles": {}}"#, None).unwrap().is_none());
        for (text, name, expected) in [
            (r#"{"version": "2", "profiles": {"default": {}}}"#, None, "cortex configure"),
            (r#"{"profiles": {}}"#, None, "cortex configure"),
            (r#"{"version": "6"}"#, None, "version \"6\""),
            ("{", None, "not a file of profiles"),
            (r#"{"version": "5", "profiles": {}}"#, Some("x"), "Profile with name \"x\" could not be located"),
            (r#"{"version": "5", "profiles": {"y": {}}}"#, None, "Profile with name \"default\""),
        ] {
            let error = read_text(text, name).unwrap_err();
            assert_eq!(error.code(), Code::TokenMissing);
            assert!(error.detail().contains(expected) && error.detail().contains("config"), "{error}");
        }
    }
}
