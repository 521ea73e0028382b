//! Every method of every family of the client that skills have.

use local_platform::Faults;
use secrecy::ExposeSecret;
use serde_json::json;
use skill_sdk::Code;
use skill_sdk::client::Order;
use skill_sdk::iam::{
    Acl, Action, Capability, ClientCredentials, CompareOptions, GroupAttributes, GroupWrite, Limit, Members, Scope,
    SecurityCategoryOptions, SecurityCategoryWrite, SessionOptions, SessionType,
};

use super::{administrator, principal};
use crate::support::Local;

fn numbered(count: usize) -> Vec<SecurityCategoryWrite> {
    (0..count).map(|n| SecurityCategoryWrite::new(format!("category {n}"))).collect()
}

#[tokio::test]
async fn groups() {
    let local = Local::start().await;
    let groups = administrator(&local).client().iam().groups();
    assert!(groups.list().await.unwrap().is_empty() && groups.list_all().await.unwrap().is_empty());

    let assets = Capability::new(Acl::Assets, [Action::Read], Scope::dataset([7]));
    let wish = GroupWrite::new("readers").source_id("7c2d").metadata("team", "orders").capabilities([assets.clone()]);
    let wish = wish.attributes(GroupAttributes::of_applications(["app"]));
    let readers = groups.create(wish.clone()).await.unwrap();
    assert_eq!(readers.as_write(), wish);
    assert!(readers.is_managed_by_idp().unwrap() && !readers.is_managed_in_cdf().unwrap());
    assert_eq!((readers.is_deleted, readers.deleted_time), (Some(false), Some(-1)));
    let everybody = GroupWrite::new("everybody").members(Members::AllUserAccounts);
    let some = GroupWrite::new("some").members(Members::users(["u", "v"]));
    let created = groups.create([everybody.clone(), some.clone()]).await.unwrap();
    assert_eq!(created.iter().map(skill_sdk::iam::Group::as_write).collect::<Vec<_>>(), [everybody, some]);
    assert!(created[1].is_managed_in_cdf().unwrap());
    assert_eq!(groups.list().await.unwrap(), created[..1]);
    assert_eq!(groups.list_all().await.unwrap(), [vec![readers.clone()], created.clone()].concat());

    groups.delete(readers.id).await.unwrap();
    let error = groups.delete(vec![created[0].id, readers.id]).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"id": readers.id})]);
    assert_eq!(groups.list_all().await.unwrap(), created);

    // More than fit into one request come back in the order in which they were given.
    let many: Vec<GroupWrite> = (0..1200).map(|n| GroupWrite::new(format!("group {n}"))).collect();
    let created = groups.create(many.clone()).await.unwrap();
    assert_eq!(
        created.iter().map(|group| &group.name).collect::<Vec<_>>(),
        many.iter().map(|group| &group.name).collect::<Vec<_>>()
    );
    groups.delete(created.iter().map(|group| group.id).collect::<Vec<i64>>()).await.unwrap();
    assert_eq!(groups.list_all().await.unwrap().len(), 2);
}

