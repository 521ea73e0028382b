//! The rows of contract "cdf-capabilities", section 5, that loading does not show.

use serde_json::json;
use skill_sdk::iam::{Acl, Action::*, Capability, Scope};

#[test]
fn constructors_write_what_the_contract_says() {
    for (scope, json) in [
        (Scope::all(), json!({"all": {}})),
        (Scope::app_external_ids(["a"]), json!({"appExternalIdScope": {"externalIds": ["a"]}})),
        (Scope::apps(["SEARCH"]), json!({"appScope": {"apps": ["SEARCH"]}})),
        (Scope::asset_roots([1]), json!({"assetRootIdScope": {"rootIds": [1]}})),
        (Scope::current_user(), json!({"currentuserscope": {}})),
        (Scope::data_models(["a"]), json!({"dataModelScope": {"externalIds": ["a"]}})),
        (Scope::dataset([1, 2]), json!({"datasetScope": {"ids": [1, 2]}})),
        (Scope::experiments(["a"]), json!({"experimentscope": {"experiments": ["a"]}})),
        (Scope::extraction_pipelines([1]), json!({"extractionPipelineScope": {"ids": [1]}})),
        (Scope::id([1]), json!({"idScope": {"ids": [1]}})),
        (Scope::id_lower_case([1]), json!({"idscope": {"ids": [1]}})),
        (Scope::instances(["a"]), json!({"instancesScope": {"instances": ["a"]}})),
        (Scope::partitions([1]), json!({"partition": {"partitionIds": [1]}})),
        (Scope::spaces(["a".to_owned()]), json!({"spaceIdScope": {"spaceIds": ["a"]}})),
        (Scope::spaces_of_old_groups(["a"]), json!({"spaceScope": {"externalIds": ["a"]}})),
        (
            Scope::tables([("db", vec!["t"]), ("whole", vec![]), ("db", vec!["u"])]),
            json!({"tableScope": {"dbsToTables": {"db": {"tables": ["u"]}, "whole": {"tables": []}}}}),
        ),
        (Scope::users(["a"]), json!({"usersScope": {"usernames": ["a"]}})),
    ] {
        let capability = Capability::new(Acl::Assets, [Read, Write], scope);
        let expected = json!({"assetsAcl": {"actions": ["READ", "WRITE"], "scope": json}});
        assert_eq!(serde_json::to_string(&capability).unwrap(), expected.to_string());
        assert_eq!(format!("{capability:?}"), expected.to_string());
        assert_eq!(serde_json::from_value::<Capability>(expected).unwrap(), capability);
    }
}

#[test]
fn names_can_be_in_snake_case() {
    let tables = Capability::new(Acl::Raw, [Read], Scope::tables([("dbName", ["tableName"])]));
    assert_eq!(
        tables.to_snake_case(),
        json!({"raw_acl": {"actions": ["READ"], "scope": {"table_scope": {"dbs_to_tables": {"dbName": {"tables": ["tableName"]}}}}}})
    );
    let assets = Capability::new(Acl::Assets, [Read], Scope::all());
    assert_eq!(assets.to_snake_case(), json!({"assets_acl": {"actions": ["READ"], "scope": {"all": {}}}}));
    // What is not known is as it was received.
    for (value, snake) in [
        (json!({"moonAcl": {"someThing": 1}}), json!({"moonAcl": {"someThing": 1}})),
        (
            json!({"filesAcl": {"actions": ["FLY"], "scope": {"moonScope": {"someIds": [1]}}}}),
            json!({"files_acl": {"actions": ["FLY"], "scope": {"moonScope": {"someIds": [1]}}}}),
        ),
    ] {
        assert_eq!(serde_json::from_value::<Capability>(value).unwrap().to_snake_case(), snake);
    }
}
