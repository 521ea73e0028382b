//! What a request carries.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::AsyncRead;
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;

use crate::error::{Code, Error};

use file_pieces::FilePieces;

mod file_pieces;

/// Size of the pieces in which bytes in memory go out, and in which files are read and readers are asked. Smaller than what a
/// processor keeps near, so that they are not fetched again to be sent.
pub(crate) const PIECE: usize = 64 * 1024;

/// What is to be sent: bytes, a file, or whatever a reader or a stream gives.
///
/// Bytes and files can be sent again when a call is repeated, and have a length that the platform is told. A reader or
/// stream can be sent once: a call is repeated only if nothing of it has been read.
///
/// ```
/// # use skill_sdk::client::Body;
/// let text = Body::from("a,b\n1,2\n");
/// let file = Body::file("/var/log/big.log").on_progress(|bytes| eprintln!("{bytes} bytes"));
/// let reader = Body::reader(tokio::io::empty());
/// ```
pub struct Body {
    kind: Kind,
    on_progress: Option<OnProgress>,
}

enum Kind {
    Bytes(Bytes),
    File {
        path: PathBuf,
        first: Option<Fingerprint>,
    },
    /// The stream, until it is read from.
    Stream(Arc<Mutex<Option<BodyStream>>>),
}

type OnProgress = Arc<dyn Fn(u64) + Send + Sync>;
type BodyStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl Body {
    /// The content of a regular file as it is when the call is made. If it has changed when a call is to be repeated, the
    /// call fails instead.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Kind::File { path: path.as_ref().to_owned(), first: None }.into()
    }

    /// What a reader gives until its end. One that fails ends the call, and the platform keeps nothing of it.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::stream(ReaderStream::with_capacity(reader, PIECE))
    }

    /// What a stream gives until its end. One that fails ends the call, and the platform keeps nothing of it.
    pub fn stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let stream: BodyStream = Box::pin(stream);
        Kind::Stream(Arc::new(Mutex::new(Some(stream)))).into()
    }

    /// Calls a function with the number of bytes that have gone out, whenever more have. It starts anew when the call is
    /// repeated.
    pub fn on_progress(mut self, on_progress: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(on_progress));
        self
    }

    /// The bytes of one that is in memory.
    pub(super) fn bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Bytes(bytes) => Some(bytes),
            Kind::File { .. } | Kind::Stream(_) => None,
        }
    }

    /// Its length in bytes, of one that is in memory.
    pub(super) fn size(&self) -> Option<usize> {
        self.bytes().map(Bytes::len)
    }

    /// Whether there can be another attempt with it.
    pub(super) fn can_be_sent(&self) -> bool {
        match &self.kind {
            Kind::Bytes(_) | Kind::File { .. } => true,
            Kind::Stream(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
        }
    }

    /// The body of the next attempt; `failure` says what fails if it does.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a file that cannot be read, or has changed since the first attempt.
    pub(super) async fn next(&mut self, failure: &str) -> Result<Outgoing, Error> {
        let (stream, length): (BodyStream, _) = match &mut self.kind {
            Kind::Bytes(bytes) => (Box::pin(Pieces(bytes.clone())), Some(bytes.len() as u64)),
            Kind::File { path, first } => {
                let (file, length) = open(path, first, failure).await?;
                (Box::pin(FilePieces::new(file, length)), Some(length))
            }
            Kind::Stream(stream) => (Box::pin(Unread { kept: stream.clone(), taken: None }), None),
        };
        Ok(Outgoing { stream, length, on_progress: self.on_progress.clone() })
    }
}

impl From<Kind> for Body {
    fn from(kind: Kind) -> Self {
        Self { kind, on_progress: None }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Kind::Bytes(bytes).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::File { path, .. } => write!(f, "Body({})", path.display()),
            Kind::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

/// By what a file is known to be the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Fingerprint {
    length: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
        }
    }
}

