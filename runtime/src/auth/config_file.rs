//! The configuration file of the Cortex command line, as it is written (contract "fabric-auth", section 4): always version 5,
//! with everything kept that is not known here.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use skill_sdk::auth::profile;
use skill_sdk::{Code, Error};
use tempfile::NamedTempFile;
use url::Url;

const VERSION: &str = "5";

/// The registry that a platform brings along.
const REGISTRY: &str = "Cortex Private Registry";

/// Where a file of version 2 is kept, beside the new one.
const ASIDE: &str = "config_v2";

/// What a profile may have held once, and the vendor's command line takes away (contract "fabric-auth", sections 3 and 4).
const OBSOLETE: [&str; 2] = ["token", "account"];

/// The file, as it is going to be written.
pub(super) struct ConfigFile {
    path: PathBuf,
    content: Map<String, Value>,
    /// The text of a file of version 2, which has nothing in common with later ones.
    old: Option<String>,
}

impl ConfigFile {
    /// Reads the file in the folder and brings it to version 5 in memory. It need not exist.
    ///
    /// # Errors
    ///
    /// [`Code::TokenMissing`] when it cannot be read, or is not a file of profiles of version 2 to 5, or when it is of version 2
    /// and its place is taken.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let path = profile::path(folder);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, content: empty(), old: None });
            }
            Err(error) => return Err(refuse(&path, "the file of profiles cannot be read").with_source(error)),
        };
        // No word of serde's: the file holds keys.
        let mut content: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            refuse(&path, &format!("not a file of profiles ({place}); mend it or move it away"))
        })?;
        let no_profiles = |content: &Map<String, Value>| !content.get("profiles").is_none_or(Value::is_object);
        let version = content.get("version").and_then(Value::as_str).map(str::to_owned);
        match version.as_deref() {
            Some("2") if fs::symlink_metadata(path.with_file_name(ASIDE)).is_ok() => {
                let taken = path.with_file_name(ASIDE);
                Err(refuse(
                    &path,
                    &format!("a file of version 2 is kept as {}, which is there already", taken.display()),
                ))
            }
            Some("2") => Ok(Self { path, content: empty(), old: Some(text) }),
            Some("3" | "4" | "5") if no_profiles(&content) => {
                Err(refuse(&path, "not a file of profiles: \"profiles\" is not an object; mend it or move it away"))
            }
            Some(version @ ("3" | "4")) => {
                upgrade(&mut content, version);
                Ok(Self { path, content, old: None })
            }
            Some(VERSION) => Ok(Self { path, content, old: None }),
            Some(version) => Err(refuse(&path, &format!("version {version:?} of this file is not known"))),
            None => Err(refuse(&path, "this file has no version; mend it or move it away")),
        }
    }

    /// The name of the profile that is used when none is named.
    pub(super) fn current(&self) -> &str {
        let name = self.content.get("currentProfile").and_then(Value::as_str);
        name.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// The project that a profile names.
    pub(super) fn project(&self, name: &str) -> Option<&str> {
        let project = self.profile(name)?.get("project").and_then(Value::as_str);
        project.filter(|project| !project.is_empty())
    }

    fn profile(&self, name: &str) -> Option<&Map<String, Value>> {
        self.content.get("profiles")?.get(name)?.as_object()
    }

    /// Writes a personal access config, the URL and the project over what the profile has, and makes the profile the current
    /// one.
    pub(super) fn configure(&mut self, name: &str, config: Map<String, Value>, url: &str, project: Option<&str>) {
        let mut profile = self.profile(name).cloned().unwrap_or_default();
        let registry_before = private_registry(&profile);
        profile.extend(config);
        profile.insert("url".to_owned(), url.into());
        if let Some(project) = project {
            profile.insert("project".to_owned(), project.into());
        }
        for name in OBSOLETE {
            profile.shift_remove(name);
        }
        // The platform's own registry moves with the platform; one that somebody has chosen stays.
        let registry = private_registry(&profile);
        let shown = profile.get_mut("registries").and_then(|all| all.get_mut(REGISTRY)?.get_mut("url"));
        if let (Some(shown), Some(registry), Some(before)) = (shown, registry, registry_before)
            && *shown == before
        {
            *shown = registry.into();
        }
        complete(&mut profile, None);
        let profiles = self.content.entry("profiles").or_insert_with(|| json!({}));
        if let Value::Object(profiles) = profiles {
            profiles.insert(name.to_owned(), profile.into());
        }
        self.content.insert("currentProfile".to_owned(), name.into());
    }

    /// Writes the file as a whole, for its owner only, and gives the place where an old one was kept.
    ///
    /// # Errors
    ///
    /// [`Code::TokenMissing`] when it cannot be written; then the file that was there still is.
    pub(super) fn save(self) -> Result<Option<PathBuf>, Error> {
        let unwritable =
            |error: io::Error| refuse(&self.path, "the file of profiles cannot be written").with_source(error);
        let aside = match &self.old {
            Some(old) => Some(keep_aside(&self.path, old).map_err(unwritable)?),
            None => None,
        };
        let text = format!("{:#}\n", Value::Object(self.content));
        replace(&self.path, &text).map_err(unwritable)?;
        Ok(aside)
    }
}

