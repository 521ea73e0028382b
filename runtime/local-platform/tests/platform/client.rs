//! Each resource through the client that skills have: every method.

#[path = "client/connections.rs"]
mod connections;
#[path = "client/content.rs"]
mod content;
#[path = "client/experiments.rs"]
mod experiments;
#[path = "client/faults.rs"]
mod faults;
#[path = "client/info.rs"]
mod info;
#[path = "client/models.rs"]
mod models;
#[path = "client/secrets.rs"]
mod secrets;
#[path = "client/sessions.rs"]
mod sessions;
#[path = "client/types.rs"]
mod types;
