//! The worked examples of contract "cdf-capabilities", section 7. The table has those that hold as they stand there; where ours differ,
//! a test of its own says how.

use serde_json::Value;
use skill_sdk::iam::{Capability, CompareOptions, Comparison, Loading, ProjectCapability, compare_capabilities};
use skill_sdk::{Code, Error};

use crate::notation::capabilities;

/// Number, what exists, what is desired, what is missing, how many warnings there are, and the project.
const EXAMPLES: &[(u32, &str, &str, &str, usize, &str)] = &[
    // 1. all covers any narrower scope
    (1, "filesAcl READ all", "filesAcl READ datasetScope[41,42]", "", 0, ""),
    // 2. nothing but all covers another scope
    (2, "filesAcl READ datasetScope[41]", "filesAcl READ all", "filesAcl READ all", 0, ""),
    // 3. flattened and sorted; ids numeric, not textual
    (
        3,
        "eventsAcl READ datasetScope[7]",
        "sequencesAcl WRITE+READ all; eventsAcl WRITE+READ datasetScope[12,7,3]; labelsAcl READ all",
        "eventsAcl READ datasetScope[3]; eventsAcl READ datasetScope[12]; eventsAcl WRITE datasetScope[3]; eventsAcl WRITE datasetScope[7]; eventsAcl WRITE datasetScope[12]; labelsAcl READ all; sequencesAcl READ all; sequencesAcl WRITE all",
        0,
        "",
    ),
    // 4. actions independent (WRITE does not give READ)
    (4, "labelsAcl WRITE all", "labelsAcl READ all", "labelsAcl READ all", 0, ""),
    // 5. duplicates collapse
    (5, "labelsAcl READ all", "labelsAcl WRITE+WRITE all; labelsAcl WRITE all", "labelsAcl WRITE all", 0, ""),
    // 6. grants add up over several entries
    (
        6,
        "eventsAcl READ datasetScope[1]; eventsAcl READ datasetScope[2]",
        "eventsAcl READ datasetScope[1,2,3]",
        "eventsAcl READ datasetScope[3]",
        0,
        "",
    ),
    // 7. string id equals number
    (
        7,
        r#"timeSeriesAcl READ idscope["5"]"#,
        "timeSeriesAcl READ idscope[5,6]",
        "timeSeriesAcl READ idscope[6]",
        0,
        "",
    ),
    // 8. different scope kinds never match
    (
        8,
        "timeSeriesAcl READ idscope[5]",
        "timeSeriesAcl READ datasetScope[5]",
        "timeSeriesAcl READ datasetScope[5]",
        0,
        "",
    ),
    // 9. ids alone do not match: scope name counts
    (
        9,
        "extractionPipelinesAcl READ idScope[5]",
        "extractionPipelinesAcl READ datasetScope[5]; extractionPipelinesAcl READ idScope[5]",
        "extractionPipelinesAcl READ datasetScope[5]",
        0,
        "",
    ),
    // 10. all covers currentuserscope
    (10, "groupsAcl LIST all", "groupsAcl LIST currentuserscope", "", 0, ""),
    // 11. currentuserscope does not cover all
    (11, "groupsAcl LIST currentuserscope", "groupsAcl LIST+READ all", "groupsAcl LIST all; groupsAcl READ all", 0, ""),
    // 12. raw: database grant covers its tables
    (
        12,
        "rawAcl READ tableScope[plant]",
        "rawAcl READ tableScope[plant:pumps+valves,lab:runs]",
        "rawAcl READ tableScope[lab:runs]",
        0,
        "",
    ),
    // 13. raw: table grant does not cover the database
    (
        13,
        "rawAcl READ tableScope[plant:pumps]",
        "rawAcl READ tableScope[plant]",
        "rawAcl READ tableScope[plant]",
        0,
        "",
    ),
    // 14. raw: table grant covers only that table
    (
        14,
        "rawAcl READ tableScope[plant:pumps]",
        "rawAcl READ tableScope[plant:pumps+valves]",
        "rawAcl READ tableScope[plant:valves]",
        0,
        "",
    ),
    // 15. raw: all covers a database
    (15, "rawAcl LIST all", "rawAcl LIST tableScope[plant]", "", 0, ""),
    // 16. raw: database grant is per action
    (
        16,
        "rawAcl READ tableScope[plant]",
        "rawAcl WRITE tableScope[plant:pumps]",
        "rawAcl WRITE tableScope[plant:pumps]",
        0,
        "",
    ),
    // 17. raw: no database grant gives all
    (17, "rawAcl READ tableScope[plant,lab]", "rawAcl READ all", "rawAcl READ all", 0, ""),
    // 18. raw: database and table asked, neither held
    (
        18,
        "rawAcl READ tableScope[lab]",
        "rawAcl READ tableScope[plant]; rawAcl READ tableScope[plant:pumps]",
        "rawAcl READ tableScope[plant]; rawAcl READ tableScope[plant:pumps]",
        0,
        "",
    ),
    // 19. WRITE all covers WRITE_PROPERTIES
    (
        19,
        "dataModelInstancesAcl WRITE all",
        r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["sp1"]; dataModelInstancesAcl WRITE_PROPERTIES all"#,
        "",
        0,
        "",
    ),
    // 20. WRITE on a space covers WRITE_PROPERTIES on it
    (
        20,
        r#"dataModelInstancesAcl WRITE spaceIdScope["sp1"]"#,
        r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["sp1","sp2"]"#,
        r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["sp2"]"#,
        0,
        "",
    ),
    // 21. WRITE_PROPERTIES never covers WRITE
    (
        21,
        "dataModelInstancesAcl WRITE_PROPERTIES all",
        r#"dataModelInstancesAcl WRITE spaceIdScope["sp1"]"#,
        r#"dataModelInstancesAcl WRITE spaceIdScope["sp1"]"#,
        0,
        "",
    ),
    // 22. WRITE on a space does not give WRITE_PROPERTIES all
    (
        22,
        r#"dataModelInstancesAcl WRITE spaceIdScope["sp1"]"#,
        "dataModelInstancesAcl WRITE_PROPERTIES all",
        "dataModelInstancesAcl WRITE_PROPERTIES all",
        0,
        "",
    ),
    // 23. match is on the held spaceIdScope id only
    (
        23,
        r#"dataModelInstancesAcl WRITE spaceIdScope["sp1"]"#,
        r#"dataModelInstancesAcl WRITE_PROPERTIES spaceScope["sp1"]"#,
        "",
        0,
        "",
    ),
    // 24. the reverse does not match
    (
        24,
        r#"dataModelInstancesAcl WRITE spaceScope["sp1"]"#,
        r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["sp1"]"#,
        r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["sp1"]"#,
        0,
        "",
    ),
    // 25. legacy ACL wanted: skipped, no warning
    (25, "labelsAcl READ all", "genericsAcl READ all", "", 0, ""),
    // 26. legacy ACL held only: everything else missing
    (26, "modelHostingAcl READ all", "labelsAcl READ all", "labelsAcl READ all", 0, ""),
    // 27. unknown ACL held (loaded leniently)
    (27, "moonAcl READ all", "labelsAcl READ all", "labelsAcl READ all", 1, ""),
    // 29. unknown ACL wanted, loaded leniently
    (29, "labelsAcl READ all", "moonAcl READ all", "", 1, ""),
    // 31. unknown action held: harmless
    (31, "labelsAcl READ+FLY all", "labelsAcl READ datasetScope[1]", "", 0, ""),
    // 33. unknown action wanted, same action held with all
    (33, "labelsAcl FLY all", "labelsAcl FLY datasetScope[1]", "", 0, ""),
    // 37. wanted one real entry and one with empty ids
    (
        37,
        "labelsAcl READ all",
        "labelsAcl READ datasetScope[]; labelsAcl WRITE datasetScope[1]",
        "labelsAcl WRITE datasetScope[1]",
        0,
        "",
    ),
    // 38. token entries filtered by project (project alpha)
    (
        38,
        "assetsAcl READ all @alpha,beta; eventsAcl READ all @*; filesAcl READ all @gamma",
        "assetsAcl READ datasetScope[1]; eventsAcl READ datasetScope[1]; filesAcl READ datasetScope[1]",
        "filesAcl READ datasetScope[1]",
        0,
        "alpha",
    ),
    // 39. token entries filtered by project (project gamma)
    (
        39,
        "assetsAcl READ all @alpha,beta; eventsAcl READ all @*; filesAcl READ all @gamma",
        "assetsAcl READ datasetScope[1]; eventsAcl READ datasetScope[1]; filesAcl READ datasetScope[1]",
        "assetsAcl READ datasetScope[1]",
        0,
        "gamma",
    ),
    // 40. token entries filtered by project (project Alpha)
    (
        40,
        "assetsAcl READ all @alpha,beta; eventsAcl READ all @*; filesAcl READ all @gamma",
        "assetsAcl READ datasetScope[1]; eventsAcl READ datasetScope[1]; filesAcl READ datasetScope[1]",
        "assetsAcl READ datasetScope[1]; filesAcl READ datasetScope[1]",
        0,
        "Alpha",
    ),
    // 41. token entries filtered by project (project delta)
    (
        41,
        "assetsAcl READ all @alpha,beta; eventsAcl READ all @*; filesAcl READ all @gamma",
        "assetsAcl READ datasetScope[1]; eventsAcl READ datasetScope[1]; filesAcl READ datasetScope[1]",
        "assetsAcl READ datasetScope[1]; filesAcl READ datasetScope[1]",
        0,
        "delta",
    ),
    // 42. empty token list: no error, all missing (project alpha)
    (42, "", "assetsAcl READ datasetScope[1]", "assetsAcl READ datasetScope[1]", 0, "alpha"),
];

