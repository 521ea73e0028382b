//! Files that are replaced as a whole. Everything here is blocking.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// Most links that lead to a place, as Linux has it.
const MOST_LINKS: usize = 40;

/// A file that is to take a place, beside which it is written. Dropped before it does, it is removed.
///
/// A link in that place stays one: what it leads to is replaced, or made if it is not there. What is replaced leaves its
/// permissions; a new file has those that any new file has.
pub(super) struct Replacement {
    written: TempPath,
    place: PathBuf,
}

impl Replacement {
    /// An empty file whose name begins with the prefix until it takes its place.
    ///
    /// # Errors
    ///
    /// Those of the disk, such as that the folder is not there.
    pub(super) fn new(path: &Path, prefix: &str) -> io::Result<(File, Self)> {
        let (place, existing) = followed(path)?;
        if existing.is_some() {
            // Who may not write to a file may not replace it either.
            fs::OpenOptions::new().write(true).open(&place)?;
        }
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let kept = existing.map(|metadata| metadata.permissions());
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Less what the process takes from its files.
            builder.permissions(kept.clone().unwrap_or_else(|| fs::Permissions::from_mode(0o666)));
        }
        let (file, written) = builder.tempfile_in(folder)?.into_parts();
        if let Some(kept) = kept {
            // Somebody else gave these, and nothing is taken from them.
            file.set_permissions(kept)?;
        }
        Ok((file, Self { written, place }))
    }

    /// Takes its place. To be there with its content after a power cut too, the file must be synced before.
    ///
    /// # Errors
    ///
    /// Those of the disk. The file is removed then.
    pub(super) fn complete(self) -> io::Result<()> {
        Ok(self.written.persist(self.place)?)
    }
}

/// Where links lead to, and what is there. Nothing need be.
fn followed(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut place = path.to_owned();
    for _ in 0..=MOST_LINKS {
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(&place)?;
                // It is meant from where the link is; an absolute one replaces all.
                place.pop();
                place.push(target);
            }
            Ok(metadata) => return Ok((place, Some(metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((place, None)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("over {MOST_LINKS} links lead from one to the next")))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn write(path: &Path, text: &str) -> io::Result<()> {
        let (mut file, replacement) = Replacement::new(path, ".new-")?;
        file.write_all(text.as_bytes())?;
        replacement.complete()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn permissions_are_kept_and_a_new_file_has_the_usual_ones() {
        let folder = tempfile::tempdir().unwrap();
        let (usual, path) = (folder.path().join("usual"), folder.path().join("file"));
        File::create(&usual).unwrap();
        write(&path, "a").unwrap();
        assert_eq!(mode(&path), mode(&usual));
        for kept in [0o600, 0o666, 0o640, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
            write(&path, "b").unwrap();
            assert_eq!(mode(&path), kept);
        }
        assert_eq!(fs::read(&path).unwrap(), b"b");
        let abandoned = Replacement::new(&path, ".new-").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        drop(abandoned);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn links_stay_wherever_they_lead() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inner")).unwrap();
        symlink("inner/b", at("a")).unwrap();
        symlink(at("inner/c"), at("inner/b")).unwrap();
        symlink("../file", at("inner/c")).unwrap();
        // First there is nothing at the end, then a file.
        for text in ["one", "two"] {
            write(&at("a"), text).unwrap();
            assert!([at("a"), at("inner/b"), at("inner/c")].iter().all(|link| link.is_symlink()));
            assert_eq!(fs::read_to_string(at("file")).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);

        symlink("no/folder", at("nowhere")).unwrap();
        assert_eq!(write(&at("nowhere"), "x").unwrap_err().kind(), ErrorKind::NotFound);
        symlink("circle", at("circle")).unwrap();
        assert!(write(&at("circle"), "x").unwrap_err().to_string().contains("links"));
        assert!(at("nowhere").is_symlink() && at("circle").is_symlink());
    }
}
