//! What a token is good for (cdf-iam section 6).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Capability, Group, ProjectCapability, ProjectScope, Scope, ScopeKind};

use super::groups;
use crate::access::PROJECT;
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::principals::Caller;

/// All that there is leave for. What can only be had in part, the administrator has none of: there is nothing of it here.
static EVERYTHING: LazyLock<Vec<ProjectCapability>> = LazyLock::new(|| {
    let acls = Acl::ALL.iter().filter(|acl| !acl.is_legacy() && acl.scopes().contains(&ScopeKind::All));
    let capability = |acl: &Acl| Capability::new(*acl, acl.actions().iter().cloned(), Scope::all());
    acls.map(|acl| ProjectCapability::new(capability(acl), ProjectScope::AllProjects)).collect()
});

pub(crate) fn routes() -> Router<Backend> {
    Router::new().route("/api/v1/token/inspect", get(inspect))
}

/// Of the administrator: everything in all projects, of which those are named that have groups. Of others: what their
/// groups give them.
async fn inspect(State(backend): State<Backend>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let principal = caller.0.clone();
    let mut projects = backend.records.read(move |records| groups::by_project(&principal, records)).await?;
    let capabilities = if caller.0.is_administrator {
        projects.entry(PROJECT.to_owned()).or_default();
        json!(*EVERYTHING)
    } else {
        json!(granted(&projects))
    };
    let project = |(name, groups): (&String, &Vec<Group>)| {
        let ids: Vec<i64> = groups.iter().map(|group| group.id).collect();
        json!({"projectUrlName": name, "groups": ids})
    };
    Ok(Json(json!({
        "subject": caller.0.name,
        "projects": projects.iter().map(project).collect::<Vec<_>>(),
        "capabilities": capabilities,
    })))
}

/// What groups give, each thing once, in the projects in which it is given.
fn granted(projects: &BTreeMap<String, Vec<Group>>) -> Vec<ProjectCapability> {
    let mut granted: BTreeMap<String, (&Capability, Vec<&str>)> = BTreeMap::new();
    for (project, groups) in projects {
        for capability in groups.iter().flat_map(|group| &group.capabilities) {
            let (_, projects) = granted.entry(format!("{capability:?}")).or_insert((capability, Vec::new()));
            if projects.last() != Some(&project.as_str()) {
                projects.push(project);
            }
        }
    }
    let entry = |(capability, projects): (&Capability, Vec<&str>)| {
        ProjectCapability::new(capability.clone(), ProjectScope::projects(projects))
    };
    granted.into_values().map(entry).collect()
}
