//! User profiles, of which each principal has one in each project that keeps them (cdf-iam section 6, "Others").

use std::collections::HashMap;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Scope};

use super::items::{Items, check_missing};
use super::page::{PageQuery, check_limit};
use super::rights::Rights;
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::Project;
use crate::principals::{Caller, Principal};
use crate::records::{Collection, Lookup, Snapshot, StorageError};

/// Whether a project keeps profiles. It does until that is disabled.
const ENABLED: Collection<bool> = Collection::new("iam-user-profiles-enabled");
/// Profiles that are found, unless said otherwise, and at most.
const DEFAULT_FOUND: usize = 25;
const MOST_FOUND: usize = 1000;

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/api/v1/projects/{project}/profiles", get(list))
        .route("/api/v1/projects/{project}/profiles/me", get(me))
        .route("/api/v1/projects/{project}/profiles/byids", post(by_ids))
        .route("/api/v1/projects/{project}/profiles/search", post(search))
        .route("/api/v1/projects/{project}/update", post(update))
}

/// What a principal's name tells of the user.
struct Profile {
    user_identifier: String,
    /// Milliseconds since 1970.
    last_updated_time: u64,
    names: Vec<String>,
}

impl Profile {
    fn of(principal: &Principal) -> Self {
        let names = principal.name.split_whitespace().map(str::to_owned).collect();
        Self { user_identifier: principal.name.clone(), last_updated_time: principal.created, names }
    }

    fn display_name(&self) -> String {
        self.names.join(" ")
    }

    /// The order of profiles: by name, whatever its letter case; among equals by identifier.
    fn key(&self) -> String {
        format!("{}\0{}", self.display_name().to_lowercase(), self.user_identifier)
    }

    /// Whether each of the words begins one of the names. They are in lower case.
    fn is_found_by(&self, words: &[String]) -> bool {
        let names: Vec<String> = self.names.iter().map(|name| name.to_lowercase()).collect();
        words.iter().all(|word| names.iter().any(|name| name.starts_with(word)))
    }

    /// A name of one word is no first name: programs have such names.
    fn shown(&self) -> Value {
        let mut shown = json!({
            "userIdentifier": self.user_identifier,
            "lastUpdatedTime": self.last_updated_time,
            "displayName": self.display_name(),
        });
        if let [given, family @ ..] = self.names.as_slice()
            && !family.is_empty()
        {
            shown["givenName"] = given.as_str().into();
            shown["surname"] = family.join(" ").into();
        }
        shown
    }
}

fn is_enabled(project: &Project, records: &impl Lookup) -> Result<bool, StorageError> {
    Ok(records.get(ENABLED, project.as_str(), "")?.unwrap_or(true))
}

/// All profiles of a project, in their order, for who may read them.
async fn all(backend: &Backend, caller: Caller, project: &Project) -> Result<Vec<Profile>, Refusal> {
    let in_project = project.clone();
    let is_enabled = backend.records.read(move |records: &Snapshot| {
        Rights::of(&caller, &in_project, records)?.need(Acl::UserProfiles, Action::Read, Scope::all())?;
        Ok::<_, Refusal>(is_enabled(&in_project, records)?)
    });
    if !is_enabled.await? {
        return Ok(Vec::new());
    }
    let mut profiles: Vec<Profile> = backend.principals.all().iter().map(|principal| Profile::of(principal)).collect();
    profiles.sort_by_cached_key(Profile::key);
    Ok(profiles)
}

async fn me(State(backend): State<Backend>, caller: Caller, project: Project) -> Result<Json<Value>, Refusal> {
    if backend.records.read(move |records| is_enabled(&project, records)).await? {
        return Ok(Json(Profile::of(&caller.0).shown()));
    }
    Err(Refusal::not_found("the profile of the caller is"))
}

async fn list(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    page: PageQuery,
) -> Result<Json<Value>, Refusal> {
    let profiles = all(&backend, caller, &project).await?;
    let entries = profiles.iter().map(|profile| (profile.key(), profile.shown()));
    page.page(&format!("profiles {project}"), false, entries)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Id {
    user_identifier: String,
}

async fn by_ids(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items }: Items<Id>,
) -> Result<Json<Value>, Refusal> {
    let profiles = all(&backend, caller, &project).await?;
    let by_id: HashMap<&str, &Profile> =
        profiles.iter().map(|profile| (profile.user_identifier.as_str(), profile)).collect();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for Id { user_identifier } in items {
        match by_id.get(user_identifier.as_str()) {
            Some(profile) => found.push(profile.shown()),
            None => missing.push(json!({"userIdentifier": user_identifier})),
        }
    }
    check_missing("profiles", missing)?;
    Ok(Json(json!({"items": found})))
}

#[derive(Deserialize)]
struct Search {
    search: Names,
    #[serde(default = "default_found")]
    limit: usize,
}

#[derive(Deserialize)]
struct Names {
    name: String,
}

fn default_found() -> usize {
    DEFAULT_FOUND
}

async fn search(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    JsonBody(Search { search, limit }): JsonBody<Search>,
) -> Result<Json<Value>, Refusal> {
    let limit = check_limit(limit, MOST_FOUND)?;
    let words: Vec<String> = search.name.split_whitespace().map(str::to_lowercase).collect();
    let profiles = all(&backend, caller, &project).await?;
    let found = profiles.iter().filter(|profile| profile.is_found_by(&words)).take(limit);
    Ok(Json(json!({"items": found.map(Profile::shown).collect::<Vec<_>>()})))
}

/// `{"update": {"userProfilesConfiguration": {"set": {"enabled": true}}}}`: the one setting of a project that there is.
#[derive(Deserialize)]
struct Update {
    update: Settings,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    user_profiles_configuration: Set,
}

#[derive(Deserialize)]
struct Set {
    set: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    enabled: bool,
}

async fn update(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    JsonBody(Update { update }): JsonBody<Update>,
) -> Result<Json<Value>, Refusal> {
    let enabled = update.user_profiles_configuration.set.enabled;
    let written = backend.records.write(move |changes| {
        Rights::of(&caller, &project, changes)?.need(Acl::Projects, Action::Update, Scope::all())?;
        Ok::<_, Refusal>(changes.put(ENABLED, project.as_str(), "", &enabled)?)
    });
    written.await?;
    Ok(Json(json!({"userProfilesConfiguration": {"enabled": enabled}})))
}
