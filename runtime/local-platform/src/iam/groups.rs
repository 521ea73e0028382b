//! Groups, which give capabilities to their members (cdf-iam section 6, "Group").

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use skill_sdk::iam::{Acl, Action, Group, Members, Scope};

use super::items::{Items, check_missing, record_name};
use super::rights::Rights;
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::name::Project;
use crate::principals::{Caller, Principal};
use crate::query::Parameters;
use crate::records::{Collection, Lookup, Snapshot, StorageError};

mod write;

const GROUPS: Collection<Kept> = Collection::new("iam-groups");
/// How many groups of a project were deleted.
const DELETED: Collection<usize> = Collection::new("iam-deleted-groups");
/// Groups of a project, with those that were deleted (cdf-iam section 6).
const MOST: usize = 1500;

/// A group as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    project: String,
    group: Group,
}

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/api/v1/projects/{project}/groups", get(list).post(create))
        .route("/api/v1/projects/{project}/groups/delete", post(delete))
}

/// The groups of a project that a principal is a member of.
pub(crate) fn of_principal(
    principal: &Principal,
    project: &Project,
    records: &impl Lookup,
) -> Result<Vec<Group>, StorageError> {
    Ok(all(project, records)?.into_iter().filter(|group| has_member(group, principal)).collect())
}

/// The groups of each project that a principal is a member of. For the administrator each project with groups is there.
pub(crate) fn by_project(
    principal: &Principal,
    records: &Snapshot,
) -> Result<BTreeMap<String, Vec<Group>>, StorageError> {
    let mut projects: BTreeMap<String, Vec<Group>> = BTreeMap::new();
    for Kept { project, group } in records.everywhere(GROUPS)? {
        let is_member = has_member(&group, principal);
        if is_member || principal.is_administrator {
            let groups = projects.entry(project).or_default();
            groups.extend(is_member.then_some(group));
        }
    }
    Ok(projects)
}

fn all(project: &Project, records: &impl Lookup) -> Result<Vec<Group>, StorageError> {
    let kept = records.list(GROUPS, project.as_str())?;
    Ok(kept.into_iter().map(|(_, kept)| kept.group).collect())
}

/// Whether the group is one of a principal's: it names the principal or everybody, or is one of the principal's groups
/// at the identity provider.
fn has_member(group: &Group, principal: &Principal) -> bool {
    let is_named = match &group.members {
        Some(Members::AllUserAccounts) => true,
        Some(Members::Users(users)) => users.contains(&principal.name),
        _ => false,
    };
    is_named || principal.groups.iter().any(|of| *of == group.name || group.source_id.as_ref() == Some(of))
}

#[derive(Deserialize)]
struct Which {
    all: Option<String>,
}

async fn list(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Parameters(Which { all: wants_all }): Parameters<Which>,
) -> Result<Json<Value>, Refusal> {
    // Clients write it as Python does, or as JSON.
    let wants_all = match wants_all.map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::bad_request("`all` is neither true nor false")),
    };
    let groups = backend.records.read(move |records| {
        if !wants_all {
            return Ok(of_principal(&caller.0, &project, records)?);
        }
        Rights::of(&caller, &project, records)?.need(Acl::Groups, Action::List, Scope::all())?;
        Ok::<_, Refusal>(all(&project, records)?)
    });
    Ok(Json(json!({"items": groups.await?})))
}

async fn create(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items }: Items<Map<String, Value>>,
) -> Result<Json<Value>, Refusal> {
    let checked = items.into_iter().enumerate().map(|(at, item)| write::read(at, item));
    let checked = checked.collect::<Result<Vec<Map<String, Value>>, Refusal>>()?;
    let created = backend.records.write(move |changes| {
        let rights = Rights::of(&caller, &project, changes)?;
        let there_are = changes.list(GROUPS, project.as_str())?.len();
        let there_were = changes.get(DELETED, project.as_str(), "")?.unwrap_or(0);
        let mut created = Vec::new();
        for fields in checked {
            let id = i64::try_from(changes.next_number("iam-groups")?).map_err(StorageError::new)?;
            let group = write::group(id, fields)?;
            need(&rights, Action::Create, &group, &caller)?;
            created.push(group);
        }
        if there_are + there_were + created.len() > MOST {
            return Err(Refusal::bad_request(format!(
                "a project has at most {MOST} groups, with those that were deleted"
            )));
        }
        for group in &created {
            let kept = Kept { project: project.as_str().to_owned(), group: group.clone() };
            changes.put(GROUPS, project.as_str(), &record_name(group.id), &kept)?;
        }
        Ok(created)
    });
    Ok(Json(json!({"items": created.await?})))
}

async fn delete(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items: ids }: Items<i64>,
) -> Result<Json<Value>, Refusal> {
    let deleted = backend.records.write(move |changes| {
        let rights = Rights::of(&caller, &project, changes)?;
        // Whoever may delete none is not told which there are.
        rights.need(Acl::Groups, Action::Delete, Scope::current_user())?;
        let (mut missing, mut found) = (Vec::new(), BTreeMap::new());
        for id in ids {
            match changes.get(GROUPS, project.as_str(), &record_name(id))? {
                Some(Kept { group, .. }) => drop(found.insert(id, group)),
                None => missing.push(json!({"id": id})),
            }
        }
        found.values().try_for_each(|group| need(&rights, Action::Delete, group, &caller))?;
        check_missing("groups", missing)?;
        for id in found.keys() {
            changes.remove(GROUPS, project.as_str(), &record_name(*id));
        }
        let there_were = changes.get(DELETED, project.as_str(), "")?.unwrap_or(0);
        changes.put(DELETED, project.as_str(), "", &(there_were + found.len()))?;
        Ok::<_, Refusal>(())
    });
    deleted.await?;
    Ok(Json(json!({})))
}

/// Refuses whoever may not do this to a group. Of the own groups the narrower right suffices.
fn need(rights: &Rights, action: Action, group: &Group, caller: &Caller) -> Result<(), Refusal> {
    let scope = if has_member(group, &caller.0) { Scope::current_user() } else { Scope::all() };
    rights.need(Acl::Groups, action, scope)
}
