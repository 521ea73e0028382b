//! A group that is to be created: what a client may say of it, checked.

use serde_json::{Map, Value};
use skill_sdk::iam::{Capability, Group, Loading};

use crate::answer::Refusal;
use crate::name::check_name;

/// The limits of metadata (cdf-iam section 6), all but the number of pairs in bytes.
const LONGEST_KEY: usize = 32;
const LONGEST_VALUE: usize = 512;
const MOST_PAIRS: usize = 16;
const MOST_METADATA: usize = 4096;

/// Reads an item of a request, by its place. What is `null` is absent, as some clients cannot read it; what is not
/// known is kept.
pub(super) fn read(at: usize, mut item: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let refuse = |why: String| Refusal::bad_request(format!("items[{at}]: {why}"));
    item.retain(|_, value| !value.is_null());
    let name =
        item.get("name").and_then(Value::as_str).ok_or_else(|| refuse("`name` is missing or not text".to_owned()))?;
    check_name("group", name)?;
    if item.get("sourceId").is_some_and(|source| !source.is_string()) {
        return Err(refuse("`sourceId` is not text".to_owned()));
    }
    if let Some(members) = item.get("members") {
        check_members(members).map_err(|why| refuse(why.to_owned()))?;
        // Clients send back the empty one that groups with members may be listed with.
        if item.get("sourceId").is_some_and(|source| source != "") {
            return Err(refuse("a group has either `sourceId` or `members`".to_owned()));
        }
        item.remove("sourceId");
    }
    if let Some(metadata) = item.get("metadata") {
        check_metadata(metadata).map_err(refuse)?;
    }
    if item.get("attributes").is_some_and(|attributes| !attributes.is_object()) {
        return Err(refuse("`attributes` is not an object".to_owned()));
    }
    if let Some(capabilities) = item.get("capabilities") {
        let list = capabilities.as_array().ok_or_else(|| refuse("`capabilities` is not an array".to_owned()))?;
        let check =
            |(i, capability)| check_capability(capability).map_err(|why| refuse(format!("capabilities[{i}]: {why}")));
        list.iter().enumerate().try_for_each(check)?;
    }
    Ok(item)
}

/// The group that a checked item makes.
pub(super) fn group(id: i64, mut fields: Map<String, Value>) -> Result<Group, Refusal> {
    fields.insert("id".to_owned(), id.into());
    fields.insert("isDeleted".to_owned(), false.into());
    fields.insert("deletedTime".to_owned(), (-1).into());
    serde_json::from_value(fields.into()).map_err(|error| Refusal::bad_request(format!("it is no group: {error}")))
}

fn check_members(members: &Value) -> Result<(), &'static str> {
    match members {
        Value::String(word) if word == "allUserAccounts" => Ok(()),
        Value::Array(users) if users.iter().all(Value::is_string) => Ok(()),
        _ => Err("`members` is neither \"allUserAccounts\" nor an array of user identifiers"),
    }
}

fn check_metadata(metadata: &Value) -> Result<(), String> {
    let pairs = metadata.as_object().ok_or("`metadata` is not an object")?;
    if pairs.len() > MOST_PAIRS {
        return Err(format!("`metadata` has more than {MOST_PAIRS} pairs"));
    }
    let mut size = 0;
    for (key, value) in pairs {
        let value = value.as_str().ok_or("a value in `metadata` is not text")?;
        if key.len() > LONGEST_KEY || value.len() > LONGEST_VALUE {
            return Err(format!(
                "a key in `metadata` has more than {LONGEST_KEY} bytes, or its value more than {LONGEST_VALUE}"
            ));
        }
        size += key.len() + value.len();
    }
    if size > MOST_METADATA {
        return Err(format!("`metadata` has more than {MOST_METADATA} bytes"));
    }
    Ok(())
}

/// Refuses what clients could not read again. ACLs, actions and scopes that are not known are none of that.
fn check_capability(capability: &Value) -> Result<(), String> {
    // The texts that capabilities can be read from are for people who write them.
    let fields = capability.as_object().ok_or("a capability is an object")?;
    let loaded = Capability::load(capability, Loading::Lenient).map_err(|error| error.chain())?;
    if loaded.acl().is_some() {
        return Ok(());
    }
    let is_acl = |(name, body): (&String, &Value)| {
        name.ends_with("Acl") && body["actions"].is_array() && body["scope"].is_object()
    };
    if fields.len() == 1 && fields.iter().all(is_acl) {
        return Ok(());
    }
    Err("a capability has the name of one ACL, which has `actions` and a `scope`".to_owned())
}
