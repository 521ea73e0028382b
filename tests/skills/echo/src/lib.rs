//! A skill that answers with what it is given, as the text it is: the least that a skill can do, to measure what a host costs.

#![forbid(unsafe_code)]

use serde_json::value::RawValue;
use skill_sdk::prelude::*;

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("echo", echo)]
}

skill_sdk::export!(skills);

async fn echo(input: Box<RawValue>, _ctx: Context) -> Result<Box<RawValue>> {
    Ok(input)
}
