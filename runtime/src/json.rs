//! JSON for people and programs.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use skill_sdk::{Code, Error};

use crate::table::turns;

/// A value as JSON on several lines. What could steer a terminal, or turn around what stands beside it, is escaped, so that it
/// means the same.
///
/// # Errors
///
/// [`Code::Internal`] when it cannot be written as JSON.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(Code::Internal, "the result cannot be written as JSON").with_source(error))?;
    Ok(clean(&text) + "\n")
}

/// JSON with the same escapes.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len() + 1);
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => clean.push_str(text),
            Piece::Control(c) => clean.push_str(&escaped(c)),
        }
    }
    clean
}

/// Writes a value as JSON on one line, with the same escapes.
///
/// # Errors
///
/// What it is written to says.
pub(crate) fn write(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(to, Compact)).map_err(io::Error::from)
}

struct Compact;

impl Formatter for Compact {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, text: &str) -> io::Result<()> {
        pieces(text).try_for_each(|piece| match piece {
            Piece::Text(text) => to.write_all(text.as_bytes()),
            Piece::Control(c) => to.write_all(escaped(c).as_bytes()),
        })
    }
}

enum Piece<'a> {
    Text(&'a str),
    /// One of those that JSON need not escape.
    Control(char),
}

fn pieces(mut text: &str) -> impl Iterator<Item = Piece<'_>> {
    let is_control = |c: char| matches!(c, '\u{7f}'..='\u{9f}') || turns(c);
    std::iter::from_fn(move || {
        let first = text.chars().next()?;
        if is_control(first) {
            text = &text[first.len_utf8()..];
            return Some(Piece::Control(first));
        }
        let (before, rest) = text.split_at(text.find(is_control).unwrap_or(text.len()));
        text = rest;
        Some(Piece::Text(before))
    })
}

fn escaped(control: char) -> String {
    format!("\\u{:04x}", u32::from(control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn nothing_steers_a_terminal_and_nothing_is_lost() {
        let value = json!(["ä \u{1b}[2J\u{9b}\u{7f}a\u{202e}b", {"a\u{2066}": 1}]);
        let mut line = Vec::new();
        write(&mut line, &value).unwrap();
        for text in [pretty(&value).unwrap(), String::from_utf8(line).unwrap()] {
            assert!(!text.chars().any(|c| c.is_control() && c != '\n' || turns(c)), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
