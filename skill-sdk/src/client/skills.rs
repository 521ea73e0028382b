//! Skills: their definitions and their deployment (contract "fabric-api", section 7). How they are invoked, and what comes of
//! it, is in [`activations`](crate::client::activations).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::client::address::segment;
use crate::client::call::Call;
use crate::client::definition::definition;
use crate::client::retry::Repeat;
use crate::client::{Client, ListOptions, found};
use crate::error::Error;

/// The skills of a project: their definitions, their deployment, their invocation.
///
/// The name of a skill may hold `/`, as in `acme/greet`. A name that is empty, `.` or `..`, or that holds control characters
/// is refused, because no URL can carry it.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use serde_json::json;
///
/// let skills = client.skills();
/// for skill in skills.list().await? {
///     println!("{} {}", skill.name, skill.title.unwrap_or_default());
/// }
/// let answer = skills.invoke("acme/greet", "request", &json!({"name": "Ann"}), &()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Skills {
    pub(super) client: Client,
    pub(super) session: Option<String>,
}

/// A skill as the platform knows it.
///
/// A list says less of each than [`Skills::get`], and a platform need not say more than the name. The rest of the definition
/// (`camel`, `tags`, `inputs`, `outputs`, `properties`, `actions` ...) is in [`other`](Self::other), in the form of contract
/// "fabric-invocation", section 9.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SkillRecord {
    /// Its name in the project, which may hold `/`.
    pub name: String,
    /// What people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was first saved, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Value>,
    /// Who saved it first, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Value>,
    /// When it was last saved, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Value>,
    /// Whether it is deployed, in the platform's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_status: Option<Value>,
    /// How its actions are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_statuses: Option<Vec<ActionStatus>>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How an action of a skill is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActionStatus {
    /// The name of the action.
    pub name: String,
    /// Its state, in the platform's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Skills {
    pub(super) fn new(client: Client) -> Self {
        Self { client, session: None }
    }

    /// The same skills, invoked within a session (`sessionId`): skills that are invoked with one id share its state. Without
    /// one, each invocation is a session of its own.
    pub fn with_session(&self, id: impl Into<String>) -> Self {
        Self { session: Some(id.into()), ..self.clone() }
    }

    /// Lists the skills of the project, as many as the platform gives unasked.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    #[doc(alias = "list_skills")]
    pub async fn list(&self) -> Result<Vec<SkillRecord>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// Lists the skills that are asked for. They can be filtered by `name`, `title`, `description` and `createdBy`, and sorted by
    /// these, `createdAt` and `updatedAt` (contract "fabric-api", section 1).
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<SkillRecord>, Error> {
        #[derive(Deserialize)]
        struct List {
            skills: Vec<SkillRecord>,
        }

        let mut url = self.client.project_url(["skills"]);
        options.add_to(&mut url);
        let List { skills } = self.client.json(Call::get(url, "cannot list skills")).await?;
        Ok(skills)
    }

    /// Saves the definition of a skill, replacing the one of that name: an object in the form of contract
    /// "fabric-invocation", section 9, or a [`SkillRecord`]. What platforms add to it when it is read is left out, so that what
    /// [`get`](Self::get) gives can be saved again. Gives what the platform answers; null where that is nothing.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Code::SkillFailed`](crate::Code::SkillFailed) for what is no JSON
    /// object.
    #[doc(alias = "save_skill")]
    pub async fn save(&self, skill: &(impl Serialize + ?Sized)) -> Result<Value, Error> {
        let failure = "cannot save the skill";
        let skill = definition(skill, failure)?;
        self.client.accepted(Call::post(self.client.project_url(["skills"]), failure).json(&skill)?).await
    }

    /// Reads the definition of a skill.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such skill.
    #[doc(alias = "get_skill")]
    pub async fn get(&self, name: &str) -> Result<SkillRecord, Error> {
        let url = self.url(name, [])?;
        self.client.json(Call::get(url, format!("cannot get the skill `{name}`"))).await
    }

    /// Reads the definition of a skill, or gives `None` when there is no such skill.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_opt(&self, name: &str) -> Result<Option<SkillRecord>, Error> {
        found(self.get(name).await)
    }

    /// Deletes a skill.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such skill, and status 403 when
    /// something depends on it.
    #[doc(alias = "delete_skill")]
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let url = self.url(name, [])?;
        self.client.done(Call::delete(url, format!("cannot delete the skill `{name}`"))).await
    }

    /// Deploys a skill. Gives what the platform answers, whose `message` is for people.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail), and [`Code::SkillFailed`](crate::Code::SkillFailed) when the platform
    /// answers that it did not succeed. It is not repeated when it may have had its effect, although it is a GET.
    pub async fn deploy(&self, name: &str) -> Result<Value, Error> {
        let call = Call::get(self.url(name, ["deploy"])?, format!("cannot deploy the skill `{name}`"));
        self.client.accepted(call.repeat(Repeat::Unprocessed)).await
    }

    /// Takes a deployed skill down. Gives what the platform answers, whose `message` is for people.
    ///
    /// # Errors
    ///
    /// As [`deploy`](Self::deploy).
    pub async fn undeploy(&self, name: &str) -> Result<Value, Error> {
        let call = Call::get(self.url(name, ["undeploy"])?, format!("cannot undeploy the skill `{name}`"));
        self.client.accepted(call.repeat(Repeat::Unprocessed)).await
    }

    /// The log lines of an action of a skill.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such skill or action.
    #[doc(alias = "get_logs")]
    pub async fn logs(&self, skill: &str, action: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Logs {
            logs: Vec<String>,
        }

        let url = self.url(skill, ["action", segment("an action", action)?, "logs"])?;
        let what = format!("cannot get the logs of `{action}` of the skill `{skill}`");
        let Logs { logs } = self.client.json(Call::get(url, what)).await?;
        Ok(logs)
    }

    /// The URL of a skill, or of something below it.
    fn url<'s>(&'s self, name: &'s str, below: impl IntoIterator<Item = &'s str>) -> Result<Url, Error> {
        let name = segment("a skill", name)?;
        Ok(self.client.project_url(["skills", name].into_iter().chain(below)))
    }
}