#[tokio::test]
async fn security_categories() {
    let local = Local::start().await;
    let categories = administrator(&local).client().iam().security_categories();
    assert!(categories.list().await.unwrap().is_empty());
    let one = categories.create(SecurityCategoryWrite::new("one")).await.unwrap();
    assert_eq!(one.as_write(), SecurityCategoryWrite::new("one"));
    let error = categories.create([SecurityCategoryWrite::new("two"), one.as_write()]).await.unwrap_err();
    assert!(error.is_duplicated());
    assert_eq!(error.duplicated(), [json!({"name": "one"})]);

    let many = categories.create(numbered(2100)).await.unwrap();
    let found: Vec<SecurityCategoryWrite> = many.iter().map(skill_sdk::iam::SecurityCategory::as_write).collect();
    assert_eq!(found, numbered(2100));
    assert_eq!(categories.list().await.unwrap().len(), 25);
    let all = categories.list_with(&SecurityCategoryOptions::new().limit(Limit::Unlimited)).await.unwrap();
    assert_eq!(all.len(), 2101);
    let reversed = SecurityCategoryOptions::new().limit(1500).sort(Order::Descending);
    let reversed = categories.list_with(&reversed).await.unwrap();
    assert!(reversed.iter().eq(all.iter().rev().take(1500)));

    categories.delete(one.id).await.unwrap();
    let error = categories.delete(vec![one.id, many[0].id]).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"id": one.id})]);
    categories.delete(many.iter().map(|category| category.id).collect::<Vec<i64>>()).await.unwrap();
    assert!(categories.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn sessions() {
    let local = Local::start().await;
    let sessions = administrator(&local).client().iam().sessions();
    let mut ids = vec![sessions.create(None).await.unwrap().id];
    let credentials = ClientCredentials::new("c-1", "p4ssw0rd");
    let created = sessions.create(Some(&credentials)).await.unwrap();
    assert_eq!((created.status.as_str(), created.client_id.as_deref()), ("READY", Some("c-1")));
    assert_eq!(created.session_type.as_deref(), Some("CLIENT_CREDENTIALS"));
    assert!(!created.nonce.expose_secret().is_empty());
    ids.push(created.id);
    for (session_type, expected) in [
        (SessionType::Default, "CLIENT_CREDENTIALS"),
        (SessionType::ClientCredentials, "CLIENT_CREDENTIALS"),
        (SessionType::TokenExchange, "TOKEN_EXCHANGE"),
        (SessionType::OneshotTokenExchange, "ONESHOT_TOKEN_EXCHANGE"),
    ] {
        let created = sessions.create_with(session_type, Some(&credentials)).await.unwrap();
        assert_eq!(created.session_type.as_deref(), Some(expected));
        ids.push(created.id);
    }
    assert_eq!(sessions.list().await.unwrap().iter().map(|session| session.id).collect::<Vec<_>>(), ids);

    let one = sessions.retrieve(ids[0]).await.unwrap().unwrap();
    assert_eq!(
        (one.id, one.session_type.as_deref(), one.status.as_deref()),
        (ids[0], Some("TOKEN_EXCHANGE"), Some("READY"))
    );
    assert!(one.expiration_time > one.creation_time && one.creation_time > Some(0));
    assert!(sessions.retrieve(999_999).await.unwrap().is_none());
    // Three requests, of which the first is the only one that another session is asked for in.
    let asked: Vec<i64> = std::iter::once(ids[1]).chain(std::iter::repeat_n(ids[0], 2100)).collect();
    let found = sessions.retrieve(asked.clone()).await.unwrap();
    assert_eq!(found.iter().map(|session| session.id).collect::<Vec<_>>(), asked);
    let error = sessions.retrieve(vec![ids[0], 999_999]).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"id": 999_999})]);

    let revoked = sessions.revoke(ids[0]).await.unwrap();
    assert_eq!((revoked.len(), revoked[0].status.as_deref()), (1, Some("REVOKED")));
    // More than a page, and than a request to revoke some.
    while ids.len() < 130 {
        ids.push(sessions.create(None).await.unwrap().id);
    }
    let all = sessions.list_with(&SessionOptions::new().limit(None)).await.unwrap();
    assert_eq!(all.iter().map(|session| session.id).collect::<Vec<_>>(), ids);
    let ready = sessions.list_with(&SessionOptions::new().status("ready").limit(-1)).await.unwrap();
    assert_eq!(ready.len(), 129);
    let revoked = sessions.revoke(ids.clone()).await.unwrap();
    assert_eq!(revoked.iter().map(|session| session.id).collect::<Vec<_>>(), ids);
    assert!(revoked.iter().all(|session| session.status.as_deref() == Some("REVOKED")));
    assert!(sessions.revoke(999_999).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn user_profiles() {
    let local = Local::start().await;
    let owner = administrator(&local);
    for name in ["ann Lee", "bob"] {
        principal(&local, name, &[]).await;
    }
    let profiles = owner.client().iam().user_profiles();
    let me = profiles.me().await.unwrap();
    assert_eq!(me.user_identifier, owner.inspection().await["subject"]);
    assert_eq!(me.display_name.as_ref(), Some(&me.user_identifier));
    let all = profiles.list().await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by_key(|profile| profile.display_name.clone()));
    assert_eq!(profiles.list_with(2).await.unwrap(), all[..2]);
    assert_eq!(profiles.list_with(None).await.unwrap(), all);

    let ann = profiles.retrieve("ann Lee").await.unwrap().unwrap();
    assert_eq!((ann.given_name.as_deref(), ann.surname.as_deref()), (Some("ann"), Some("Lee")));
    assert!(ann.last_updated_time > 0);
    assert!(profiles.retrieve("nobody").await.unwrap().is_none());
    let asked: Vec<&str> = std::iter::once("bob").chain(std::iter::repeat_n("ann Lee", 1500)).collect();
    let found = profiles.retrieve(asked.clone()).await.unwrap();
    assert_eq!(found.iter().map(|profile| profile.user_identifier.as_str()).collect::<Vec<_>>(), asked);
    let error = profiles.retrieve(["bob", "nobody"]).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.missing(), [json!({"userIdentifier": "nobody"})]);

    assert_eq!(profiles.search("lee").await.unwrap(), [ann]);
    assert_eq!(profiles.search_with("", 2).await.unwrap(), all[..2]);
    assert_eq!(profiles.search_with("", None).await.unwrap(), all);
    assert!(!profiles.disable().await.unwrap().enabled);
    assert!(profiles.me().await.unwrap_err().is_not_found());
    assert!(profiles.retrieve("bob").await.unwrap().is_none() && profiles.list().await.unwrap().is_empty());
    assert!(profiles.enable().await.unwrap().enabled);
    assert_eq!(profiles.me().await.unwrap(), me);
}

