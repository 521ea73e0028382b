//! Plans the maintenance of an asset, for those who may read assets and write events: a skill that says what its callers need.
//!
//! The host asks the platform what the caller's token is good for before the handler runs, so the handler need not. It answers the
//! event that is to be written, which another skill can take as its payload.

#![forbid(unsafe_code)]

use skill_sdk::Code;
use skill_sdk::iam::{Acl, Action, Capability, Scope};
use skill_sdk::prelude::*;

/// The data set of maintenance events.
const DATA_SET: i64 = 123;

/// What is to be done, and when.
#[derive(Deserialize, JsonSchema)]
pub struct Maintenance {
    /// Id of the asset
    pub asset: u64,
    /// When it begins, in milliseconds since 1970 UTC
    pub start: u64,
    /// How long it takes
    pub minutes: u64,
    /// What is to be done
    pub what: String,
}

/// An event, as the platform has them.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Of the asset and its beginning, so that a plan that is made twice is one event
    pub external_id: String,
    /// The data set of maintenance events
    pub data_set_id: i64,
    /// What kind of event it is
    pub r#type: &'static str,
    /// What is to be done
    pub description: String,
    /// In milliseconds since 1970 UTC
    pub start_time: u64,
    /// In milliseconds since 1970 UTC
    pub end_time: u64,
    /// The asset
    pub asset_ids: [u64; 1],
}

/// Plans a maintenance.
///
/// # Errors
///
/// When it takes no time, or ends after all time.
pub async fn plan(maintenance: Maintenance, _ctx: Context) -> Result<Event> {
    let Maintenance { asset, start, minutes, what } = maintenance;
    let end = minutes.checked_mul(60_000).filter(|length| *length > 0).and_then(|length| start.checked_add(length));
    let Some(end) = end else {
        return Err(SkillError::with_code(Code::InvalidPayload, format!("no maintenance takes {minutes} minutes")));
    };
    tracing::info!(asset, start, "a maintenance was planned");
    Ok(Event {
        external_id: format!("maintenance-{asset}-{start}"),
        data_set_id: DATA_SET,
        r#type: "maintenance",
        description: what,
        start_time: start,
        end_time: end,
        asset_ids: [asset],
    })
}

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    let skill = Skill::new("guarded", plan).describe("Plans the maintenance of an asset").requires([
        Capability::new(Acl::Assets, [Action::Read], Scope::all()),
        Capability::new(Acl::Events, [Action::Write], Scope::dataset([DATA_SET])),
    ]);
    vec![skill]
}

skill_sdk::export!(skills);

#[cfg(test)]
mod tests {
    use super::*;
    use skill_sdk::testing;

    /// A maintenance that takes this long.
    fn maintenance(minutes: u64) -> Value {
        json!({"asset": 7, "start": 1_718_000_000_000_u64, "minutes": minutes, "what": "Change the seals"})
    }

    #[tokio::test]
    async fn a_maintenance_is_an_event() {
        let event = testing::call(&skills()[0], &maintenance(90)).await.unwrap();
        assert_eq!(
            event,
            json!({
                "externalId": "maintenance-7-1718000000000", "dataSetId": 123, "type": "maintenance",
                "description": "Change the seals", "startTime": 1_718_000_000_000_u64,
                "endTime": 1_718_005_400_000_u64, "assetIds": [7]
            })
        );
    }

    #[tokio::test]
    async fn no_time_and_all_time_are_refused() {
        for minutes in [0, u64::MAX, u64::MAX / 60_000] {
            let error = testing::call(&skills()[0], &maintenance(minutes)).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidPayload, "{minutes}");
            assert_eq!(error.detail(), format!("no maintenance takes {minutes} minutes"));
        }
    }

    #[test]
    fn it_says_what_callers_need() {
        let manifest = skills()[0].manifest().clone();
        assert_eq!(
            json!(manifest.requires),
            json!([
                {"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}},
                {"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": [123]}}}}
            ])
        );
        assert!(manifest.requires.iter().all(|capability| capability.check().is_ok()));
    }

    #[tokio::test]
    async fn the_sample_is_planned() {
        let sample: Value = serde_json::from_str(include_str!("../message.json")).unwrap();
        let event = testing::call(&skills()[0], &sample["payload"]).await.unwrap();
        assert_eq!(event["externalId"], "maintenance-7001-1718000000000");
    }
}
