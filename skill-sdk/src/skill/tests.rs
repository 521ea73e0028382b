use super::*;
use crate::Code;
use crate::iam::{Acl, Action, Scope};
use serde_json::{Value, json};

fn skill() -> Skill {
    Skill::new("s", async |input: Value, _: Context| -> crate::Result<Value> { Ok(input) })
}

fn reads(acl: Acl) -> Capability {
    Capability::new(acl, [Action::Read], Scope::all())
}

#[test]
fn what_is_required_adds_up() {
    let skill = skill().requires([reads(Acl::Assets)]).requires([]).requires(vec![reads(Acl::Events)]);
    assert_eq!(skill.manifest().requires, [reads(Acl::Assets), reads(Acl::Events)]);
}

#[test]
fn whoever_requires_something_needs_a_client() {
    let needs = |skill: Skill| (skill.manifest().needs_client, skill.manifest().needs_complete_message());
    assert_eq!(needs(skill()), (true, true));
    assert_eq!(needs(skill().without_client()), (false, false));
    assert_eq!(needs(skill().without_client().requires([])), (false, false));
    assert_eq!(needs(skill().without_client().requires([reads(Acl::Assets)])), (true, true));
    assert_eq!(needs(skill().requires([reads(Acl::Assets)]).without_client()), (true, true));
    // A manifest that was not made here may say otherwise.
    let odd = json!({"name": "s", "needsClient": false, "requires": [reads(Acl::Assets)]});
    assert!(serde_json::from_value::<Manifest>(odd).unwrap().needs_complete_message());
}

#[test]
fn manifests_with_and_without_requirements_are_read() {
    let old = json!({"name": "s", "needsClient": true});
    assert_eq!(serde_json::to_value(skill().manifest()).unwrap(), old);
    assert_eq!(&serde_json::from_value::<Manifest>(old.clone()).unwrap(), skill().manifest());

    let skill = skill().requires([reads(Acl::Assets)]);
    let new = serde_json::to_value(skill.manifest()).unwrap();
    assert_eq!(new["requires"], json!([{"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}}]));
    assert_eq!(&serde_json::from_value::<Manifest>(new.clone()).unwrap(), skill.manifest());

    // What is not known here is kept, so that whoever reads it can tell that it does not understand it.
    let mut newer = new;
    newer["requires"][0] = json!({"moonAcl": {"actions": ["LAND"], "scope": {"crater": {"of": 7}}}});
    newer["comesLater"] = 1.into();
    let manifest: Manifest = serde_json::from_value(newer.clone()).unwrap();
    assert_eq!(serde_json::to_value(&manifest).unwrap()["requires"], newer["requires"]);
    assert!(manifest.requires[0].check().is_err());
}

#[tokio::test]
async fn a_payload_that_is_taken_as_text_stays_the_text_it_is() {
    let raw = Skill::new("s", async |input: Box<RawValue>, _: Context| -> crate::Result<Box<RawValue>> { Ok(input) });
    let text = "{ \"b\": 2.50, \"a\": [1e400] }";
    let invocation = |limit| {
        let message = format!("{{\"payload\": {text}}}").parse().unwrap();
        raw.call(Invocation::new(message).with_response_limit(limit))
    };
    assert_eq!(invocation(text.len()).await.unwrap().as_str(), text);
    assert_eq!(invocation(text.len() - 1).await.unwrap_err().code(), Code::ResponseTooLarge);
    let absent = raw.call(Invocation::new("{}".parse().unwrap())).await;
    assert_eq!(absent.unwrap().as_str(), "null");
}
