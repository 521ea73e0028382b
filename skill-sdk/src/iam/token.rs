//! What the token of a client is good for (contract "cdf-iam", section 6).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::api::Api;
use super::comparable::{Comparable, Side};
use super::project_capability::ProjectCapability;
use crate::client::nullable;
use crate::error::Error;

/// The token of a client.
#[derive(Clone, Debug)]
pub struct Token {
    api: Api,
}

/// What a token is good for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TokenInspection {
    /// Who the token speaks for: its claim `sub`.
    pub subject: String,
    /// The projects that it is for.
    #[serde(default, deserialize_with = "nullable::or_empty")]
    pub projects: Vec<ProjectSpec>,
    /// What it permits, and in which projects.
    #[serde(default, deserialize_with = "nullable::or_empty")]
    pub capabilities: Vec<ProjectCapability>,
    /// Whatever else the platform says of it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A project that a token is for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProjectSpec {
    /// The name of the project, as URLs have it.
    #[serde(rename = "projectUrlName")]
    pub url_name: String,
    /// The ids of the groups in the project that the token makes one a member of.
    #[serde(default, deserialize_with = "nullable::or_empty")]
    pub groups: Vec<i64>,
    /// Whatever else the platform says of it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Comparable for TokenInspection {
    fn add_to<'a>(&'a self, side: &mut Side<'a>) -> Result<(), Error> {
        self.capabilities.add_to(side)
    }
}

impl Token {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// What the token that the client uses now is good for. Nothing of it is remembered.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn inspect(&self) -> Result<TokenInspection, Error> {
        // Of a token that is refused here nothing more is to be found out.
        self.api.json_unexplained(self.api.get(url(&self.api), "cannot inspect the token")?).await
    }
}

pub(super) fn url(api: &Api) -> Url {
    api.client.beside_api(["api", "v1", "token", "inspect"])
}
