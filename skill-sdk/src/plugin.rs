//! The boundary between a host and a skill library: a versioned table of C functions.
//!
//! A library has one exported symbol, [`SYMBOL`], a function without parameters that returns a [`Plugin`]. Its first field
//! is a [`Header`], which keeps its form in every version: a host reads it and goes no further when the versions differ.
//!
//! - Bytes cross, never Rust types. Whoever allocated memory frees it.
//! - No panic crosses. One in the library becomes an error of the table, as long as the library is built with
//!   `panic = "unwind"`, Cargo's default: a library that aborts on a panic takes the host with it.
//! - The handler's future crosses as an [`FfiFuture`] and is polled by the host, on the host's threads: dropping it
//!   cancels the work, and a handler that never awaits costs no thread switch. The library owns a tokio runtime with one
//!   worker, made at the first call and entered around each poll, so timers, sockets, `tokio::spawn` and
//!   `tokio::task::spawn_blocking` work in a handler. `tokio::task::block_in_place` does not: the polling thread is the
//!   host's. Use `spawn_blocking`.
//! - Events of `tracing` go to the host, with the activation id.
//! - A library is never unloaded: its threads and statics live as long as the process.
//!
//! This module holds the crate's only unsafe code. Skill authors need none of it but [`export!`](crate::export).

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use async_ffi::{FfiFuture, FutureExt};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::{self, Runtime};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::client::{self, MessageOptions, VerifySslCert};
use crate::error::{Code, Error, Wire};
use crate::invocation::{Invocation, Running, panicked};
use crate::json_text::JsonText;
use crate::logging::{self, Record, RecordLayer};
use crate::message::Message;
use crate::skill::{Manifest, Skill};
use crate::trace_parent::TraceParent;

/// The version of everything in this module that crosses the boundary.
pub const ABI_VERSION: u32 = 3;

/// The name of the one symbol that a library exports.
pub const SYMBOL: &str = "skill_sdk_plugin";

/// The start of every table. Its form never changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Header {
    /// [`ABI_VERSION`] of whoever made the table.
    pub abi_version: u32,
    /// The size of the table in bytes, this header included.
    pub size: u32,
}

impl Header {
    /// The header of a table of this version.
    pub const fn of<T>() -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "tables are some hundred bytes")]
        Self { abi_version: ABI_VERSION, size: size_of::<T>() as u32 }
    }

    /// Whether a table with this header is one of this version.
    pub fn fits<T>(self) -> bool {
        self == Self::of::<T>()
    }
}

/// What a library offers.
#[repr(C)]
pub struct Plugin {
    /// Version and size.
    pub header: Header,
    /// The version of this crate that the library was built with, for people.
    pub sdk_version: Bytes<'static>,
    /// Must be called once, before the others.
    pub start: extern "C" fn(host: &Host),
    /// Gives a JSON list of [`Manifest`]s.
    pub manifests: extern "C" fn() -> Reply,
    /// Gives the [`Schemas`](crate::Schemas) of a skill, by its place in the list of manifests.
    pub schemas: extern "C" fn(skill: usize) -> Reply,
    /// Begins an invocation of a skill, by its place in the list of manifests. The call is read before this returns.
    pub call: extern "C" fn(skill: usize, call: &Call<'_>) -> FfiFuture<Reply>,
}

/// What a host offers.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Host {
    /// Version and size.
    pub header: Header,
    /// The most detailed [`LogRecord::level`] that is wanted; 0 for none.
    pub max_level: u8,
    /// Takes a log record, from any thread. It must not panic.
    pub log: extern "C" fn(record: &LogRecord<'_>),
    /// Is told of each request to a platform, from any thread: the status of the answer, 0 when there was none, and the
    /// nanoseconds it took. It must not panic.
    pub request_made: extern "C" fn(status: u16, nanoseconds: u64),
}

/// An event in a library.
#[repr(C)]
pub struct LogRecord<'a> {
    /// 1 is an error, 2 a warning, 3 info, 4 debug, 5 trace.
    pub level: u8,
    /// The module that speaks.
    pub target: Bytes<'a>,
    /// What it says.
    pub message: Bytes<'a>,
    /// Its fields and those of the spans around it, as a JSON object.
    pub fields: Bytes<'a>,
    /// The invocation it belongs to; null when it is not known.
    pub activation_id: Bytes<'a>,
}

