//! What a token is good for (contract "cdf-iam", section 6). Whoever has one of ours is the administrator.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Capability, ProjectCapability, ProjectScope, Scope, ScopeKind};

use crate::access::PROJECT;
use crate::token::Tokens;

pub(crate) const INSPECT: &str = "/api/v1/token/inspect";

/// All that there is leave for. What can only be had in part, the administrator has none of: there is nothing of it here.
static EVERYTHING: LazyLock<Vec<ProjectCapability>> = LazyLock::new(|| {
    let acls = Acl::ALL.iter().filter(|acl| !acl.is_legacy() && acl.scopes().contains(&ScopeKind::All));
    let capability = |acl: &Acl| Capability::new(*acl, acl.actions().iter().cloned(), Scope::all());
    acls.map(|acl| ProjectCapability::new(capability(acl), ProjectScope::AllProjects)).collect()
});

pub(crate) fn routes(tokens: Arc<Tokens>) -> Router {
    Router::new().route(INSPECT, get(inspect)).with_state(tokens)
}

async fn inspect(State(tokens): State<Arc<Tokens>>) -> Json<Value> {
    Json(json!({
        "subject": tokens.subject(),
        "projects": [{"projectUrlName": PROJECT, "groups": []}],
        "capabilities": *EVERYTHING,
    }))
}

/// The refusal of a token (contract "cdf-iam", section 4; RFC 6750, section 3).
pub(crate) fn unauthorized(reason: &'static str) -> Response {
    let status = StatusCode::UNAUTHORIZED;
    let body = json!({"error": {"code": status.as_u16(), "message": reason}});
    let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
    (status, [(header::WWW_AUTHENTICATE, challenge)], Json(body)).into_response()
}
