//! The embedded platform that local skill invocations and tests talk to.
//!
//! It speaks the part of the Cortex Fabric v4 HTTP API that skills need, and the identity and access management of Cognite
//! Data Fusion, on a loopback port, and keeps everything in one folder:
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
//! `P` is `/fabric/v4/projects/{project}`; any project name is accepted.
//!
//! | request | answer |
//! |---|---|
//! | `GET /fabric/v4/info` | the platform's clock (`serverTs`, milliseconds) and version; the one path without a token |
//! | `POST P/content/{key}` | stores the request body under the key |
//! | `POST P/content` | stores the field `content` of a form under the key in its field `key`, which comes first |
//! | `GET`, `HEAD P/content/{key}` | the stored bytes, or only their length and type |
//! | `DELETE P/content/{key}` | removes them |
//! | `GET P/content?filter=&limit=&skip=` | the stored keys that begin with `filter`, sorted |
//! | `P/secrets`, `P/connections`, `P/sessions`, `P/types`, `P/models`, `P/experiments`, `P/tasks`, `P/actions` | what clients save there: see the modules of `fabric` that have these names |
//! | `GET /api/v1/token/inspect`, `/api/v1/projects/{project}/...` | identity and access management: see `iam` |
//!
//! A list opens every file of the project, so it is meant for local sizes.
//!
//! A token that is missing, malformed, expired or not ours is answered with 302 and `X-Auth-Error`, as the real
//! platform does; below `/api/v1/`, with 401 and `{"error": {"code": 401, "message": "..."}}`. The other
//! refusals are `{"success": false, "message": "..."}` with their status; without a body are answers to `HEAD`, and those
//! to what is no usable HTTP request (400, 414, 431).
//!
//! # What it keeps
//!
//! | below the data folder | what |
//! |---|---|
//! | `pat.json` | the personal access config clients authenticate with; readable by its owner only |
//! | `content/{folder}/` | one file per stored key; the folder is called like the project, with characters escaped |
//! | `content/.incoming/` | uploads that are not complete; emptied at start |
//! | `lock` | held while a platform runs on the folder |
//!
//! # Modules
//!
//! - `platform`: starting and stopping; `server`: connections and routes
//! - `access`: the personal access config; `token`: minting and checking tokens
//! - `content`: managed content, its keys and its files; `iam`: who may do what
//! - `folder`: the data folder; `body`: request bodies; `answer`: the shape of JSON answers; `error`: why a start failed

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
