//! Managed content (fabric-api section 3): the HTTP side, the records of its keys, and the files of its bytes.

mod files;
mod key;
mod routes;
mod store;

pub(crate) use key::Key;
pub(crate) use routes::{receive, routes, send, type_of};
pub(crate) use store::{Orphan, Store};
