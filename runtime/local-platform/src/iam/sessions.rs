//! Sessions, in which services act for whoever created them (cdf-iam section 3).
//!
//! There is no service here that would bind one, so none is ever ACTIVE or CANCELLED, and the nonce opens nothing.

use std::time::Duration;

use aws_lc_rs::rand;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Scope};

use super::items::{Items, check_missing, record_name};
use super::page::PageQuery;
use super::rights::Rights;
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::name::{Project, check_name};
use crate::principals::Caller;
use crate::query::Parameters;
use crate::records::{Collection, Lookup, StorageError};
use crate::token::now;

const SESSIONS: Collection<Session> = Collection::new("iam-sessions");
/// How long a session lives that nobody renews.
const LIFETIME: Duration = Duration::from_hours(1);
const STATUSES: [&str; 6] = ["READY", "ACTIVE", "CANCELLED", "EXPIRED", "REVOKED", "ACCESS_LOST"];
/// Sessions of a page, and of a request to revoke some.
const AT_ONCE: usize = 100;

/// A session as it is kept: without its nonce, and without the secret that it was created with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    id: i64,
    r#type: String,
    /// Milliseconds since 1970.
    creation_time: u64,
    expiration_time: u64,
    client_id: Option<String>,
    is_revoked: bool,
}

/// With what a session is to be created. Secrets are looked at, and dropped.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    client_id: Option<String>,
    client_secret: Option<String>,
    #[serde(default)]
    token_exchange: bool,
    #[serde(default)]
    oneshot_token_exchange: bool,
}

#[derive(Deserialize)]
struct Id {
    id: i64,
}

#[derive(Deserialize)]
struct Which {
    status: Option<String>,
}

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/api/v1/projects/{project}/sessions", get(list).post(create))
        .route("/api/v1/projects/{project}/sessions/byids", post(by_ids))
        .route("/api/v1/projects/{project}/sessions/revoke", post(revoke))
}

impl New {
    /// The type of the session, and the client that it is for.
    fn check(self) -> Result<(&'static str, Option<String>), Refusal> {
        match (self.client_id, self.client_secret, self.token_exchange, self.oneshot_token_exchange) {
            (Some(id), Some(secret), false, false) if !secret.is_empty() => {
                check_name("client", &id)?;
                Ok(("CLIENT_CREDENTIALS", Some(id)))
            }
            (None, None, true, false) => Ok(("TOKEN_EXCHANGE", None)),
            (None, None, false, true) => Ok(("ONESHOT_TOKEN_EXCHANGE", None)),
            _ => Err(Refusal::bad_request(
                "a session needs `clientId` with `clientSecret`, `tokenExchange` or `oneshotTokenExchange`: one of them",
            )),
        }
    }
}

