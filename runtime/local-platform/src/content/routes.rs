//! The HTTP side of managed content.

use axum::body::{Body, BodyDataStream};
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_request;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::files::Data;
use super::key::Key;
use super::store::{Entry, Object, Store, Upload};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::{self, FormBody};
use crate::name::{Project, Segments};
use crate::query::Parameters;
use crate::records::Changes;

/// What an upload that names no type is stored with.
const DEFAULT_TYPE: &str = "application/octet-stream";
/// Bytes of a content type.
const LONGEST_TYPE: usize = 255;
/// Bytes read from disk at a time.
const PIECE: usize = 128 * 1024;

/// The routes below `/fabric/v4/projects/{project}/content`.
pub(crate) fn routes() -> Router<Backend> {
    let object = || get(download).head(exists).post(upload).delete(delete);
    Router::new()
        .route("/fabric/v4/projects/{project}/content", get(list).post(upload_form))
        // An empty key is refused with a reason instead of not being found.
        .route("/fabric/v4/projects/{project}/content/", object())
        .route("/fabric/v4/projects/{project}/content/{*key}", object())
        .layer(map_request(body::limit_silence))
}

/// What a path names, decoded and checked.
struct Target {
    project: Project,
    key: Key,
}

#[derive(Deserialize)]
struct Names {
    project: String,
    #[serde(default)]
    key: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Segments(names) = Segments::<Names>::from_request_parts(parts, state).await?;
        Ok(Self { project: Project::new(&names.project)?, key: Key::new(&names.key)? })
    }
}

async fn download(
    State(Backend { content: store, .. }): State<Backend>,
    target: Target,
) -> Result<(HeaderMap, Body), Refusal> {
    send(&store, &target.project, &target.key).await
}

/// The bytes of a key as an answer.
pub(crate) async fn send(store: &Store, project: &Project, key: &Key) -> Result<(HeaderMap, Body), Refusal> {
    let object = find(store, project, key).await?;
    let headers = headers(&object)?;
    let body = match object.data {
        Data::File(file) => Body::from_stream(ReaderStream::with_capacity(File::from_std(file), PIECE)),
        Data::Memory(bytes) => Body::from(bytes),
    };
    Ok((headers, body))
}

async fn exists(State(Backend { content: store, .. }): State<Backend>, target: Target) -> Result<HeaderMap, Refusal> {
    headers(&find(&store, &target.project, &target.key).await?)
}

async fn find(store: &Store, project: &Project, key: &Key) -> Result<Object, Refusal> {
    let found = store.get(project, key).await?;
    found.ok_or_else(|| Refusal::not_found(key))
}

fn headers(object: &Object) -> Result<HeaderMap, Refusal> {
    let content_type = HeaderValue::from_str(&object.content_type)
        .map_err(|error| Refusal::internal("the content could not be read", &error))?;
    Ok(HeaderMap::from_iter([
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_LENGTH, HeaderValue::from(object.size)),
    ]))
}

async fn upload(
    State(Backend { content: store, .. }): State<Backend>,
    target: Result<Target, Refusal>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let checked = target.and_then(|target| Ok((target, type_of(&request)?)));
    let (target, content_type) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            body::drain(request).await;
            return Err(refusal);
        }
    };
    receive(&store, &target.project, &target.key, &content_type, request, nothing_more).await?;
    Ok(stored(&target.key))
}

#[allow(clippy::unnecessary_wraps, reason = "other writes can be refused")]
fn nothing_more(_: &mut Changes<'_, '_>) -> Result<(), Refusal> {
    Ok(())
}

/// The type that a request says its body has, or the default.
pub(crate) fn type_of(request: &Request) -> Result<String, Refusal> {
    let said = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::to_str).transpose();
    checked_type(said.map_err(|_| Refusal::bad_request("the content type is not ASCII text"))?)
}

/// Stores the body of a request under a key, and changes what else is to change with it.
pub(crate) async fn receive(
    store: &Store,
    project: &Project,
    key: &Key,
    content_type: &str,
    request: Request,
    also: impl FnOnce(&mut Changes<'_, '_>) -> Result<(), Refusal> + Send + 'static,
) -> Result<(), Refusal> {
    let mut body = request.into_body().into_data_stream();
    let done = match upload_body(store, project, key, content_type, &mut body).await {
        Ok(upload) => upload.commit(also).await,
        Err(refusal) => Err(refusal),
    };
    if done.is_err() {
        body::drain_rest(&mut body).await;
    }
    done
}

