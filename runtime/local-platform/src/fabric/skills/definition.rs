//! Skill definitions (CAMEL 1.0.0, fabric-invocation section 9): what is asked of one, and which way an invocation takes.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::name::check_name;

/// What stands before the key of a secret in the value of a property, be it a default or of the call.
const SECURE: &str = "#SECURE.";

/// A definition, whose required fields are there.
#[derive(Clone, Debug)]
pub(crate) struct Definition(pub(crate) Map<String, Value>);

/// Where an input leads.
#[derive(Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) action: Option<String>,
    pub(crate) runtime: Runtime,
    pub(crate) output: String,
}

/// How a skill runs, which decides its limits and the form of its response (fabric-invocation sections 3 and 4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Runtime {
    Job,
    Daemon,
}

impl Definition {
    /// Checks what a client saves.
    pub(crate) fn new(fields: Map<String, Value>) -> Result<Self, Refusal> {
        let mut details = Map::new();
        let mut lacks = |path: String, what: &str| drop(details.insert(path, json!({"message": what})));
        for text in ["camel", "name"] {
            match fields.get(text) {
                Some(Value::String(value)) if !value.is_empty() => {}
                None => lacks(format!("body.{text}"), "is required"),
                Some(_) => lacks(format!("body.{text}"), "must be text"),
            }
        }
        for list in ["inputs", "outputs"] {
            match fields.get(list) {
                Some(Value::Array(entries)) => {
                    for (index, entry) in entries.iter().enumerate() {
                        if entry.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
                            lacks(format!("body.{list}[{index}].name"), "is required");
                        }
                        if list == "inputs" && !entry.get("routing").is_some_and(Value::is_object) {
                            lacks(format!("body.inputs[{index}].routing"), "is required");
                        }
                    }
                }
                None => lacks(format!("body.{list}"), "is required"),
                Some(_) => lacks(format!("body.{list}"), "must be a list"),
            }
        }
        if !details.is_empty() {
            return Err(Refusal::bad_request("the skill is not complete").with("details", details));
        }
        let definition = Self(fields);
        check_name("skill", definition.name())?;
        Ok(definition)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    fn list(&self, field: &str) -> &[Value] {
        self.0.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Where an input leads with these properties and this payload: the first rule that matches, else the default.
    pub(crate) fn route(
        &self,
        input: &str,
        properties: &Map<String, Value>,
        payload: &Value,
    ) -> Result<Route, Refusal> {
        let found = self.list("inputs").iter().find(|one| one.get("name").and_then(Value::as_str) == Some(input));
        let routing = found
            .and_then(|input| input.get("routing"))
            .ok_or_else(|| Refusal::not_found(format!("input {input} of skill {}", self.name())))?;
        let by = |key: &str, of: &dyn Fn(&str) -> Option<Value>| {
            let name = routing.get(key).and_then(Value::as_str)?;
            Some((name.to_owned(), text_of(&of(name).unwrap_or_default())))
        };
        let chosen = if let Some(all) = routing.get("all") {
            all
        } else {
            let (name, value) = by("property", &|name| properties.get(name).cloned())
                .or_else(|| by("field", &|name| payload.get(name).cloned()))
                .ok_or_else(|| self.no_route(input, "it has none of `all`, `property` and `field`"))?;
            let rules = routing.get("rules").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let matches = |rule: &&Value| rule.get("match").is_some_and(|wanted| text_of(wanted) == value);
            rules
                .iter()
                .find(matches)
                .or_else(|| routing.get("default"))
                .ok_or_else(|| self.no_route(input, &format!("no rule matches the value `{value}` of `{name}`")))?
        };
        let text = |field: &str| chosen.get(field).and_then(Value::as_str).map(str::to_owned);
        let runtime = match text("runtime").as_deref() {
            Some("cortex/jobs") => Runtime::Job,
            Some("cortex/daemons") => Runtime::Daemon,
            Some("cortex/external-api") => {
                let what = "skills of the runtime cortex/external-api are not run here";
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, what));
            }
            other => return Err(self.no_route(input, &format!("its runtime is {}", other.unwrap_or("missing")))),
        };
        let output = text("output").ok_or_else(|| self.no_route(input, "it has no output"))?;
        Ok(Route { action: text("action"), runtime, output })
    }

    fn no_route(&self, input: &str, why: &str) -> Refusal {
        Refusal::bad_request(format!("input {input} of skill {} leads nowhere: {why}", self.name()))
    }

    /// The properties of an invocation, from which its way is chosen: the defaults, with those of the call over them.
    pub(crate) fn properties(&self, of_the_call: Map<String, Value>) -> Map<String, Value> {
        let mut merged = Map::new();
        for property in self.list("properties") {
            let name = property.get("name").and_then(Value::as_str);
            if let Some((name, value)) = name.zip(property.get("defaultValue")) {
                merged.insert(name.to_owned(), value.clone());
            }
        }
        merged.extend(of_the_call);
        merged
    }

    /// The types that parameters refer to.
    pub(crate) fn types(&self) -> Vec<&str> {
        let mut types = Vec::new();
        for entry in self.list("inputs").iter().chain(self.list("outputs")) {
            match entry.get("parameters") {
                Some(Value::Array(all)) => types.extend(all.iter().filter_map(|one| one.get("$ref")?.as_str())),
                Some(one) => types.extend(one.get("$ref").and_then(Value::as_str)),
                None => {}
            }
        }
        types
    }
}

