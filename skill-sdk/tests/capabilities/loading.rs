//! The rows of contract "cdf-capabilities", section 4.

use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Capability, Loading, ProjectCapability, ProjectScope};
use skill_sdk::{Code, Error};

use crate::notation::capability;

fn strict(value: &Value) -> Result<Capability, Error> {
    Capability::load(value, Loading::Strict)
}

fn lenient(value: &Value) -> Result<Capability, Error> {
    Capability::load(value, Loading::Lenient)
}

fn labels(body: &Value) -> Value {
    json!({"labelsAcl": body})
}

/// The error, the same in both modes.
fn refused(value: &Value) -> Error {
    let (strict, lenient) = (strict(value).unwrap_err(), lenient(value).unwrap_err());
    assert_eq!((strict.detail(), strict.pointer()), (lenient.detail(), lenient.pointer()), "{value}");
    assert_eq!(strict.code(), Code::SkillFailed);
    strict
}

/// What is refused strictly and kept leniently, as it was.
fn kept(value: &Value, why: &str) -> Capability {
    let error = strict(value).unwrap_err();
    assert!(error.detail().contains(why), "{error}");
    let capability = lenient(value).unwrap();
    assert_eq!(serde_json::to_value(&capability).unwrap(), *value);
    assert_eq!(capability.check().unwrap_err().detail(), error.detail());
    capability
}

#[test]
fn what_stands_beside_an_acl_is_left_out() {
    let plain = capability("labelsAcl READ all");
    for value in [
        json!({"labelsAcl": plain["labelsAcl"], "projectUrlNames": ["a"], "moonAcl": {}}),
        labels(&json!({"actions": ["READ"], "scope": {"all": {}}, "version": 2})),
        labels(&json!({"actions": ["READ"], "scope": {"all": {"extra": 1}}})),
        labels(&json!({"actions": ["READ"], "scope": {"all": {}, "moonScope": {}}})),
    ] {
        for loaded in [strict(&value), lenient(&value)] {
            assert_eq!(serde_json::to_value(loaded.unwrap()).unwrap(), plain, "{value}");
        }
    }
}

#[test]
fn an_acl_that_is_not_known_is_kept_as_it_is() {
    let value = json!({"moonAcl": {"actions": ["FLY", "READ"], "scope": {"craterScope": {"ids": [1]}}, "version": 2}});
    let capability = kept(&value, "Unable to parse Capability, none of the top-level keys in the input, [\"moonAcl\"]");
    assert_eq!((capability.acl(), capability.name()), (None, "moonAcl"));
    assert_eq!(capability.actions(), [Action::from("FLY"), Action::Read]);
    assert_eq!(capability.scope().unwrap().name(), "craterScope");
    for value in [json!({"moonAcl": {}}), json!({"moonAcl": {"actions": "FLY", "scope": 1}}), json!({"moonAcl": null})]
    {
        let capability = kept(&value, "Unable to parse Capability");
        assert_eq!((capability.name(), capability.actions().len(), capability.scope()), ("moonAcl", 0, None));
    }
}