fn refuse(path: &Path, why: &str) -> Error {
    Error::new(Code::TokenMissing, format!("{}: {why}", path.display()))
}

fn empty() -> Map<String, Value> {
    Map::from_iter([("version".to_owned(), VERSION.into()), ("profiles".to_owned(), json!({}))])
}

/// Version 3 has neither registries nor templates, and version 4 has one template for all profiles.
fn upgrade(content: &mut Map<String, Value>, version: &str) {
    let template = if version == "4" { content.shift_remove("templateConfig") } else { None };
    if let Some(Value::Object(profiles)) = content.get_mut("profiles") {
        for profile in profiles.values_mut().filter_map(Value::as_object_mut) {
            complete(profile, template.as_ref());
        }
    }
    content.insert("version".to_owned(), VERSION.into());
}

/// Adds what every profile of version 5 has.
fn complete(profile: &mut Map<String, Value>, template: Option<&Value>) {
    if let Some(url) = private_registry(profile) {
        let registries = || json!({REGISTRY: {"url": url, "name": REGISTRY, "isCortex": true}});
        profile.entry("registries").or_insert_with(registries);
    }
    profile.entry("currentRegistry").or_insert_with(|| REGISTRY.into());
    let usual = || json!({"repo": "CognitiveScale/cortex-code-templates", "branch": "main"});
    profile.entry("templateConfig").or_insert_with(|| template.cloned().unwrap_or_else(usual));
}

/// The host of the profile's URL, with `api` replaced.
fn private_registry(profile: &Map<String, Value>) -> Option<String> {
    let url = Url::parse(profile.get("url")?.as_str()?).ok()?;
    Some(url.host_str()?.replacen("api", "private-registry", 1))
}

/// Keeps a text beside the file, under a name that is free.
fn keep_aside(path: &Path, text: &str) -> io::Result<PathBuf> {
    let aside = path.with_file_name(ASIDE);
    written_beside(&aside, text)?.persist_noclobber(&aside)?;
    Ok(aside)
}

/// Where a file really is: people keep it elsewhere and link to it.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(target) => Ok(target),
        // A link may be there before the file is.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(fs::read_link(path).map_or_else(|_| path.to_owned(), |target| path.with_file_name(target)))
        }
        Err(error) => Err(error),
    }
}

/// Replaces a file as a whole: whoever reads it, even after a crash, sees the old text or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = &real_path(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    written_beside(path, text)?.persist(path)?;
    // Only Unix can open a folder as a file. The new text is there, even if it should not outlive a power cut.
    if cfg!(unix) {
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// A file with the text, in the folder of the path; only its owner can read it, from its first moment on.
fn written_beside(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".config-").tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}
