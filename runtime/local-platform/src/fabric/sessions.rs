//! Sessions: data that invocations share for a while (fabric-api section 6).
//!
//! | request | answer |
//! |---|---|
//! | `POST P/sessions` | starts one, under `sessionId` or a new id, which is the answer's `sessionId`; `ttl` is in seconds, 900 by default and for 0; under the id of one that lives, it replaces all but the data, and the time begins anew |
//! | `GET P/sessions` | `sessions` without their data, for the usual parameters of lists |
//! | `GET P/sessions/{id}` | the session with its data as `state`; with `?key=k`, of that only `k`, if there is such a key |
//! | `POST P/sessions/{id}` | puts the keys of `state` into its data, beside those that are there |
//! | `DELETE P/sessions/{id}` | removes it |
//!
//! An invocation without a session has one of its own, which begins with it. A session lives for its `ttl` from its start on,
//! however it is used, and is not found from then on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::documents::{self, Fields, Stamp};
use super::path::Named;
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::Project;
use crate::principals::Caller;
use crate::query::{ListQuery, Parameters};
use crate::records::{Changes, Collection, Lookup, Records, StorageError};

const SESSIONS: Collection<Session> = Collection::new("sessions");
/// One record for each key of each session, so that a put costs no more where there are many keys.
const STATES: Collection<Value> = Collection::new("session states");
/// Seconds that a session lives which does not say how long.
const DEFAULT_TTL: u32 = 900;
/// Milliseconds between two removals of what has expired.
const BETWEEN_SWEEPS: i64 = 60_000;

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/sessions", get(list).post(save))
        .route("/fabric/v4/projects/{project}/sessions/{*name}", get(read).post(put).delete(delete))
}

/// A session as it is kept, without its data.
#[derive(Clone, Serialize, Deserialize)]
struct Session {
    project: String,
    id: String,
    /// Milliseconds since 1970; from then on it is not there.
    expires: i64,
    /// What is shown of it.
    fields: Fields,
}