/// An invocation as it crosses. Absent texts are null.
#[repr(C)]
pub struct Call<'a> {
    activation_id: Bytes<'a>,
    api_endpoint: Bytes<'a>,
    token: Bytes<'a>,
    project_id: Bytes<'a>,
    session_id: Bytes<'a>,
    skill_name: Bytes<'a>,
    output_name: Bytes<'a>,
    channel_id: Bytes<'a>,
    agent_name: Bytes<'a>,
    timestamp_json: Bytes<'a>,
    payload_json: Bytes<'a>,
    properties_json: Bytes<'a>,
    other_json: Bytes<'a>,
    /// The span that the invocation is: its trace, beginning with the higher half, itself, and the flags of a header
    /// `traceparent`; a trace of zero when it is not known.
    trace: [u64; 2],
    span: u64,
    trace_flags: u8,
    /// Nanoseconds until the deadline; [`u64::MAX`] when there is none. Clocks of two standard libraries need not have
    /// the same form, so no point in time crosses.
    remaining: u64,
    /// Most bytes of the answer.
    response_limit: usize,
    /// Nanoseconds after its end for which a token still counts as alive.
    leeway: u64,
    /// Whether platforms' certificates are checked.
    verifies: bool,
    /// The path of what they are checked against; null for the system's.
    ca_bundle: Bytes<'a>,
    /// Why the handler is refused a client, as an error in JSON; null when it is not.
    client_refused: Bytes<'a>,
}

impl<'a> Call<'a> {
    /// An invocation that is to cross, with what of it is written as text.
    pub fn new(invocation: &'a Invocation, texts: &'a Texts) -> Self {
        let (message, options) = (invocation.message(), invocation.client_options());
        let (trace, span, trace_flags) = invocation.trace_parent().map(TraceParent::numbers).unwrap_or_default();
        Self {
            activation_id: message.activation_id.as_deref().into(),
            api_endpoint: message.api_endpoint.as_deref().into(),
            token: message.token.as_ref().map(ExposeSecret::expose_secret).into(),
            project_id: message.project_id.as_deref().into(),
            session_id: message.session_id.as_deref().into(),
            skill_name: message.skill_name.as_deref().into(),
            output_name: message.output_name.as_deref().into(),
            channel_id: message.channel_id.as_deref().into(),
            agent_name: message.agent_name.as_deref().into(),
            timestamp_json: message.timestamp.as_ref().map(JsonText::as_str).into(),
            payload_json: Some(message.payload.as_str()).into(),
            properties_json: message.properties.as_ref().map(JsonText::as_str).into(),
            other_json: message.other.as_ref().map(JsonText::as_str).into(),
            trace,
            span,
            trace_flags,
            remaining: invocation.remaining().map_or(u64::MAX, nanoseconds),
            response_limit: invocation.response_limit(),
            leeway: nanoseconds(options.leeway),
            verifies: options.verify_ssl_cert != VerifySslCert::No,
            ca_bundle: match &options.verify_ssl_cert {
                // A path that is no text becomes one that is nowhere: calls then fail, and do not go unchecked.
                VerifySslCert::Against(path) => Some(path.to_str().unwrap_or("\u{fffd}")).into(),
                VerifySslCert::Yes | VerifySslCert::No => None.into(),
            },
            client_refused: texts.client_refused.as_deref().into(),
        }
    }

    fn invocation(&self) -> Invocation {
        let text = |bytes: &Bytes<'_>| bytes.text().map(str::to_owned);
        let json = |bytes: &Bytes<'_>| bytes.text().map(JsonText::from_checked);
        let invocation = Invocation::new(Message {
            activation_id: text(&self.activation_id),
            api_endpoint: text(&self.api_endpoint),
            token: self.token.text().map(SecretString::from),
            project_id: text(&self.project_id),
            session_id: text(&self.session_id),
            skill_name: text(&self.skill_name),
            output_name: text(&self.output_name),
            channel_id: text(&self.channel_id),
            agent_name: text(&self.agent_name),
            timestamp: json(&self.timestamp_json),
            payload: json(&self.payload_json).unwrap_or_else(JsonText::null),
            properties: json(&self.properties_json),
            other: json(&self.other_json),
        })
        .with_response_limit(self.response_limit)
        .with_client_options(MessageOptions {
            leeway: Duration::from_nanos(self.leeway),
            verify_ssl_cert: match self.ca_bundle.text() {
                Some(path) => VerifySslCert::Against(path.into()),
                None => self.verifies.into(),
            },
        });
        let invocation = match self.client_refused.bytes() {
            Some(json) => invocation.with_client_refused(read_error(json)),
            None => invocation,
        };
        let invocation = match TraceParent::from_numbers(self.trace, self.span, self.trace_flags) {
            Some(own) => invocation.with_trace_parent(own),
            None => invocation,
        };
        match Instant::now().checked_add(Duration::from_nanos(self.remaining)) {
            Some(deadline) if self.remaining != u64::MAX => invocation.with_deadline(deadline),
            _ => invocation,
        }
    }
}

/// What of an invocation is written as text so that it can cross.
pub struct Texts {
    client_refused: Option<String>,
}

