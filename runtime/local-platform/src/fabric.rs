//! Cortex Fabric v4 (fabric-api).

use axum::Router;

use crate::backend::Backend;

mod connections;
mod documents;
mod info;
mod path;
mod secrets;
mod sessions;
mod types;

/// Everything but content, whose bodies are streams.
pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .merge(connections::routes())
        .merge(info::routes())
        .merge(secrets::routes())
        .merge(sessions::routes())
        .merge(types::routes())
}

/// Whether a path is open to everybody (fabric-api section 2).
pub(crate) fn needs_no_token(path: &str) -> bool {
    matches!(path, info::INFO)
}
