//! The bytes of a file, piece by piece.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::PIECE;

/// Most pieces of a file that are kept: hyper takes new ones until it has some 400 KiB to write.
const KEPT: usize = 8;

/// A file that is read from the system's memory as long as it is there, which takes no wait and no change of threads, and
/// from then on by other threads, the next piece while others go out. Pieces that have gone out are filled again: new memory
/// would cost as much as the reading.
pub(super) struct FilePieces {
    file: Arc<File>,
    at: u64,
    end: u64,
    /// Whether all that has been read so far was in memory.
    is_cached: bool,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// What was given out, and may be on its way still.
    given: Vec<Bytes>,
}

impl FilePieces {
    /// So many bytes of a file, from its beginning.
    pub(super) fn new(file: File, length: u64) -> Self {
        let given = Vec::with_capacity(KEPT);
        Self { file: Arc::new(file), at: 0, end: length, is_cached: true, reading: None, given }
    }

    /// Room for the next piece; `None` at the end.
    fn room(&mut self) -> Option<BytesMut> {
        let length = usize::try_from(self.end - self.at).map_or(PIECE, |left| left.min(PIECE));
        if length == 0 {
            return None;
        }
        let mut room = self.unused(length).unwrap_or_else(|| BytesMut::zeroed(length));
        room.truncate(length);
        Some(room)
    }

    /// A piece that has gone out.
    fn unused(&mut self, length: usize) -> Option<BytesMut> {
        if let Some(place) = self.given.iter().position(|piece| piece.len() >= length && piece.is_unique()) {
            return self.given.swap_remove(place).try_into_mut().ok();
        }
        if self.given.len() == KEPT {
            self.given.remove(0);
        }
        None
    }

    /// The next piece, or begins to read it.
    fn next_or_begin(&mut self) -> Option<Bytes> {
        let mut room = self.room()?;
        if self.is_cached {
            match read_cached(&self.file, &mut room, self.at) {
                Some(count @ 1..) => {
                    self.at += count as u64;
                    room.truncate(count);
                    return Some(room.freeze());
                }
                Some(0) | None => self.is_cached = false,
            }
        }
        self.begin(room);
        None
    }

    fn begin(&mut self, mut room: BytesMut) {
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.at += room.len() as u64;
        self.reading = Some(spawn_blocking(move || {
            let count = fill(&file, &mut room, at)?;
            room.truncate(count);
            Ok(room.freeze())
        }));
    }
}

/// Reads what is in the system's memory, and gives how many bytes that were; `None` when it would have to wait, or when it
/// is not known whether it would.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, room: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};

    preadv2(file, &mut [io::IoSliceMut::new(room)], at, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

/// Reads until there is no more room or the file ends, and gives how many bytes that were.
fn fill(mut file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while filled < room.len() {
        match file.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Stream for FilePieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let cached = if self.reading.is_none() { self.next_or_begin() } else { None };
        let piece = if let Some(piece) = cached {
            piece
        } else {
            let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
            let read = std::task::ready!(Pin::new(reading).poll(context));
            self.reading = None;
            let piece = read.unwrap_or_else(|error| Err(io::Error::other(error)))?;
            if piece.is_empty() {
                // The file became shorter.
                self.at = self.end;
                return Poll::Ready(None);
            }
            if let Some(room) = self.room() {
                self.begin(room);
            }
            piece
        };
        self.given.push(piece.clone());
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// All pieces; at most so many are held at a time, as hyper does.
    async fn all(mut pieces: FilePieces, held: usize) -> Vec<u8> {
        let (mut all, mut on_their_way) = (Vec::new(), Vec::new());
        while let Some(piece) = std::future::poll_fn(|context| Pin::new(&mut pieces).poll_next(context)).await {
            on_their_way.push(piece.unwrap());
            while on_their_way.len() > held {
                all.extend_from_slice(&on_their_way.remove(0));
            }
        }
        all.extend(on_their_way.iter().flatten());
        all
    }

    #[tokio::test]
    async fn a_file_comes_whole_from_memory_and_from_a_disk() {
        let bytes: Vec<u8> = (0..3_000_001).map(|_| fastrand::u8(..)).collect();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, bytes.len()] {
            for held in [0, 1, 7, 20] {
                for is_cached in [true, false] {
                    let mut pieces = FilePieces::new(file(&bytes), length as u64);
                    pieces.is_cached = is_cached;
                    assert!(all(pieces, held).await == bytes[..length], "{length} {held} {is_cached}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_ends() {
        for is_cached in [true, false] {
            for length in [0, PIECE, PIECE + 5] {
                let mut pieces = FilePieces::new(file(&vec![b'x'; length]), 1 << 20);
                pieces.is_cached = is_cached;
                assert_eq!(all(pieces, 1).await.len(), length);
            }
        }
    }
}
