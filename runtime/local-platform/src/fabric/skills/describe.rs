//! A skill in the forms that clients ask for.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::answer::{Refusal, success};

/// All but the unreserved characters of RFC 3986, section 2.3.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A skill as `json`, `yaml`, `k8s` or `openapi`; all but the first are text.
pub(super) fn answer(skill: Map<String, Value>, output: &str) -> Result<Response, Refusal> {
    let yaml = |value: &Value| {
        yaml_serde::to_string(value).map_err(|error| Refusal::internal("the skill cannot be written as YAML", &error))
    };
    let text = match output {
        "json" => return Ok(success(Value::Object(skill)).into_response()),
        "yaml" => yaml(&Value::Object(skill))?,
        "k8s" => kubernetes(&skill),
        "openapi" => yaml(&open_api(&skill))?,
        other => {
            return Err(Refusal::bad_request(format!("the output `{other}` is none of json, yaml, k8s and openapi")));
        }
    };
    Ok(([(header::CONTENT_TYPE, "text/yaml; charset=utf-8")], text).into_response())
}

/// The objects that the skill was saved with, as documents of a stream.
fn kubernetes(skill: &Map<String, Value>) -> String {
    let actions = skill.get("actions").and_then(Value::as_array).into_iter().flatten();
    let resources = actions.filter_map(|action| action.get("k8sResources")?.as_array()).flatten();
    let texts = resources.filter_map(Value::as_str).map(|text| format!("---\n{}\n", text.trim_end()));
    let stream = texts.collect::<String>();
    if stream.is_empty() {
        "# The skill has no objects of its own, and runs in no cluster.\n".to_owned()
    } else {
        stream
    }
}

/// The calls that invoke the skill, as an `OpenAPI` document.
fn open_api(skill: &Map<String, Value>) -> Value {
    let text = |field: &str| skill.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    let of = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let encoded = utf8_percent_encode(name, &SEGMENT);
    let list = |field: &str| skill.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let response = list("outputs").first().map_or_else(|| json!({"type": "object"}), schema);
    let path = |input: &Value| {
        let path =
            format!("/fabric/v4/projects/{}/skillinvoke/{encoded}/inputs/{}", text("_projectId"), of(input, "name"));
        let body = json!({
            "type": "object",
            "required": ["payload"],
            "properties": {"payload": schema(input), "properties": {"type": "object"}, "sessionId": {"type": "string"}},
        });
        let operation = json!({
            "summary": of(input, "title"),
            "parameters": [{"name": "sync", "in": "query", "schema": {"type": "boolean"}}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
            "responses": {"200": {"description": "What came of it", "content": {"application/json": {"schema": response}}}},
        });
        (path, json!({"post": operation}))
    };
    let version = skill.get("_version").map_or_else(|| "1".to_owned(), ToString::to_string);
    json!({
        "openapi": "3.0.3",
        "info": {"title": name, "description": text("description"), "version": version},
        "paths": list("inputs").iter().map(path).collect::<Map<_, _>>(),
    })
}

/// The parameters of an input or output as a schema.
fn schema(entry: &Value) -> Value {
    let Some(parameters) = entry.get("parameters").and_then(Value::as_array) else {
        return json!({"type": "object"});
    };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let Some(name) = parameter.get("name").and_then(Value::as_str) else { continue };
        let kind = parameter.get("type").and_then(Value::as_str).unwrap_or("object").to_lowercase();
        let mut property = Map::from_iter([("type".to_owned(), kind.into())]);
        property.extend(parameter.get("description").map(|text| ("description".to_owned(), text.clone())));
        properties.insert(name.to_owned(), property.into());
        if matches!(parameter.get("required"), Some(Value::Bool(true)))
            || parameter.get("required") == Some(&"true".into())
        {
            required.push(name);
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}