impl Session {
    fn is_alive(&self, now: i64) -> bool {
        now < self.expires
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The living session of an id.
fn find(lookup: &impl Lookup, project: &str, id: &str) -> Result<Session, Refusal> {
    let found = lookup.get(SESSIONS, project, id)?.filter(|session| session.is_alive(now()));
    found.ok_or_else(|| Refusal::not_found(id))
}

/// The key of a record of data. No id holds a NUL.
fn state_key(id: &str, key: &str) -> String {
    format!("{id}\0{key}")
}

fn remove(changes: &mut Changes<'_, '_>, project: &str, id: &str) -> Result<(), StorageError> {
    for (key, _) in changes.list_prefix(STATES, project, &state_key(id, ""))? {
        changes.remove(STATES, project, &key);
    }
    changes.remove(SESSIONS, project, id);
    Ok(())
}

/// Starts the session of an invocation, unless it lives.
pub(super) fn begin(changes: &mut Changes<'_, '_>, project: &str, id: &str, stamp: &Stamp) -> Result<(), StorageError> {
    let before = changes.get(SESSIONS, project, id)?;
    if before.is_some_and(|before| before.is_alive(now())) {
        return Ok(());
    }
    remove(changes, project, id)?;
    let mut fields = Fields::new();
    stamp_on(&mut fields, id, DEFAULT_TTL.into(), stamp);
    fields.insert("description".to_owned(), "The session of an invocation".into());
    let expires = now().saturating_add(i64::from(DEFAULT_TTL) * 1000);
    changes.put(SESSIONS, project, id, &Session { project: project.to_owned(), id: id.to_owned(), expires, fields })
}

/// Says of a session what the platform says of all.
fn stamp_on(fields: &mut Fields, id: &str, ttl: Value, stamp: &Stamp) {
    for (field, value) in [
        ("sessionId", id.into()),
        ("ttl", ttl),
        ("createdAt", stamp.at.as_str().into()),
        ("updatedAt", stamp.at.as_str().into()),
        ("createdBy", stamp.by.as_str().into()),
    ] {
        fields.insert(field.to_owned(), value);
    }
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    JsonBody(mut fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let id = documents::text_in("session", "sessionId", &fields)?;
    let id = id.unwrap_or_else(|| Uuid::new_v4().to_string());
    let ttl = match fields.remove("ttl") {
        None | Some(Value::Null) => None,
        Some(ttl) => Some(ttl.as_f64().filter(|ttl| *ttl >= 0.0).map(|seconds| (seconds, ttl)).ok_or_else(|| {
            let wrong = Refusal::bad_request("field ttl is no number of seconds");
            wrong.with("details", json!({"body.ttl": {"message": "is no number of seconds"}}))
        })?),
    };
    let (seconds, ttl) =
        ttl.filter(|(seconds, _)| *seconds > 0.0).unwrap_or((f64::from(DEFAULT_TTL), DEFAULT_TTL.into()));
    let state = match fields.remove("state") {
        None | Some(Value::Null) => Fields::new(),
        Some(Value::Object(state)) => state,
        Some(_) => return Err(no_state()),
    };
    let stamp = Stamp::of(&caller);
    // A conversion stays within what the type holds, which is for ever.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds are enough")]
    let expires = now().saturating_add((seconds * 1000.0).ceil() as i64);
    stamp_on(&mut fields, &id, ttl, &stamp);
    fields.remove("success");
    let saved = backend.records.write(move |changes| {
        let (project, before) = (project.as_str(), changes.get(SESSIONS, project.as_str(), &id)?);
        match before.filter(|before| before.is_alive(now())) {
            None => remove(changes, project, &id)?,
            Some(before) => {
                let kept = |field: &str| before.fields.get(field).map(|value| (field.to_owned(), value.clone()));
                fields.extend(["createdAt", "createdBy"].into_iter().filter_map(kept));
            }
        }
        for (key, value) in state {
            changes.put(STATES, project, &state_key(&id, &key), &value)?;
        }
        let session = Session { project: project.to_owned(), id, expires, fields };
        changes.put(SESSIONS, project, &session.id, &session)?;
        Ok::<_, Refusal>(session.fields)
    });
    let saved = saved.await?;
    sweep_if_due(&backend);
    Ok(success(Value::Object(saved)))
}

async fn list(State(backend): State<Backend>, project: Project, query: ListQuery) -> Result<Json<Value>, Refusal> {
    let sessions = backend.records.read(move |records| records.list(SESSIONS, project.as_str()));
    let (sessions, now) = (sessions.await?.into_iter().map(|(_, session)| session), now());
    let alive = sessions.filter(|session| session.is_alive(now)).map(|session| Value::Object(session.fields));
    Ok(success(json!({"sessions": query.or_sorted_by("updatedAt", -1).apply(alive.collect())})))
}

#[derive(Deserialize)]
struct Asked {
    key: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    success: bool,
    #[serde(flatten)]
    fields: Fields,
    state: BTreeMap<String, Value>,
}

async fn read(
    State(backend): State<Backend>,
    Named { project, name: id }: Named,
    Parameters(Asked { key }): Parameters<Asked>,
) -> Result<Json<Shown>, Refusal> {
    let found = backend.records.read(move |records| {
        let session = find(records, project.as_str(), &id)?;
        let state = if let Some(key) = key {
            let value = records.get(STATES, project.as_str(), &state_key(&id, &key))?;
            value.map(|value| (key, value)).into_iter().collect()
        } else {
            let prefix = state_key(&id, "");
            let of_session = records.list_prefix(STATES, project.as_str(), &prefix)?.into_iter();
            of_session.map(|(key, value)| (key[prefix.len()..].to_owned(), value)).collect()
        };
        Ok::<_, Refusal>(Shown { success: true, fields: session.fields, state })
    });
    Ok(Json(found.await?))
}

#[derive(Deserialize)]
struct Put {
    state: BTreeMap<String, Value>,
}

async fn put(
    State(backend): State<Backend>,
    Named { project, name: id }: Named,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<Value>, Refusal> {
    let Put { state } = serde_json::from_value(body).map_err(|_| no_state())?;
    let now = Timestamp::now();
    let written = backend.records.write(move |changes| {
        let mut session = find(changes, project.as_str(), &id)?;
        for (key, value) in &state {
            changes.put(STATES, project.as_str(), &state_key(&id, key), value)?;
        }
        session.fields.insert("updatedAt".to_owned(), format!("{now:.3}").into());
        changes.put(SESSIONS, project.as_str(), &id, &session)?;
        Ok::<_, Refusal>(id)
    });
    Ok(success(json!({"sessionId": written.await?})))
}

fn no_state() -> Refusal {
    let wrong = Refusal::bad_request("field state is no JSON object");
    wrong.with("details", json!({"body.state": {"message": "is no JSON object"}}))
}

async fn delete(State(backend): State<Backend>, Named { project, name: id }: Named) -> Result<Json<Value>, Refusal> {
    let removed = backend.records.write(move |changes| {
        find(changes, project.as_str(), &id)?;
        remove(changes, project.as_str(), &id).map_err(Refusal::from)
    });
    removed.await?;
    Ok(success(json!({"message": "Session deleted"})))
}

/// When expired sessions were removed: milliseconds since 1970.
#[derive(Default)]
pub(crate) struct LastSweep(AtomicI64);

impl LastSweep {
    /// Whether one is due at a moment; it counts as done then.
    fn is_due(&self, now: i64) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        now.saturating_sub(last) >= BETWEEN_SWEEPS
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Removes the expired sessions of all projects, beside the requests, at most once a minute.
pub(super) fn sweep_if_due(backend: &Backend) {
    let now = now();
    if backend.last_sweep.is_due(now) {
        let records = backend.records.clone();
        backend.work.spawn(async move {
            if let Err(error) = sweep(&records, now).await {
                tracing::warn!(%error, "expired sessions stay for now");
            }
        });
    }
}

/// Removes the sessions that have expired until a moment, in milliseconds since 1970, with their data.
async fn sweep(records: &Records, now: i64) -> Result<(), StorageError> {
    let expired = records.read(move |records| {
        let all = records.everywhere(SESSIONS)?;
        Ok::<_, StorageError>(all.into_iter().filter(|session| !session.is_alive(now)).collect::<Vec<_>>())
    });
    for Session { project, id, .. } in expired.await? {
        let removed = records.write(move |changes| {
            // It may have been started anew.
            match changes.get(SESSIONS, &project, &id)? {
                Some(session) if !session.is_alive(now) => remove(changes, &project, &id),
                _ => Ok(()),
            }
        });
        removed.await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::folder::Folder;

    #[test]
    fn a_sweep_is_due_once_a_minute() {
        let last = LastSweep::default();
        let due: Vec<_> = [60_000, 60_000, 119_999, 120_000, 1].into_iter().map(|now| last.is_due(now)).collect();
        assert_eq!(due, [true, false, false, true, false]);
    }

    #[tokio::test]
    async fn what_has_expired_is_removed_with_its_data() {
        let folder = Arc::new(Folder::temporary().unwrap());
        let records = Records::open(&folder, true, &TaskTracker::new()).unwrap();
        let written = records.write(|changes| {
            for (project, id, expires) in [("p", "a", 10), ("p", "a2", 11), ("q", "a", 9), ("q", "b", 20)] {
                let session =
                    Session { project: project.to_owned(), id: id.to_owned(), expires, fields: Fields::new() };
                changes.put(SESSIONS, project, id, &session)?;
                changes.put(STATES, project, &state_key(id, "k"), &json!(1))?;
                changes.put(STATES, project, &state_key(id, ""), &json!(2))?;
            }
            Ok::<_, StorageError>(())
        });
        written.await.unwrap();
        sweep(&records, 10).await.unwrap();
        let left = records.read(|records| {
            let sessions = records.everywhere(SESSIONS)?.into_iter().map(|session| (session.project, session.id));
            Ok::<_, StorageError>((sessions.collect::<Vec<_>>(), records.everywhere(STATES)?.len()))
        });
        let (sessions, states) = left.await.unwrap();
        assert_eq!(sessions, [("p".to_owned(), "a2".to_owned()), ("q".to_owned(), "b".to_owned())]);
        assert_eq!(states, 4);
    }
}