async fn open(path: &Path, first: &mut Option<Fingerprint>, failure: &str) -> Result<(File, u64), Error> {
    let failed = |what: &str| Error::new(Code::SkillFailed, format!("{failure}: {} {what}", path.display()));
    let unreadable = |error: io::Error| failed("cannot be read").with_source(error);
    let place = path.to_owned();
    let opened = spawn_blocking(move || {
        // Opening a pipe would wait for whoever writes to it.
        if !fs::metadata(&place)?.is_file() {
            return Ok(None);
        }
        let file = File::open(&place)?;
        let metadata = file.metadata()?;
        Ok(Some((file, metadata)))
    });
    let opened = opened.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(unreadable)?;
    let (file, metadata) = opened.ok_or_else(|| failed("is no regular file"))?;
    let now = Fingerprint::of(&metadata);
    if first.is_some_and(|first| first != now) {
        return Err(failed("was changed while it was being sent"));
    }
    *first = Some(now);
    Ok((file, metadata.len()))
}

/// A body on its way, in one attempt.
pub(super) struct Outgoing {
    stream: BodyStream,
    /// Its length in bytes, where it is known.
    pub(super) length: Option<u64>,
    on_progress: Option<OnProgress>,
}

impl Outgoing {
    /// The body as it is sent. It notes how far it has come.
    pub(super) fn watched(self, progress: &Progress) -> Watched {
        let Self { stream, length, on_progress } = self;
        Watched { stream, length, sent: 0, progress: progress.clone(), on_progress }
    }
}

/// How far a body has come.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Step>>);

struct Step {
    last: Instant,
    /// How many bytes have been taken from us.
    sent: u64,
    failure: Option<io::Error>,
    /// Whether nobody wants the rest of it.
    over: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Step { last: Instant::now(), sent: 0, failure: None, over: false })))
    }

    /// When it last got on.
    pub(super) fn last(&self) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// How many bytes have been taken from us. They may still be under way.
    pub(super) fn sent(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sent
    }

    /// Why what was to be sent could not be read, if that is so.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }

    fn note(&self, sent: u64, failure: Option<io::Error>) {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *step = Step { last: Instant::now(), sent, failure, over: step.over };
    }

    /// Sends no more of it: the call was refused.
    pub(super) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over = true;
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over
    }
}

/// Bytes that go out in pieces, so that progress can be seen.
struct Pieces(Bytes);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.0.len().min(PIECE);
        let piece = self.0.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// A stream that is taken when it is first read from. Until then another attempt may have it.
struct Unread {
    kept: Arc<Mutex<Option<BodyStream>>>,
    taken: Option<BodyStream>,
}

impl Stream for Unread {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.taken.is_none() {
            let unread = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.taken = unread;
        }
        match &mut self.taken {
            Some(stream) => stream.as_mut().poll_next(context),
            // An attempt before this one has it: that is over, and so is the stream.
            None => Poll::Ready(Some(Err(io::Error::other("it was read by an attempt before")))),
        }
    }
}

/// A body that notes its progress, and is as long as it was said to be.
pub(super) struct Watched {
    stream: BodyStream,
    length: Option<u64>,
    sent: u64,
    progress: Progress,
    on_progress: Option<OnProgress>,
}

impl Stream for Watched {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.progress.is_over() {
            return Poll::Ready(Some(Err(io::Error::other("the call was refused"))));
        }
        let next = std::task::ready!(self.stream.as_mut().poll_next(context));
        let failure = match &next {
            Some(Ok(piece)) => {
                self.sent += piece.len() as u64;
                self.progress.note(self.sent, None);
                if let Some(on_progress) = &self.on_progress {
                    on_progress(self.sent);
                }
                return Poll::Ready(next);
            }
            Some(Err(error)) => io::Error::new(error.kind(), error.to_string()),
            None if self.length.is_some_and(|length| self.sent < length) => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was being sent")
            }
            None => return Poll::Ready(None),
        };
        self.progress.note(self.sent, Some(failure));
        // Whoever asks for the failure gets it from the progress: this one only breaks the request off.
        Poll::Ready(Some(Err(io::Error::other("what was to be sent cannot be read"))))
    }
}
