//! How requests to Cognite Data Fusion are made (contract "cdf-iam", sections 1, 4 and 5).

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use super::token::{self, ProjectSpec};
use crate::client::Client;
use crate::client::call::Call;
use crate::client::refusal::words;
use crate::client::response::Response;
use crate::client::retry::{Repeat, Rules};
use crate::error::{Code, Error};

const SDK: HeaderName = HeaderName::from_static("x-cdp-sdk");
const APPLICATION: HeaderName = HeaderName::from_static("x-cdp-app");
const REVISION: HeaderName = HeaderName::from_static("cdf-version");

/// Our name and version, in the form of the other clients.
const SDK_VERSION: &str = concat!("SkillSDK:", env!("CARGO_PKG_VERSION"));

/// The revision of the API.
const API_REVISION: &str = "20230101";

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Most names of projects in an error.
const NAMED: usize = 10;

/// What all handles of identity and access management share.
#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) client: Client,
    /// What says which program asks.
    pub(super) application: String,
    /// Whether bodies are compressed.
    pub(super) gzip: bool,
    /// Whether calls that create something are repeated although they may have created it.
    pub(super) repeats_creates: bool,
}

impl Api {
    /// The URL of something in the project: `{base}/api/v1/projects/{project}/{segments}`.
    pub(super) fn url<'s>(&'s self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        let inside = ["api", "v1", "projects", self.client.project()].into_iter().chain(segments);
        self.client.beside_api(inside)
    }

    pub(super) fn get(&self, url: Url, failure: &str) -> Result<Call, Error> {
        self.dressed(Call::get(url, failure).header(CONTENT_TYPE, JSON).repeat(Repeat::AfterSilence), failure)
    }

    /// A call that makes no difference the second time.
    pub(super) fn post(&self, url: Url, failure: &str) -> Result<Call, Error> {
        self.dressed(Call::post(url, failure).repeat(Repeat::AfterSilence), failure)
    }

    /// When a call that creates something is repeated.
    pub(super) fn repeat_of_creates(&self) -> Repeat {
        if self.repeats_creates { Repeat::AfterSilence } else { Repeat::Unprocessed }
    }

    /// A call with the headers that all have.
    fn dressed(&self, call: Call, failure: &str) -> Result<Call, Error> {
        let application = HeaderValue::try_from(&self.application).map_err(|_| {
            let detail = format!("{failure}: {:?} cannot be the name of an application", self.application);
            Error::new(Code::SkillFailed, detail)
        })?;
        let call = call.rules(Rules::Cognite).header(ACCEPT, JSON).header(APPLICATION, application);
        let call = call.header(SDK, HeaderValue::from_static(SDK_VERSION));
        Ok(call.header(REVISION, HeaderValue::from_static(API_REVISION)))
    }

    /// Sends a request and reads the JSON that it is answered with.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.explained(self.json_unexplained(call).await).await
    }

    /// As [`json`](Self::json), without what is found out about a token that was refused.
    pub(super) async fn json_unexplained<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(call).await?.json().await;
        // The platform has done what it was asked for.
        answer.map_err(|error| error.with_possible_effect(true))
    }

    pub(super) async fn send(&self, call: Call) -> Result<Response, Error> {
        let call = if self.gzip { call.gzip().await? } else { call };
        self.client.send(call).await
    }

    /// Says of a token that was refused for which projects it does work, if the platform tells (contract "cdf-iam",
    /// section 4).
    pub(super) async fn explained<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let error = match result {
            Err(error) if error.http_status() == Some(401) => error,
            other => return other,
        };
        let projects = self.projects_of_token().await.map(|projects| told(&projects)).unwrap_or_default();
        let end = if error.detail().ends_with('.') { "" } else { "." };
        let project = self.client.project();
        let more = "The token may have expired, be invalid, or not be for the project";
        Err(error.with_more(&format!("{end} {more} `{project}`.{projects}")))
    }

    async fn projects_of_token(&self) -> Result<Vec<ProjectSpec>, Error> {
        #[derive(Deserialize)]
        struct Projects {
            projects: Vec<ProjectSpec>,
        }

        let call = self.get(token::url(self), "cannot inspect the token")?;
        let Projects { projects } = self.client.send_once(call).await?.json().await?;
        Ok(projects)
    }
}

/// For which projects a token works, as the end of an error text.
fn told(projects: &[ProjectSpec]) -> String {
    let named = projects.iter().take(NAMED).map(|project| format!("`{}`", words(project.url_name.as_bytes(), &[])));
    let named = named.collect::<Vec<_>>().join(", ");
    match (projects.len(), projects.len().saturating_sub(NAMED)) {
        (0, _) => " It works for no project.".to_owned(),
        (_, 0) => format!(" It works for {named}."),
        (_, others) => format!(" It works for {named} and {others} more."),
    }
}

/// What all lists of things are in, as they are sent and as they come.
#[derive(Deserialize, Serialize)]
pub(super) struct Items<L> {
    pub(super) items: L,
}
