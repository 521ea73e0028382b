//! What is known of an experiment.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::nullable;

/// An experiment as it is saved.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// Of which model it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What else somebody noted.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// Its version, normally a number; it changes when the experiment is saved.
    #[serde(rename = "_version", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Value>,
    /// The project it belongs to.
    #[serde(rename = "_projectId", default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Fields that have no place of their own, such as `camel` and `tags`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An experiment that is to be saved.
///
/// ```
/// # use skill_sdk::client::experiments::NewExperiment;
/// # use skill_sdk::serde_json::json;
/// let experiment = NewExperiment::new("churn").model_id("leavers").title("Churn").field("camel", "1.0.0");
/// let json = json!({"name": "churn", "modelId": "leavers", "title": "Churn", "camel": "1.0.0"});
/// assert_eq!(json!(experiment), json);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
#[must_use = "an experiment is not saved before it is given to `save`"]
pub struct NewExperiment {
    fields: Map<String, Value>,
}

impl NewExperiment {
    /// An experiment of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { fields: Map::new() }.field("name", name.into())
    }

    /// Of which model it is.
    pub fn model_id(self, model_id: impl Into<String>) -> Self {
        self.field("modelId", model_id.into())
    }

    /// What it is called.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.field("title", title.into())
    }

    /// What it is about.
    pub fn description(self, description: impl Into<String>) -> Self {
        self.field("description", description.into())
    }

    /// Any other field, such as `camel`, `tags` or `meta`.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_survive() {
        let json = json!({
            "name": "churn", "modelId": "m", "title": "t", "description": "d", "meta": {"k": [1]}, "_version": 2,
            "_projectId": "p", "tags": [{"label": "l", "value": "v"}], "camel": "1.0.0", "_updatedAt": 7
        });
        let experiment: Experiment = serde_json::from_value(json.clone()).unwrap();
        assert_eq!((experiment.model_id.as_deref(), experiment.other.len()), (Some("m"), 3));
        assert_eq!(serde_json::to_value(&experiment).unwrap(), json);
        let sparse: Experiment = serde_json::from_value(json!({"name": "n", "meta": null, "title": null})).unwrap();
        assert_eq!(serde_json::to_value(&sparse).unwrap(), json!({"name": "n"}));
    }
}
