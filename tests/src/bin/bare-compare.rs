//! The lower bound of a comparison of capabilities: reads two files, puts every grant of the first into a set, and prints those of the
//! second that are not in it, sorted. It has the one rule without which it would answer otherwise: who may write instances
//! may write their properties.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "it checks nothing")]

use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, Write};

use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    actions: Vec<&'a str>,
    #[serde(borrow)]
    scope: Scope<'a>,
}

#[derive(Deserialize)]
enum Scope<'a> {
    #[serde(rename = "datasetScope")]
    DataSets { ids: Vec<i64> },
    #[serde(rename = "spaceIdScope")]
    Spaces {
        #[serde(rename = "spaceIds", borrow)]
        ids: Vec<&'a str>,
    },
    #[serde(rename = "tableScope")]
    Databases {
        #[serde(rename = "dbsToTables", borrow)]
        databases: HashMap<&'a str, Tables<'a>>,
    },
}

#[derive(Deserialize)]
struct Tables<'a> {
    #[serde(borrow)]
    tables: Vec<&'a str>,
}

#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Entry<'a> {
    Id(i64),
    Space(&'a str),
    Table(&'a str, &'a str),
}

type Grant<'a> = (&'a str, &'a str, Entry<'a>);

fn grants<'a>(text: &'a str, mut add: impl FnMut(Grant<'a>)) {
    let capabilities: Vec<HashMap<&str, Body<'_>>> = serde_json::from_str(text).unwrap();
    for (acl, Body { actions, scope }) in capabilities.into_iter().flatten() {
        for action in actions {
            let mut add = |entry| add((acl, action, entry));
            match &scope {
                Scope::DataSets { ids } => ids.iter().copied().map(Entry::Id).for_each(add),
                Scope::Spaces { ids } => ids.iter().copied().map(Entry::Space).for_each(add),
                Scope::Databases { databases } => {
                    for (database, Tables { tables }) in databases {
                        tables.iter().map(|table| Entry::Table(database, table)).for_each(&mut add);
                    }
                }
            }
        }
    }
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut held = HashSet::new();
    grants(&files[0], |grant| {
        held.insert(grant);
    });
    let mut missing = Vec::new();
    grants(&files[1], |grant| {
        let (acl, action, entry) = grant;
        let is_held = held.contains(&grant) || (action == "WRITE_PROPERTIES" && held.contains(&(acl, "WRITE", entry)));
        if !is_held {
            missing.push(grant);
        }
    });
    missing.sort_unstable();
    missing.dedup();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut separator = "[\n";
    for (acl, action, entry) in missing {
        let scope = match entry {
            Entry::Id(id) => json!({"datasetScope": {"ids": [id]}}),
            Entry::Space(space) => json!({"spaceIdScope": {"spaceIds": [space]}}),
            Entry::Table(database, table) => {
                json!({"tableScope": {"dbsToTables": {database: {"tables": [table]}}}})
            }
        };
        write!(out, "{separator}{}", json!({acl: {"actions": [action], "scope": scope}})).unwrap();
        separator = ",\n";
    }
    writeln!(out, "\n]").unwrap();
    out.flush().unwrap();
}
