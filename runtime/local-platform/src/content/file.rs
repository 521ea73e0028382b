//! One stored object: a file that begins with its description, so both are replaced together.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `LPCONT1\n` |
//! | 4 | length of the description, big-endian |
//! | that many | the description, JSON: `{"key": "...", "contentType": "..."}` |
//! | the rest | the object |

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"LPCONT1\n";
/// Keys and content types are bounded, and JSON writes no character of theirs in more than two bytes per byte.
const LONGEST_DESCRIPTION: u32 = 4096;

/// What is known of an object besides its bytes and size.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    pub(crate) key: String,
    pub(crate) content_type: String,
}

impl Description {
    /// The beginning of the file.
    pub(crate) fn header(&self) -> io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len()).ok().filter(|length| *length <= LONGEST_DESCRIPTION);
        let length = length.ok_or_else(|| io::Error::other("the description is too long"))?;
        Ok([&MAGIC[..], &length.to_be_bytes(), &json].concat())
    }
}

/// An open object, positioned at its first byte.
pub(crate) struct Object {
    pub(crate) description: Description,
    /// Bytes, without the description.
    pub(crate) size: u64,
    /// When the file was last written to.
    pub(crate) modified: Timestamp,
    pub(crate) file: File,
}

impl Object {
    /// `None` when there is no file of that name. Blocking.
    ///
    /// Only regular files are opened: a link planted in the folder must not lead out of it.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(damaged("it is not a regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        match File::open(path) {
            Ok(file) => Self::read(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(mut file: File) -> io::Result<Self> {
        let mut start = [0; 12];
        file.read_exact(&mut start)?;
        let [magic @ .., a, b, c, d] = start;
        let length = u32::from_be_bytes([a, b, c, d]);
        if magic != *MAGIC || length > LONGEST_DESCRIPTION {
            return Err(damaged("it does not begin with a description"));
        }
        let mut json = Vec::new();
        file.by_ref().take(length.into()).read_to_end(&mut json)?;
        let description = serde_json::from_slice(&json)?;
        let metadata = file.metadata()?;
        let size = metadata.len().checked_sub(start.len() as u64 + u64::from(length));
        let size = size.ok_or_else(|| damaged("it ends within its description"))?;
        let modified = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
        Ok(Self { description, size, modified, file })
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        let description = Description { key: "\u{2028}\"\\".repeat(200), content_type: "text/plain".to_owned() };
        let header = description.header().unwrap();
        fs::write(&path, [&header[..], b"bytes"].concat()).unwrap();

        let mut object = Object::open(&path).unwrap().unwrap();
        let mut bytes = String::new();
        object.file.read_to_string(&mut bytes).unwrap();
        assert_eq!((object.description, object.size, bytes.as_str()), (description, 5, "bytes"));
    }

    #[test]
    fn damaged_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        let header = Description { key: "k".to_owned(), content_type: String::new() }.header().unwrap();
        for bytes in [&b""[..], b"LPCONT1\n", b"something else entirely", &header[..header.len() - 1]] {
            fs::write(&path, bytes).unwrap();
            assert!(Object::open(&path).is_err(), "{bytes:?}");
        }
        assert!(Object::open(&folder.path().join("absent")).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(Object::open(&link).is_err());
    }
}
