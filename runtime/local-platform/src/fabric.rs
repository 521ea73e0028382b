//! Cortex Fabric v4 (fabric-api).

use axum::Router;

use crate::backend::Backend;

pub(crate) use activations::UnderWay;
pub(crate) use invoke::Places;

mod activations;
mod documents;
mod info;
mod invoke;
mod messages;
mod path;
mod secrets;
mod skills;
mod types;

/// Everything but content, whose bodies are streams.
pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .merge(activations::routes())
        .merge(info::routes())
        .merge(invoke::routes())
        .merge(messages::routes())
        .merge(secrets::routes())
        .merge(skills::routes())
        .merge(types::routes())
}

/// Whether a path is open to everybody (fabric-api section 2).
pub(crate) fn needs_no_token(path: &str) -> bool {
    matches!(path, info::INFO)
}
