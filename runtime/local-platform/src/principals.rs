//! Principals: who may act on the platform, each with a key of its own.
//!
//! The first one, the administrator, is that of `pat.json` and may do everything. The others are records that the
//! administrator adds; their rights in access management are those of their groups.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get};
use axum::{Json, Router};
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::JsonBody;
use crate::name::{Segments, check_name};
use crate::records::{Changes, Collection, Lookup, Records, StorageError};
use crate::token::now;

const PRINCIPALS: Collection<Record> = Collection::new("principals");
/// Groups of one principal.
const MOST_GROUPS: usize = 1000;

/// Somebody who may act.
pub(crate) struct Principal {
    /// The `sub` of its tokens, and its user identifier.
    pub(crate) name: String,
    /// Groups it belongs to at the identity provider; in a project they are those with such a name or source id.
    pub(crate) groups: Vec<String>,
    /// Whether it may do everything.
    pub(crate) is_administrator: bool,
    /// Milliseconds since 1970; of the administrator, when the platform started.
    pub(crate) created: u64,
    pub(crate) key: DecodingKey,
    /// What `kid` may say of the key: its own id, if it has one, and its thumbprint.
    pub(crate) key_ids: Vec<String>,
}

/// The principal that a request's token speaks for.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::token("missing token"))
    }
}

/// A principal as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// Public key, base64url.
    x: String,
    #[serde(default)]
    groups: Vec<String>,
    created_at: u64,
    /// Where its personal access config was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pat: Option<PathBuf>,
}

/// The principals there are. Kept in memory as well, because every request looks one up. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Principals(Arc<RwLock<HashMap<String, Arc<Principal>>>>);

impl Principals {
    /// The administrator and those of the records. Blocking.
    pub(crate) fn open(access: &Access, lookup: &impl Lookup) -> Result<Self, StorageError> {
        let mut all = HashMap::new();
        for (name, record) in lookup.list(PRINCIPALS, "")? {
            let principal = Arc::new(principal(&name, &record)?);
            all.insert(name, principal);
        }
        let administrator = Principal {
            name: access.username.clone(),
            groups: Vec::new(),
            is_administrator: true,
            created: milliseconds(),
            key: DecodingKey::from_ed_components(&access.public).map_err(StorageError::new)?,
            key_ids: access.kid.iter().chain([&access.thumbprint]).cloned().collect(),
        };
        all.insert(access.username.clone(), Arc::new(administrator));
        Ok(Self(Arc::new(RwLock::new(all))))
    }

    /// Writes this run's URL into the personal access configs of the records, where they still are: as into `pat.json`. Blocking.
    pub(crate) fn announce(lookup: &impl Lookup, url: &str) -> Result<(), StorageError> {
        for (name, record) in lookup.list(PRINCIPALS, "")? {
            if let Some(path) = &record.pat
                && let Err(error) = access::set_url(path, &name, &record.x, url)
            {
                tracing::warn!(path = %path.display(), error, "a personal access config was left as it is");
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Principal>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Principal>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.values().cloned().collect();
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        all
    }

    async fn add(&self, records: &Records, name: &str, record: Record) -> Result<(), Refusal> {
        let added = principal(name, &record).map_err(|_| Refusal::bad_request("field x is no Ed25519 public key"))?;
        if self.get(name).is_some_and(|principal| principal.is_administrator) {
            return Err(taken(name));
        }
        let (all, name) = (Arc::clone(&self.0), name.to_owned());
        let put = move |changes: &mut Changes<'_, '_>| {
            if changes.get(PRINCIPALS, "", &name)?.is_some() {
                return Err(taken(&name));
            }
            Ok(changes.put(PRINCIPALS, "", &name, &record)?)
        };
        let keep = move |(): &()| {
            let added = Arc::new(added);
            all.write().unwrap_or_else(PoisonError::into_inner).insert(added.name.clone(), added);
        };
        records.write_then(put, keep).await
    }

    async fn remove(&self, records: &Records, name: &str) -> Result<(), Refusal> {
        if self.get(name).is_some_and(|principal| principal.is_administrator) {
            return Err(Refusal::bad_request("the administrator cannot be removed"));
        }
        let (all, name) = (Arc::clone(&self.0), name.to_owned());
        let remove = move |changes: &mut Changes<'_, '_>| {
            if changes.get(PRINCIPALS, "", &name)?.is_none() {
                return Err(Refusal::not_found(format!("principal {name}")));
            }
            changes.remove(PRINCIPALS, "", &name);
            Ok(name)
        };
        let forget = move |name: &String| {
            all.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        };
        records.write_then(remove, forget).await.map(drop)
    }
}

/// Now, in milliseconds since 1970.
fn milliseconds() -> u64 {
    u64::try_from(now().as_millis()).unwrap_or(u64::MAX)
}

fn taken(name: &str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, format!("there is a principal {name} already"))
}

fn principal(name: &str, record: &Record) -> Result<Principal, StorageError> {
    let unusable = || StorageError::new(format!("principal {name} has no usable key"));
    let thumbprint = access::key_bytes(&record.x).and_then(|_| access::thumbprint(&record.x));
    Ok(Principal {
        name: name.to_owned(),
        groups: record.groups.clone(),
        is_administrator: false,
        created: record.created_at,
        key: DecodingKey::from_ed_components(&record.x).map_err(StorageError::new)?,
        key_ids: vec![thumbprint.ok_or_else(unusable)?],
    })
}

/// Where the administrator adds, lists and removes principals. It is no part of either API.
pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/local-platform/v1/principals", get(list).post(add))
        .route("/local-platform/v1/principals/{name}", delete(remove))
}

