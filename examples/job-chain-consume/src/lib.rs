//! The second skill of a chain: counts the colors in the lines of JSON that `job-chain-generate` has stored, as they come.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use lines::Lines;
use skill_sdk::prelude::*;

mod lines;

/// Most different colors that are counted: content that has more is of something else.
const MOST_COLORS: usize = 1000;

/// What to count. What `job-chain-generate` answers is one.
#[derive(Deserialize, JsonSchema)]
pub struct Request {
    /// Under which key of managed content the lines are
    pub key: String,
}

/// What was counted.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// Number of lines
    pub lines: u64,
    /// How often each color occurs
    pub colors: BTreeMap<String, u64>,
}

/// A line, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    color: String,
}

/// Counts how often each color occurs in lines such as `{"line":1,"color":"red"}`. They are read as they come and not kept.
///
/// # Errors
///
/// When there is nothing under the key, when a line is not such a line (the error says which), and when the platform fails.
pub async fn consume(request: Request, ctx: Context) -> Result<Counts> {
    let key = request.key;
    let Some(mut content) = ctx.client()?.content().download_opt(&key).await? else {
        let detail =
            format!("there is nothing under the key `{key}`: run job-chain-generate first, whose answer names its key");
        return Err(SkillError::new(detail));
    };
    let (mut lines, mut counts) = (Lines::default(), Counts::default());
    while let Some(piece) = content.chunk().await? {
        lines.push(&piece);
        while let Some(line) = lines.next().map_err(|error| counts.broken(&key, error))? {
            counts.add(&line).map_err(|error| counts.broken(&key, error))?;
        }
    }
    if let Some(line) = lines.last() {
        counts.add(&line).map_err(|error| counts.broken(&key, error))?;
    }
    Ok(counts)
}

impl Counts {
    fn add(&mut self, line: &[u8]) -> Result<()> {
        let Line { color } = serde_json::from_slice(line)?;
        if self.colors.len() == MOST_COLORS && !self.colors.contains_key(&color) {
            return Err(SkillError::new(format!("there are more than {MOST_COLORS} colors")));
        }
        *self.colors.entry(color).or_default() += 1;
        self.lines += 1;
        Ok(())
    }

    /// The failure of the line after those that were counted.
    fn broken(&self, key: &str, error: SkillError) -> SkillError {
        error.context(format!("line {} of `{key}` cannot be counted", self.lines + 1))
    }
}

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("job-chain-consume", consume).describe("Counts the colors in lines of JSON in managed content")]
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

        /// The answer for what is stored.
        async fn count(&self, stored: impl Into<String>) -> Result<Value, Error> {
            let client = Client::from_message(self.message(&Value::Null)).unwrap();
            client.content().upload("lines", stored.into(), "application/x-ndjson").await.unwrap();
            self.call("lines").await
        }

        async fn call(&self, key: &str) -> Result<Value, Error> {
            testing::call_with(&skills()[0], self.message(&json!({"key": key, "lines": 3}))).await
        }
    }

    #[tokio::test]
    async fn colors_are_counted() {
        let stage = Stage::set().await;
        let stored = "{\"color\":\"red\"}\n{\"line\":2,\"color\":\"blå\"}\r\n{\"color\":\"red\"}";
        let answer = stage.count(stored).await.unwrap();
        assert_eq!(answer, json!({"lines": 3, "colors": {"blå": 1, "red": 2}}));
        assert_eq!(stage.count("").await.unwrap(), json!({"lines": 0, "colors": {}}));
        let many = stage.count("{\"color\":\"red\"}\n".repeat(100_000)).await.unwrap();
        assert_eq!(many, json!({"lines": 100_000, "colors": {"red": 100_000}}));
    }

    #[tokio::test]
    async fn a_line_that_is_broken_is_named() {
        let stage = Stage::set().await;
        let good = "{\"color\":\"red\"}\n".repeat(20_000);
        for (broken, reason) in [
            ("{\"color\":\n", "EOF while parsing"),
            ("\n", "EOF while parsing"),
            ("{\"colour\":\"red\"}\n", "missing field `color`"),
            ("{\"color\":5}", "invalid type"),
            ("{\"color\":\"\u{fffd}\"} x", "trailing characters"),
        ] {
            let error = stage.count(good.clone() + broken + &good).await.unwrap_err();
            let begin = format!("line 20001 of `lines` cannot be counted: {reason}");
            assert!(error.detail().starts_with(&begin), "{error}");
            assert_eq!(error.code(), Code::SkillFailed);
        }
        let endless = "{\"color\":\"red\"}\n".to_owned() + &" ".repeat(1_000_000);
        let error = stage.count(endless).await.unwrap_err();
        assert_eq!(error.detail(), "line 2 of `lines` cannot be counted: it is longer than 65536 bytes");
        let colors: Vec<String> = (0..=1000).map(|number| json!({"color": number.to_string()}).to_string()).collect();
        let error = stage.count(colors.join("\n")).await.unwrap_err();
        assert_eq!(error.detail(), "line 1001 of `lines` cannot be counted: there are more than 1000 colors");
    }

    #[tokio::test]
    async fn what_is_not_there_yet_is_named() {
        let error = Stage::set().await.call("job-chain-data-x.jsonl").await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        let words = "there is nothing under the key `job-chain-data-x.jsonl`: run job-chain-generate first";
        assert!(error.detail().starts_with(words), "{error}");
    }
}
