//! What is known of a run.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::client::nullable;

/// A run of an experiment (contract "fabric-api", section 10).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Run {
    /// Its id, one of its kind in the experiment.
    pub run_id: String,
    /// The same, normally.
    #[serde(rename = "_id", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The experiment it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_name: Option<String>,
    /// The project it belongs to.
    #[serde(rename = "_projectId", default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// When it was made: ISO 8601.
    #[serde(rename = "_createdAt", default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last written: ISO 8601.
    #[serde(rename = "_updatedAt", default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// When it began: seconds since 1970 UTC, normally whole ones; `None` unless somebody has said so.
    #[serde(default, serialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// When it ended, as [`start_time`](Self::start_time); `None` while it is under way.
    #[serde(default, serialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// How long it took: seconds; `None` while it is under way.
    #[serde(default, serialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub took: Option<f64>,
    /// What somebody noted.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// What it was made with.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// What it came to.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Map::is_empty")]
    pub metrics: Map<String, Value>,
    /// The names of its artifacts, and where each is: normally as text, which [`artifact_key`](Self::artifact_key) gives.
    #[serde(default, deserialize_with = "nullable::or_empty", skip_serializing_if = "Map::is_empty")]
    pub artifacts: Map<String, Value>,
    /// Fields that have no place of their own.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Run {
    /// Where an artifact is: its key in [managed content](crate::client::Content), or its path in the folder of the experiment
    /// when there is no platform. `None` when there is no artifact of that name, or something else than a text says where it is.
    pub fn artifact_key(&self, name: &str) -> Option<&str> {
        self.artifacts.get(name)?.as_str()
    }
}

/// Which run of which experiment.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunName<'n> {
    pub(super) experiment: &'n str,
    pub(super) run: &'n str,
}

impl fmt::Display for RunName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run `{}` of experiment `{}`", self.run, self.experiment)
    }
}

/// One of the objects of a run whose entries are written one by one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entries {
    Meta,
    Params,
    Metrics,
}

impl Entries {
    /// As paths name them.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Params => "params",
            Self::Metrics => "metrics",
        }
    }

    /// Those of a run.
    pub(super) fn of(self, run: &mut Run) -> &mut Map<String, Value> {
        match self {
            Self::Meta => &mut run.meta,
            Self::Params => &mut run.params,
            Self::Metrics => &mut run.metrics,
        }
    }
}

/// Writes whole numbers as such.
#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn number<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    /// Below this, every whole number is one of these.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    match *number {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in bounds")]
        Some(number) if number.fract() == 0.0 && number.abs() < EXACT => serializer.serialize_i64(number as i64),
        Some(number) => serializer.serialize_f64(number),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_run_of_the_contract_is_written_as_it_was_read() {
        let json = json!({
            "runId": "r2", "_id": "r2", "experimentName": "churn", "_projectId": "orders-dev",
            "_createdAt": "2024-05-01T10:00:00.000Z", "_updatedAt": "2024-05-01T10:00:05.000Z",
            "startTime": 1_714_557_600, "endTime": 1_714_557_605, "took": 4.87,
            "meta": {"k": "v"}, "params": {"depth": 3}, "metrics": {"auc": 0.91},
            "artifacts": {"model": "experiments/churn/r2/artifacts/model"},
            "unknown": {"a": [null]}
        });
        let run: Run = serde_json::from_value(json.clone()).unwrap();
        assert_eq!((run.start_time, run.took, run.other.len()), (Some(1_714_557_600.0), Some(4.87), 1));
        assert_eq!(serde_json::to_value(&run).unwrap(), json);
    }

    #[test]
    fn where_an_artifact_is_may_be_said_in_another_form() {
        let artifacts = json!({"model": "experiments/churn/r/artifacts/model", "plot": {"ref": "x"}, "gone": null});
        let json = json!({"runId": "r", "artifacts": artifacts});
        let run: Run = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(run.artifact_key("model"), Some("experiments/churn/r/artifacts/model"));
        assert_eq!(["plot", "gone", "other"].map(|name| run.artifact_key(name)), [None; 3]);
        assert_eq!(serde_json::to_value(&run).unwrap(), json);
    }

    #[test]
    fn little_may_be_known_of_a_run() {
        let json =
            json!({"runId": "r", "startTime": null, "endTime": 1.5, "took": 2, "params": null, "artifacts": null});
        let run: Run = serde_json::from_value(json).unwrap();
        assert_eq!((run.start_time, run.end_time, run.took), (None, Some(1.5), Some(2.0)));
        assert_eq!(serde_json::to_value(&run).unwrap(), json!({"runId": "r", "endTime": 1.5, "took": 2}));
    }
}