impl Texts {
    /// Those of an invocation.
    pub fn of(invocation: &Invocation) -> Self {
        Self { client_refused: invocation.client_refused().map(write_error) }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn write_error(error: &Error) -> String {
    // Of a struct of texts there is no part that JSON cannot say.
    serde_json::to_string(&Wire::from(error)).unwrap_or_default()
}

fn read_error(json: &[u8]) -> Error {
    serde_json::from_slice::<Wire<'_>>(json)
        .map_or_else(|_| Error::new(Code::SkillFailed, "an error that crossed cannot be read"), Error::from)
}

/// Bytes that are lent to the other side for the duration of a call.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bytes<'a> {
    start: *const u8,
    length: usize,
    lifetime: PhantomData<&'a [u8]>,
}

// SAFETY: `Bytes` is a shared slice by another name: it is only made from `&'a [u8]` and only gives one out.
unsafe impl Send for Bytes<'_> {}
// SAFETY: as above.
unsafe impl Sync for Bytes<'_> {}

impl<'a> Bytes<'a> {
    /// Lends bytes.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { start: bytes.as_ptr(), length: bytes.len(), lifetime: PhantomData }
    }

    /// The bytes; `None` when nothing was lent.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        if self.start.is_null() {
            return None;
        }
        // SAFETY: a `Bytes` that is not null was made from a slice that lives for `'a`, by this code or by code of the same
        // ABI version, which was checked before any table was used.
        Some(unsafe { std::slice::from_raw_parts(self.start, self.length) })
    }

    /// The bytes as text; `None` when nothing was lent or when they are not UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

impl<'a> From<Option<&'a str>> for Bytes<'a> {
    fn from(text: Option<&'a str>) -> Self {
        let nothing = Self { start: std::ptr::null(), length: 0, lifetime: PhantomData };
        text.map_or(nothing, |text| Self::of(text.as_bytes()))
    }
}

/// A success or a failure, in memory of the side that made it.
#[repr(C)]
pub struct Reply {
    failed: bool,
    start: *mut u8,
    length: usize,
    capacity: usize,
    free: extern "C" fn(start: *mut u8, length: usize, capacity: usize),
}

// SAFETY: a `Reply` owns its memory as the `Vec<u8>` it was made from did, and `free` may be called on any thread, as the
// global allocator may.
unsafe impl Send for Reply {}

impl Reply {
    fn new(failed: bool, bytes: Vec<u8>) -> Self {
        extern "C" fn free(start: *mut u8, length: usize, capacity: usize) {
            // SAFETY: `Reply` is only made in `new`, from the parts of a `Vec<u8>` of this very library, and calls this
            // once, when it is dropped.
            drop(unsafe { Vec::from_raw_parts(start, length, capacity) });
        }

        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        let (start, length, capacity) = (bytes.as_mut_ptr(), bytes.len(), bytes.capacity());
        Self { failed, start, length, capacity, free }
    }

    fn of(result: Result<String, Error>) -> Self {
        match result {
            Ok(text) => Self::new(false, text.into_bytes()),
            Err(error) => Self::new(true, write_error(&error).into_bytes()),
        }
    }

    /// The bytes of a success.
    ///
    /// # Errors
    ///
    /// The failure that crossed.
    pub fn bytes(&self) -> Result<&[u8], Error> {
        // SAFETY: the parts are those of a `Vec<u8>` that lives until this is dropped.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, self.length) };
        if !self.failed {
            return Ok(bytes);
        }
        Err(read_error(bytes))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        (self.free)(self.start, self.length, self.capacity);
    }
}

/// Skills that a crate exports. See [`export!`](crate::export).
#[doc(hidden)]
pub struct Export(pub fn() -> Vec<Skill>);

inventory::collect!(Export);

/// Makes a library of a crate: exports the skills that the function at the path returns.
///
/// The crate's manifest has `crate-type = ["cdylib", "rlib"]`: the former for hosts that load it, the latter for binaries
/// that link it. A library exports the skills of every crate in it that calls `export!`.
///
/// ```
/// use skill_sdk::prelude::*;
///
/// pub fn skills() -> Vec<Skill> {
///     vec![Skill::new("echo", async |input: Value, _: Context| -> Result<Value> { Ok(input) })]
/// }
///
/// skill_sdk::export!(skills);
/// ```
#[macro_export]
macro_rules! export {
    ($skills:path) => {
        $crate::plugin::inventory::submit! { $crate::plugin::Export($skills) }
    };
}

#[doc(hidden)]
pub use inventory;

