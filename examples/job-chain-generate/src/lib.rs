//! The first skill of a chain: streams lines of JSON to managed content and answers with their key, which is the input of the
//! next skill, `job-chain-consume`. Neither holds the lines in memory, however many there are.

#![forbid(unsafe_code)]

use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::{BufMut, Bytes, BytesMut};
use futures_core::Stream;
use skill_sdk::client::Body;
use skill_sdk::prelude::*;

/// The media type of lines of JSON.
const LINES_OF_JSON: &str = "application/x-ndjson";

/// Size in bytes from which on a piece of the stream is sent.
const PIECE: usize = 64 * 1024;

/// More bytes than a line can have.
const LONGEST_LINE: usize = 64;

const COLORS: [&str; 6] = ["red", "orange", "yellow", "green", "blue", "violet"];

/// How much to generate.
#[derive(Deserialize, JsonSchema)]
pub struct Request {
    /// Number of lines
    pub count: u64,
}

/// What was stored. It can be given to the next skill as it is.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stored {
    /// Under which key of managed content the lines are
    pub key: String,
    /// Number of lines
    pub lines: u64,
}

/// Stores lines such as `{"line":1,"color":"red"}` in managed content, under a key of this activation's own.
///
/// # Errors
///
/// When the message has no activation id, and when the platform fails.
pub async fn generate(request: Request, ctx: Context) -> Result<Stored> {
    let id = ctx.activation_id();
    if id.is_empty() {
        return Err(SkillError::new("the message has no `activationId`, of which the key is made"));
    }
    let key = format!("job-chain-data-{id}.jsonl");
    let lines = Lines((1..=request.count).zip(COLORS.into_iter().cycle()));
    ctx.client()?.content().upload(&key, Body::stream(lines), LINES_OF_JSON).await?;
    Ok(Stored { key, lines: request.count })
}

/// Numbers and colors as lines of JSON, which are made when they are asked for.
struct Lines<I>(I);

impl<I: Iterator<Item = (u64, &'static str)> + Unpin> Stream for Lines<I> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        // Pieces of many lines, because each costs a step of the transfer.
        let mut piece = BytesMut::with_capacity(PIECE + LONGEST_LINE);
        while piece.len() < PIECE {
            let Some((line, color)) = self.0.next() else { break };
            serde_json::to_writer((&mut piece).writer(), &json!({"line": line, "color": color}))?;
            piece.put_u8(b'\n');
        }
        Poll::Ready((!piece.is_empty()).then(|| Ok(piece.freeze())))
    }
}

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("job-chain-generate", generate).describe("Streams lines of JSON to managed content")]
}

skill_sdk::export!(skills);

#[cfg(test)]
mod tests {
    use super::*;
    use local_platform::{Options, Platform};
    use skill_sdk::{Error, testing};
    use std::time::Duration;

    struct Stage {
        platform: Platform,
    }

    impl Stage {
        async fn set() -> Self {
            Self { platform: Platform::start(Options::in_memory()).await.unwrap() }
        }

        fn message(&self, count: u64) -> Message {
            testing::message(&json!({"count": count}))
                .with_api_endpoint(self.platform.url())
                .with_token(self.platform.mint_token(Duration::from_secs(60)).unwrap())
                .with_project_id(self.platform.project())
        }

        async fn call(&self, message: Message) -> Result<Value, Error> {
            testing::call_with(&skills()[0], message).await
        }

        async fn stored(&self, key: &str) -> (Option<String>, String) {
            let client = Client::from_message(self.message(0)).unwrap();
            let download = client.content().download(key).await.unwrap();
            let content_type = download.content_type().map(str::to_owned);
            (content_type, String::from_utf8(download.bytes().await.unwrap().into()).unwrap())
        }
    }

    #[tokio::test]
    async fn lines_are_stored_under_a_key_of_the_activation() {
        let stage = Stage::set().await;
        let answer = stage.call(stage.message(7).with_activation_id("a-1")).await.unwrap();
        assert_eq!(answer, json!({"key": "job-chain-data-a-1.jsonl", "lines": 7}));
        let (content_type, text) = stage.stored("job-chain-data-a-1.jsonl").await;
        assert_eq!(content_type.as_deref(), Some("application/x-ndjson"));
        let lines: Vec<Value> = text.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
        let colors = ["red", "orange", "yellow", "green", "blue", "violet", "red"];
        let expected: Vec<Value> =
            (1..).zip(colors).map(|(line, color): (u64, _)| json!({"line": line, "color": color})).collect();
        assert_eq!(lines, expected);
        assert!(text.ends_with('\n'));
    }

    #[tokio::test]
    async fn many_lines_are_stored_and_so_are_none() {
        let stage = Stage::set().await;
        stage.call(stage.message(100_000).with_activation_id("many")).await.unwrap();
        let (_, text) = stage.stored("job-chain-data-many.jsonl").await;
        assert_eq!((text.lines().count(), text.lines().last()), (100_000, Some(r#"{"line":100000,"color":"green"}"#)));
        assert_eq!(stage.call(stage.message(0).with_activation_id("none")).await.unwrap()["lines"], 0);
        assert_eq!(stage.stored("job-chain-data-none.jsonl").await.1, "");
    }

    #[tokio::test]
    async fn without_an_activation_there_is_no_key() {
        let error =
            testing::call_with(&skills()[0], testing::message(&json!({"count": 1})).with_activation_id("")).await;
        assert_eq!(error.unwrap_err().detail(), "the message has no `activationId`, of which the key is made");
    }

    #[tokio::test]
    async fn a_wrong_count_is_pointed_at() {
        for count in [json!(-1), json!("ten"), json!(1.5)] {
            let error = testing::call(&skills()[0], &json!({"count": count})).await.unwrap_err();
            assert_eq!((error.code(), error.pointer()), (skill_sdk::Code::InvalidPayload, Some("/count")));
        }
    }
}