async fn upload_body(
    store: &Store,
    project: &Project,
    key: &Key,
    content_type: &str,
    body: &mut BodyDataStream,
) -> Result<Upload, Refusal> {
    let mut upload = store.upload(project, key, content_type).await?;
    while let Some(bytes) = body::next(body).await? {
        upload.write(bytes).await?;
    }
    Ok(upload)
}

/// `key` first, then `content` (fabric-api section 3, "multipart order"); other fields are skipped.
async fn upload_form(
    State(Backend { content: store, .. }): State<Backend>,
    project: Result<Project, Refusal>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let (body, request) = FormBody::split(request);
    let done = store_form(&store, project, request, &body).await;
    if done.is_err() {
        body.drain().await;
    }
    done.map(|key| stored(&key))
}

async fn store_form(
    store: &Store,
    project: Result<Project, Refusal>,
    request: Request,
    body: &FormBody,
) -> Result<Key, Refusal> {
    let project = project?;
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| {
        Refusal::bad_request(
            "content comes as `multipart/form-data` with the fields key and content, or to a path with its key",
        )
    })?;
    let mut key = None;
    let mut upload = None;
    while let Some(mut field) = form.next_field().await.map_err(malformed)? {
        body.yielded();
        match field.name() {
            Some("key") if key.is_none() => key = Some(Key::new(&key_text(field, body).await?)?),
            Some("content") if upload.is_none() => {
                let key = key.as_ref().ok_or_else(|| Refusal::bad_request("field key must come before content"))?;
                let content_type = checked_type(field.content_type())?;
                let upload = upload.insert(store.upload(&project, key, &content_type).await?);
                while let Some(bytes) = chunk(&mut field, body).await? {
                    upload.write(bytes).await?;
                }
            }
            Some("key" | "content") => return Err(Refusal::bad_request("a field is given twice")),
            _ => while chunk(&mut field, body).await?.is_some() {},
        }
    }
    let key = key.ok_or_else(|| Refusal::bad_request("field key is missing"))?;
    let upload = upload.ok_or_else(|| Refusal::bad_request("field content is missing"))?;
    upload.commit(nothing_more).await?;
    Ok(key)
}

async fn key_text(mut field: Field<'_>, body: &FormBody) -> Result<String, Refusal> {
    let mut text = Vec::new();
    while let Some(bytes) = chunk(&mut field, body).await? {
        text.extend_from_slice(&bytes);
        // Twice what a key may have leaves room for leading slashes.
        if text.len() > 2048 {
            return Err(Refusal::bad_request("field key is too long"));
        }
    }
    String::from_utf8(text).map_err(|_| Refusal::bad_request("field key is not UTF-8"))
}

async fn chunk(field: &mut Field<'_>, body: &FormBody) -> Result<Option<Bytes>, Refusal> {
    let chunk = field.chunk().await.map_err(malformed);
    body.yielded();
    chunk
}

#[allow(clippy::needless_pass_by_value, reason = "`map_err` hands it over by value")]
fn malformed(error: MultipartError) -> Refusal {
    body::broken(&error).unwrap_or_else(|| Refusal::bad_request(error.body_text()))
}

fn checked_type(content_type: Option<&str>) -> Result<String, Refusal> {
    match content_type {
        None | Some("") => Ok(DEFAULT_TYPE.to_owned()),
        Some(text) if text.len() <= LONGEST_TYPE && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
            Ok(text.to_owned())
        }
        Some(_) => Err(Refusal::bad_request(format!("the content type is not ASCII text of {LONGEST_TYPE} bytes"))),
    }
}

fn stored(key: &Key) -> Json<Value> {
    success(json!({"message": "Content successfully uploaded.", "Key": key.as_str()}))
}

async fn delete(State(Backend { content: store, .. }): State<Backend>, target: Target) -> Result<Json<Value>, Refusal> {
    if store.delete(&target.project, &target.key).await? {
        Ok(success(json!({"message": "Content successfully deleted."})))
    } else {
        Err(Refusal::not_found(&target.key))
    }
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    filter: String,
    /// 0 is none, as clients leave both out then (fabric-api section 3).
    #[serde(default)]
    limit: usize,
    #[serde(default)]
    skip: usize,
}

async fn list(
    State(Backend { content: store, .. }): State<Backend>,
    project: Project,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Vec<Entry>>, Refusal> {
    // No key begins with a slash, because uploads drop them.
    let prefix = query.filter.trim_start_matches('/').to_owned();
    let entries = store.list(&project, prefix).await?;
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    Ok(Json(entries.into_iter().skip(query.skip).take(limit).collect()))
}
