//! What a token is good for (cdf-iam section 6).

use std::sync::LazyLock;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Capability, ProjectCapability, ProjectScope, Scope, ScopeKind};

use crate::access::PROJECT;
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

async fn inspect(State(_): State<Backend>, caller: Caller) -> Json<Value> {
    Json(json!({
        "subject": caller.0.name,
        "projects": [{"projectUrlName": PROJECT, "groups": []}],
        "capabilities": *EVERYTHING,
    }))
}
