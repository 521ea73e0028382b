//! The columns of lists of things of access management.

use serde::Serialize;

use super::capability::Capability;
use super::groups::{Group, Members};
use super::project_capability::ProjectCapability;
use super::scope::json_text;
use super::security_categories::SecurityCategory;
use super::sessions::Session;
use super::token::ProjectSpec;
use super::user_profiles::UserProfile;
use crate::rows::{Column, Row};

/// A list as JSON text; nothing for an empty one.
fn list<T: Serialize>(list: &[T]) -> Option<String> {
    (!list.is_empty()).then(|| json_text(&list))
}

impl Row for Group {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::integer("id", |group| Some(group.id)),
        Column::text("name", |group| Some(&group.name)),
        Column::text("sourceId", |group| group.source_id.as_deref()),
        Column::boolean("isDeleted", |group| group.is_deleted),
        Column::time("deletedTime", |group| group.deleted_time),
        Column::metadata("metadata", |group| &group.metadata),
        Column::json("members", |group| group.members.as_ref().map(members)),
        Column::json("attributes", |group| group.attributes.as_ref().map(json_text)),
        Column::json("capabilities", |group| list(&group.capabilities)),
    ];
}

/// The word for all, or a list as JSON text.
fn members(members: &Members) -> String {
    match serde_json::to_value(members) {
        Ok(serde_json::Value::String(word)) => word,
        _ => json_text(members),
    }
}

impl Row for SecurityCategory {
    const COLUMNS: &'static [Column<Self>] =
        &[Column::integer("id", |category| Some(category.id)), Column::text("name", |category| Some(&category.name))];
}

impl Row for Session {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::integer("id", |session| Some(session.id)),
        Column::text("type", |session| session.session_type.as_deref()),
        Column::text("status", |session| session.status.as_deref()),
        Column::time("creationTime", |session| session.creation_time),
        Column::time("expirationTime", |session| session.expiration_time),
        Column::text("clientId", |session| session.client_id.as_deref()),
    ];
}

impl Row for UserProfile {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("userIdentifier", |profile| Some(&profile.user_identifier)),
        Column::text("givenName", |profile| profile.given_name.as_deref()),
        Column::text("surname", |profile| profile.surname.as_deref()),
        Column::text("email", |profile| profile.email.as_deref()),
        Column::text("displayName", |profile| profile.display_name.as_deref()),
        Column::text("jobTitle", |profile| profile.job_title.as_deref()),
        Column::time("lastUpdatedTime", |profile| Some(profile.last_updated_time)),
    ];
}

impl Row for ProjectSpec {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("projectUrlName", |project| Some(&project.url_name)),
        Column::json("groups", |project| list(&project.groups)),
    ];
}

/// Actions and scope are JSON text.
impl Row for Capability {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("acl", |capability| Some(capability.name())),
        Column::json("actions", |capability| Some(json_text(&capability.actions()))),
        Column::json("scope", |capability| capability.scope().map(json_text)),
    ];
}

/// Actions, scope and project scope are JSON text.
impl Row for ProjectCapability {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("acl", |entry| Some(entry.capability.name())),
        Column::json("actions", |entry| Some(json_text(&entry.capability.actions()))),
        Column::json("scope", |entry| entry.capability.scope().map(json_text)),
        Column::json("projectScope", |entry| Some(json_text(&entry.project_scope))),
    ];
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::rows::{RowOptions, Rows};

    fn csv<T: Row + DeserializeOwned>(list: Value) -> String {
        let items: Vec<T> = serde_json::from_value(list).unwrap();
        Rows::of(&items, &RowOptions::new()).unwrap().to_csv().unwrap()
    }

    #[test]
    fn groups() {
        let list = json!([
            {
                "id": 7, "name": "readers", "sourceId": "", "isDeleted": false, "deletedTime": -1,
                "metadata": {"team": "orders"}, "members": "allUserAccounts", "attributes": {"token": {"appIds": ["a"]}},
                "capabilities": [{"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}}], "more": 1
            },
            {"id": 8, "name": "no one", "members": ["u"], "deletedTime": 1_718_000_000_000_i64, "isDeleted": true},
        ]);
        let expected = r#"id,name,sourceId,isDeleted,deletedTime,metadata,members,attributes,capabilities
7,readers,,false,,"{""team"":""orders""}",allUserAccounts,"{""token"":{""appIds"":[""a""]}}","[{""labelsAcl"":{""actions"":[""READ""],""scope"":{""all"":{}}}}]"
8,no one,,true,2024-06-10T06:13:20.000Z,,"[""u""]",,
"#;
        assert_eq!(csv::<Group>(list), expected);
    }

    #[test]
    fn security_categories_sessions_and_profiles() {
        assert_eq!(csv::<SecurityCategory>(json!([{"id": 1, "name": "secret"}])), "id,name\n1,secret\n");
        let sessions = json!([
            {
                "id": 3, "type": "TOKEN_EXCHANGE", "status": "READY", "creationTime": 1, "expirationTime": 2,
                "clientId": "c"
            },
            {"id": 4},
        ]);
        assert_eq!(
            csv::<Session>(sessions),
            "id,type,status,creationTime,expirationTime,clientId\n\
             3,TOKEN_EXCHANGE,READY,1970-01-01T00:00:00.001Z,1970-01-01T00:00:00.002Z,c\n\
             4,,,,,\n"
        );
        let profile = json!({
            "userIdentifier": "u", "lastUpdatedTime": 0, "givenName": "Ann", "surname": "Lee", "email": "ann@example.com",
            "displayName": "Ann Lee", "jobTitle": "engineer"
        });
        assert_eq!(
            csv::<UserProfile>(json!([profile])),
            "userIdentifier,givenName,surname,email,displayName,jobTitle,lastUpdatedTime\n\
             u,Ann,Lee,ann@example.com,Ann Lee,engineer,1970-01-01T00:00:00.000Z\n"
        );
    }

    #[test]
    fn what_a_token_is_good_for() {
        let projects = json!([{"projectUrlName": "alpha", "groups": [1, 2]}, {"projectUrlName": "beta"}]);
        assert_eq!(csv::<ProjectSpec>(projects), "projectUrlName,groups\nalpha,\"[1,2]\"\nbeta,\n");
        let labels = json!({"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}});
        let expected = "labelsAcl,\"[\"\"READ\"\"]\",\"{\"\"all\"\":{}}\"";
        // What is not known is shown as far as it goes.
        let moon = json!({"moonAcl": {"phase": 1}, "more": 2});
        let moon_expected = "unknownAcl,[],\n";
        let list = json!([labels, moon]);
        assert_eq!(csv::<Capability>(list), format!("acl,actions,scope\n{expected}\n{moon_expected}"));
        let mut entry = labels;
        entry["projectScope"] = json!({"projects": ["alpha"]});
        assert_eq!(
            csv::<ProjectCapability>(json!([entry])),
            format!("acl,actions,scope,projectScope\n{expected},\"{{\"\"projects\"\":[\"\"alpha\"\"]}}\"\n")
        );
    }

    #[test]
    fn no_two_columns_have_one_name() {
        fn check<T: Row>() {
            let options = RowOptions::new().snake_case();
            let rows = Rows::of::<T>(&[], &options).unwrap();
            let names: std::collections::HashSet<_> = rows.headings().iter().map(|heading| &heading.name).collect();
            assert_eq!(names.len(), T::COLUMNS.len());
        }
        check::<Group>();
        check::<SecurityCategory>();
        check::<Session>();
        check::<UserProfile>();
        check::<ProjectSpec>();
        check::<Capability>();
        check::<ProjectCapability>();
    }
}
