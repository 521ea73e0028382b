//! The notation of the contract for capabilities: `filesAcl READ datasetScope[41,42]`.

use serde_json::{Map, Value, json};

/// The JSON of capabilities, separated by `;`. An entry after `@` has a project scope; quoted entries are texts.
pub(crate) fn capabilities(text: &str) -> Vec<Value> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(capability).collect()
}

pub(crate) fn capability(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (acl, actions, scope) = (words[0], words[1].split('+').collect::<Vec<_>>(), self::scope(words[2]));
    let mut object = json!({acl: {"actions": actions, "scope": scope}});
    if let Some(projects) = words.get(3).and_then(|word| word.strip_prefix('@')) {
        object["projectScope"] = match projects {
            "*" => json!({"allProjects": {}}),
            names => json!({"projects": names.split(',').collect::<Vec<_>>()}),
        };
    }
    object
}

fn scope(text: &str) -> Value {
    let Some((name, entries)) = text.split_once('[') else { return json!({text: {}}) };
    let entries: Vec<&str> = entries.trim_end_matches(']').split(',').filter(|entry| !entry.is_empty()).collect();
    if name == "tableScope" {
        let tables = entries.iter().map(|entry| {
            let (database, tables) = entry.split_once(':').unwrap_or((entry, ""));
            let tables: Vec<&str> = tables.split('+').filter(|table| !table.is_empty()).collect();
            (database.to_owned(), json!({"tables": tables}))
        });
        return json!({name: {"dbsToTables": tables.collect::<Map<_, _>>()}});
    }
    let field = match name {
        "spaceIdScope" => "spaceIds",
        "spaceScope" => "externalIds",
        _ => "ids",
    };
    let values: Vec<Value> = entries.iter().map(|entry| serde_json::from_str(entry).unwrap()).collect();
    json!({name: {field: values}})
}