/// The properties with the secrets in place of the values `#SECURE.key`, as the skill gets them.
pub(crate) fn resolved(
    mut properties: Map<String, Value>,
    secret: impl Fn(&str) -> Result<Option<Value>, Refusal>,
) -> Result<Map<String, Value>, Refusal> {
    for (name, value) in &mut properties {
        if let Some(key) = value.as_str().and_then(|text| text.strip_prefix(SECURE)) {
            let missing =
                || Refusal::bad_request(format!("property {name} needs the secret {key}, which is not there"));
            *value = secret(key)?.ok_or_else(missing)?;
        }
    }
    Ok(properties)
}

/// A value as the text that rules are compared with.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Definition {
        let to = |action: &str, runtime: &str| json!({"action": action, "runtime": runtime, "output": "response"});
        let mut batch = to("job", "cortex/jobs");
        batch["match"] = "batch".into();
        let mut third = to("third", "cortex/daemons");
        third["match"] = 3.into();
        let fields = json!({
            "camel": "1.0.0", "name": "acme/order-check",
            "inputs": [
                {"name": "request", "routing": {"property": "mode", "default": to("daemon", "cortex/daemons"), "rules": [batch]},
                 "parameters": {"$ref": "acme/order"}},
                {"name": "by field", "routing": {"field": "lines", "rules": [third]}},
                {"name": "all", "routing": {"all": to("job", "cortex/jobs")}},
                {"name": "outside", "routing": {"all": to("x", "cortex/external-api")}},
                {"name": "none", "routing": {}},
            ],
            "outputs": [{"name": "response", "parameters": [{"$ref": "acme/finding"}]}],
            "properties": [
                {"name": "mode", "defaultValue": "online"},
                {"name": "api-key", "secure": true, "defaultValue": "#SECURE.orders-api-key"},
                {"name": "free"},
            ],
        });
        let Value::Object(fields) = fields else { panic!() };
        Definition::new(fields).unwrap()
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let definition = definition();
        let route = |input: &str, mode: &str, payload: Value| {
            let properties = Map::from_iter([("mode".to_owned(), mode.into())]);
            definition.route(input, &properties, &payload).map(|route| (route.action.unwrap(), route.runtime))
        };
        let is = |action: &str, runtime| (action.to_owned(), runtime);
        assert_eq!(route("request", "batch", Value::Null).unwrap(), is("job", Runtime::Job));
        assert_eq!(route("request", "other", Value::Null).unwrap(), is("daemon", Runtime::Daemon));
        assert_eq!(route("by field", "", json!({"lines": 3})).unwrap(), is("third", Runtime::Daemon));
        assert_eq!(route("by field", "", json!({"lines": "3"})).unwrap(), is("third", Runtime::Daemon));
        assert_eq!(route("all", "", Value::Null).unwrap(), is("job", Runtime::Job));
        for (input, payload, said) in [
            ("by field", json!({"lines": 4}), "no rule matches the value `4` of `lines`"),
            ("none", Value::Null, "none of `all`"),
            ("absent", Value::Null, "not found"),
            ("outside", Value::Null, "not run here"),
        ] {
            let refusal = format!("{:?}", route(input, "", payload).unwrap_err());
            assert!(refusal.contains(said), "{refusal}");
        }
    }

    #[test]
    fn properties_of_the_call_win_and_secrets_are_resolved() {
        let secret = |key: &str| Ok((key == "orders-api-key").then(|| "s3cret".into()));
        let of_the_call = Map::from_iter([("mode".to_owned(), 5.into()), ("more".to_owned(), Value::Null)]);
        let merged = resolved(definition().properties(of_the_call), secret).unwrap();
        assert_eq!(Value::Object(merged), json!({"mode": 5, "api-key": "s3cret", "more": null}));
        let refusal = resolved(definition().properties(Map::new()), |_| Ok(None)).unwrap_err();
        assert!(format!("{refusal:?}").contains("orders-api-key"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let fields = json!({"name": "", "inputs": [{"name": "a"}, {"routing": {}}], "outputs": {}});
        let Value::Object(fields) = fields else { panic!() };
        let refusal = format!("{:?}", Definition::new(fields).unwrap_err());
        for path in ["body.camel", "body.name", "body.inputs[0].routing", "body.inputs[1].name", "body.outputs"] {
            assert!(refusal.contains(path), "{path}: {refusal}");
        }
        assert!(!refusal.contains("body.inputs[0].name"), "{refusal}");
    }

    #[test]
    fn references_are_found_in_both_forms() {
        assert_eq!(definition().types(), ["acme/order", "acme/finding"]);
    }
}
