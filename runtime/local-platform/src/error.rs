//! Why a platform could not start, or could not mint a token.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a platform could not start.
///
/// The text names the path or address; the cause, where there is one, is the source and not repeated in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something in the data folder could not be created, read or written.
    #[error("cannot use {}", path.display())]
    Data {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// Another platform runs on the data folder.
    #[error("the data folder {} is in use by another platform", path.display())]
    InUse {
        /// The data folder.
        path: PathBuf,
    },

    /// `pat.json` exists but this platform did not write it, or it was changed. It is left as it is.
    #[error("{} is not a personal access config of a local platform: {reason}", path.display())]
    Access {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never a value from the file.
        reason: String,
    },

    /// The address could not be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The loopback address and port asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },

    /// No key pair could be generated.
    #[error("cannot generate a key pair for {}", path.display())]
    Key {
        /// The file the key was meant for.
        path: PathBuf,
    },
}

impl StartError {
    pub(crate) fn data(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Data { path: path.into(), source }
    }
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign a token")]
pub struct TokenError(#[source] pub(crate) jsonwebtoken::errors::Error);
