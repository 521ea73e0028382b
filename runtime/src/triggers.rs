//! What starts an invocation.
//!
//! - `invoke`: the command line, once
//! - `serve`: HTTP, until told to stop

pub(crate) mod invoke;
pub(crate) mod serve;
pub(crate) mod signal;
mod watch;