#[test]
fn what_has_no_acl_or_several_has_no_name() {
    for value in [
        json!({}),
        json!({"moonAcl": {"actions": ["A"], "scope": {"all": {}}}, "sunAcl": 1.5}),
        json!({"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}, "x": [1, "a", null, {"b": 1e300}]}, "filesAcl": {"y": "\u{0}"}}),
    ] {
        let capability = kept(&value, "- or - multiple was found");
        assert_eq!((capability.acl(), capability.name()), (None, "unknownAcl"));
    }
    let error = strict(&json!({"filesAcl": 1, "assetsAcl": 2})).unwrap_err();
    assert!(error.detail().contains(r#"["assetsAcl", "filesAcl"]"#), "{error}");
}

#[test]
fn an_action_that_is_not_known_is_kept_as_it_is() {
    let value = |action: &str| labels(&json!({"actions": ["READ", action], "scope": {"all": {}}}));
    kept(&value("FLY"), "'FLY' is not a valid action of labelsAcl, which has READ, WRITE");
    kept(&value("read"), "Did you mean READ?");
    // Known elsewhere, but not here.
    kept(&value("WRITE_PROPERTIES"), "'WRITE_PROPERTIES' is not a valid action of labelsAcl");
    assert_eq!(strict(&value("FLY")).unwrap_err().pointer(), Some("/labelsAcl/actions"));
}

#[test]
fn actions_may_be_none_or_repeated_but_are_an_array_of_texts() {
    for actions in [json!([]), json!(["READ", "READ"])] {
        let value = labels(&json!({"actions": actions, "scope": {"all": {}}}));
        assert_eq!(serde_json::to_value(strict(&value).unwrap()).unwrap(), value);
    }
    for actions in [json!("READ"), json!({"READ": 1}), json!(null), json!([1]), json!(["READ", 1]), json!([["READ"]])] {
        let error = refused(&labels(&json!({"actions": actions, "scope": {"all": {}}})));
        assert!(error.detail().starts_with("Could not load labelsAcl due to: `actions`"), "{error}");
        assert_eq!(error.pointer(), Some("/labelsAcl/actions"));
    }
    let error = refused(&labels(&json!({"scope": {"all": {}}})));
    assert_eq!(error.detail(), "Could not load labelsAcl due to: it has no `actions`");
}

#[test]
fn a_scope_that_is_not_known_is_kept_as_it_is() {
    let value = labels(&json!({"actions": ["READ"], "scope": {"moonScope": {"ids": [1, "a"], "deep": {"x": null}}}}));
    let capability = kept(&value, "Unable to parse Scope, 'moonScope' is not a known scope");
    let scope = capability.scope().unwrap();
    assert_eq!((scope.kind(), scope.name()), (None, "moonScope"));
    let error = strict(&labels(&json!({"actions": [], "scope": {"dataSetScope": {"ids": []}}}))).unwrap_err();
    assert!(error.detail().contains("Did you mean one of: datasetScope"), "{error}");
}

#[test]
fn one_scope_is_needed() {
    for scope in [json!({}), json!({"all": {}, "datasetScope": {"ids": [1]}}), json!({"aScope": {}, "bScope": {}})] {
        let error = refused(&labels(&json!({"actions": ["READ"], "scope": scope})));
        assert!(error.detail().contains("matched known Scopes, - or - multiple was found"), "{error}");
        assert_eq!(error.pointer(), Some("/labelsAcl/scope"));
    }
    let error = refused(&labels(&json!({"actions": ["READ"]})));
    assert_eq!(error.detail(), "Could not load labelsAcl due to: it has no `scope`");
    for scope in [json!("all"), json!(["all"]), json!(null), json!({"all": null}), json!({"datasetScope": [1]})] {
        refused(&labels(&json!({"actions": ["READ"], "scope": scope})));
    }
}

#[test]
fn a_scope_that_the_acl_does_not_allow_is_kept() {
    for text in ["labelsAcl READ idScope[1]", "datasetsAcl READ idscope[1]", "experimentAcl USE all"] {
        kept(&capability(text), "got an unknown scope");
    }
    let error = strict(&capability("labelsAcl READ idScope[1]")).unwrap_err();
    let expected = "Could not load labelsAcl due to: labelsAcl got an unknown scope: idScope, expected one of: [all, datasetScope]";
    assert_eq!((error.detail(), error.pointer()), (expected, Some("/labelsAcl/scope")));
}

#[test]
fn ids_may_be_texts() {
    let value = |ids: Value| json!({"labelsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": ids}}}});
    for (given, read) in [
        (json!(["41", "42"]), json!([41, 42])),
        (json!([41, "42"]), json!([41, 42])),
        (json!(["9007199254740991"]), json!([9_007_199_254_740_991_i64])),
        (json!([]), json!([])),
        (json!([3, 3]), json!([3, 3])),
    ] {
        assert_eq!(serde_json::to_value(strict(&value(given)).unwrap()).unwrap(), value(read));
    }
    for ids in [
        json!(["x"]),
        json!([1.5]),
        json!([true]),
        json!([null]),
        json!([u64::MAX]),
        json!([[1]]),
        json!("1"),
        json!(1),
        json!(["1.0"]),
    ] {
        let error = refused(&value(ids.clone()));
        assert!(error.detail().starts_with("Could not load labelsAcl due to: datasetScope: "), "{ids}: {error}");
    }
    assert!(refused(&value(json!(["x"]))).detail().ends_with("'x' is not an integer"));
}

#[test]
fn fields_may_be_in_snake_case_and_must_be_there() {
    for (acl, scope, camel, snake, entries) in [
        ("timeSeriesAcl", "assetRootIdScope", "rootIds", "root_ids", json!([1])),
        ("seismicAcl", "partition", "partitionIds", "partition_ids", json!([1])),
        ("dataModelsAcl", "spaceIdScope", "spaceIds", "space_ids", json!(["a"])),
        ("dataModelsAcl", "dataModelScope", "externalIds", "external_ids", json!(["a"])),
        ("rawAcl", "tableScope", "dbsToTables", "dbs_to_tables", json!({"db": {"tables": ["t"]}})),
    ] {
        let value = |field: &str| json!({acl: {"actions": ["READ"], "scope": {scope: {field: entries}}}});
        let read = strict(&value(snake)).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), value(camel));
        let error = refused(&value("others"));
        assert!(error.detail().contains(&format!("{scope}: it has no `{camel}`")), "{error}");
    }
    for entries in [json!([1]), json!("a"), json!(["a", 1]), json!(null)] {
        refused(&json!({"dataModelsAcl": {"actions": [], "scope": {"spaceIdScope": {"spaceIds": entries}}}}));
    }
}

