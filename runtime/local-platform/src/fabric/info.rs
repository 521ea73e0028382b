//! What the platform says of itself (fabric-api section 2).

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::answer::success;
use crate::backend::Backend;
use crate::token::now;

pub(crate) const INFO: &str = "/fabric/v4/info";

pub(crate) fn routes() -> Router<Backend> {
    Router::new().route(INFO, get(info)).route("/fabric/v4/compatibility/applications/{application}", get(compatible))
}

async fn info() -> Json<Value> {
    success(json!({
        "serverTs": u64::try_from(now().as_millis()).unwrap_or(u64::MAX),
        "version": env!("CARGO_PKG_VERSION"),
        "healths": [],
        "endpoints": "{}",
    }))
}

/// The versions of a client that this platform gets on with. They are those of the contract, and later ones.
async fn compatible() -> Json<Value> {
    success(json!({"semver": ">=1.0.0"}))
}
