//! Every ACL, with every action and every scope that it has.

use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Capability, CompareOptions, Loading, ScopeKind, compare_capabilities};

/// A value for a kind of scope, with two entries where it has any.
pub(crate) fn scope(kind: ScopeKind) -> Value {
    let value = match kind {
        ScopeKind::All | ScopeKind::CurrentUser => json!({}),
        ScopeKind::AppExternalId | ScopeKind::DataModel | ScopeKind::Space => json!({"externalIds": ["a", "b"]}),
        ScopeKind::App => json!({"apps": ["SEARCH", "b"]}),
        ScopeKind::AssetRootId => json!({"rootIds": [1, 2]}),
        ScopeKind::Experiments => json!({"experiments": ["a", "b"]}),
        ScopeKind::Instances => json!({"instances": ["a", "b"]}),
        ScopeKind::Partition => json!({"partitionIds": [1, 2]}),
        ScopeKind::SpaceId => json!({"spaceIds": ["a", "b"]}),
        ScopeKind::Table => json!({"dbsToTables": {"a": {"tables": ["t"]}, "b": {"tables": []}}}),
        ScopeKind::Users => json!({"usernames": ["a", "b"]}),
        _ => json!({"ids": [1, 2]}),
    };
    json!({kind.as_str(): value})
}

fn every() -> impl Iterator<Item = (Acl, ScopeKind, Value)> {
    Acl::ALL.iter().flat_map(|acl| {
        acl.scopes().iter().map(|kind| {
            let actions: Vec<&str> = acl.actions().iter().map(Action::as_str).collect();
            (*acl, *kind, json!({acl.as_str(): {"actions": actions, "scope": scope(*kind)}}))
        })
    })
}

#[test]
fn they_are_read_and_written() {
    for (acl, kind, value) in every() {
        let capability = Capability::load(&value, Loading::Strict).unwrap();
        assert_eq!((capability.acl(), capability.name()), (Some(acl), acl.as_str()));
        assert_eq!(capability.actions(), acl.actions());
        assert_eq!(capability.scope().unwrap().kind(), Some(kind));
        assert_eq!(serde_json::to_string(&capability).unwrap(), value.to_string());
        assert_eq!(serde_json::from_value::<Capability>(value.clone()).unwrap(), capability);
        capability.check().unwrap();
    }
    assert_eq!(every().count(), 106);
}

#[test]
fn they_are_compared() {
    let nothing = CompareOptions::new();
    for (acl, kind, value) in every() {
        let missing = compare_capabilities(&(), &value, &nothing).map(|comparison| comparison.missing.len());
        let entries = if matches!(kind, ScopeKind::All | ScopeKind::CurrentUser) { 1 } else { 2 };
        let expected = if acl.is_legacy() { 0 } else { acl.actions().len() * entries };
        assert_eq!(missing.unwrap(), expected, "{value}");
        assert!(compare_capabilities(&value, &value, &nothing).unwrap().is_granted(), "{value}");
    }
}

#[test]
fn everything_covers_what_is_narrower_and_is_not_covered_by_it() {
    for (acl, kind, narrow) in every().filter(|(acl, ..)| !acl.is_legacy() && acl.scopes().contains(&ScopeKind::All)) {
        let mut all = narrow.clone();
        all[acl.as_str()]["scope"] = scope(ScopeKind::All);
        let options = CompareOptions::new();
        assert!(compare_capabilities(&all, &narrow, &options).unwrap().is_granted(), "{narrow}");
        let missing = compare_capabilities(&narrow, &all, &options).unwrap().missing.len();
        assert_eq!(missing, if kind == ScopeKind::All { 0 } else { acl.actions().len() }, "{narrow}");
    }
}

#[test]
fn scopes_of_two_kinds_never_match() {
    for (acl, kind, value) in every().filter(|(acl, kind, _)| !acl.is_legacy() && *kind != ScopeKind::All) {
        for other in acl.scopes().iter().filter(|other| !matches!(other, ScopeKind::All) && **other != kind) {
            // Data model instances are the exception, which has examples of its own.
            if acl == Acl::DataModelInstances {
                continue;
            }
            let mut wish = value.clone();
            wish[acl.as_str()]["scope"] = scope(*other);
            let missing = compare_capabilities(&value, &wish, &CompareOptions::new()).unwrap().missing;
            assert_eq!(missing.len(), 2 * acl.actions().len(), "{value} {wish}");
        }
    }
}
