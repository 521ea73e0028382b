//! Writing beside reading: while something goes to the disk, more comes from the network.

use std::fs::File;
use std::io::{self, Write};

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};

/// Most bytes that are gathered before they are written. Handing them over costs a change of threads.
const MOST: usize = 512 * 1024;

/// A file that a thread of its own writes to.
///
/// What comes is copied to one of two buffers, which take turns. That costs less than to hand over the memory it came in:
/// then the connection would need new memory for each piece.
pub(super) struct Sink {
    gathered: Vec<u8>,
    full: Sender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    written: JoinHandle<io::Result<()>>,
}

impl Sink {
    pub(super) fn new(output: File) -> Self {
        let (full, to_write) = mpsc::channel(1);
        let (emptied, empty) = mpsc::channel(1);
        let written = spawn_blocking(move || write(to_write, &emptied, output));
        Self { gathered: Vec::with_capacity(MOST), full, empty, written }
    }

    /// Takes a piece, when there is room for it. Gives `false` when nothing more can be written: [`finish`](Self::finish)
    /// says why.
    pub(super) async fn write(&mut self, mut piece: &[u8]) -> bool {
        while !piece.is_empty() {
            if self.gathered.len() == MOST && !self.hand_over().await {
                return false;
            }
            let (now, later) = piece.split_at(piece.len().min(MOST - self.gathered.len()));
            self.gathered.extend_from_slice(now);
            piece = later;
        }
        true
    }

    /// Whether something is gathered.
    pub(super) fn has_gathered(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Has written what is gathered, once everything before it is and unless more comes at once. Gives `false` when nothing more
    /// can be written. It may be dropped before it is done.
    pub(super) async fn flush(&mut self) -> bool {
        yield_now().await;
        self.hand_over().await
    }

    async fn hand_over(&mut self) -> bool {
        let Some(empty) = self.empty.recv().await else { return false };
        // There are as many places as buffers.
        self.full.try_send(std::mem::replace(&mut self.gathered, empty)).is_ok()
    }

    /// Waits until everything is written.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        if self.has_gathered() {
            // The thread says why nothing more can be written.
            self.hand_over().await;
        }
        drop(self.full);
        self.written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

fn write(mut full: Receiver<Vec<u8>>, emptied: &Sender<Vec<u8>>, mut output: File) -> io::Result<()> {
    let mut empty = Vec::with_capacity(MOST);
    loop {
        empty.clear();
        // Whoever gives nothing more needs no buffer.
        let _ = emptied.try_send(empty);
        let Some(gathered) = full.blocking_recv() else { return Ok(()) };
        output.write_all(&gathered)?;
        empty = gathered;
    }
}
