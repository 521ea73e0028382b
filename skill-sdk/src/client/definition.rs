//! Definitions as they are saved.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Code, Error};

/// What platforms add to a definition (contract "fabric-invocation", section 9), beside fields that start with `_`, and to
/// every answer (contract "fabric-api", section 13).
const ADDED: [&str; 6] = ["createdAt", "createdBy", "updatedAt", "deployStatus", "actionStatuses", "success"];

/// A value as the JSON object that is saved: without what platforms add at its top level when it is read. `failure` says
/// what fails if it is none.
///
/// # Errors
///
/// [`Code::SkillFailed`] for a value that cannot be written as JSON, or is no object there.
pub(super) fn definition(value: &(impl Serialize + ?Sized), failure: &str) -> Result<Map<String, Value>, Error> {
    let failed = |why: &str| Error::new(Code::SkillFailed, format!("{failure}: {why}"));
    match serde_json::to_value(value) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|field, _| !field.starts_with('_') && !ADDED.contains(&field.as_str()));
            Ok(fields)
        }
        Ok(_) => Err(failed("it must be a JSON object")),
        Err(error) => Err(failed("the value cannot be written as JSON").with_source(error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_platforms_add_is_left_out_at_the_top_level_only() {
        let saved = json!({
            "_id": 1, "_version": 2, "name": "n", "_projectId": "p", "createdAt": 1, "createdBy": "a", "updatedAt": 2,
            "deployStatus": "d", "actionStatuses": [], "success": true, "properties": [{"_version": 1, "success": 2}], "camel": 1
        });
        let kept = json!({"name": "n", "properties": [{"_version": 1, "success": 2}], "camel": 1});
        let fields = definition(&saved, "f").unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["name", "properties", "camel"], "their order stays");
        assert_eq!(Value::from(fields), kept);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for value in [json!([{"name": "n"}]), json!("n"), json!(null), json!(1)] {
            let error = definition(&value, "cannot save it").unwrap_err();
            assert_eq!((error.code(), error.detail()), (Code::SkillFailed, "cannot save it: it must be a JSON object"));
        }
        let keys_are_no_texts = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = definition(&keys_are_no_texts, "cannot save it").unwrap_err();
        assert_eq!(error.detail(), "cannot save it: the value cannot be written as JSON");
    }
}
