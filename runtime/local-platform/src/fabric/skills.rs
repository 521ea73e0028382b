//! Skills (fabric-api section 7): the definitions of a project, beside those that the platform runs itself.
//!
//! `S` is `P/skills`. A skill that is run here is in every project, deployed, until a project saves one of its name.
//!
//! | request | answer |
//! |---|---|
//! | `GET S` | `skills`, those that are asked for |
//! | `POST S` | the saved skill; 400 with `details` when a field is missing that invoking it takes |
//! | `GET S/{name}` | the skill; with `output=yaml`, `k8s` or `openapi` text instead |
//! | `DELETE S/{name}` | whether it is gone; 403 with `details` for one that is run here and was not saved |
//! | `GET`, `POST S/{name}/deploy`, `/undeploy` | `message`, and the skill's `deployStatus`; with `dryrun=true` nothing is changed |
//! | `GET S/{name}/action/{action}/logs` | `logs`, a line for each invocation that ended; with `raw=true` as text |

use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::activations::ACTIVATIONS;
use super::documents::{self, Document, Fields, Stamp};
use super::path::{Below, name_of};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::{Project, check_name};
use crate::principals::Caller;
use crate::query::{ListQuery, Parameters};
use crate::records::{Collection, Lookup, StorageError};

pub(crate) use definition::{Definition, Route, Runtime, resolved};

mod definition;
mod describe;

pub(crate) const SKILLS: Collection<Document> = Collection::new("skills");
const DEPLOYED: &str = "Deployed";
const UNDEPLOYED: &str = "Undeployed";

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/skills", get(list).post(save))
        .route("/fabric/v4/projects/{project}/skills/{*rest}", get(named).post(named).delete(delete))
}

/// The skill of a project, with what the platform says of it.
pub(crate) fn find(
    backend: &Backend,
    records: &impl Lookup,
    project: &str,
    name: &str,
) -> Result<Option<Fields>, StorageError> {
    let saved = records.get(SKILLS, project, name)?.map(|document| document.fields);
    Ok(saved.or_else(|| hosted(backend, project).into_iter().find(|skill| skill.get("name") == Some(&name.into()))))
}

/// The names of a project's saved skills that refer to a type.
pub(crate) fn of_type(records: &impl Lookup, project: &Project, name: &str) -> Result<Vec<String>, StorageError> {
    let saved = records.list(SKILLS, project.as_str())?;
    let refers = |skill: Document| Definition(skill.fields).types().contains(&name);
    Ok(saved.into_iter().filter_map(|(skill, document)| refers(document).then_some(skill)).collect())
}

/// The skills that are run here.
fn hosted(backend: &Backend, project: &str) -> Vec<Fields> {
    let definitions = backend.skills.as_ref().map(|skills| skills.definitions()).unwrap_or_default();
    let skill = |definition: Value| match definition {
        Value::Object(mut skill) => {
            skill.insert("_projectId".to_owned(), project.into());
            set_deployed(&mut skill, true);
            Some(skill)
        }
        _ => None,
    };
    definitions.into_iter().filter_map(skill).collect()
}

/// The names of a skill's actions.
fn actions(skill: &Fields) -> impl Iterator<Item = String> + '_ {
    let actions = skill.get("actions").and_then(Value::as_array).into_iter().flatten();
    actions.filter_map(|action| action.get("name")?.as_str().map(str::to_owned))
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let mut skills = documents::all(&backend, SKILLS, &project, String::new()).await?;
    let is_saved = |name: Option<&Value>| skills.iter().any(|skill| skill.get("name") == name);
    let hosted = hosted(&backend, project.as_str()).into_iter().filter(|skill| !is_saved(skill.get("name")));
    let hosted: Vec<_> = hosted.map(Value::Object).collect();
    skills.extend(hosted);
    Ok(success(json!({"skills": query.or_sorted_by("updatedAt", -1).apply(skills)})))
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let definition = Definition::new(fields)?;
    let name = definition.name().to_owned();
    let Definition(mut skill) = definition;
    let stamp = Stamp::of(&caller);
    let shared = backend.clone();
    let saved = backend.records.write(move |changes| {
        // How it is deployed is the platform's to say.
        let before = find(&shared, changes, project.as_str(), &name)?;
        let before = before.as_ref().and_then(|before| before.get("deployStatus")?.as_str());
        set_deployed(&mut skill, before == Some(DEPLOYED));
        documents::save(changes, SKILLS, &project, &name, skill, &stamp)
    });
    let saved = saved.await.map_err(|error: StorageError| Refusal::from(error))?;
    Ok(success(Value::Object(saved)))
}

/// Says whether a skill and its actions are deployed.
fn set_deployed(skill: &mut Fields, deployed: bool) {
    let (status, of_actions) = if deployed { (DEPLOYED, "RUNNING") } else { (UNDEPLOYED, "STOPPED") };
    let statuses = actions(skill).map(|name| json!({"name": name, "state": of_actions})).collect::<Vec<_>>();
    skill.insert("deployStatus".to_owned(), status.into());
    skill.insert("actionStatuses".to_owned(), statuses.into());
}

/// What a path below `skills/` asks for.
#[derive(Debug, PartialEq)]
enum Asked {
    Skill,
    Deploy(bool),
    Logs(String),
}