impl Session {
    fn status(&self, now: u64) -> &'static str {
        match (self.is_revoked, now >= self.expiration_time) {
            (true, _) => "REVOKED",
            (false, true) => "EXPIRED",
            (false, false) => "READY",
        }
    }

    fn shown(&self, now: u64) -> Value {
        let mut shown = json!({
            "id": self.id,
            "type": self.r#type,
            "status": self.status(now),
            "creationTime": self.creation_time,
            "expirationTime": self.expiration_time,
        });
        if let Some(client) = &self.client_id {
            shown["clientId"] = client.as_str().into();
        }
        shown
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn create(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items }: Items<New, 1>,
) -> Result<Json<Value>, Refusal> {
    let new = items.into_iter().next().ok_or_else(|| Refusal::bad_request("there is no session to create"))?;
    let (r#type, client_id) = new.check()?;
    let mut nonce = [0; 32];
    rand::fill(&mut nonce).map_err(|error| Refusal::internal("the nonce could not be made", &error))?;
    let created = backend.records.write(move |changes| {
        Rights::of(&caller, &project, changes)?.need(Acl::Sessions, Action::Create, Scope::all())?;
        let id = i64::try_from(changes.next_number("iam-sessions")?).map_err(StorageError::new)?;
        let (creation_time, expiration_time) = (milliseconds(now()), milliseconds(now() + LIFETIME));
        let r#type = r#type.to_owned();
        let session = Session { id, r#type, creation_time, expiration_time, client_id, is_revoked: false };
        changes.put(SESSIONS, project.as_str(), &record_name(id), &session)?;
        Ok::<_, Refusal>(session)
    });
    let session = created.await?;
    let mut shown = json!({
        "id": session.id,
        "type": session.r#type,
        "status": "READY",
        "nonce": URL_SAFE_NO_PAD.encode(nonce),
    });
    if let Some(client) = session.client_id {
        shown["clientId"] = client.into();
    }
    Ok(Json(json!({"items": [shown]})))
}

async fn list(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    page: PageQuery<AT_ONCE>,
    Parameters(Which { status }): Parameters<Which>,
) -> Result<Json<Value>, Refusal> {
    let status = status.map(|text| text.to_ascii_uppercase());
    if status.as_deref().is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Refusal::bad_request(format!("`status` is none of {}", STATUSES.join(", "))));
    }
    let name = format!("sessions {} {project}", status.as_deref().unwrap_or("-"));
    let looked = backend.records.read(move |records| {
        Rights::of(&caller, &project, records)?.need(Acl::Sessions, Action::List, Scope::all())?;
        Ok::<_, Refusal>(records.list(SESSIONS, project.as_str())?)
    });
    let now = milliseconds(now());
    let sessions = looked
        .await?
        .into_iter()
        .filter(|(_, session)| status.as_ref().is_none_or(|status| session.status(now) == status));
    page.page(&name, false, sessions.map(|(key, session)| (key, session.shown(now))))
}

async fn by_ids(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items }: Items<Id>,
) -> Result<Json<Value>, Refusal> {
    let found = backend.records.read(move |records| {
        Rights::of(&caller, &project, records)?.need(Acl::Sessions, Action::List, Scope::all())?;
        find(records, &project, &items)
    });
    let now = milliseconds(now());
    let found = found.await?;
    Ok(Json(json!({"items": found.iter().map(|session| session.shown(now)).collect::<Vec<_>>()})))
}

/// Those that have ended stay what they are. Who may not list sessions is told only the ids.
async fn revoke(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items }: Items<Id, AT_ONCE>,
) -> Result<Json<Value>, Refusal> {
    let now = milliseconds(now());
    let revoked = backend.records.write(move |changes| {
        let rights = Rights::of(&caller, &project, changes)?;
        rights.need(Acl::Sessions, Action::Delete, Scope::all())?;
        let may_list = rights.permit(Acl::Sessions, Action::List, Scope::all())?;
        let mut revoked = Vec::new();
        for mut session in find(changes, &project, &items)? {
            session.is_revoked |= now < session.expiration_time;
            changes.put(SESSIONS, project.as_str(), &record_name(session.id), &session)?;
            revoked.push(if may_list { session.shown(now) } else { json!({"id": session.id}) });
        }
        Ok::<_, Refusal>(revoked)
    });
    Ok(Json(json!({"items": revoked.await?})))
}

/// The sessions with these ids, in their order; a refusal that names those that are missing.
fn find(records: &impl Lookup, project: &Project, ids: &[Id]) -> Result<Vec<Session>, Refusal> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for Id { id } in ids {
        match records.get(SESSIONS, project.as_str(), &record_name(*id))? {
            Some(session) => found.push(session),
            None => missing.push(json!({"id": id})),
        }
    }
    check_missing("sessions", missing)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_its_time_has_come_or_before() {
        let mut session = Session {
            id: 1,
            r#type: "TOKEN_EXCHANGE".to_owned(),
            creation_time: 1000,
            expiration_time: 2000,
            client_id: None,
            is_revoked: false,
        };
        assert_eq!((session.status(1999), session.status(2000)), ("READY", "EXPIRED"));
        session.is_revoked = true;
        assert_eq!((session.status(1999), session.status(2000)), ("REVOKED", "REVOKED"));
    }
}
