//! The names that are suggested for those that are not known (contract "cdf-capabilities", section 4).

use serde_json::json;
use skill_sdk::iam::{Capability, Loading};

fn first(key: &str) -> Option<String> {
    let error = Capability::load(&json!({key: {}}), Loading::Strict).unwrap_err();
    let (_, after) = error.detail().split_once("Did you mean one of: ")?;
    Some(after.split([',', '?']).next().unwrap().to_owned())
}

#[test]
fn the_best_suggestion_is_what_was_meant() {
    for (key, best) in [
        ("assetAcl", "assetsAcl"),
        ("groupAcl", "groupsAcl"),
        ("funkyAssetsAcl", "assetsAcl"),
        ("fileAcl", "filesAcl"),
        ("rawsAcl", "rawAcl"),
        ("sessionAcl", "sessionsAcl"),
        ("timeseriesAcl", "timeSeriesAcl"),
        ("dataSetsAcl", "datasetsAcl"),
        ("AssetsAcl", "assetsAcl"),
    ] {
        assert_eq!(first(key).as_deref(), Some(best), "{key}");
    }
}

#[test]
fn a_slip_of_one_letter_is_recognised() {
    use skill_sdk::iam::Acl;
    for acl in Acl::ALL {
        let name = acl.as_str();
        for at in 0..name.len() {
            let left_out = format!("{}{}", &name[..at], &name[at + 1..]);
            let doubled = format!("{}{}", &name[..=at], &name[at..]);
            for slip in [left_out, doubled] {
                assert_eq!(first(&slip).as_deref(), Some(name), "{slip}");
            }
        }
    }
}

#[test]
fn nothing_is_suggested_for_what_is_like_nothing() {
    for key in ["", "quux", &"assetsAcl".repeat(1000)] {
        assert_eq!(first(key), None, "{key}");
    }
}

#[test]
fn only_the_first_of_many_names_are_looked_at() {
    for (before, suggested) in [(9, true), (10, false)] {
        let keys = (0..before).map(|number| (format!("key-{number}"), json!(1)));
        let wrong = keys.chain([("wellAcl".to_owned(), json!({}))]).collect();
        let error = Capability::load(&serde_json::Value::Object(wrong), Loading::Strict).unwrap_err();
        assert_eq!(error.detail().contains("Did you mean one of: wellsAcl"), suggested, "{error}");
    }
}
