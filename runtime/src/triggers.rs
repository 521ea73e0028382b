//! What starts an invocation.
//!
//! - `invoke`: the command line, once

pub(crate) mod invoke;
pub(crate) mod signal;
mod watch;
