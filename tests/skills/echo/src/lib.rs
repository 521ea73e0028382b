//! A skill that answers with what it is given: the least that a skill can do, to measure what a host costs.

#![forbid(unsafe_code)]

use skill_sdk::prelude::*;

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("echo", echo)]
}

skill_sdk::export!(skills);

async fn echo(input: Value, _ctx: Context) -> Result<Value> {
    Ok(input)
}
