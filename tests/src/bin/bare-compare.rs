//! The lower bound of a comparison of capabilities: reads two files, puts every grant of the first into a set, and prints those of the
//! second that are not in it, sorted. It has the one rule without which it would answer otherwise: who may write instances
//! may write their properties.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the whole purpose")]
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
#[serde(rename_all = "camelCase")]
enum Scope<'a> {
    DatasetScope {
        ids: Vec<i64>,
    },
    #[serde(rename_all = "camelCase")]
    SpaceIdScope {
        #[serde(borrow)]
        space_ids: Vec<&'a str>,
    },
    #[serde(rename_all = "camelCase")]
    TableScope {
        #[serde(borrow)]
        dbs_to_tables: HashMap<&'a str, Tables<'a>>,
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
            match &scope {
                Scope::DatasetScope { ids } => ids.iter().for_each(|id| add((acl, action, Entry::Id(*id)))),
                Scope::SpaceIdScope { space_ids } => {
                    space_ids.iter().for_each(|space| add((acl, action, Entry::Space(space))));
                }
                Scope::TableScope { dbs_to_tables } => {
                    for (database, Tables { tables }) in dbs_to_tables {
                        tables.iter().for_each(|table| add((acl, action, Entry::Table(database, table))));
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
        if !held.contains(&grant) && !(action == "WRITE_PROPERTIES" && held.contains(&(acl, "WRITE", entry))) {
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
