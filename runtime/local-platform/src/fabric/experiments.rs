//! Experiments and their runs (fabric-api section 10). `E` is `P/experiments/{experiment}`, and `R` is `E/runs/{run}`.
//!
//! | request | answer |
//! |---|---|
//! | `POST P/experiments` | saves it under its `name` |
//! | `GET P/experiments` | `experiments`, for the usual parameters of lists; with `modelId`, those of that model |
//! | `GET E` | the experiment |
//! | `DELETE E` | removes it with its runs and their artifacts |
//! | `GET E/runs` | `runs`, for the usual parameters of lists, the last update first by default |
//! | `POST E/runs` | makes a run, under `runId` or a new id, in place of one that has it |
//! | `DELETE E/runs` | removes the runs that `filter` holds for, or all, with their artifacts |
//! | `GET R` | the run |
//! | `PUT R` | puts the fields of the body in place of those of the run |
//! | `POST R` | replaces the run; artifacts that the body does not have stay |
//! | `DELETE R` | removes it with its artifacts |
//! | `PUT R/meta/{key}`, `R/params/{key}`, `R/metrics/{key}` | keeps `value` under the key |
//! | `PUT R/artifacts/{name}` | keeps the body as content under `experiments/{experiment}/{run}/artifacts/{name}`, and that key in the run, both or neither |
//! | `GET R/artifacts/{name}` | those bytes |
//!
//! What is below an absent experiment or run is not found. Run ids hold no `/`. Of a path in raw segments, the first `runs` that is
//! not its first segment ends the experiment, so names with such a segment are to be encoded. The platform writes these fields of a
//! run itself: `runId`, `_id`, `experimentName`, `_projectId`, `_version` (how often it was saved), `_createdAt` and `_updatedAt`.

use axum::Json;
use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde::Deserialize;
use serde_json::{Value, json};

use self::runs::{Entries, RunName};
use super::documents::{self, Document, Fields, Stamp};
use super::path::{Below, name_of};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::{self, JsonBody};
use crate::name::Project;
use crate::principals::Caller;
use crate::query::{ListQuery, Parameters};
use crate::records::{Collection, Lookup};

pub(super) use self::runs::runs_of_model;

mod artifacts;
mod runs;

const EXPERIMENTS: Collection<Document> = Collection::new("experiments");
const BELOW: &str = "/fabric/v4/projects/{project}/experiments/{*name}";

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/fabric/v4/projects/{project}/experiments", get(list).post(save))
        .route(BELOW, get(read).post(post).delete(delete))
}

/// Those whose bodies may be streams without a limit.
pub(crate) fn streams() -> Router<Backend> {
    Router::new().route(BELOW, put(put_one))
}

/// What a path names.
struct Target {
    project: Project,
    experiment: String,
    part: Part,
}

#[derive(Debug, PartialEq)]
enum Part {
    Whole,
    Runs,
    Run(String),
    Entry(String, Entries, String),
    Artifact(String, String),
}

impl Part {
    /// The experiment and the part of it that raw segments name.
    fn read(segments: &[String]) -> Result<(String, Self), Refusal> {
        let experiment = |segments: &[String]| name_of("experiment", segments);
        let Some(runs) = segments.iter().skip(1).position(|segment| segment == "runs") else {
            return Ok((experiment(segments)?, Self::Whole));
        };
        let (name, below) = segments.split_at(runs + 1);
        let part = match below {
            [_] => Self::Runs,
            [_, id @ ..] => Self::of_run(id)?,
            [] => Self::Whole,
        };
        Ok((experiment(name)?, part))
    }

