//! Cortex Fabric v4 (fabric-api).

use axum::Router;

use crate::backend::Backend;

pub(crate) use activations::UnderWay;
pub(crate) use invoke::Places;
pub(crate) use sessions::LastSweep;

mod actions;
mod activations;
mod connections;
mod documents;
mod experiments;
mod info;
mod invoke;
mod messages;
mod models;
mod path;
mod secrets;
mod sessions;
mod skills;
mod tasks;
mod types;

/// Everything but content and artifacts, whose bodies are streams.
pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .merge(actions::routes())
        .merge(activations::routes())
        .merge(connections::routes())
        .merge(experiments::routes())
        .merge(info::routes())
        .merge(invoke::routes())
        .merge(messages::routes())
        .merge(models::routes())
        .merge(secrets::routes())
        .merge(sessions::routes())
        .merge(skills::routes())
        .merge(tasks::routes())
        .merge(types::routes())
}

/// Where the body of a request may be a stream.
pub(crate) fn streams() -> Router<Backend> {
    experiments::streams()
}

/// Whether a path is open to everybody (fabric-api section 2).
pub(crate) fn needs_no_token(path: &str) -> bool {
    matches!(path, info::INFO)
}