fn compare(existing: &str, desired: &str, project: &str) -> Result<Comparison, Error> {
    compare_capabilities(&capabilities(existing), &capabilities(desired), &options(project))
}

fn options(project: &str) -> CompareOptions {
    if project.is_empty() { CompareOptions::new() } else { CompareOptions::new().project(project) }
}

fn lenient(text: &str) -> Vec<Capability> {
    capabilities(text).iter().map(|value| Capability::load(value, Loading::Lenient).unwrap()).collect()
}

fn json(missing: &Comparison) -> Vec<Value> {
    missing.missing.iter().map(|missing| serde_json::to_value(missing).unwrap()).collect()
}

#[test]
fn the_worked_examples_hold() {
    assert_eq!(EXAMPLES.len(), 36);
    for &(number, existing, desired, missing, warnings, project) in EXAMPLES {
        // The one that wants an unknown ACL has it from a platform.
        let comparison = match number {
            29 => compare_capabilities(&capabilities(existing), &lenient(desired), &options(project)),
            _ => compare(existing, desired, project),
        };
        let comparison = comparison.unwrap_or_else(|error| panic!("example {number}: {error}"));
        assert_eq!(json(&comparison), capabilities(missing), "example {number}");
        assert_eq!(comparison.warnings.len(), warnings, "example {number}: {:?}", comparison.warnings);
    }
}

