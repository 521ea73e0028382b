use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::client::list::Order;

fn ids(entries: &[Value], options: &ListOptions) -> Vec<i64> {
    let selected = select(entries.to_vec(), options).unwrap();
    selected.iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
}

fn filtered(entries: &[Value], field: &str, value: Value) -> Vec<i64> {
    ids(entries, &ListOptions::new().filter(field, value))
}

#[test]
fn filters() {
    let entries = [
        json!({"id": 1, "params": {"depth": 3, "a.b": {"c": 1}}, "name": "x", "list": [1]}),
        json!({"id": 2, "params": {"depth": 3.5}, "name": "y", "open": true}),
        json!({"id": 3, "params": {"depth": null}, "name": "z", "open": false}),
        json!({"id": 4, "params": {"depth": "3"}}),
    ];
    for (field, value, expected) in [
        ("params.depth", json!(3), vec![1]),
        ("params.depth", json!(3.0), vec![1]),
        ("params.depth", json!("3"), vec![4]),
        ("params.depth", json!(null), vec![3]),
        ("params.depth.more", json!(null), vec![1, 2, 3, 4]),
        ("params.a.b.c", json!(1), vec![1]),
        ("params", json!({"depth": 3.5}), vec![2]),
        ("list", json!([1]), vec![1]),
        ("open", json!(true), vec![2]),
        ("params.depth", json!({"$gt": 3}), vec![2]),
        ("params.depth", json!({"$gte": 3}), vec![1, 2]),
        ("params.depth", json!({"$gte": 3, "$lt": 3.5}), vec![1]),
        ("params.depth", json!({"$lte": 3.5}), vec![1, 2]),
        ("name", json!({"$gt": "x"}), vec![2, 3]),
        ("params.depth", json!({"$ne": 3}), vec![2, 3, 4]),
        ("name", json!({"$ne": null}), vec![1, 2, 3]),
        ("name", json!({"$in": ["z", "x", 4]}), vec![1, 3]),
        ("name", json!({"$in": [null]}), vec![4]),
        ("name", json!({"$in": []}), vec![]),
    ] {
        assert_eq!(filtered(&entries, field, value.clone()), expected, "{field}: {value}");
    }
    let both = ListOptions::new().filter("params.depth", 3).filter("name", "y");
    assert_eq!(ids(&entries, &both), [] as [i64; 0]);
}

#[test]
fn a_filter_that_is_not_known_is_no_filter_that_lets_all_pass() {
    for (field, value) in [
        ("$or", json!([])),
        ("a", json!({"$regex": "x"})),
        ("a", json!({"$in": 1})),
        ("a", json!({"$gt": 1, "plain": 2})),
    ] {
        let error = select(vec![json!({})], &ListOptions::new().filter(field, value)).unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        assert!(error.detail().starts_with("local experiments cannot be filtered by `"), "{error}");
    }
}

#[test]
fn sorts() {
    let entries = [
        json!({"id": 1, "m": {"auc": 0.5}, "name": "b"}),
        json!({"id": 2, "m": {"auc": null}, "name": "a"}),
        json!({"id": 3, "m": {"auc": 2}, "name": "b"}),
        json!({"id": 4, "name": "a"}),
        json!({"id": 5, "m": {"auc": "text"}, "name": "c"}),
    ];
    let by = |field, order| ids(&entries, &ListOptions::new().sort(field, order));
    assert_eq!(by("m.auc", Order::Ascending), [1, 3, 5, 2, 4]);
    assert_eq!(by("m.auc", Order::Descending), [5, 3, 1, 2, 4]);
    assert_eq!(by("name", Order::Descending), [5, 1, 3, 2, 4]);
    let options = ListOptions::new().sort("name", Order::Ascending).sort("m.auc", Order::Descending);
    assert_eq!(ids(&entries, &options), [2, 4, 3, 1, 5]);
    assert_eq!(ids(&entries, &options.clone().skip(1).limit(2)), [4, 3]);
    assert_eq!(ids(&entries, &options.limit(0)), [] as [i64; 0]);
}

/// Numbers among which many are equal, or so close that they are as `f64`.
fn number() -> impl Strategy<Value = Value> {
    const EDGE: i64 = 1 << 53;
    prop_oneof![
        (-3..3i64).prop_map(Value::from),
        (-6..6i32).prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
        (EDGE - 2..EDGE + 3).prop_map(Value::from),
        Just(Value::from(9_007_199_254_740_992.0)),
        Just(Value::from(u64::MAX)),
        Just(Value::from(18_446_744_073_709_551_616.0)),
        Just(Value::from(-1e300)),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Value>> {
    let value = prop_oneof![
        4 => number().prop_map(Some),
        1 => "[ab]{0,2}".prop_map(|text| Some(text.into())),
        1 => any::<bool>().prop_map(|truth| Some(truth.into())),
        1 => Just(Some(Value::Null)),
        1 => Just(None),
    ];
    proptest::collection::vec(value, 0..12).prop_map(|values| {
        let entry = |(id, value): (usize, Option<Value>)| match value {
            Some(value) => json!({"id": id, "x": {"y": value}}),
            None => json!({"id": id}),
        };
        values.into_iter().enumerate().map(entry).collect()
    })
}

proptest! {
    #[test]
    fn what_passes_equality_is_what_does_not_pass_inequality(entries in entries(), value in number()) {
        let equal = filtered(&entries, "x.y", value.clone());
        let mut all = filtered(&entries, "x.y", json!({"$ne": value}));
        prop_assert_eq!(&equal, &filtered(&entries, "x.y", json!({"$in": [value]})));
        prop_assert_eq!(&equal, &filtered(&entries, "x.y", json!({"$gte": value, "$lte": value})));
        all.extend(equal);
        all.sort_unstable();
        prop_assert_eq!(all, ids(&entries, &ListOptions::new()));
    }

    #[test]
    fn numbers_are_smaller_equal_or_larger(entries in entries(), value in number()) {
        let numbers = entries.iter().filter(|entry| entry["x"]["y"].is_number()).count();
        let passing = |operator: &str| filtered(&entries, "x.y", json!({operator: value})).len();
        let equal = filtered(&entries, "x.y", value.clone()).len();
        prop_assert_eq!(passing("$lt") + equal + passing("$gt"), numbers);
        prop_assert_eq!(passing("$lte") + passing("$gt"), numbers);
    }

    #[test]
    fn a_sorted_list_is_in_order_and_complete(entries in entries(), descending: bool) {
        let order = if descending { Order::Descending } else { Order::Ascending };
        let options = ListOptions::new().sort("x.y", order);
        let sorted = select(entries.clone(), &options).unwrap();
        for (i, a) in sorted.iter().enumerate() {
            for b in &sorted[i + 1..] {
                prop_assert!(in_order(a, b, &options.sort).is_le(), "{} before {}", a, b);
            }
        }
        let absent = sorted.iter().skip_while(|entry| !entry["x"]["y"].is_null());
        prop_assert!(absent.clone().all(|entry| entry["x"]["y"].is_null()));
        let mut all = ids(&entries, &options);
        all.sort_unstable();
        prop_assert_eq!(all, ids(&entries, &ListOptions::new()));
    }

    #[test]
    fn a_page_is_a_part_of_the_whole(entries in entries(), skip in 0..15u32, limit in 0..15u32) {
        let options = ListOptions::new().sort("x.y", Order::Descending);
        let whole = ids(&entries, &options);
        let page: Vec<i64> = whole.into_iter().skip(skip as usize).take(limit as usize).collect();
        prop_assert_eq!(ids(&entries, &options.skip(skip).limit(limit)), page);
    }
}
