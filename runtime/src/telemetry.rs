//! Logs: one line a record, on stderr. Traces: one span an invocation, to a collector.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Write as _};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use skill_sdk::Error;
use skill_sdk::logging::{self, Fields, INVOCATION, Record, RecordLayer};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterFn, Targets};
use tracing_subscriber::layer::SubscriberExt;

use crate::json;
use crate::outcome::Outcome;
use background::Background;
pub(crate) use spans::InvocationSpan;

mod background;
mod line;
#[cfg_attr(not(feature = "otlp"), path = "telemetry/no_spans.rs")]
mod spans;

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
        LogFormat::Auto => !io::stderr().is_terminal(),
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
    // There is one layer, so that the filter is one for all: what is not wanted costs a load, and what is wanted no more.
    let filter = filter.with_max_level_hint(max_level().max(LevelFilter::ERROR));
    let subscriber = tracing_subscriber::registry().with(RecordLayer::new(write)).with(filter);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
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
    let (level, target) = (Level::INFO, env!("CARGO_CRATE_NAME"));
    let message = &*skill_sdk::redact(message);
    write(&Record { level, target, message, fields: &Fields::default(), activation_id: None });
}

/// Writes a record.
pub(crate) fn write(record: &Record<'_>) {
    thread_local! {
        static LINE: Cell<String> = const { Cell::new(String::new()) };
    }
    // What happens while a line is written finds an empty one.
    let mut line = LINE.try_with(Cell::take).unwrap_or_default();
    push_record(&mut line, record);
    write_line(&line);
    if record.level == Level::ERROR && LAST_WORDS.contains(&record.message) {
        flush(PATIENCE);
    }
    line.clear();
    line.shrink_to(KEPT);
    // At the end of a thread the memory is gone.
    let _ = LINE.try_with(|kept| kept.set(line));
}

/// The largest memory that is kept for the next line of a thread, in bytes.
const KEPT: usize = 16 << 10;

/// What is said of a panic that ends the process at once.
const LAST_WORDS: [&str; 2] =
    ["panicked: panic in a destructor during cleanup", "panicked: panic in a function that cannot unwind"];

/// Appends the line of a record, with its end.
fn push_record(line: &mut String, record: &Record<'_>) {
    let id = record.activation_id.or_else(|| INVOCATION_ID.get().map(String::as_str));
    let now = Timestamp::now();
    if SETTINGS.get().is_some_and(|settings| settings.json) {
        line::push_json(line, record, id, now);
    } else {
        line::push_human(line, record, id, now);
    }
    line.push('\n');
}

/// Writes the problem of a failed job as one line of JSON.
pub(crate) fn write_problem(outcome: &Outcome) {
    if let Some(problem) = outcome.problem() {
        // Of a struct of texts there is no part that JSON cannot say.
        write_line(&(json::clean(&serde_json::to_string(&problem).unwrap_or_default()) + "\n"));
    }
}

/// Where lines go that are not written at once.
static BACKGROUND: OnceLock<Background> = OnceLock::new();

/// How long the end of a process may wait for whoever reads its lines and spans.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Has lines written by a thread of their own from now on, so that nobody who logs waits for stderr. When it is dropped, what
/// is not yet written is, and lines are written at once again.
#[must_use]
pub(crate) struct InBackground(());

impl Drop for InBackground {
    fn drop(&mut self) {
        shut_down(PATIENCE);
    }
}

/// Begins to write [`InBackground`]. A process does so once.
///
/// # Errors
///
/// The thread cannot start, or there is no stderr.
pub(crate) fn write_in_background() -> io::Result<InBackground> {
    // A descriptor of its own: whoever holds the standard one does not wait for the thread.
    let to = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let background = Background::start(to, background::CAPACITY, lost)?;
    // Of two, the first is as good.
    let _ = BACKGROUND.set(background);
    Ok(InBackground(()))
}

/// The line that tells how many lines were lost.
fn lost(lines: u64) -> String {
    let (level, target) = (Level::WARN, env!("CARGO_CRATE_NAME"));
    let message = "log lines were lost, because they were not read as fast as they came";
    let fields = &Fields::from_json(format!("{{\"lost\":{lines}}}").as_bytes()).unwrap_or_default();
    let mut line = String::new();
    push_record(&mut line, &Record { level, target, message, fields, activation_id: None });
    line
}

/// How many lines were lost since the start because nobody read them.
pub(crate) fn lost_lines() -> u64 {
    BACKGROUND.get().map_or(0, Background::lost)
}

/// Waits until everything that was logged is written, at most so long, and gives whether it is.
pub(crate) fn flush(timeout: Duration) -> bool {
    BACKGROUND.get().is_none_or(|background| background.flush(timeout))
}

/// Begins to export a span for each invocation to an OpenTelemetry collector.
///
/// # Errors
///
/// The URL makes no sense, or this was built without the feature `otlp`.
pub(crate) fn export_spans(url: &str) -> Result<(), Error> {
    spans::export_to(url)
}

/// Exports the spans and writes the lines that are left when a process ends, and waits for that so long at most. Lines that
/// come later are written at once. Gives whether all lines are written.
pub(crate) fn shut_down(timeout: Duration) -> bool {
    let began = Instant::now();
    spans::shut_down(timeout);
    // What spans have taken of the time they have taken from lines, but for what lines need as a rule.
    let left = timeout.saturating_sub(began.elapsed()).max(timeout / 10);
    BACKGROUND.get().is_none_or(|background| background.close(left))
}

/// Writes a line, with its end, so that lines of several threads do not mix.
fn write_line(line: &str) {
    if !BACKGROUND.get().is_some_and(|background| background.take(line)) {
        // When stderr is gone there is nobody left to tell.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}