#[test]
fn they_hold_for_what_was_read_before() {
    for &(number, existing, desired, missing, warnings, project) in EXAMPLES {
        let desired = lenient(desired);
        let comparison = if project.is_empty() {
            compare_capabilities(&lenient(existing), &desired, &options(project))
        } else {
            let entries = capabilities(existing).into_iter().map(serde_json::from_value);
            let entries: Vec<ProjectCapability> = entries.collect::<Result<_, _>>().unwrap();
            compare_capabilities(&entries, &desired, &options(project))
        };
        let comparison = comparison.unwrap();
        assert_eq!(json(&comparison), capabilities(missing), "example {number}");
        assert_eq!(comparison.warnings.len(), warnings, "example {number}: {:?}", comparison.warnings);
    }
}

#[test]
fn example_28_an_unknown_acl_cannot_be_wanted_in_plain_json() {
    let error = compare("labelsAcl READ all", "moonAcl READ all", "").unwrap_err();
    assert_eq!((error.code(), error.pointer()), (Code::SkillFailed, Some("/0")));
    assert!(error.detail().starts_with("Unable to parse Capability"), "{error}");
}

#[test]
fn example_30_differs_an_unknown_scope_that_is_held_is_left_out_with_a_warning() {
    let comparison = compare("labelsAcl READ moonScope[1]", "labelsAcl READ all", "").unwrap();
    assert_eq!(json(&comparison), capabilities("labelsAcl READ all"));
    let warnings: Vec<String> = comparison.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["Unknown scope 'moonScope' of labelsAcl will be ignored in comparison"]);
    // Wanted, it is an error, read before or not.
    let wanted = "labelsAcl READ moonScope[1]";
    assert!(compare("labelsAcl READ all", wanted, "").is_err());
    let error = compare_capabilities(&capabilities("labelsAcl READ all"), &lenient(wanted), &options("")).unwrap_err();
    assert_eq!(error.detail(), "Unknown scope 'moonScope' of labelsAcl cannot be compared, and it is desired");
}

