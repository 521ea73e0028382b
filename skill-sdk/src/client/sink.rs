//! Writing beside reading: while a piece goes to the disk, the next one comes from the network.

use std::fs::File;
use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking};

/// Most pieces that wait to be written.
const WAITING: usize = 4;

/// A file that a thread of its own writes to.
pub(super) struct Sink {
    pieces: Sender<Bytes>,
    written: JoinHandle<io::Result<()>>,
}

impl Sink {
    pub(super) fn new(output: File) -> Self {
        let (pieces, waiting) = mpsc::channel(WAITING);
        Self { pieces, written: spawn_blocking(move || write(waiting, output)) }
    }

    /// Hands a piece over, when there is room for it. Gives `false` when nothing more can be written:
    /// [`finish`](Self::finish) says why.
    pub(super) async fn write(&mut self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) -> io::Result<()> {
        drop(self.pieces);
        self.written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

fn write(mut pieces: Receiver<Bytes>, mut output: File) -> io::Result<()> {
    while let Some(piece) = pieces.blocking_recv() {
        output.write_all(&piece)?;
    }
    Ok(())
}
