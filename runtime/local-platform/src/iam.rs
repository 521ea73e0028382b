//! The identity and access management of Cognite Data Fusion (cdf-iam).

use axum::Router;

use crate::backend::Backend;

mod inspect;

pub(crate) fn routes() -> Router<Backend> {
    Router::new().merge(inspect::routes())
}
