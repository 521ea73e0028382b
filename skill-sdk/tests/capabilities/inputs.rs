//! Everything that can be compared.

use serde_json::{Value, json};
use skill_sdk::iam::{
    Acl, Action::*, Capability, Comparable, CompareOptions, ProjectCapability, ProjectScope, Scope,
    compare_capabilities,
};
use skill_sdk::{Code, Error};

use crate::notation::{capabilities, capability};

fn missing(existing: &(impl Comparable + ?Sized), desired: &(impl Comparable + ?Sized)) -> Result<usize, Error> {
    let options = CompareOptions::new().project("alpha");
    Ok(compare_capabilities(existing, desired, &options)?.missing.len())
}

#[test]
fn every_form_is_taken_on_both_sides() {
    let typed = Capability::new(Acl::Labels, [Read], Scope::all());
    let entry = ProjectCapability::new(typed.clone(), ProjectScope::projects(["alpha"]));
    let json = capability("labelsAcl READ all");
    let group = json!({"name": "g", "id": 1, "capabilities": [json]});
    let inspection = json!({"subject": "s", "projects": [], "capabilities": [capability("labelsAcl READ all @alpha")]});
    let forms: Vec<(&str, Box<dyn Comparable>)> = vec![
        ("one", Box::new(typed.clone())),
        ("several", Box::new(vec![typed.clone(), typed.clone()])),
        ("array", Box::new([typed.clone()])),
        ("entry", Box::new(entry.clone())),
        ("entries", Box::new([entry])),
        ("value", Box::new(json.clone())),
        ("values", Box::new(vec![json.clone(), group.clone()])),
        ("list", Box::new(json!([json]))),
        ("list of lists", Box::new(json!([[json], [group]]))),
        ("list of texts", Box::new(json!([json.to_string(), "labelsAcl: {actions: [READ], scope: {all: {}}}"]))),
        ("group", Box::new(group.clone())),
        (
            "groups",
            Box::new(json!({"items": [group, {"name": "empty", "id": 2}, {"name": "null", "capabilities": null}]})),
        ),
        ("items", Box::new(json!({"items": [json]}))),
        ("token entry", Box::new(capability("labelsAcl READ all @*"))),
        ("inspection", Box::new(inspection.clone())),
        ("text", Box::new(inspection.to_string())),
        (
            "yaml",
            Box::new(
                "items:\n- name: g\n  capabilities:\n  - labelsAcl: {actions: [READ], scope: {all: {}}}\n".to_owned(),
            ),
        ),
    ];
    for (name, form) in &forms {
        assert_eq!(missing(&**form, &typed).unwrap(), 0, "{name}");
        assert_eq!(missing(&typed, &**form).unwrap(), 0, "{name}");
        assert_eq!(missing(&(), &**form).unwrap(), 1, "{name}");
    }
}

#[test]
fn token_entries_need_a_project() {
    let entry: ProjectCapability = serde_json::from_value(capability("labelsAcl READ all @*")).unwrap();
    let json = json!({"subject": "s", "capabilities": [capability("labelsAcl READ all @alpha")]});
    let wish = capability("labelsAcl READ all");
    let without = CompareOptions::new();
    for error in [compare_capabilities(&entry, &wish, &without), compare_capabilities(&wish, &json, &without)] {
        assert!(error.unwrap_err().detail().contains("say for which"));
    }
}

#[test]
fn an_inspection_has_only_entries_with_projects() {
    let wish = capability("labelsAcl READ all");
    let inspection = |entry: &Value| json!({"subject": "s", "projects": [], "capabilities": [entry]});
    assert_eq!(missing(&inspection(&capability("labelsAcl READ all @alpha")), &wish).unwrap(), 0);
    assert_eq!(missing(&inspection(&capability("labelsAcl READ all @beta")), &wish).unwrap(), 1);
    let error = missing(&inspection(&wish), &wish).unwrap_err();
    assert_eq!((error.detail(), error.pointer()), ("a token entry has a `projectScope`", Some("/capabilities/0")));
    let error = missing(&json!({"subject": "s", "capabilities": wish}), &wish).unwrap_err();
    assert_eq!(error.detail(), "the capabilities of a token are an array, and not an object");
}

#[test]
fn a_slip_in_the_name_of_an_acl_does_not_make_a_group() {
    let held = capability("labelsAcl READ all");
    let wish = json!([held, {"name": "x", "asetsAcl": {"actions": ["READ"], "scope": {"all": {}}}}]);
    let error = missing(&held, &wish).unwrap_err();
    assert!(error.detail().contains("Did you mean one of: assetsAcl"), "{error}");
    assert_eq!(error.pointer(), Some("/1"));
    assert_eq!(missing(&held, &json!([held, {"name": "x", "id": 1, "metadata": {}}])).unwrap(), 0);
}

