//! Bodies with many items, and what is said of items that are refused.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::body::JsonBody;

/// The items of a request, `{"items": [...]}`, 1 to `MOST` (cdf-iam section 2, "Defaults, paging and chunks").
#[derive(Deserialize)]
pub(crate) struct Items<T, const MOST: usize = 1000> {
    pub(crate) items: Vec<T>,
}

impl<S: Send + Sync, T: DeserializeOwned, const MOST: usize> FromRequest<S> for Items<T, MOST> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let JsonBody(body) = JsonBody::<Self>::from_request(request, state).await?;
        match body.items.len() {
            1.. if body.items.len() <= MOST => Ok(body),
            found => {
                let how_many = if MOST == 1 { "one item".to_owned() } else { format!("1 to {MOST} items") };
                Err(Refusal::bad_request(format!("a request has {how_many}, and not {found}")))
            }
        }
    }
}

/// 400 for items of which some are not there, unless that is none (cdf-iam section 4).
pub(crate) fn check_missing(what: &str, missing: Vec<Value>) -> Result<(), Refusal> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad_request(format!("there are no such {what}")).with("missing", missing))
}

/// 409 for names of which some are taken, unless that is none (cdf-iam section 4).
pub(crate) fn check_duplicated(what: &str, names: &[&str]) -> Result<(), Refusal> {
    if names.is_empty() {
        return Ok(());
    }
    let duplicated: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let refusal = Refusal::new(StatusCode::CONFLICT, format!("there are {what} of these names already"));
    Err(refusal.with("duplicated", duplicated))
}

/// The name of the record of what has this id. Records are sorted by names, so these by ids, which are at most 2^53.
pub(crate) fn record_name(id: i64) -> String {
    format!("{id:016}")
}