/// The library's entry point. Every library that contains this crate has it; which skills there are, [`export!`](crate::export)
/// says.
// SAFETY: no other symbol of this name exists: it carries this crate's prefix, and the crate defines it once.
#[unsafe(no_mangle)]
pub extern "C" fn skill_sdk_plugin() -> *const Plugin {
    static PLUGIN: Plugin = Plugin {
        header: Header::of::<Plugin>(),
        sdk_version: Bytes::of(env!("CARGO_PKG_VERSION").as_bytes()),
        start,
        manifests,
        schemas,
        call,
    };
    &raw const PLUGIN
}

/// The skills of this library, made once.
fn skills() -> &'static [Skill] {
    static SKILLS: OnceLock<Vec<Skill>> = OnceLock::new();
    SKILLS.get_or_init(|| inventory::iter::<Export>().flat_map(|export| (export.0)()).collect())
}

/// The runtime of this library, made at the first call.
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let make = || runtime::Builder::new_multi_thread().worker_threads(1).thread_name("skill").enable_all().build();
    RUNTIME
        .get_or_init(make)
        .as_ref()
        .map_err(|error| Error::new(Code::Internal, format!("the library's runtime cannot start: {error}")))
}

/// The levels of [`LogRecord::level`], from 1.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// The number that a level has when it crosses.
pub fn level_number(level: LevelFilter) -> u8 {
    LEVELS.iter().map(|&one| u8::from(LevelFilter::from_level(one) <= level)).sum()
}

/// The level that a number means, if any.
pub fn level_of(number: u8) -> Option<Level> {
    LEVELS.get(usize::from(number).checked_sub(1)?).copied()
}

extern "C" fn start(host: &Host) {
    // What panics here is a subscriber or a hook that cannot be set; the skills work without.
    drop(catch_unwind(AssertUnwindSafe(|| forward_logs(*host))));
    let request_made = host.request_made;
    client::observe_requests(move |request| request_made(request.status.unwrap_or(0), nanoseconds(request.took)));
}

/// Sends events and panics of this library to the host.
fn forward_logs(host: Host) {
    let Some(max_level) = level_of(host.max_level) else {
        // Nobody listens, but the standard hook would still write to the host's stderr.
        return logging::report_panics();
    };
    let layer = RecordLayer::new(move |record: &Record<'_>| {
        let fields = format!("{{{}}}", record.fields.members_json());
        (host.log)(&LogRecord {
            level: level_number(record.level.into()),
            target: Bytes::of(record.target.as_bytes()),
            message: Bytes::of(record.message.as_bytes()),
            fields: Bytes::of(fields.as_bytes()),
            activation_id: record.activation_id.into(),
        });
    });
    let subscriber = tracing_subscriber::registry().with(layer).with(LevelFilter::from_level(max_level));
    // An author who has set another subscriber in this library wants that one.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        logging::report_panics();
    }
}

extern "C" fn manifests() -> Reply {
    guarded(|| json(&skills().iter().map(Skill::manifest).collect::<Vec<&Manifest>>()))
}

extern "C" fn schemas(skill: usize) -> Reply {
    guarded(|| json(&find(skill)?.schemas()))
}

extern "C" fn call(skill: usize, call: &Call<'_>) -> FfiFuture<Reply> {
    let started = catch_unwind(AssertUnwindSafe(|| {
        let (skill, runtime) = (find(skill)?, runtime()?);
        let invocation = call.invocation();
        let span = logging::invocation_span(invocation.message(), &skill.manifest().name);
        Ok(Entered { running: Some(skill.call(invocation)), runtime: runtime.handle().clone(), span })
    }));
    match started.unwrap_or_else(|panic| Err(panicked(panic))) {
        Ok(entered) => entered.into_ffi(),
        Err(error) => std::future::ready(Reply::of(Err(error))).into_ffi(),
    }
}

fn find(skill: usize) -> Result<&'static Skill, Error> {
    skills().get(skill).ok_or_else(|| Error::new(Code::SkillNotFound, format!("the library has no skill {skill}")))
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::new(Code::Internal, error.to_string()))
}

fn guarded(make: impl FnOnce() -> Result<String, Error>) -> Reply {
    Reply::of(catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| Err(panicked(panic))))
}

/// An invocation within the library's runtime and the invocation's span.
struct Entered {
    running: Option<Running>,
    runtime: runtime::Handle,
    span: tracing::Span,
}

impl Future for Entered {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Reply> {
        let this = &mut *self;
        let _runtime = this.runtime.enter();
        let _span = this.span.enter();
        match this.running.as_mut().map(|running| Pin::new(running).poll(context)) {
            Some(Poll::Ready(answer)) => Poll::Ready(Reply::of(answer.map(crate::Response::into_string))),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // What the handler holds may need the runtime to be dropped.
        let _runtime = self.runtime.enter();
        let _span = self.span.enter();
        self.running = None;
    }
}

#[cfg(test)]
mod tests;