#[test]
fn example_32_differs_an_unknown_action_that_is_wanted_is_missing() {
    let comparison = compare("labelsAcl READ all", "labelsAcl FLY datasetScope[1]", "").unwrap();
    assert_eq!(json(&comparison), capabilities("labelsAcl FLY datasetScope[1]"));
    let warnings: Vec<String> = comparison.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["'FLY' is not a valid action of labelsAcl, which has READ, WRITE"]);
}

#[test]
fn example_34_differs_where_nothing_is_held_everything_is_missing() {
    let comparison = compare("", "labelsAcl READ all", "").unwrap();
    assert_eq!((json(&comparison), comparison.warnings), (capabilities("labelsAcl READ all"), vec![]));
}

#[test]
fn examples_35_and_36_to_want_nothing_is_an_error() {
    for desired in ["", "labelsAcl READ datasetScope[]", "rawAcl READ tableScope[]"] {
        let error = compare("labelsAcl READ all", desired, "").unwrap_err();
        assert_eq!((error.code(), error.detail()), (Code::SkillFailed, "No capabilities given"), "{desired}");
    }
}

#[test]
fn the_result_of_example_3_is_written_as_in_the_contract() {
    let contract = r#"[
        {"eventsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": [3]}}}},
        {"eventsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": [12]}}}},
        {"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": [3]}}}},
        {"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": [7]}}}},
        {"eventsAcl": {"actions": ["WRITE"], "scope": {"datasetScope": {"ids": [12]}}}},
        {"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}},
        {"sequencesAcl": {"actions": ["READ"], "scope": {"all": {}}}},
        {"sequencesAcl": {"actions": ["WRITE"], "scope": {"all": {}}}}
    ]"#;
    let &(_, existing, desired, ..) = EXAMPLES.iter().find(|example| example.0 == 3).unwrap();
    let written = serde_json::to_string(&compare(existing, desired, "").unwrap().missing).unwrap();
    let contract: Value = serde_json::from_str(contract).unwrap();
    assert_eq!(written, contract.to_string());
}

#[test]
fn only_equal_grants_count_where_that_is_asked() {
    for (existing, desired, missing) in [
        (
            "filesAcl READ all",
            "filesAcl READ datasetScope[41,42]",
            "filesAcl READ datasetScope[41]; filesAcl READ datasetScope[42]",
        ),
        (
            "filesAcl READ all; filesAcl READ datasetScope[41]",
            "filesAcl READ datasetScope[41,42]",
            "filesAcl READ datasetScope[42]",
        ),
        ("rawAcl READ tableScope[plant]", "rawAcl READ tableScope[plant:pumps]", "rawAcl READ tableScope[plant:pumps]"),
        ("groupsAcl LIST all", "groupsAcl LIST currentuserscope", "groupsAcl LIST currentuserscope"),
        (
            "dataModelInstancesAcl WRITE all",
            "dataModelInstancesAcl WRITE_PROPERTIES all",
            "dataModelInstancesAcl WRITE_PROPERTIES all",
        ),
        (
            r#"dataModelInstancesAcl WRITE spaceIdScope["a"]"#,
            r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["a"]"#,
            r#"dataModelInstancesAcl WRITE_PROPERTIES spaceIdScope["a"]"#,
        ),
        ("labelsAcl READ all", "labelsAcl READ all", ""),
    ] {
        let exactly = CompareOptions::new().ignore_allscope_meaning();
        let comparison = compare_capabilities(&capabilities(existing), &capabilities(desired), &exactly).unwrap();
        assert_eq!(json(&comparison), capabilities(missing), "{existing}");
    }
}