#[test]
fn tables_have_four_forms_and_one_in_which_they_are_written() {
    let value = |databases: Value| json!({"rawAcl": {"actions": ["READ"], "scope": {"tableScope": {"dbsToTables": databases}}}});
    for (given, written) in [
        (json!({"db": ["t", "u"]}), json!({"db": {"tables": ["t", "u"]}})),
        (json!({"db": {"tables": ["t"]}}), json!({"db": {"tables": ["t"]}})),
        (json!({"db": []}), json!({"db": {"tables": []}})),
        (json!({"db": {}}), json!({"db": {"tables": []}})),
        (json!({}), json!({})),
        (json!({"b": [], "a": ["t"]}), json!({"b": {"tables": []}, "a": {"tables": ["t"]}})),
    ] {
        let written = value(written).to_string();
        assert_eq!(serde_json::to_string(&strict(&value(given)).unwrap()).unwrap(), written);
    }
    // The last two would permit all tables where somebody meant some.
    for databases in
        [json!(["db"]), json!({"db": "t"}), json!({"db": [1]}), json!({"db": {"tabels": ["t"]}}), json!({"db": null})]
    {
        refused(&value(databases));
    }
}

#[test]
fn what_is_no_object_is_no_capability() {
    for (value, what) in
        [(json!(1), "a number"), (json!([]), "an array"), (json!(null), "null"), (json!(true), "a boolean")]
    {
        assert_eq!(refused(&value).detail(), format!("a capability is an object, and not {what}"));
    }
    let error = refused(&json!({"labelsAcl": ["READ"]}));
    assert_eq!(error.detail(), "Could not load labelsAcl due to: it is an object, and not an array");
}

#[test]
fn a_capability_may_be_a_text() {
    let expected = strict(&capability("labelsAcl READ datasetScope[7]")).unwrap();
    let json = capability("labelsAcl READ datasetScope[7]").to_string();
    let yaml = "labelsAcl:\n  actions: [READ]\n  scope:\n    datasetScope:\n      ids: [7]\n";
    for text in [json.as_str(), yaml] {
        assert_eq!(Capability::from_text(text, Loading::Strict).unwrap(), expected);
        assert_eq!(strict(&json!(text)).unwrap(), expected);
    }
    for text in ["", "labels", "{", "\"\\\"a\\\"\"", "- a\n- b"] {
        assert!(Capability::from_text(text, Loading::Lenient).is_err(), "{text}");
    }
    // What it holds is not repeated: it may be something else than was meant.
    for (text, place) in [("{\"hunter2\": }", "line 1 column 13"), ("a: 1\nhunter2: b: c\n", "line 2, column 11")] {
        let error = Capability::from_text(text, Loading::Strict).unwrap_err();
        assert!(!error.chain().contains("hunter2") && error.chain().contains(place), "{}", error.chain());
    }
}

#[test]
fn a_token_entry_says_for_which_projects_it_is() {
    let entry = |scope: Value| {
        serde_json::from_value::<ProjectCapability>(
            json!({"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}, "projectScope": scope}),
        )
    };
    let some = ProjectScope::projects(["alpha", "beta"]);
    assert_eq!(entry(json!({"projects": ["alpha", "beta"]})).unwrap().project_scope, some);
    assert_eq!(entry(json!({"allProjects": {}})).unwrap().project_scope, ProjectScope::AllProjects);
    // The narrower one counts.
    assert_eq!(entry(json!({"allProjects": {}, "projects": ["alpha", "beta"]})).unwrap().project_scope, some);
    assert!(!entry(json!({"projects": []})).unwrap().is_for("alpha"));
    assert!(!entry(json!({"projects": ["alpha"]})).unwrap().is_for("Alpha"));
    for scope in [json!({}), json!({"moon": 1}), json!({"projects": "alpha"}), json!({"projects": [1]}), json!("alpha")]
    {
        let error = entry(scope).unwrap_err().to_string();
        assert!(error.starts_with("Unknown project scope: "), "{error}");
    }
    let none = serde_json::from_value::<ProjectCapability>(capability("labelsAcl READ all"));
    assert_eq!(none.unwrap_err().to_string(), "a token entry has a `projectScope`");
    // It is written as it was, also for what is not known.
    for value in [
        capability("labelsAcl READ+FLY moonScope[1] @a,b"),
        capability("moonAcl READ all @*"),
        capability("rawAcl READ tableScope[a:b] @x"),
    ] {
        let entry: ProjectCapability = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), value.to_string());
    }
}

#[test]
fn what_was_made_is_checked_when_that_is_asked() {
    use skill_sdk::iam::Scope;
    Capability::new(Acl::Assets, [Action::Read, Action::Write], Scope::dataset([1])).check().unwrap();
    for wrong in [
        Capability::new(Acl::Assets, [Action::Read], Scope::id([1])),
        Capability::new(Acl::Assets, [Action::Owner], Scope::all()),
        Capability::new(Acl::Experiments, [Action::Use], Scope::all()),
    ] {
        let written = serde_json::to_value(&wrong).unwrap();
        assert_eq!(wrong.check().unwrap_err().detail(), strict(&written).unwrap_err().detail());
    }
}
