//! The forms of a line.

use std::cell::RefCell;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use skill_sdk::logging::Record;

use crate::json;
use crate::table::visible;

/// The line's own fields, as they stand in it. A record's field with one of these names gives way.
const OWN: [&str; 4] = [r#""timestamp""#, r#""level""#, r#""target""#, r#""message""#];
const ACTIVATION_ID: &str = r#""activationId""#;

/// Appends a record as a JSON object.
pub(super) fn push_json(line: &mut String, record: &Record<'_>, activation_id: Option<&str>, now: Timestamp) {
    let start = line.len();
    line.push_str(r#"{"timestamp":""#);
    push_timestamp(line, now);
    line.push_str(r#"","level":""#);
    line.push_str(record.level.as_str());
    line.push_str(r#"","target":"#);
    push_quoted(line, record.target);
    line.push_str(r#","message":"#);
    push_quoted(line, record.message);
    if let Some(id) = activation_id {
        line.push_str(r#","activationId":"#);
        push_quoted(line, id);
    }
    let gives_way = |name: &str| OWN.contains(&name) || (name == ACTIVATION_ID && activation_id.is_some());
    if record.fields.iter().any(|member| gives_way(member.name)) {
        for member in record.fields.iter().filter(|member| !gives_way(member.name)) {
            line.push(',');
            line.push_str(member.json);
        }
    } else if !record.fields.is_empty() {
        line.push(',');
        line.push_str(record.fields.members_json());
    }
    line.push('}');
    // What could steer a terminal is not ASCII, or its last character.
    if holds(&line[start..], |byte| byte >= 0x7f) {
        let clean = json::clean(&line[start..]);
        line.truncate(start);
        line.push_str(&clean);
    }
}

/// Whether a text holds one of some bytes. All are looked at, without a branch: most texts are short and hold none.
fn holds(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(0, |found, byte| found | u8::from(is_one(byte))) != 0
}

/// Appends a text as JSON.
fn push_quoted(line: &mut String, text: &str) {
    if holds(text, |byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // There is no text that JSON cannot say.
        line.push_str(&serde_json::to_string(text).unwrap_or_default());
    } else {
        line.push('"');
        line.push_str(text);
        line.push('"');
    }
}

/// Appends a moment to the microsecond, such as `2024-06-10T06:13:20.123000Z`.
fn push_timestamp(line: &mut String, now: Timestamp) {
    thread_local! {
        /// The last second and its text: many lines fall into one.
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let pushed = SECOND.try_with(|second| {
        let (last, text) = &mut *second.borrow_mut();
        if *last != now.as_second() {
            let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
            *text = format!("{whole:.0}");
            *last = now.as_second();
        }
        line.push_str(text.trim_end_matches('Z'));
    });
    let nanoseconds = now.subsec_nanosecond();
    if pushed.is_err() || nanoseconds < 0 {
        // At the end of a thread, or before 1970.
        line.truncate(line.len() - pushed.map_or(0, |()| "2024-06-10T06:13:20".len()));
        let _ = write!(line, "{now:.6}");
        return;
    }
    line.push('.');
    let mut unit = 100_000_000;
    while unit >= 1000 {
        line.push(char::from_digit((nanoseconds / unit % 10).unsigned_abs(), 10).unwrap_or('0'));
        unit /= 10;
    }
    line.push('Z');
}

/// Appends a record as text for people.
pub(super) fn push_human(line: &mut String, record: &Record<'_>, activation_id: Option<&str>, now: Timestamp) {
    let mut text = format!("{now:.3} {:>5} {}: {}", record.level.as_str(), record.target, record.message);
    let id = activation_id.map(|id| ("activationId".to_owned(), Value::from(id)));
    let fields = record.fields.iter().map(|member| {
        // They were written as JSON.
        let name = serde_json::from_str(member.name).unwrap_or_default();
        (name, serde_json::from_str(member.value).unwrap_or_default())
    });
    for (name, value) in fields.chain(id) {
        // Writing to a string does not fail.
        let _ = match value {
            Value::String(value) if !value.contains(char::is_whitespace) => write!(text, " {name}={value}"),
            value => write!(text, " {name}={value}"),
        };
    }
    // A message of several lines must not look like several messages, and names that others chose must not steer a terminal.
    line.push_str(&visible(&text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use skill_sdk::logging::Fields;
    use tracing::Level;

    fn fields(value: &Value) -> Fields {
        Fields::from_json(value.to_string().as_bytes()).unwrap()
    }

    fn record<'a>(message: &'a str, fields: &'a Fields) -> Record<'a> {
        Record { level: Level::INFO, target: "t", message, fields, activation_id: None }
    }

    fn json_line(record: &Record<'_>, activation_id: Option<&str>, now: Timestamp) -> String {
        let mut line = String::new();
        push_json(&mut line, record, activation_id, now);
        line
    }

    fn human_line(record: &Record<'_>, activation_id: Option<&str>, now: Timestamp) -> String {
        let mut line = String::new();
        push_human(&mut line, record, activation_id, now);
        line
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let fields = fields(&json!({"name": "x\u{9b}\u{202e}", "other": "\u{7f}"}));
        let record = record("a\u{1b}[2J\u{9b}b\u{202e}c", &fields);
        let lines = [json_line(&record, None, Timestamp::now()), human_line(&record, None, Timestamp::now())];
        assert!(!lines.concat().contains(['\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}']), "{lines:?}");
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["message"], &line["name"]), (&record.message.into(), &"x\u{9b}\u{202e}".into()));
    }

    #[test]
    fn lines_have_their_form() {
        let now = Timestamp::from_millisecond(1_718_000_000_123).unwrap();
        let some = fields(&json!({"count": 3, "level": "mine", "activationId": 7, "text": "two \"words\""}));
        let record = record("one\ntwo", &some);
        assert_eq!(
            json_line(&record, Some("a-1"), now),
            r#"{"timestamp":"2024-06-10T06:13:20.123000Z","level":"INFO","target":"t","message":"one\ntwo",""#
                .to_owned()
                + r#"activationId":"a-1","count":3,"text":"two \"words\""}"#
        );
        assert_eq!(
            human_line(&record, Some("a-1"), now),
            "2024-06-10T06:13:20.123Z  INFO t: one\\ntwo count=3 level=mine activationId=7 \
             text=\"two \\\"words\\\"\" activationId=a-1"
        );
        let bare = json_line(&Record { message: "m", fields: &Fields::default(), ..record }, None, now);
        assert_eq!(bare, r#"{"timestamp":"2024-06-10T06:13:20.123000Z","level":"INFO","target":"t","message":"m"}"#);
    }

    #[test]
    fn a_moment_is_told_to_the_microsecond() {
        for nanoseconds in [0, 999, 1000, 123_456_789, 999_999_999, 1_718_000_000_000_000_001, -1, -1_500_000_000] {
            let now = Timestamp::from_nanosecond(nanoseconds).unwrap();
            let mut line = "before".to_owned();
            push_timestamp(&mut line, now);
            assert_eq!(line, format!("before{now:.6}"));
        }
    }
}
