//! What holds for all capabilities.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, Loading, ScopeKind, compare_capabilities};

/// The ACLs that are compared in ways of their own, and some that are not.
const ACLS: [Acl; 6] = [Acl::DataModelInstances, Acl::Raw, Acl::Events, Acl::TimeSeries, Acl::Groups, Acl::Generics];

fn entries(kind: ScopeKind) -> BoxedStrategy<Value> {
    let ids =
        |field: &'static str| prop::collection::vec(1..6i64, 0..4).prop_map(move |ids| json!({field: ids})).boxed();
    let texts =
        |field: &'static str| prop::collection::vec("[ab]", 0..4).prop_map(move |texts| json!({field: texts})).boxed();
    match kind {
        ScopeKind::All | ScopeKind::CurrentUser => Just(json!({})).boxed(),
        ScopeKind::SpaceId => texts("spaceIds"),
        ScopeKind::Space => texts("externalIds"),
        ScopeKind::AssetRootId => ids("rootIds"),
        ScopeKind::Table => prop::collection::vec(("[ab]", prop::collection::vec("[xy]?", 0..3)), 0..3)
            .prop_map(|databases| {
                let tables = databases.into_iter().map(|(name, tables)| (name, json!({"tables": tables})));
                json!({"dbsToTables": tables.collect::<Map<_, _>>()})
            })
            .boxed(),
        _ => ids("ids"),
    }
}

/// A capability as JSON, of few ACLs and with few entries, so that some are equal.
fn capability() -> impl Strategy<Value = Value> {
    prop::sample::select(ACLS.as_slice())
        .prop_flat_map(|acl| {
            (
                Just(acl),
                prop::sample::select(acl.scopes()),
                prop::sample::subsequence(acl.actions(), 0..=acl.actions().len()),
            )
        })
        .prop_flat_map(|(acl, kind, actions)| (Just((acl, kind, actions)), entries(kind), prop::bool::weighted(0.05)))
        .prop_map(|((acl, kind, actions), entries, odd)| {
            let mut actions: Vec<&str> = actions.iter().map(Action::as_str).collect();
            if odd {
                actions.push("FLY");
            }
            json!({acl.as_str(): {"actions": actions, "scope": {kind.as_str(): entries}}})
        })
}

fn set() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(capability(), 0..6)
}

/// A grant: ACL, action, scope, entry, table.
type Grant = (String, String, String, Entry, Option<String>);

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Entry {
    Nothing,
    Id(i64),
    Text(String),
}

/// All single grants of capabilities, in the plainest way.
fn flattened(capabilities: &[Value]) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for capability in capabilities {
        let (acl, body) = capability.as_object().unwrap().iter().next().unwrap();
        let (scope, value) = body["scope"].as_object().unwrap().iter().next().unwrap();
        let mut entries = Vec::new();
        match value.as_object().unwrap().iter().next() {
            None => entries.push((Entry::Nothing, None)),
            Some((_, Value::Array(items))) => entries.extend(items.iter().map(|item| match item {
                Value::Number(id) => (Entry::Id(id.as_i64().unwrap()), None),
                text => (Entry::Text(text.as_str().unwrap().to_owned()), None),
            })),
            Some((_, databases)) => {
                for (name, of) in databases.as_object().unwrap() {
                    let tables = of["tables"].as_array().unwrap();
                    if tables.is_empty() {
                        entries.push((Entry::Text(name.clone()), None));
                    }
                    entries.extend(
                        tables
                            .iter()
                            .map(|table| (Entry::Text(name.clone()), Some(table.as_str().unwrap().to_owned()))),
                    );
                }
            }
        }
        for action in body["actions"].as_array().unwrap() {
            let grant =
                |(entry, table)| (acl.clone(), action.as_str().unwrap().to_owned(), scope.clone(), entry, table);
            grants.extend(entries.iter().cloned().map(grant));
        }
    }
    grants
}

/// What of the wish is missing, by the rules as the contract words them, looked through one by one.
fn lacking(existing: &[Value], desired: &[Value], exactly: bool) -> Vec<Grant> {
    let held = flattened(existing);
    let is_covered = |wish: &Grant| {
        let (acl, action, scope, entry, table) = wish;
        let has = |action: &str, scope: &str, entry: &Entry, table: &Option<String>| {
            held.contains(&(acl.clone(), action.to_owned(), scope.to_owned(), entry.clone(), table.clone()))
        };
        if has(action, scope, entry, table) {
            return true;
        }
        if exactly {
            return false;
        }
        has(action, "all", &Entry::Nothing, &None)
            || (acl == "rawAcl" && has(action, scope, entry, &None))
            || (acl == "dataModelInstancesAcl" && action == "WRITE_PROPERTIES")
                && (has("WRITE", "all", &Entry::Nothing, &None)
                    || (*entry != Entry::Nothing && has("WRITE", "spaceIdScope", entry, &None)))
    };
    let wish = flattened(desired);
    wish.into_iter().filter(|wish| wish.0 != "genericsAcl" && !is_covered(wish)).collect()
}

