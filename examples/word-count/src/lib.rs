//! Counts the words of a text: a skill that needs nothing but its input.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::HashMap;

use skill_sdk::prelude::*;

/// What to count.
#[derive(Deserialize, JsonSchema)]
pub struct Text {
    /// Any text
    pub text: String,
}

/// What was found.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Count {
    /// Number of words
    pub words: usize,
    /// Number of lines
    pub lines: usize,
    /// The most frequent words in lower case and how often they occur, most frequent first
    pub top: Vec<(String, usize)>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Properties {
    top: usize,
}

impl Default for Properties {
    fn default() -> Self {
        Self { top: 10 }
    }
}

/// Counts the words of a text. The property `top` says how many of the most frequent ones to list, 10 unless set.
///
/// # Errors
///
/// When the property is not a whole number.
pub async fn word_count(input: Text, ctx: Context) -> Result<Count> {
    let Properties { top } = ctx.properties()?;
    let words: Vec<&str> = input.text.split_whitespace().collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in &words {
        // Punctuation around a word is not part of it; within it, as in "don't", it is.
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let mut most: Vec<(String, usize)> = counts.into_iter().collect();
    most.sort_unstable_by(|(a, m), (b, n)| (Reverse(m), a).cmp(&(Reverse(n), b)));
    most.truncate(top);
    Ok(Count { words: words.len(), lines: input.text.lines().count(), top: most })
}

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("word-count", word_count).describe("Counts the words of a text")]
}

skill_sdk::export!(skills);

#[cfg(test)]
mod tests {
    use super::*;
    use skill_sdk::testing;

    async fn count(text: &str) -> Count {
        word_count(Text { text: text.to_owned() }, testing::context(&())).await.unwrap()
    }

    #[tokio::test]
    async fn words_lines_and_frequencies_are_counted() {
        let found = count("The cat and the dog -\n\"Don't!\", said the cat.\n").await;
        assert_eq!((found.words, found.lines), (10, 2));
        assert_eq!(found.top[..3], [("the".to_owned(), 3), ("cat".to_owned(), 2), ("and".to_owned(), 1)]);
        assert!(found.top.contains(&("don't".to_owned(), 1)));
    }

    #[tokio::test]
    async fn an_empty_text_has_nothing() {
        assert_eq!(count("").await, Count { words: 0, lines: 0, top: vec![] });
    }

    #[tokio::test]
    async fn the_sample_is_counted() {
        let sample: Value = serde_json::from_str(include_str!("../message.json")).unwrap();
        let answer = testing::call(&skills()[0], &sample["payload"]).await.unwrap();
        assert_eq!((&answer["words"], &answer["lines"]), (&json!(278), &json!(3)));
        assert_eq!(answer["top"][0], json!(["that", 13]));
        assert_eq!(answer["top"].as_array().unwrap().len(), 10);
    }

    #[tokio::test]
    async fn a_property_says_how_many() {
        let message = testing::message(&json!({"text": "a b c"})).with_properties(&json!({"top": 1})).unwrap();
        let answer = testing::call_with(&skills()[0], message).await.unwrap();
        assert_eq!(answer["top"], json!([["a", 1]]));
    }
}
