//! Models: what experiments are about (contract "fabric-api", section 9).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::address::segment;
use crate::client::call::Call;
use crate::client::definition::definition;
use crate::client::experiments::Run;
use crate::client::{Client, ListOptions, found, nullable};
use crate::error::Error;

/// The version of the form of what is saved.
const CAMEL: &str = "1.0.0";

/// The models of a project.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use skill_sdk::client::Model;
///
/// let mut model = Model::new("acme/churn").with_tag("team", "growth");
/// model.title = Some("Who leaves".to_owned());
/// client.models().save(&model).await?;
/// client.models().publish("acme/churn").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Models {
    client: Client,
}

/// A model.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Model {
    /// The version of its form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camel: Option<String>,
    /// Its name, which is unique in the project.
    pub name: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What kind of model it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub model_type: Option<String>,
    /// Where it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Value>,
    /// How far it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What it is marked with.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable::or_empty")]
    pub tags: Vec<ModelTag>,
    /// When it was last saved, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Value>,
    /// Who made it, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A mark on a model.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelTag {
    /// What the mark is about.
    pub label: String,
    /// What it says, normally text.
    #[serde(default)]
    pub value: Value,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Models {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The models of the project, as many as the platform gives unasked.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    #[doc(alias = "list_models")]
    pub async fn list(&self) -> Result<Vec<Model>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// The models that are asked for. Filters are `name`, `title`, `description`, `createdBy`, `type` and `status`;
    /// sorting is by these, by `createdAt` and by `updatedAt`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<Model>, Error> {
        self.listed(self.client.project_url(["models"]), options).await
    }

    /// As [`list_with`](Self::list_with), of the models with these tags. How these are written, the platform says: they
    /// are sent as they are given.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_tagged(&self, tags: &str, options: &ListOptions) -> Result<Vec<Model>, Error> {
        let mut url = self.client.project_url(["models"]);
        url.query_pairs_mut().append_pair("tags", tags);
        self.listed(url, options).await
    }

    /// Saves a model: a [`Model`], or whatever else is one as JSON. What platforms add to it when it is read, such as
    /// `_version` and `updatedAt`, is left out, so that what [`get`](Self::get) gives can be saved again. Gives what the
    /// platform answers, which may hold `version`, `created` and `modelId`; null where that is nothing.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Code::SkillFailed`](crate::Code::SkillFailed) for what is no JSON
    /// object.
    #[doc(alias = "save_model")]
    pub async fn save(&self, model: &(impl Serialize + ?Sized)) -> Result<Value, Error> {
        let failure = "cannot save a model";
        let model = definition(model, failure)?;
        self.client.accepted(Call::post(self.client.project_url(["models"]), failure).json(&model)?).await
    }

    /// A model.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such model.
    #[doc(alias = "get_model")]
    pub async fn get(&self, name: &str) -> Result<Model, Error> {
        self.client.json(Call::get(self.url(name, &[])?, format!("cannot get the model `{name}`"))).await
    }

    /// As [`get`](Self::get), but `None` when there is no such model.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_opt(&self, name: &str) -> Result<Option<Model>, Error> {
        found(self.get(name).await)
    }

    /// Deletes a model.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such model.
    #[doc(alias = "delete_model")]
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(name, &[])?, format!("cannot delete the model `{name}`"))).await
    }

    /// Publishes a model.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such model.
    pub async fn publish(&self, name: &str) -> Result<(), Error> {
        let call = Call::post(self.url(name, &["publish"])?, format!("cannot publish the model `{name}`"));
        self.client.done(call.json(&json!({}))?).await
    }

    /// Takes back that a model is published.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such model.
    pub async fn unpublish(&self, name: &str) -> Result<(), Error> {
        let call = Call::post(self.url(name, &["unpublish"])?, format!("cannot unpublish the model `{name}`"));
        self.client.done(call.json(&json!({}))?).await
    }

    /// The runs of all experiments with a model, as many as the platform gives unasked.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such model.
    pub async fn runs(&self, name: &str) -> Result<Vec<Run>, Error> {
        self.runs_with(name, &ListOptions::new()).await
    }

    /// The runs that are asked for. Filters are `runId`, `_createdAt`, `startTime`, `endTime`, `took` and
    /// `experimentName`; sorting is by these and by `_updatedAt`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such model.
    pub async fn runs_with(&self, name: &str, options: &ListOptions) -> Result<Vec<Run>, Error> {
        #[derive(Deserialize)]
        struct List {
            runs: Vec<Run>,
        }

        let mut url = self.url(name, &["experiments", "runs"])?;
        options.add_to(&mut url);
        let list: List =
            self.client.json(Call::get(url, format!("cannot list the runs of the model `{name}`"))).await?;
        Ok(list.runs)
    }

    async fn listed(&self, mut url: Url, options: &ListOptions) -> Result<Vec<Model>, Error> {
        #[derive(Deserialize)]
        struct List {
            models: Vec<Model>,
        }

        options.add_to(&mut url);
        let list: List = self.client.json(Call::get(url, "cannot list models")).await?;
        Ok(list.models)
    }

    fn url(&self, name: &str, below: &[&str]) -> Result<Url, Error> {
        let segments = ["models", segment("a model", name)?];
        Ok(self.client.project_url(segments.into_iter().chain(below.iter().copied())))
    }
}

impl Model {
    /// A model of the form 1.0.0, with nothing but its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            camel: Some(CAMEL.to_owned()),
            name: name.into(),
            title: None,
            description: None,
            model_type: None,
            source: None,
            status: None,
            tags: Vec::new(),
            updated_at: None,
            created_by: None,
            other: Map::new(),
        }
    }

    /// Adds a tag.
    pub fn with_tag(mut self, label: impl Into<String>, value: impl Into<Value>) -> Self {
        self.tags.push(ModelTag::new(label, value));
        self
    }
}

impl ModelTag {
    /// A tag.
    pub fn new(label: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { label: label.into(), value: value.into(), other: Map::new() }
    }
}