fn compare(existing: &[Value], desired: &[Value], exactly: bool) -> Option<Vec<Value>> {
    let mut options = CompareOptions::new();
    if exactly {
        options = options.ignore_allscope_meaning();
    }
    let comparison = compare_capabilities(&existing.to_vec(), &desired.to_vec(), &options).ok()?;
    Some(comparison.missing.iter().map(|missing| serde_json::to_value(missing).unwrap()).collect())
}

proptest! {
    #[test]
    fn nothing_is_missing_of_a_set_beside_itself(set in set(), exactly: bool) {
        if let Some(missing) = compare(&set, &set, exactly) {
            prop_assert_eq!(missing, Vec::<Value>::new());
        }
    }

    #[test]
    fn what_is_missing_is_what_the_contract_says_and_sorted(existing in set(), desired in set(), exactly: bool) {
        let expected = lacking(&existing, &desired, exactly);
        match compare(&existing, &desired, exactly) {
            Some(missing) => {
                let single = missing.iter().map(|missing| flattened(std::slice::from_ref(missing)));
                let single: Vec<Grant> = single.flat_map(|grants| { assert_eq!(grants.len(), 1); grants }).collect();
                prop_assert!(single.is_sorted());
                prop_assert!(flattened(&desired).is_superset(&single.iter().cloned().collect()));
                prop_assert_eq!(single, expected);
            }
            // Nothing is wanted.
            None => prop_assert!(flattened(&desired).is_empty()),
        }
    }

    #[test]
    fn another_grant_never_makes_something_missing(existing in set(), more in capability(), desired in set()) {
        let before = compare(&existing, &desired, false);
        let mut existing = existing;
        existing.push(more);
        let after = compare(&existing, &desired, false);
        prop_assert_eq!(before.is_some(), after.is_some());
        let before = before.unwrap_or_default();
        prop_assert!(after.unwrap_or_default().iter().all(|missing| before.contains(missing)));
    }

    #[test]
    fn what_was_missing_suffices(existing in set(), desired in set(), exactly: bool) {
        if let Some(missing) = compare(&existing, &desired, exactly) {
            let granted: Vec<Value> = existing.into_iter().chain(missing).collect();
            prop_assert_eq!(compare(&granted, &desired, exactly), Some(Vec::new()));
        }
    }

    #[test]
    fn the_order_of_capabilities_makes_no_difference(existing in set(), desired in set()) {
        let back = |set: &[Value]| set.iter().rev().cloned().collect::<Vec<_>>();
        prop_assert_eq!(compare(&existing, &desired, false), compare(&back(&existing), &back(&desired), false));
    }

    #[test]
    fn what_is_written_is_read_as_the_same(value in capability()) {
        let capability = Capability::load(&value, Loading::Lenient).unwrap();
        let written = serde_json::to_string(&capability).unwrap();
        prop_assert_eq!(&written, &value.to_string());
        prop_assert_eq!(serde_json::from_str::<Capability>(&written).unwrap(), capability);
    }

    #[test]
    fn whatever_is_read_leniently_is_kept(
        acl in "(moon|labels|files)Acl",
        actions in prop::collection::vec("[A-Z_]{0,6}|READ", 0..4),
        scope in "(moon|dataset)Scope|all",
        extra in prop::collection::vec((any::<i32>(), ".{0,4}"), 0..3),
    ) {
        let extra: Vec<Value> = extra.into_iter().map(|(number, text)| json!({text: [number, null, 0.5]})).collect();
        let entries = match scope.as_str() {
            "all" => json!({}),
            "datasetScope" => json!({"ids": [1, 2]}),
            _ => json!({"deep": extra}),
        };
        let value = json!({acl: {"actions": actions, "scope": {scope: entries}}});
        let capability: Capability = serde_json::from_value(value.clone()).unwrap();
        prop_assert_eq!(serde_json::to_string(&capability).unwrap(), value.to_string());
    }
}
