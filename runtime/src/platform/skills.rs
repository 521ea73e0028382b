//! The skills that the embedded platform runs when they are invoked, each as a host would.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use local_platform::{Invoked, Limits, SkillHost};
use serde_json::{Value, json};
use skill_sdk::{Code, Error};
use tokio_util::sync::CancellationToken;

use crate::cli::exit;
use crate::describe;
use crate::host::{self, Host, How};
use crate::outcome::Refusal;
use crate::skills::Skills;

/// Skills of libraries and packages, by the names in their definitions.
pub(super) struct PlatformSkills {
    skills: Vec<Hosted>,
    timeout: Duration,
}

/// One skill.
struct Hosted {
    name: String,
    /// CAMEL 1.0.0: the `skill.yaml` beside the skill, else what the skill says of itself.
    definition: Value,
    /// The host of the skill and of those that came with it, and what it calls the skill.
    host: Arc<Host>,
    of_host: String,
}

impl fmt::Debug for PlatformSkills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl PlatformSkills {
    /// Loads the skills at these paths; packages are built first. This blocks. `None` when there are no paths.
    ///
    /// # Errors
    ///
    /// As for [`Skills::load`]; also when two skills have one name, or a `skill.yaml` cannot be read.
    pub(super) fn load(paths: &[PathBuf], limits: &Limits, timeout: Duration) -> Result<Option<Self>, Refusal> {
        let mut all: Vec<Hosted> = Vec::new();
        for path in paths {
            for skill in hosted(path, limits)? {
                if all.iter().any(|other| other.name == skill.name) {
                    let detail =
                        format!("two skills have the name `{}`, one of them in {}", skill.name, path.display());
                    return Err(Error::new(Code::SkillNotFound, detail).into());
                }
                all.push(skill);
            }
        }
        Ok(if all.is_empty() { None } else { Some(Self { skills: all, timeout }) })
    }
}

fn hosted(path: &Path, limits: &Limits) -> Result<Vec<Hosted>, Refusal> {
    let skills = Skills::load(path)?;
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let mut written = folder.and_then(definition_beside).transpose()?;
    let described = skills.iter().map(|skill| {
        let of_host = skill.manifest().name.clone();
        // That of a package with several skills is the one of its name.
        let is_of =
            |written: &mut Value| skills.names().len() == 1 || written.get("name") == Some(&of_host.as_str().into());
        let definition = match written.take_if(is_of) {
            Some(written) => written,
            None => describe::definition_of(skill)?,
        };
        let name = definition.get("name").and_then(Value::as_str).unwrap_or(&of_host).to_owned();
        Ok((name, of_host, definition))
    });
    let described = described.collect::<Result<Vec<_>, Error>>()?;
    // The platform has limits of its own, which know what runs as a job.
    let response = limits.job_response.max(limits.daemon_response);
    let host = Arc::new(Host::new(skills, host::Limits { message: usize::MAX, payload: usize::MAX, response }));
    let hosted = |(name, of_host, definition)| Hosted { name, definition, host: Arc::clone(&host), of_host };
    Ok(described.into_iter().map(hosted).collect())
}

/// The `skill.yaml` of a folder, if there is one.
fn definition_beside(folder: &Path) -> Option<Result<Value, Refusal>> {
    let path = folder.join("skill.yaml");
    let unusable = |why: &dyn fmt::Display| {
        let error = Error::new(Code::SkillNotFound, format!("cannot read {}: {why}", path.display()));
        Refusal::with_exit_code(error, exit::NO_INPUT)
    };
    if !path.is_file() {
        return None;
    }
    let text = std::fs::read_to_string(&path);
    let definition = text.map_err(|error| unusable(&error)).and_then(|text| {
        let definition: Value = yaml_serde::from_str(&text).map_err(|error| unusable(&error))?;
        if definition.is_object() { Ok(definition) } else { Err(unusable(&"it is no skill definition")) }
    });
    Some(definition)
}

impl SkillHost for PlatformSkills {
    fn definitions(&self) -> Vec<Value> {
        self.skills.iter().map(|skill| skill.definition.clone()).collect()
    }

    fn names(&self) -> Vec<String> {
        self.skills.iter().map(|skill| skill.name.clone()).collect()
    }

    fn invoke(
        &self,
        skill: String,
        message: Vec<u8>,
        cancelled: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Invoked> + Send>> {
        let found = self.skills.iter().find(|hosted| hosted.name == skill);
        let found = found.map(|hosted| (Arc::clone(&hosted.host), hosted.of_host.clone()));
        let timeout = self.timeout;
        Box::pin(async move {
            let Some((host, name)) = found else {
                return Err(json!({"code": "skill_not_found", "detail": format!("there is no skill `{skill}` here")}));
            };
            let how = How { skill: Some(name), timeout, shutdown: cancelled, trace_parent: None };
            let outcome = host.handle(&message, &how).await;
            match (outcome.response(), outcome.problem()) {
                (Some(payload), _) => Ok(payload.to_owned()),
                (None, problem) => Err(serde_json::to_value(problem).unwrap_or_default()),
            }
        })
    }
}