    fn of_run(segments: &[String]) -> Result<Self, Refusal> {
        let is_inside = |segment: &String| segment == "artifacts" || Entries::named(segment).is_some();
        let Some(inside) = segments.iter().skip(1).position(is_inside) else {
            return name_of("run", segments).map(Self::Run);
        };
        let (run, inside) = segments.split_at(inside + 1);
        let run = name_of("run", run)?;
        let name = name_of("entry of the run", inside.get(1..).unwrap_or_default())?;
        Ok(match inside.first().and_then(|word| Entries::named(word)) {
            Some(entries) => Self::Entry(run, entries, name),
            None => Self::Artifact(run, name),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let below = Below::from_request_parts(parts, state).await?;
        let (experiment, part) = Part::read(&below.segments)?;
        Ok(Self { project: below.project, experiment, part })
    }
}

/// Refuses what is below an experiment that there is not.
fn check_experiment(lookup: &impl Lookup, project: &Project, name: &str) -> Result<(), Refusal> {
    let found = lookup.get(EXPERIMENTS, project.as_str(), name)?;
    found.map(drop).ok_or_else(|| Refusal::not_found(format!("experiment {name}")))
}

fn not_allowed(method: &Method) -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not allowed here"))
}

async fn save(
    State(backend): State<Backend>,
    project: Project,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let name = documents::name_in("experiment", &fields)?;
    let stamp = Stamp::of(&caller);
    let saved = backend.records.write(move |changes| {
        documents::save(changes, EXPERIMENTS, &project, &name, fields, &stamp).map_err(Refusal::from)
    });
    Ok(success(Value::Object(saved.await?)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfModel {
    #[serde(default)]
    model_id: String,
}

async fn list(
    State(backend): State<Backend>,
    project: Project,
    Parameters(OfModel { model_id }): Parameters<OfModel>,
    query: ListQuery,
) -> Result<Json<Value>, Refusal> {
    let mut experiments = documents::all(&backend, EXPERIMENTS, &project, String::new()).await?;
    if !model_id.is_empty() {
        experiments.retain(|experiment| experiment.get("modelId").is_some_and(|id| *id == *model_id));
    }
    Ok(success(json!({"experiments": query.or_sorted_by("updatedAt", -1).apply(experiments)})))
}

async fn read(
    State(backend): State<Backend>,
    Target { project, experiment, part }: Target,
    query: ListQuery,
) -> Result<Response, Refusal> {
    match part {
        Part::Whole => {
            let key = experiment.clone();
            let found = backend.records.read(move |records| records.get(EXPERIMENTS, project.as_str(), &key));
            let found = found.await?.ok_or_else(|| Refusal::not_found(format!("experiment {experiment}")))?;
            Ok(success(Value::Object(found.fields)).into_response())
        }
        Part::Runs => {
            let runs = runs::list(&backend, project, experiment).await?;
            let found = query.or_sorted_by("_updatedAt", -1).apply(runs);
            Ok(success(json!({"runs": found})).into_response())
        }
        Part::Run(run) => {
            let run = RunName { project, experiment, run };
            Ok(success(Value::Object(runs::get(&backend, run).await?)).into_response())
        }
        Part::Artifact(run, name) => {
            artifacts::read(&backend, RunName { project, experiment, run }, name).await.map(IntoResponse::into_response)
        }
        Part::Entry(..) => Err(not_allowed(&Method::GET)),
    }
}

async fn post(
    State(backend): State<Backend>,
    Target { project, experiment, part }: Target,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Json<Value>, Refusal> {
    let saved = match part {
        Part::Runs => runs::create(&backend, project, experiment, fields).await?,
        Part::Run(run) => runs::replace(&backend, RunName { project, experiment, run }, fields).await?,
        _ => return Err(not_allowed(&Method::POST)),
    };
    Ok(success(Value::Object(saved)))
}

async fn put_one(
    State(backend): State<Backend>,
    target: Result<Target, Refusal>,
    request: Request,
) -> Result<Response, Refusal> {
    let Target { project, experiment, part } = match target {
        Ok(target) => target,
        Err(refusal) => {
            body::drain(request).await;
            return Err(refusal);
        }
    };
    if let Part::Artifact(run, name) = part {
        let run = RunName { project, experiment, run };
        return artifacts::save(&backend, run, name, request).await.map(IntoResponse::into_response);
    }
    let request = body::buffered(backend.limits.request, request).await?;
    let JsonBody(mut fields) = JsonBody::<Fields>::from_request(request, &()).await?;
    let saved = match part {
        Part::Run(run) => runs::update(&backend, RunName { project, experiment, run }, fields).await?,
        Part::Entry(run, entries, key) => {
            let value = fields.remove("value").ok_or_else(|| {
                let missing = Refusal::bad_request("the body has no field value");
                missing.with("details", json!({"body.value": {"message": "is required"}}))
            })?;
            runs::set(&backend, RunName { project, experiment, run }, entries, key, value).await?
        }
        _ => return Err(not_allowed(&Method::PUT)),
    };
    Ok(success(Value::Object(saved)).into_response())
}

async fn delete(
    State(backend): State<Backend>,
    Target { project, experiment, part }: Target,
    query: ListQuery,
) -> Result<Json<Value>, Refusal> {
    let message = match part {
        Part::Whole => {
            delete_experiment(&backend, project, experiment).await?;
            "Experiment deleted"
        }
        Part::Runs => {
            runs::delete_matching(&backend, project, experiment, query).await?;
            "Runs deleted"
        }
        Part::Run(run) => {
            runs::delete(&backend, RunName { project, experiment, run }).await?;
            "Run deleted"
        }
        _ => return Err(not_allowed(&Method::DELETE)),
    };
    Ok(success(json!({"message": message})))
}

async fn delete_experiment(backend: &Backend, project: Project, name: String) -> Result<(), Refusal> {
    let removed = backend.content.change(move |changes| {
        check_experiment(changes, &project, &name)?;
        changes.remove(EXPERIMENTS, project.as_str(), &name);
        Ok(((), runs::remove(changes, &project, &name, &ListQuery::default())?))
    });
    removed.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_parts_of_experiments() {
        let split = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let run = || "r".to_owned();
        for (path, experiment, part) in [
            ("churn", "churn", Part::Whole),
            ("acme/churn", "acme/churn", Part::Whole),
            ("runs", "runs", Part::Whole),
            ("runs/runs", "runs", Part::Runs),
            ("acme/churn/runs", "acme/churn", Part::Runs),
            ("acme/churn/runs/r", "acme/churn", Part::Run(run())),
            ("e/runs/r/params/a/b", "e", Part::Entry(run(), Entries::Params, "a/b".to_owned())),
            ("e/runs/r/meta/runs", "e", Part::Entry(run(), Entries::Meta, "runs".to_owned())),
            ("e/runs/r/metrics/meta/x", "e", Part::Entry(run(), Entries::Metrics, "meta/x".to_owned())),
            ("e/runs/r/artifacts/meta/1", "e", Part::Artifact(run(), "meta/1".to_owned())),
            ("e/runs/meta", "e", Part::Run("meta".to_owned())),
            ("e/runs/artifacts/artifacts/a", "e", Part::Artifact("artifacts".to_owned(), "a".to_owned())),
        ] {
            let read = Part::read(&split(path)).unwrap();
            assert_eq!(read, (experiment.to_owned(), part), "{path}");
        }
        for path in ["", "e/runs/", "e/runs/r/meta", "e/runs/r/artifacts/", "e/runs//params/k"] {
            assert!(Part::read(&split(path)).is_err(), "{path}");
        }
    }
}
