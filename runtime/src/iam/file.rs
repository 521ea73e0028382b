//! Files with capabilities.

use std::io::{self, Read};
use std::path::Path;

use skill_sdk::{Code, Error};

use crate::cli::exit;
use crate::outcome::Refusal;

/// A file with capabilities, as JSON or YAML.
pub(super) struct CapabilityFile {
    /// For a person.
    name: String,
    bytes: Vec<u8>,
}

impl CapabilityFile {
    /// Reads a file as a whole, or standard input for `-`.
    pub(super) fn read(path: &Path) -> Result<Self, Refusal> {
        let (name, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            ("standard input".to_owned(), io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes))
        } else {
            (path.display().to_string(), std::fs::read(path))
        };
        match bytes {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(error) => {
                let error = Error::new(Code::InvalidPayload, format!("cannot read {name}")).with_source(error);
                Err(Refusal::with_exit_code(error, exit::NO_INPUT))
            }
        }
    }

    /// What it holds, without the mark that some editors put before it.
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes)
    }

    /// The refusal of what it holds.
    pub(super) fn unusable(&self, error: Error) -> Refusal {
        let Self { name, .. } = self;
        let needs_project = error.missing().iter().any(|missing| missing == "project");
        let detail = if needs_project {
            format!("cannot compare {name} without --project")
        } else {
            format!("cannot compare {name}")
        };
        let pointer = error.pointer().map(str::to_owned);
        let refused = Error::new(Code::InvalidPayload, detail).with_source(error);
        let refused = match pointer {
            Some(pointer) => refused.with_pointer(pointer),
            None => refused,
        };
        if needs_project { Refusal::with_exit_code(refused, exit::USAGE) } else { refused.into() }
    }
}
