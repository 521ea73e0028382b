//! Types: what the inputs and outputs of skills look like (contract "fabric-api", section 8).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::client::address::segment;
use crate::client::call::Call;
use crate::client::definition::definition;
use crate::client::{Client, ListOptions, found};
use crate::error::Error;

/// The version of the form of what is saved.
const CAMEL: &str = "1.0.0";

/// The types of a project.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use serde_json::json;
/// # use skill_sdk::serde_json;
/// use skill_sdk::client::TypeDefinition;
///
/// let order = TypeDefinition::new("acme/order").with_parameters(json!([{"name": "number", "type": "integer"}]));
/// client.types().save(&[order]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Types {
    client: Client,
}

/// A type.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TypeDefinition {
    /// The version of its form, where it has one of its own.
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
    /// What it consists of (contract "fabric-invocation", section 9): an array of parameters with `name`, `type` and more, or
    /// one `{"$ref": "<name of a type>"}`. Lists leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
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

impl Types {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The types of the project, as many as the platform gives unasked.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<TypeDefinition>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// The types that are asked for. Filters are `name`, `title`, `description` and `createdBy`; sorting is by these,
    /// by `createdAt` and by `updatedAt`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<TypeDefinition>, Error> {
        #[derive(Deserialize)]
        struct List {
            types: Vec<TypeDefinition>,
        }

        let mut url = self.client.project_url(["types"]);
        options.add_to(&mut url);
        let list: List = self.client.json(Call::get(url, "cannot list types")).await?;
        Ok(list.types)
    }

    /// A type.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such type.
    #[doc(alias = "get_type")]
    pub async fn get(&self, name: &str) -> Result<TypeDefinition, Error> {
        self.client.json(Call::get(self.url(name)?, format!("cannot get the type `{name}`"))).await
    }

    /// As [`get`](Self::get), but `None` when there is no such type.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_opt(&self, name: &str) -> Result<Option<TypeDefinition>, Error> {
        found(self.get(name).await)
    }

    /// Saves types together: each a [`TypeDefinition`], or whatever else is one as JSON. What platforms add to each
    /// when it is read, such as `_version` and `updatedAt`, is left out, so that what [`get`](Self::get) gives can be saved
    /// again. Gives what the platform answers; null where that is nothing.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Code::SkillFailed`](crate::Code::SkillFailed) for what is no JSON
    /// object.
    #[doc(alias = "save_type")]
    pub async fn save(&self, types: &[impl Serialize]) -> Result<Value, Error> {
        #[derive(Serialize)]
        struct Save {
            camel: &'static str,
            types: Vec<Map<String, Value>>,
        }

        let failure = "cannot save types";
        let types = types.iter().map(|each| definition(each, failure)).collect::<Result<_, _>>()?;
        let call = Call::post(self.client.project_url(["types"]), failure);
        self.client.accepted(call.json(&Save { camel: CAMEL, types })?).await
    }

    /// Deletes a type.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such type.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(name)?, format!("cannot delete the type `{name}`"))).await
    }

    fn url(&self, name: &str) -> Result<Url, Error> {
        Ok(self.client.project_url(["types", segment("a type", name)?]))
    }
}

impl TypeDefinition {
    /// A type with nothing but its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            camel: None,
            name: name.into(),
            title: None,
            description: None,
            parameters: None,
            updated_at: None,
            created_by: None,
            other: Map::new(),
        }
    }

    /// What it consists of: an array of parameters, or one `{"$ref": "<name of a type>"}`.
    pub fn with_parameters(mut self, parameters: impl Into<Value>) -> Self {
        self.parameters = Some(parameters.into());
        self
    }
}
