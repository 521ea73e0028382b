//! Signals that ask a process to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::exit;

/// A request to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// The exit code of a process that had to give up its work for it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => exit::INTERRUPTED,
            Self::Terminate => exit::TERMINATED,
        }
    }
}

/// Waits for SIGINT or SIGTERM. From the first poll on, neither ends the process by itself.
pub(crate) async fn received() -> Signal {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        },
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "signals cannot be watched and keep their usual effect");
            std::future::pending().await
        }
    }
}