#[tokio::test]
async fn tokens_and_what_they_permit() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let read = Capability::new(Acl::Assets, [Action::Read], Scope::all());
    let write = Capability::new(Acl::Assets, [Action::Write], Scope::dataset([7]));
    let wish = GroupWrite::new("readers").capabilities([read.clone()]);
    let readers = owner.client().iam().groups().create(wish).await.unwrap();
    let ann = principal(&local, "ann", &["readers"]).await;
    let iam = ann.client().iam();
    let inspection = iam.token().inspect().await.unwrap();
    assert_eq!(inspection.subject, "ann");
    assert_eq!(
        (inspection.projects[0].url_name.as_str(), &inspection.projects[0].groups),
        ("local", &vec![readers.id])
    );
    assert_eq!(inspection.capabilities.iter().map(|entry| &entry.capability).collect::<Vec<_>>(), [&read]);
    let options = CompareOptions::new();
    let both = [read.clone(), write.clone()];
    let found = iam.verify_capabilities(&both, &options).await.unwrap();
    assert_eq!((found.missing, found.warnings), (vec![write.clone()], Vec::new()));
    assert_eq!(iam.compare_capabilities(&inspection, &both, &options).unwrap().missing, [write]);
    let elsewhere = iam.verify_capabilities(&read, &CompareOptions::new().project("other")).await.unwrap();
    assert!(!elsewhere.is_granted());
    assert!(owner.client().iam().verify_capabilities(&both, &options).await.unwrap().is_granted());

    let error = iam.groups().list_all().await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(403)));
    assert!(error.detail().contains(r#"ann lacks {"groupsAcl":{"actions":["LIST"],"scope":{"all":{}}}}"#), "{error}");
    assert!(!error.is_not_found());
}

#[tokio::test]
async fn requests_are_made_in_each_way() {
    let local = Local::start().await;
    let iam = administrator(&local).client().iam();
    for (name, iam) in [
        ("plain", iam.clone().with_gzip(false)),
        ("packed", iam.clone().with_gzip(true)),
        ("named", iam.clone().with_application("order-reports").with_repeated_creates()),
    ] {
        assert_eq!(iam.groups().create(GroupWrite::new(name)).await.unwrap().name, name);
    }
    let other = Local::start().await;
    let foreign = skill_sdk::Client::builder().without_environment().without_profile();
    let foreign =
        foreign.api_endpoint(local.platform.url()).project("local").token(other.token.clone()).build().unwrap();
    let error = foreign.iam().groups().list().await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::TokenInvalid, Some(401)));
}

#[tokio::test]
async fn faults_are_got_over_unless_something_may_be_created_twice() {
    let faults = [
        "GET */securitycategories: reset, count=1",
        "POST */securitycategories: status=503, count=2",
        "POST */securitycategories/delete: status=502, count=1",
        "POST */groups: status=429, count=1",
    ];
    let local = Local::start_with(|options| options.with_faults(Faults::new(faults, 0).unwrap())).await;
    let iam = administrator(&local).client().iam();
    let categories = iam.security_categories();
    assert!(categories.list().await.unwrap().is_empty());
    let error = categories.create(SecurityCategoryWrite::new("a")).await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::PlatformUnavailable, Some(503)));
    assert!(categories.list().await.unwrap().is_empty());
    let repeated = iam.clone().with_repeated_creates().security_categories();
    let created = repeated.create(SecurityCategoryWrite::new("a")).await.unwrap();
    categories.delete(created.id).await.unwrap();
    assert!(categories.list().await.unwrap().is_empty());
    // Whoever is told to come later was not served.
    iam.groups().create(GroupWrite::new("g")).await.unwrap();
    assert_eq!(iam.groups().list_all().await.unwrap().len(), 1);
}
