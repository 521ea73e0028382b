//! What the usual variables about proxies and certificates change.

use serde_json::json;
use whole_program_tests::{Run, built, skill_runtime};

fn count() -> Run {
    skill_runtime().arg("invoke").arg(&built().content_counter)
}

#[test]
fn the_embedded_platform_works_behind_a_proxy_that_cannot_reach_it() {
    let change = json!({"payload": {"op": "add", "by": 2}}).to_string();
    // Port 1 is nobody's.
    let ended = count().env("ALL_PROXY", "http://user:hidden@127.0.0.1:1").arg(change).end();
    assert_eq!(ended.answer(), json!({"value": 2}));
    assert!(!ended.stderr.contains("hidden"), "{}", ended.stderr);
}