#[test]
fn what_a_platform_says_is_read_leniently_also_where_it_is_wanted() {
    let held = capability("labelsAcl READ all");
    let group = json!({"name": "g", "capabilities": capabilities("moonAcl READ all; labelsAcl READ idScope[1]")});
    let comparison = compare_capabilities(&held, &group, &CompareOptions::new()).unwrap();
    assert!(comparison.is_granted());
    assert_eq!(comparison.warnings[0].to_string(), "Unknown capability moonAcl will be ignored in comparison");
    let entries = json!([capability("moonAcl READ all @*")]);
    let comparison = compare_capabilities(&entries, &held, &CompareOptions::new().project("p")).unwrap();
    assert_eq!(comparison.warnings[0].to_string(), "Unknown capability 'moonAcl' will be ignored in comparison");
}

#[test]
fn texts_are_not_read_within_each_other_without_end() {
    let labels = capability("labelsAcl READ all");
    let nested = |depth: usize| (0..depth).fold(labels.clone(), |inner, _| json!([inner.to_string()]));
    assert_eq!(missing(&labels, &nested(4)).unwrap(), 0);
    let error = missing(&labels, &nested(5)).unwrap_err();
    assert_eq!(error.detail(), "more than 4 texts are in one another");
    // Each line of this is a list of one text, which is what follows.
    let lines: Vec<String> = (0..2000).map(|depth| format!("{}- |\n", " ".repeat(depth))).collect();
    let yaml = format!("{}{}x\n", lines.concat(), " ".repeat(2000));
    assert_eq!(missing(&(), yaml.as_str()).unwrap_err().detail(), error.detail());
}

#[test]
fn an_error_says_where_it_is() {
    let held = capability("labelsAcl READ all");
    for (wish, pointer) in [
        (json!([held, {"labelsAcl": {"actions": ["READ"]}}]), "/1/labelsAcl"),
        (json!({"items": [{"name": "g", "capabilities": [held, 7]}]}), "/items/0/capabilities/1"),
        (json!([capability("labelsAcl READ moonScope[1]")]), "/0/labelsAcl/scope"),
        (json!([{"labelsAcl": {"actions": [], "scope": {"all": {}}}, "projectScope": {}}]), "/0/projectScope"),
        (json!(["{}"]), "/0"),
    ] {
        let error = compare_capabilities(&held, &wish, &CompareOptions::new()).unwrap_err();
        assert_eq!((error.code(), error.pointer()), (Code::SkillFailed, Some(pointer)), "{error}");
    }
    for wish in [json!(7), json!([7]), json!([null]), json!("\"text\"")] {
        let error = compare_capabilities(&held, &wish, &CompareOptions::new()).unwrap_err();
        assert!(error.detail().starts_with("a capability is an object, and not"), "{error}");
    }
}

#[test]
fn what_is_missing_makes_an_error_of_its_own() {
    let wish = [
        Capability::new(Acl::Assets, [Read, Write], Scope::all()),
        Capability::new(Acl::Events, [Write], Scope::dataset([123, 7, 8])),
    ];
    let comparison = compare_capabilities(&capability("assetsAcl READ all"), &wish, &CompareOptions::new()).unwrap();
    let error = comparison.check().unwrap_err();
    assert_eq!(error.code(), Code::MissingCapabilities);
    assert_eq!(
        error.missing(),
        capabilities(
            "assetsAcl WRITE all; eventsAcl WRITE datasetScope[7]; eventsAcl WRITE datasetScope[8]; eventsAcl WRITE datasetScope[123]"
        )
    );
    assert!(error.detail().ends_with(" and 1 more"), "{error}");
    compare_capabilities(&wish, &wish, &CompareOptions::new()).unwrap().check().unwrap();
}

#[test]
fn a_table_without_a_name_is_not_the_whole_database() {
    let table = json!({"rawAcl": {"actions": ["READ"], "scope": {"tableScope": {"dbsToTables": {"plant": [""]}}}}});
    let whole = capability("rawAcl READ tableScope[plant]");
    assert_eq!(missing(&table, &whole).unwrap(), 1);
    assert_eq!(missing(&whole, &table).unwrap(), 0);
    let comparison = compare_capabilities(&(), &vec![table.clone(), whole.clone()], &CompareOptions::new()).unwrap();
    let written: Vec<Value> = comparison.missing.iter().map(|missing| serde_json::to_value(missing).unwrap()).collect();
    assert_eq!(written[0], whole);
    assert_eq!(written[1]["rawAcl"]["scope"]["tableScope"]["dbsToTables"], json!({"plant": {"tables": [""]}}));
}
