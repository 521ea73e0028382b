//! The command line's configuration file (contract "fabric-auth", section 4). It is only read here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::auth::environment::CORTEX_CONFIG_DIR;
use crate::auth::file::read_text;
use crate::auth::{Environment, PersonalAccessConfig};
use crate::error::{Code, Error};

/// The folder that the environment names with `CORTEX_CONFIG_DIR`, else `~/.cortex`; `None` when the user has no home (contract
/// "fabric-auth", section 2).
pub fn folder(environment: &dyn Environment) -> Option<PathBuf> {
    environment.path(CORTEX_CONFIG_DIR).or_else(|| environment.home().map(|home| home.join(".cortex")))
}

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

/// What a profile says about itself, without its key. What it does not say, or not as text, is `None`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ProfileSummary {
    /// Its name in the file.
    pub name: String,
    /// Where the platform is.
    pub url: Option<String>,
    /// The project to work in.
    pub project: Option<String>,
    /// Who its tokens speak for.
    pub username: Option<String>,
    /// Whether it is the one that is used when none is named.
    pub current: bool,
}

/// Reads a profile: the named one, else the file's current one, else `default`. `None` when there is no such file, or
/// when it has no profiles at all and none was asked for. This blocks on the disk.
///
/// # Errors
///
/// [`Code::TokenMissing`] for a file that cannot be read, is of a version other than 3, 4 or 5, or lacks the profile; the
/// detail names the file and the profile. Otherwise as for [`PersonalAccessConfig::from_json`], with the same names.
pub fn read(path: &Path, name: Option<&str>) -> Result<Option<PersonalAccessConfig>, Error> {
    let file = match File::open(path) {
        Ok(Some(file)) => file,
        Ok(None) if name.is_none() => return Ok(None),
        Ok(None) => return Err(unreadable(path, std::io::ErrorKind::NotFound.into())),
        Err(error) => return Err(error),
    };
    if file.profiles.is_empty() && name.is_none() {
        return Ok(None);
    }
    let name = name.unwrap_or_else(|| file.current());
    match file.profiles.get(name) {
        Some(profile) => PersonalAccessConfig::of_profile(profile.get(), path, name).map(Some),
        None => Err(refuse(
            path,
            &format!(
                "Profile with name \"{name}\" could not be located in your configuration.  Please run \"cortex \
                 configure\"."
            ),
        )),
    }
}

/// Lists the profiles by name; none when there is no such file. No key is looked at. This blocks on the disk.
///
/// # Errors
///
/// [`Code::TokenMissing`] for a file that cannot be read or is of a version other than 3, 4 or 5; the detail names it.
pub fn list(path: &Path) -> Result<Vec<ProfileSummary>, Error> {
    let Some(file) = File::open(path)? else { return Ok(Vec::new()) };
    let summaries = file.profiles.iter().map(|(name, profile)| {
        let shown: Shown = serde_json::from_str(profile.get()).unwrap_or_default();
        let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        ProfileSummary {
            name: name.clone(),
            url: text(shown.url),
            project: text(shown.project),
            username: text(shown.username),
            current: name == file.current(),
        }
    });
    Ok(summaries.collect())
}

/// The fields of a profile that anybody may see.
#[derive(Default, Deserialize)]
struct Shown {
    url: Option<Value>,
    project: Option<Value>,
    username: Option<Value>,
}

impl File {
    fn open(path: &Path) -> Result<Option<Self>, Error> {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, error)),
        };
        let file: Self = serde_json::from_str(&text).map_err(|error| {
            refuse(path, &format!("not a file of profiles (line {}, column {})", error.line(), error.column()))
        })?;
        match file.version.as_deref() {
            Some("3" | "4" | "5") => Ok(Some(file)),
            Some("2") => Err(refuse(
                path,
                "version 2 of this file holds no key to make tokens with. Please run \"cortex configure\"",
            )),
            Some(version) => Err(refuse(path, &format!("version {version:?} of this file is not known"))),
            None => Err(refuse(path, "Please configure the Cortex CLI by running \"cortex configure\"")),
        }
    }

    fn current(&self) -> &str {
        self.current_profile.as_deref().filter(|name| !name.is_empty()).unwrap_or("default")
    }
}

fn refuse(path: &Path, why: &str) -> Error {
    Error::new(Code::TokenMissing, format!("{}: {why}", path.display()))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    refuse(path, "the file of profiles cannot be read").with_source(error)
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

    #[test]
    fn profiles_are_listed_without_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        assert_eq!(list(&path).unwrap(), []);
        let text = serde_json::json!({
            "version": "4", "currentProfile": "b",
            "profiles": {"b": profile("http://b"), "a": {"url": 7, "jwk": "broken"}, "c": "broken"}
        });
        std::fs::write(&path, text.to_string()).unwrap();
        let nothing = |name: &str| ProfileSummary {
            name: name.to_owned(),
            url: None,
            project: None,
            username: None,
            current: false,
        };
        let b = ProfileSummary {
            url: Some("http://b".to_owned()),
            project: Some("orders-dev".to_owned()),
            username: Some("u-1".to_owned()),
            current: true,
            ..nothing("b")
        };
        assert_eq!(list(&path).unwrap(), [nothing("a"), b, nothing("c")]);
        std::fs::write(&path, r#"{"version": "2", "profiles": {}}"#).unwrap();
        assert_eq!(list(&path).unwrap_err().code(), Code::TokenMissing);
    }
}
