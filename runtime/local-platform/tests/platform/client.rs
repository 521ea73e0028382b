//! Each resource through the client that skills have: every method.

#[path = "client/content.rs"]
mod content;
#[path = "client/experiments.rs"]
mod experiments;
