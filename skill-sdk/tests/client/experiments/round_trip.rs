//! What is saved in a folder is loaded again.

use proptest::prelude::*;
use skill_sdk::client::experiments::NewExperiment;
use skill_sdk::serde_json::{Map, Value, json};

use super::local::local;

/// Texts among which many look like something else to YAML.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,12}",
        2 => "[ \\n\\t\\r'\":#&*!|>{}\\[\\],%@`?~=.0-9eE+-]{0,8}",
        1 => "(?s).{0,8}",
        1 => proptest::sample::select(vec![
            "null", "true", "No", "~", "1e3", "0x1f", "1_000", ".nan", "-", "---", "...", "<<", "2024-05-01", "\u{feff}", "\u{85}a",
        ]).prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        2 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((text(), inner), 0..4).prop_map(|fields| Map::from_iter(fields).into()),
        ]
    })
}

/// A name that every platform takes.
fn name() -> impl Strategy<Value = String> {
    text().prop_filter("no URL can carry it", |name| {
        !matches!(&**name, "" | "." | "..") && !name.contains(char::is_control)
    })
}

fn entries() -> impl Strategy<Value = Vec<(String, Value)>> {
    proptest::collection::vec((name(), value()), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_saved_is_loaded_again(
        experiment in name(),
        title in text(),
        own in value(),
        run in name(),
        params in entries(),
        metrics in entries(),
        meta in entries(),
        artifact in name(),
        bytes: Vec<u8>,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_folder, experiments) = local();
            let new = NewExperiment::new(&*experiment).title(&*title).field("own", own.clone());
            let saved = experiments.save(&new).await.unwrap();
            prop_assert_eq!(&experiments.get(&experiment).await.unwrap(), &saved);
            prop_assert_eq!((&*saved.name, saved.title.as_deref()), (&*experiment, Some(&*title)));
            prop_assert_eq!(&saved.other["own"], &own);
            prop_assert_eq!(experiments.list().await.unwrap(), [saved]);

            let runs = experiments.runs(&*experiment);
            runs.create(&json!({"runId": run, "own": own})).await.unwrap();
            for (key, value) in &params {
                runs.log_param(&run, key, value.clone()).await.unwrap();
            }
            for (key, value) in &metrics {
                runs.log_metric(&run, key, value.clone()).await.unwrap();
            }
            for (key, value) in &meta {
                runs.set_meta(&run, key, value.clone()).await.unwrap();
            }
            let loaded = runs.get(&run).await.unwrap();
            prop_assert_eq!((&loaded.run_id, &loaded.other["own"]), (&run, &own));
            prop_assert_eq!(loaded.params, Map::from_iter(params));
            prop_assert_eq!(loaded.metrics, Map::from_iter(metrics));
            prop_assert_eq!(loaded.meta, Map::from_iter(meta));

            // A name is also a path, whose parts have the same rules.
            if !artifact.trim_start_matches('/').is_empty()
                && artifact.split('/').all(|part| !matches!(part, "." | ".."))
            {
                runs.log_artifact(&run, &artifact, bytes.clone()).await.unwrap();
                let loaded = runs.artifact(&run, &artifact).await.unwrap().bytes().await.unwrap();
                prop_assert_eq!(&loaded[..], &bytes[..]);
            }
            Ok(())
        })?;
    }
}
