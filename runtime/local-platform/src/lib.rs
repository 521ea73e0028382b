//! The embedded platform that local skill invocations and tests talk to.
//!
//! It speaks the Cortex Fabric v4 HTTP API, as its Python client 6.3.3 and its command line 2.4.0 use it, and the identity and access
//! management of Cognite Data Fusion, on a loopback port, and keeps everything in one folder, or nothing at all:
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use local_platform::{Options, Platform};
//! use std::time::Duration;
//!
//! let platform = Platform::start(Options::in_memory()).await?;
//! let token = platform.mint_token(Duration::from_mins(2))?;
//! // GET {url}/fabric/v4/projects/{project}/content with `Authorization: Bearer {token}`
//! let (url, project) = (platform.url(), platform.project());
//! # let _ = (token, url, project);
//! platform.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it answers
//!
//! `P` is `/fabric/v4/projects/{project}`; any project name is accepted. Names in paths are encoded (`acme%2Fgreet`) or lie over several
//! segments (`acme/greet`).
//!
//! | request | answer |
//! |---|---|
//! | `GET /fabric/v4/info` | the platform's clock (`serverTs`, milliseconds) and version; the one path without a token |
//! | `POST P/content/{key}` | stores the request body under the key |
//! | `POST P/content` | stores the field `content` of a form under the key in its field `key`, which comes first |
//! | `GET`, `HEAD P/content/{key}` | the stored bytes, or only their length and type |
//! | `DELETE P/content/{key}` | removes them |
//! | `GET P/content?filter=&limit=&skip=` | the stored keys that begin with `filter`, sorted |
//! | `P/skillinvoke/{skill}/inputs/{input}` | runs a skill, if the platform was started with [skills](SkillHost): see `fabric::invoke` |
//! | `P/secrets`, `connections`, `sessions`, `types`, `models`, `experiments`, `skills`, `activations`, `tasks`, `actions` | what clients save there: see the modules of `fabric` that have these names |
//! | `/internal/...` | secrets, connections and messages as skills get and send them inside a cluster |
//! | `GET /api/v1/token/inspect`, `/api/v1/projects/{project}/...` | identity and access management: see `iam` |
//! | `/local-platform/v1/principals` | the administrator adds, lists and removes principals |
//!
//! A token that is missing, malformed, expired or not ours is answered with 302 and `X-Auth-Error`, as the real
//! platform does; below `/api/v1/`, with 401 and `{"error": {"code": 401, "message": "..."}}`. The other
//! refusals are `{"success": false, "message": "..."}` with their status, or `{"error": {...}}`; without a body are answers to `HEAD`, and
//! those to what is no usable HTTP request (400, 414, 431). A request over its [limit](Limits) is refused with 413.
//!
//! Everybody who has a token may use Fabric: it knows no rights. Those in access management are the ones of the caller's groups;
//! the first principal, that of `pat.json`, may do everything.
//!
//! # What it keeps
//!
//! | below the data folder | what |
//! |---|---|
//! | `pat.json` | the personal access config of the administrator; readable by its owner only |
//! | `records.redb` | everything but the bytes of content, the secrets among them; readable by its owner only |
//! | `content/` | one file for the bytes of each stored key; the records say which |
//! | `content/.incoming/` | uploads that are not complete; emptied at start |
//! | `lock` | held while a platform runs on the folder |
//!
//! What was acknowledged is on disk: it survives the end of the process and of the machine. Records are in [`redb`], because it is
//! transactional, one file, and written in Rust: this crate is part of a program that every job starts, and `SQLite` would bring a C
//! library of twice its size for queries that nobody asks. Filters and orders of lists are worked out here, so that a list reads
//! all records of its kind and project: that is meant for local sizes.
//!
//! # Modules
//!
//! - `options`, `platform`: starting and stopping; `server`: connections; `routes`: where requests go; `backend`: what they share
//! - `fabric`: Cortex Fabric, one module for each resource; `iam`: access management; `content`: managed content and its files
//! - `access`: the administrator's personal access config; `principals`: the others; `token`: minting and checking tokens
//! - `records`: the database; `query`: what lists are asked for; `folder`: the data folder
//! - `body`: request bodies; `answer`: the shape of answers; `name`: names, checked; `error`: why a start failed
//! - `fault`, `cut`: misbehaviour on request; `skills`: who runs skills

#![forbid(unsafe_code)]

mod access;
mod answer;
mod backend;
mod body;
mod content;
mod cut;
mod error;
mod fabric;
mod fault;
mod folder;
mod iam;
mod name;
mod options;
mod platform;
mod principals;
mod query;
mod records;
mod routes;
mod server;
mod skills;
mod token;

pub use error::{StartError, TokenError};
pub use fault::{FaultError, FaultRule, Faults};
pub use options::{Limits, Options};
pub use platform::Platform;
pub use skills::{Invoked, SkillHost};
