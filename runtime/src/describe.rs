//! `describe`: what skills say about themselves.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Map, Value, json};
use skill_sdk::{Code, Error, Manifest, Schemas};

use crate::cli::{DescribeOptions, Source};
use crate::outcome::Refusal;
use crate::skills::Skills;
use crate::stdout;

/// What the entries of a skill definition are called: a skill takes one input and gives one output.
const INPUT: &str = "request";
const OUTPUT: &str = "response";

/// The runtime of jobs (contract "fabric-invocation", section 9).
const JOBS: &str = "cortex/jobs";

/// A manifest and its schemas.
#[derive(Serialize)]
struct Description<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    #[serde(flatten)]
    schemas: Schemas,
}

pub(crate) fn run(source: Source, options: &DescribeOptions) -> ExitCode {
    let written = describe(source, options).and_then(|text| stdout::write(&text));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Refusal::from(error).report(),
    }
}

fn describe(source: Source, options: &DescribeOptions) -> Result<String, Error> {
    let skills = match source {
        Source::Linked(skills) => Skills::linked(skills)?,
        Source::Path(path) => Skills::load(&path)?,
    };
    let chosen = match &options.skill {
        Some(name) => vec![skills.find(Some(name), None)?],
        None => skills.iter().collect(),
    };
    let described = |skill: &&dyn crate::skills::HostedSkill| Ok((skill.manifest().clone(), skill.schemas()?));
    let described: Vec<(Manifest, Schemas)> = chosen.iter().map(described).collect::<Result<_, Error>>()?;
    let unwritable = |error: &dyn std::fmt::Display| Error::new(Code::Internal, format!("cannot be written: {error}"));
    if options.skill_yaml {
        let [(manifest, schemas)] = described.as_slice() else {
            let names = skills.names().join(", ");
            return Err(Error::new(Code::SkillNotFound, format!("choose one skill with --skill; there are: {names}")));
        };
        let definition = definition(manifest, schemas, options.image.as_deref().unwrap_or(&manifest.name));
        return yaml_serde::to_string(&definition).map_err(|error| unwritable(&error));
    }
    let mut described: Vec<_> =
        described.iter().map(|(manifest, schemas)| Description { manifest, schemas: schemas.clone() }).collect();
    let text = match described.len() {
        1 => serde_json::to_string_pretty(&described.remove(0)),
        _ => serde_json::to_string_pretty(&described),
    };
    text.map(|text| text + "\n").map_err(|error| unwritable(&error))
}

/// A skill definition, CAMEL 1.0.0 (contract "fabric-invocation", section 9), that deploys the skill as a job.
#[derive(Serialize)]
struct Definition<'a> {
    camel: &'a str,
    name: &'a str,
    title: &'a str,
    description: &'a str,
    inputs: [Value; 1],
    outputs: [Value; 1],
    properties: [Value; 0],
    actions: [Value; 1],
}

/// The definition of a skill, as JSON.
///
/// # Errors
///
/// As for [`HostedSkill::schemas`](crate::skills::HostedSkill::schemas).
pub(crate) fn definition_of(skill: &dyn crate::skills::HostedSkill) -> Result<Value, Error> {
    let (manifest, schemas) = (skill.manifest(), skill.schemas()?);
    serde_json::to_value(definition(manifest, &schemas, &manifest.name))
        .map_err(|error| Error::new(Code::Internal, "the definition cannot be written").with_source(error))
}

fn definition<'a>(manifest: &'a Manifest, schemas: &Schemas, image: &str) -> Definition<'a> {
    let name = manifest.name.as_str();
    Definition {
        camel: "1.0.0",
        name,
        title: name,
        description: &manifest.description,
        inputs: [json!({
            "name": INPUT,
            "title": INPUT,
            "parameters": parameters(schemas.input.as_value()),
            "routing": {"all": {"action": name, "runtime": JOBS, "output": OUTPUT}},
        })],
        outputs: [json!({"name": OUTPUT, "title": OUTPUT, "parameters": parameters(schemas.output.as_value())})],
        properties: [],
        actions: [json!({"name": name, "type": "job", "image": image, "command": []})],
    }
}

/// The fields of an object as parameters of a definition. A schema of anything else has none.
fn parameters(schema: &Value) -> Vec<Value> {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = schema.get("required").and_then(Value::as_array);
    let parameter = |(name, property): (&String, &Value)| {
        let mut parameter = Map::from_iter([("name".to_owned(), name.clone().into())]);
        parameter.insert("type".into(), type_of(schema, property).into());
        for copied in ["title", "description", "format"] {
            parameter.extend(property.get(copied).map(|value| (copied.to_owned(), value.clone())));
        }
        let is_required = required.is_some_and(|required| required.iter().any(|one| one == name));
        parameter.insert("required".into(), is_required.into());
        Value::Object(parameter)
    };
    properties.iter().map(parameter).collect()
}

/// The type of a property. References are followed; where several types are possible, the first that is not null counts.
fn type_of<'a>(schema: &'a Value, property: &'a Value) -> &'a str {
    let is_type = |name: &&str| *name != "null";
    let mut property = property;
    // A reference may lead to itself.
    for _ in 0..16 {
        match property.get("type") {
            Some(Value::String(name)) => return name,
            Some(Value::Array(names)) => {
                return names.iter().filter_map(Value::as_str).find(is_type).unwrap_or("object");
            }
            _ => {}
        }
        let reference = property.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        let first_of = |key| property.get(key).and_then(Value::as_array).and_then(|choices| choices.first());
        match reference
            .and_then(|pointer| schema.pointer(pointer))
            .or_else(|| first_of("anyOf"))
            .or_else(|| first_of("oneOf"))
        {
            Some(next) => property = next,
            None => break,
        }
    }
    "object"
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::Deserialize;
    use skill_sdk::{Context, Skill, schemars};

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only described")]
    struct Order {
        /// Order number
        number: u32,
        note: Option<String>,
        lines: Vec<String>,
        kind: Kind,
        rest: Value,
    }

    #[derive(Deserialize, JsonSchema)]
    enum Kind {
        Retail,
        Wholesale,
    }

    #[test]
    fn a_definition_has_the_fields_as_parameters() {
        let check = async |_: Order, _: Context| -> skill_sdk::Result<bool> { Ok(true) };
        let skill = Skill::new("acme/order-check", check).describe("Checks");
        let definition = definition(skill.manifest(), &skill.schemas(), "acme/order-check:1");
        assert_eq!(
            serde_json::to_value(definition).unwrap(),
            json!({
                "camel": "1.0.0", "name": "acme/order-check", "title": "acme/order-check", "description": "Checks",
                "inputs": [{
                    "name": "request", "title": "request",
                    "parameters": [
                        {
                            "name": "number", "type": "integer", "description": "Order number", "format": "uint32",
                            "required": true
                        },
                        {"name": "note", "type": "string", "required": false},
                        {"name": "lines", "type": "array", "required": true},
                        {"name": "kind", "type": "string", "required": true},
                        {"name": "rest", "type": "object", "required": true},
                    ],
                    "routing": {"all": {"action": "acme/order-check", "runtime": "cortex/jobs", "output": "response"}}
                }],
                "outputs": [{"name": "response", "title": "response", "parameters": []}],
                "properties": [],
                "actions": [{"name": "acme/order-check", "type": "job", "image": "acme/order-check:1", "command": []}]
            })
        );
    }

    #[test]
    fn a_reference_to_itself_ends() {
        let schema = json!({"$defs": {"a": {"$ref": "#/$defs/a"}}});
        assert_eq!(type_of(&schema, &json!({"$ref": "#/$defs/a"})), "object");
    }
}
