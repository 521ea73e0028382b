//! An artifact that is being stored.

use std::fs::File;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;

use futures_core::Stream;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;

use crate::client::body::{Body, Progress};
use crate::client::replace::Replacement;
use crate::error::{Code, Error};

use super::folder::{NEW, failed};

/// A file that is to become an artifact. Dropped before it has, it is removed.
pub(super) struct Incoming {
    file: Option<File>,
    replacement: Option<Replacement>,
}

impl Incoming {
    /// An empty one, for the artifact at this path. Blocking.
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        let (file, replacement) =
            Replacement::new(path, NEW).map_err(|error| failed(path, "cannot be written", error))?;
        Ok(Self { file: Some(file), replacement: Some(replacement) })
    }

    /// Writes a body as it comes.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when the body or the disk fails.
    pub(super) async fn receive(&mut self, mut body: Body, failure: &str) -> Result<(), Error> {
        let unwritten = |error: std::io::Error| {
            Error::new(Code::SkillFailed, format!("{failure}: the file cannot be written")).with_source(error)
        };
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut file = tokio::fs::File::from_std(file);
        let progress = Progress::new();
        let mut body = body.next(failure).await?.watched(&progress);
        while let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
            let piece = piece.map_err(|error| {
                let detail = format!("{failure}: what was to be saved cannot be read");
                Error::new(Code::SkillFailed, detail).with_source(progress.take_failure().unwrap_or(error))
            })?;
            file.write_all(&piece).await.map_err(unwritten)?;
        }
        file.flush().await.map_err(unwritten)?;
        file.sync_all().await.map_err(unwritten)
    }

    /// Makes it the artifact, replacing what was there. Blocking.
    pub(super) fn place(&mut self, path: &Path) -> Result<(), Error> {
        let Some(replacement) = self.replacement.take() else { return Ok(()) };
        replacement.complete().map_err(|error| failed(path, "cannot be written", error))
    }

    /// Removes it, unless it is the artifact now. Blocking.
    pub(super) fn remove(mut self) {
        drop(self.replacement.take());
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(replacement) = self.replacement.take() else { return };
        // Removing a large file takes long enough to keep it off the async workers.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(replacement)));
        }
    }
}
