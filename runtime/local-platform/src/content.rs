//! Managed content: bytes under a key (fabric-api section 3).
//!
//! Bodies stream both ways and are never held as a whole. An upload is written apart and takes its key's place in one
//! step when it is complete, so readers see the old bytes or the new ones, and one that broke off changes nothing.

mod file;
mod key;
mod routes;
mod store;

pub(crate) use routes::routes;
pub(crate) use store::Store;
