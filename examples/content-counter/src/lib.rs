//! Keeps a counter in managed content: a skill that acts for its caller on the platform.
//!
//! Two invocations at the same moment may read the same value, and then one of the changes is lost: managed content has no
//! transactions.

#![forbid(unsafe_code)]

use skill_sdk::prelude::*;

/// What to do with the counter.
#[derive(Deserialize, JsonSchema)]
pub struct Change {
    /// What to do
    pub op: Operation,
    /// With which number
    pub by: f64,
}

/// An operation of arithmetic.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// value + by
    Add,
    /// value - by
    Subtract,
    /// value * by
    Multiply,
    /// value / by
    Divide,
}

/// The counter, as it is answered and as it is stored.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Counter {
    /// What the counter stands at
    #[serde(serialize_with = "whole_if_possible")]
    pub value: f64,
}

#[derive(Deserialize)]
#[serde(default)]
struct Properties {
    key: String,
}

impl Default for Properties {
    fn default() -> Self {
        Self { key: "content-counter/counter.json".to_owned() }
    }
}

/// Changes the counter and gives its new value. A counter that is not there stands at 0. The property `key` says where in
/// managed content it is.
///
/// # Errors
///
/// When the counter is divided by zero or becomes too large for a number, when what is stored is no counter, and when the
/// platform fails.
pub async fn count(change: Change, ctx: Context) -> Result<Counter> {
    let Properties { key } = ctx.properties()?;
    let content = ctx.client()?.content();

    let counter = match content.download_opt(&key).await? {
        Some(stored) => serde_json::from_slice(&stored.bytes().await?)
            .map_err(|error| SkillError::from(error).context(format!("`{key}` holds no counter")))?,
        None => Counter::default(),
    };
    let counter = Counter { value: apply(counter.value, &change)? };
    content.upload(&key, serde_json::to_vec(&counter)?, "application/json").await?;
    tracing::info!(key, value = counter.value, "the counter was changed");
    Ok(counter)
}

fn apply(value: f64, change: &Change) -> Result<f64> {
    let by = change.by;
    let result = match change.op {
        Operation::Add => value + by,
        Operation::Subtract => value - by,
        Operation::Multiply => value * by,
        Operation::Divide if by == 0.0 => return Err(SkillError::new("the counter cannot be divided by zero")),
        Operation::Divide => value / by,
    };
    if !result.is_finite() {
        return Err(SkillError::new("the counter would become too large for a number"));
    }
    Ok(result)
}

/// Writes 3 rather than 3.0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn whole_if_possible<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// Up to here every whole number is one of its own: 2^53.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
        return serializer.serialize_i64(*value as i64);
    }
    serializer.serialize_f64(*value)
}

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("content-counter", count).describe("Keeps a counter in managed content")]
}

skill_sdk::export!(skills);

#[cfg(test)]
mod tests {
    use super::*;
    use local_platform::{Options, Platform};
    use skill_sdk::{Code, Error, testing};
    use std::time::Duration;

    struct Stage {
        platform: Platform,
    }

    impl Stage {
        async fn set() -> Self {
            Self { platform: Platform::start(Options::in_memory()).await.unwrap() }
        }

        fn message(&self, payload: &Value) -> Message {
            testing::message(payload)
                .with_api_endpoint(self.platform.url())
                .with_token(self.platform.mint_token(Duration::from_secs(60)).unwrap())
                .with_project_id(self.platform.project())
        }

        async fn call(&self, op: &str, by: f64) -> Result<Value, Error> {
            testing::call_with(&skills()[0], self.message(&json!({"op": op, "by": by}))).await
        }
    }

    #[tokio::test]
    async fn the_counter_is_kept() {
        let stage = Stage::set().await;
        for (op, by, value) in [
            ("add", 5.0, json!(5)),
            ("multiply", 4.0, json!(20)),
            ("subtract", 0.5, json!(19.5)),
            ("divide", 2.0, json!(9.75)),
        ] {
            assert_eq!(stage.call(op, by).await.unwrap(), json!({"value": value}), "{op}");
        }
    }

    #[tokio::test]
    async fn impossible_arithmetic_fails_and_changes_nothing() {
        let stage = Stage::set().await;
        stage.call("add", 7.0).await.unwrap();
        let error = stage.call("divide", 0.0).await.unwrap_err();
        assert_eq!((error.code(), error.detail()), (Code::SkillFailed, "the counter cannot be divided by zero"));
        assert_eq!(stage.call("multiply", f64::MAX).await.unwrap_err().code(), Code::SkillFailed);
        assert_eq!(stage.call("add", 0.0).await.unwrap(), json!({"value": 7}));
    }

    #[tokio::test]
    async fn what_is_no_counter_is_named() {
        let stage = Stage::set().await;
        let client = Client::from_message(stage.message(&json!(null))).unwrap();
        client.content().upload("content-counter/counter.json", "x", "text/plain").await.unwrap();
        let error = stage.call("add", 1.0).await.unwrap_err();
        assert!(error.detail().starts_with("`content-counter/counter.json` holds no counter: "), "{error}");
    }

    #[tokio::test]
    async fn a_wrong_operation_is_pointed_at() {
        let error = testing::call(&skills()[0], &json!({"op": "power", "by": 2})).await.unwrap_err();
        assert_eq!((error.code(), error.pointer()), (Code::InvalidPayload, Some("/op")));
    }
}