#[derive(Deserialize)]
struct Added {
    name: String,
    x: String,
    #[serde(default)]
    groups: Vec<String>,
    pat: Option<PathBuf>,
}

async fn add(
    State(backend): State<Backend>,
    caller: Caller,
    JsonBody(added): JsonBody<Added>,
) -> Result<Json<Value>, Refusal> {
    only_administrator(&caller)?;
    check_name("principal", &added.name)?;
    // No URL can name them.
    if matches!(added.name.as_str(), "." | "..") {
        return Err(Refusal::bad_request("a principal cannot be called `.` or `..`"));
    }
    if added.groups.len() > MOST_GROUPS {
        return Err(Refusal::bad_request(format!("a principal has at most {MOST_GROUPS} groups")));
    }
    for group in &added.groups {
        check_name("group", group)?;
    }
    let record = Record { x: added.x, groups: added.groups, created_at: milliseconds(), pat: added.pat };
    backend.principals.add(&backend.records, &added.name, record).await?;
    let (url, project) = (&*backend.url, access::PROJECT);
    Ok(success(json!({
        "name": added.name, "url": url, "project": project, "issuer": access::ISSUER, "audience": access::AUDIENCE,
    })))
}

async fn list(State(backend): State<Backend>, caller: Caller) -> Result<Json<Value>, Refusal> {
    only_administrator(&caller)?;
    let all = backend.principals.all();
    let shown = all.iter().map(|principal| {
        json!({"name": principal.name, "groups": principal.groups, "administrator": principal.is_administrator})
    });
    Ok(success(json!({"principals": shown.collect::<Vec<_>>()})))
}

async fn remove(
    State(backend): State<Backend>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, Refusal> {
    only_administrator(&caller)?;
    backend.principals.remove(&backend.records, &name).await?;
    Ok(success(json!({"name": name})))
}

fn only_administrator(caller: &Caller) -> Result<(), Refusal> {
    if caller.0.is_administrator {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "only the administrator may see to principals"))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::sync::oneshot;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::folder::Folder;

    /// Drops a request that has begun, as a server does whose client is gone, and waits until its write is done.
    async fn break_off(records: &Records, request: impl Future<Output = Result<(), Refusal>>) {
        // Nothing is written before the request is dropped.
        let (begun, has_begun) = oneshot::channel();
        let (go, may_go) = std::sync::mpsc::channel();
        let writer = records.clone();
        let hold = tokio::spawn(async move {
            let wait = move |_: &mut Changes<'_, '_>| {
                begun.send(()).unwrap();
                may_go.recv().map_err(StorageError::new)
            };
            writer.write(wait).await
        });
        has_begun.await.unwrap();
        {
            let mut request = pin!(request);
            poll_fn(|cx| {
                assert!(request.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        go.send(()).unwrap();
        hold.await.unwrap().unwrap();
        records.write(|_| Ok::<_, StorageError>(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_request_that_breaks_off_leaves_memory_and_records_in_step() {
        let folder = Arc::new(Folder::temporary().unwrap());
        let records = Records::open(&folder, true, &TaskTracker::new()).unwrap();
        let access = Access::open(&folder.path().join("pat.json"), "http://127.0.0.1:1", true).unwrap();
        let principals = records.look(|records| Principals::open(&access, records)).unwrap();
        let record = || Record { x: access.public.clone(), groups: Vec::new(), created_at: 1, pat: None };

        break_off(&records, principals.add(&records, "ann", record())).await;
        assert!(principals.get("ann").is_some());
        assert!(principals.add(&records, "ann", record()).await.is_err());

        break_off(&records, principals.remove(&records, "ann")).await;
        assert!(principals.get("ann").is_none());
        assert!(principals.remove(&records, "ann").await.is_err());
        principals.add(&records, "ann", record()).await.unwrap();
    }
}
