//! Content that is being read.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use reqwest::header::CONTENT_TYPE;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::io::StreamReader;

use crate::error::{Code, Error};

use super::content::OCTET_STREAM;
use super::file::OpenFile;
use super::replace::Replacement;
use super::response::Response;
use super::sink::Sink;

/// Content that is being read. Its body is read as it is asked for and never held as a whole, unless
/// [`bytes`](Self::bytes) does.
pub struct Download {
    source: Source,
    read: u64,
    on_progress: Option<OnProgress>,
}

enum Source {
    Answer(Response),
    File(OpenFile),
}

type OnProgress = Arc<dyn Fn(u64) + Send + Sync>;

impl Download {
    pub(super) fn of_answer(response: Response) -> Self {
        Self { source: Source::Answer(response), read: 0, on_progress: None }
    }

    pub(super) fn of_file(file: OpenFile) -> Self {
        Self { source: Source::File(file), read: 0, on_progress: None }
    }

    /// Calls a function with the number of bytes that have been read, whenever more have.
    pub fn on_progress(mut self, on_progress: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(on_progress));
        self
    }

    /// The media type that was given on upload.
    pub fn content_type(&self) -> Option<&str> {
        match &self.source {
            Source::Answer(response) => response.headers().get(CONTENT_TYPE)?.to_str().ok(),
            Source::File(_) => Some(OCTET_STREAM),
        }
    }

    /// The length in bytes, where the platform says it.
    pub fn content_length(&self) -> Option<u64> {
        match &self.source {
            Source::Answer(response) => response.content_length(),
            Source::File(file) => Some(file.length()),
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Code::PlatformUnavailable`] when the connection breaks or nothing comes for the time of a call, [`Code::Timeout`]
    /// when the invocation's deadline passes; [`Code::SkillFailed`] when it is read from a disk that fails.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = match &mut self.source {
            Source::Answer(response) => response.chunk().await?,
            Source::File(file) => file.chunk().await?,
        };
        if let Some(chunk) = &chunk {
            self.read += chunk.len() as u64;
            if let Some(on_progress) = &self.on_progress {
                on_progress(self.read);
            }
        }
        Ok(chunk)
    }

    /// All of it. This holds the whole content in memory.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Writes all of it, piece by piece, and gives the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`Code::SkillFailed`] when the writer fails.
    pub async fn copy_to(mut self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Error> {
        let failed = |error| cannot_write("the content").with_source(error);
        while let Some(chunk) = self.chunk().await? {
            writer.write_all(&chunk).await.map_err(failed)?;
        }
        writer.flush().await.map_err(failed)?;
        Ok(self.read)
    }

    /// Writes all of it to a file, and gives the number of bytes. A file that is there is replaced when all has come; until
    /// then, and when anything fails, it stays as it is. It keeps its permissions, and a link stays one: what it leads to is
    /// replaced or made. What is no regular file, such as a pipe, is written to directly.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`Code::SkillFailed`] when the file cannot be written.
    pub async fn save(self, path: impl AsRef<Path>) -> Result<u64, Error> {
        let path = path.as_ref().to_owned();
        let what = path.display().to_string();
        let failed = |error| cannot_write(&what).with_source(error);
        let (file, target) = off_worker(move || Target::open(&path)).await.map_err(failed)?;
        let written = self.drain(file, &what).await?;
        off_worker(|| target.complete()).await.map_err(failed)?;
        Ok(written)
    }

    /// Writes all of it to an open file, such as standard output, and gives the number of bytes. A thread of its own writes
    /// while more is read.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`Code::SkillFailed`] when the file cannot be written.
    pub async fn write_to(self, file: File) -> Result<u64, Error> {
        self.drain(file, "the content").await
    }

    async fn drain(mut self, file: File, what: &str) -> Result<u64, Error> {
        let mut sink = Sink::new(file);
        let mut can_write = true;
        while can_write {
            tokio::select! {
                biased;
                chunk = self.chunk() => {
                    let Some(chunk) = chunk? else { break };
                    can_write = sink.write(&chunk).await;
                }
                // Nothing waits for more to come.
                handed_over = sink.flush(), if sink.has_gathered() => can_write = handed_over,
            }
        }
        sink.finish().await.map_err(|error| cannot_write(what).with_source(error))?;
        Ok(self.read)
    }

    /// The content as a stream of pieces. An [`Error`] is the source of the one that ends it.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::try_unfold(self, |mut download| async move {
            let chunk = download.chunk().await.map_err(io::Error::other)?;
            Ok(chunk.map(|chunk| (chunk, download)))
        })
    }

    /// The content as a reader, for example for its lines. An [`Error`] is the source of the one that ends it.
    ///
    /// ```no_run
    /// # async fn example(client: skill_sdk::Client) -> skill_sdk::Result<()> {
    /// use tokio::io::{AsyncBufReadExt, BufReader};
    ///
    /// let download = client.content().download("orders.jsonl").await?;
    /// let mut lines = BufReader::new(download.into_reader()).lines();
    /// while let Some(line) = lines.next_line().await? {
    ///     println!("{line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        StreamReader::new(Box::pin(self.into_stream()))
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content_type", &self.content_type())
            .field("content_length", &self.content_length())
            .finish_non_exhaustive()
    }
}

/// Where a file is to be.
enum Target {
    /// Beside its place, until it is complete.
    Beside(Replacement),
    /// In its place.
    There,
}

impl Target {
    fn open(path: &Path) -> io::Result<(File, Self)> {
        match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => Ok((OpenOptions::new().write(true).open(path)?, Self::There)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                let (file, replacement) = Replacement::new(path, ".download-")?;
                Ok((file, Self::Beside(replacement)))
            }
        }
    }

    fn complete(self) -> io::Result<()> {
        match self {
            Self::Beside(replacement) => replacement.complete(),
            Self::There => Ok(()),
        }
    }
}

/// Does what may block, away from the workers of the runtime.
async fn off_worker<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn cannot_write(what: &str) -> Error {
    Error::new(Code::SkillFailed, format!("cannot write {what}"))
}