/// The name of a skill, and what of it is asked for. Names are encoded, or lie over several segments.
fn asked(segments: &[&str]) -> Result<(String, Asked), Refusal> {
    let (name, asked) = match segments {
        [name @ .., "deploy"] if !name.is_empty() => (name, Asked::Deploy(true)),
        [name @ .., "undeploy"] if !name.is_empty() => (name, Asked::Deploy(false)),
        [name @ .., "action", action, "logs"] if !name.is_empty() => (name, Asked::Logs((*action).to_owned())),
        name => (name, Asked::Skill),
    };
    Ok((name_of("skill", name)?, asked))
}

#[derive(Deserialize)]
struct Describing {
    output: Option<String>,
    raw: Option<String>,
    dryrun: Option<String>,
}

async fn named(
    State(backend): State<Backend>,
    method: Method,
    below: Below,
    Parameters(query): Parameters<Describing>,
) -> Result<Response, Refusal> {
    let (name, asked) = asked(&below.words())?;
    let project = below.project;
    match asked {
        Asked::Skill if method == Method::POST => {
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "skills are saved without a name in the path"))
        }
        Asked::Skill => {
            let records = backend.records.clone();
            let skill = records.read(move |records| {
                find(&backend, records, project.as_str(), &name)?.ok_or_else(|| Refusal::not_found(&name))
            });
            describe::answer(skill.await?, query.output.as_deref().unwrap_or("json"))
        }
        Asked::Deploy(deployed) => {
            let only_try = query.dryrun.as_deref() == Some("true");
            deploy(&backend, project, name, deployed, only_try).await.map(IntoResponse::into_response)
        }
        Asked::Logs(action) => logs(&backend, project, name, &action, query.raw.as_deref() == Some("true")).await,
    }
}

async fn delete(State(backend): State<Backend>, below: Below) -> Result<Json<Value>, Refusal> {
    let (name, Asked::Skill) = asked(&below.words())? else {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only the skill itself can be deleted"));
    };
    let (project, records) = (below.project, backend.records.clone());
    let deleted = records.write(move |changes| {
        if changes.get(SKILLS, project.as_str(), &name)?.is_some() {
            changes.remove(SKILLS, project.as_str(), &name);
            return Ok(name);
        }
        if find(&backend, changes, project.as_str(), &name)?.is_some() {
            let refusal = Refusal::new(StatusCode::FORBIDDEN, format!("the platform itself runs {name}"));
            return Err(refusal.with("details", json!([{"name": "platform --skill", "type": "Host"}])));
        }
        Err(Refusal::not_found(&name))
    });
    let name = deleted.await?;
    Ok(success(json!({"message": format!("Skill {name} deleted")})))
}

async fn deploy(
    backend: &Backend,
    project: Project,
    name: String,
    deployed: bool,
    only_try: bool,
) -> Result<Json<Value>, Refusal> {
    let shared = backend.clone();
    let changed = backend.records.write(move |changes| {
        let found = find(&shared, changes, project.as_str(), &name)?;
        let mut skill = found.ok_or_else(|| Refusal::not_found(&name))?;
        set_deployed(&mut skill, deployed);
        if !only_try {
            documents::put(changes, SKILLS, &project, &name, skill)?;
        }
        Ok::<_, Refusal>(name)
    });
    let (name, status) = (changed.await?, if deployed { DEPLOYED } else { UNDEPLOYED });
    Ok(success(json!({"message": format!("{name}: {status}"), "deployStatus": status})))
}

async fn logs(backend: &Backend, project: Project, name: String, action: &str, raw: bool) -> Result<Response, Refusal> {
    check_name("action", action)?;
    let shared = backend.clone();
    let lines = backend.records.read(move |records| {
        if find(&shared, records, project.as_str(), &name)?.is_none() {
            return Err(Refusal::not_found(&name));
        }
        let ended = records.list(ACTIVATIONS, project.as_str())?;
        Ok(ended
            .into_iter()
            .filter(|(_, of)| of.skill_name == name)
            .filter_map(|(_, of)| of.log_line())
            .collect::<Vec<_>>())
    });
    let lines = lines.await?;
    if raw {
        let text = lines.into_iter().map(|line| line + "\n").collect::<String>();
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    Ok(success(json!({"logs": lines})).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_or_lie_over_segments() {
        let is = |name: &str, asked| (name.to_owned(), asked);
        assert_eq!(asked(&["acme/greet"]).unwrap(), is("acme/greet", Asked::Skill));
        assert_eq!(asked(&["acme", "greet"]).unwrap(), is("acme/greet", Asked::Skill));
        assert_eq!(asked(&["acme", "greet", "deploy"]).unwrap(), is("acme/greet", Asked::Deploy(true)));
        assert_eq!(asked(&["acme/greet", "undeploy"]).unwrap(), is("acme/greet", Asked::Deploy(false)));
        assert_eq!(asked(&["acme/deploy"]).unwrap(), is("acme/deploy", Asked::Skill));
        assert_eq!(asked(&["deploy"]).unwrap(), is("deploy", Asked::Skill));
        assert_eq!(
            asked(&["acme", "greet", "action", "a/b", "logs"]).unwrap(),
            is("acme/greet", Asked::Logs("a/b".to_owned()))
        );
        assert!(asked(&[""]).is_err());
    }
}
