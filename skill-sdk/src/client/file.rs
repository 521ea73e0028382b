//! A file that is read piece by piece, as an answer is.

use std::fs::File;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use crate::error::{Code, Error};

/// Size of the pieces in which it is read. Each costs a change of threads.
const PIECE: usize = 256 * 1024;

/// An open file.
pub(super) struct OpenFile {
    file: tokio::fs::File,
    /// In bytes, as it was when the file was opened.
    length: u64,
    /// What fails if it cannot be read, as the start of an error text.
    failure: String,
}

impl OpenFile {
    /// Blocking.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(super) fn new(file: File, failure: String) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(PIECE);
        Ok(Self { file, length, failure })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when the disk fails.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = self.file.read_buf(&mut piece).await.map_err(|error| {
            Error::new(Code::SkillFailed, format!("{}: the file cannot be read", self.failure)).with_source(error)
        })?;
        Ok((read > 0).then(|| piece.freeze()))
    }
}
