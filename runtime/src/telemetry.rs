//! Logs: one line a record, on stderr.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::{Map, Value};
use skill_sdk::logging::{self, INVOCATION, Record, RecordLayer};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterFn, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::json;
use crate::outcome::Outcome;
use crate::table::visible;

/// The variable that says what is logged, such as `info,my_skill=debug`.
const FILTER: &str = "RUST_LOG";

/// The form of the lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text for people.
    Human,
    /// A JSON object a line.
    Json,
}

struct Settings {
    json: bool,
    targets: Targets,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Begins to log. Only the first call has an effect.
pub(crate) fn init(format: LogFormat) {
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let usual = || Targets::new().with_default(LevelFilter::INFO);
    let wanted = std::env::var(FILTER).ok().filter(|text| !text.is_empty());
    let parsed = wanted.as_deref().map(str::parse::<Targets>).transpose();
    let bad = parsed.as_ref().err().map(ToString::to_string);
    let targets = parsed.ok().flatten().unwrap_or_else(usual);
    if SETTINGS.set(Settings { json, targets }).is_err() {
        return;
    }
    // The invocation's span is always there, whatever its module may log: every line is to carry the activation id.
    let filter = FilterFn::new(|metadata| {
        metadata.name() == INVOCATION && metadata.is_span() || is_enabled(*metadata.level(), metadata.target())
    });
    let layer = RecordLayer::new(write).with_filter(filter.with_max_level_hint(max_level().max(LevelFilter::ERROR)));
    if tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).is_ok() {
        logging::report_panics();
    }
    if let Some(why) = bad {
        tracing::warn!("{FILTER} is not understood and left aside: {why}");
    }
}

/// The most detailed level that anything is logged at.
pub(crate) fn max_level() -> LevelFilter {
    let Some(Settings { targets, .. }) = SETTINGS.get() else { return LevelFilter::OFF };
    let usual = targets.default_level().unwrap_or(LevelFilter::OFF);
    targets.iter().map(|(_, level)| level).fold(usual, Ord::max)
}

/// Whether a record of this level and module is logged.
pub(crate) fn is_enabled(level: Level, target: &str) -> bool {
    SETTINGS.get().is_some_and(|settings| settings.targets.would_enable(target, &level))
}

/// The invocation of a process that has only one.
static INVOCATION_ID: OnceLock<String> = OnceLock::new();

/// Says that this process has one invocation, to which every record belongs: those too that come from tasks and threads
/// outside its span. Only the first call has an effect.
pub(crate) fn set_invocation(activation_id: &str) {
    // It is set once a process.
    let _ = INVOCATION_ID.set(activation_id.to_owned());
}

/// Tells the user something whatever is logged.
pub(crate) fn notice(message: &str) {
    let fields = Map::new();
    write(&Record { level: Level::INFO, target: env!("CARGO_CRATE_NAME"), message, fields, activation_id: None });
}

/// Writes a record, cleaned of tokens.
pub(crate) fn write(record: &Record<'_>) {
    let json = SETTINGS.get().is_some_and(|settings| settings.json);
    let id = record.activation_id.or_else(|| INVOCATION_ID.get().map(String::as_str));
    let now = Timestamp::now();
    let line = if json { json_line(record, id, now) } else { human_line(record, id, now) };
    write_line(&skill_sdk::redact(&line));
}

/// Writes the problem of a failed job as one line of JSON.
pub(crate) fn write_problem(outcome: &Outcome) {
    if let Some(problem) = outcome.problem() {
        // Of a struct of texts there is no part that JSON cannot say.
        write_line(&json::clean(&serde_json::to_string(&problem).unwrap_or_default()));
    }
}

/// Writes a line to stderr at once, so that lines of several threads do not mix.
fn write_line(line: &str) {
    // When stderr is gone there is nobody left to tell.
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

fn json_line(record: &Record<'_>, activation_id: Option<&str>, now: Timestamp) -> String {
    let mut line = Map::new();
    line.insert("timestamp".into(), format!("{now:.6}").into());
    line.insert("level".into(), record.level.as_str().into());
    line.insert("target".into(), record.target.into());
    line.insert("message".into(), record.message.into());
    if let Some(id) = activation_id {
        line.insert("activationId".into(), id.into());
    }
    // A field that is named as one of the line's own gives way.
    for (name, value) in &record.fields {
        line.entry(name).or_insert_with(|| value.clone());
    }
    json::clean(&Value::Object(line).to_string())
}

fn human_line(record: &Record<'_>, activation_id: Option<&str>, now: Timestamp) -> String {
    let mut line = format!("{now:.3} {:>5} {}: {}", record.level.as_str(), record.target, record.message);
    let id = activation_id.map(|id| ("activationId", Value::from(id)));
    let fields = record.fields.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in fields.chain(id) {
        // Writing to a string does not fail.
        let _ = match value {
            Value::String(text) if !text.contains(char::is_whitespace) => write!(line, " {name}={text}"),
            value => write!(line, " {name}={value}"),
        };
    }
    // A message of several lines must not look like several messages, and names that others chose must not steer a terminal.
    visible(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Record<'static> {
        let fields = json!({"count": 3, "level": "mine", "text": "two words"});
        let Value::Object(fields) = fields else { unreachable!() };
        Record { level: Level::INFO, target: "t", message: "one\ntwo", fields, activation_id: None }
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let message = "a\u{1b}[2J\u{9b}b\u{202e}c";
        let Value::Object(fields) = json!({"name": "x\u{9b}\u{202e}"}) else { unreachable!() };
        let record = Record { message, fields, ..record() };
        let lines = [json_line(&record, None, Timestamp::now()), human_line(&record, None, Timestamp::now())];
        assert!(!lines.concat().contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{lines:?}");
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["message"], &line["name"]), (&message.into(), &"x\u{9b}\u{202e}".into()));
    }

    #[test]
    fn lines_have_their_form() {
        let now = Timestamp::from_millisecond(1_718_000_000_123).unwrap();
        let line: Value = serde_json::from_str(&json_line(&record(), Some("a-1"), now)).unwrap();
        assert_eq!(
            line,
            json!({
                "timestamp": "2024-06-10T06:13:20.123000Z", "level": "INFO", "target": "t", "message": "one\ntwo",
                "count": 3, "text": "two words", "activationId": "a-1"
            })
        );
        assert_eq!(
            human_line(&record(), Some("a-1"), now),
            "2024-06-10T06:13:20.123Z  INFO t: one\\ntwo count=3 level=mine text=\"two words\" activationId=a-1"
        );
    }
}
