//! Names as names of files and folders.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::{Code, Error};

/// Most bytes of the name of a file, on all usual file systems.
const LONGEST: usize = 255;

/// What is encoded in the name of a file.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// As [`UNSAFE`], and the separator in the names of artifact files.
const UNSAFE_OR_SEPARATOR: &AsciiSet = &UNSAFE.add(b'_');

/// A name as that of a folder, from which [`decoded`] makes the name again. A dot at its start is encoded too: what begins with
/// one is `..`, or hidden, or something else that is kept here.
pub(super) fn folder(name: &str) -> Result<String, Error> {
    limited(encoded(name), name)
}

/// The name of an artifact's file, which no other artifact of no other run of the experiment has.
pub(super) fn artifact(artifact: &str, run: &str) -> Result<String, Error> {
    let run = utf8_percent_encode(run, UNSAFE_OR_SEPARATOR);
    limited(format!("{}_{run}.pk", encoded(artifact)), artifact)
}

/// The name that a folder is for, if it is for one.
pub(super) fn decoded(folder: &str) -> Option<String> {
    let name = percent_decode_str(folder).decode_utf8().ok().map(Cow::into_owned)?;
    (encoded(&name) == folder).then_some(name)
}

fn encoded(name: &str) -> String {
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{}", utf8_percent_encode(rest, UNSAFE)),
        None => utf8_percent_encode(name, UNSAFE).to_string(),
    }
}

fn limited(file: String, name: &str) -> Result<String, Error> {
    if file.len() > LONGEST {
        let detail = format!("{name:?} is too long: the name of its file would be over {LONGEST} bytes");
        return Err(Error::new(Code::SkillFailed, detail));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_and_others_are_encoded() {
        for (name, file) in [
            ("churn-2_v1.0", "churn-2_v1.0"),
            ("acme/churn", "acme%2Fchurn"),
            ("a b", "a%20b"),
            ("100%", "100%25"),
            ("%2e", "%252e"),
            ("..", "%2E."),
            ("...", "%2E.."),
            (".locks", "%2Elocks"),
            ("日本", "%E6%97%A5%E6%9C%AC"),
            ("a\\b:c", "a%5Cb%3Ac"),
        ] {
            assert_eq!(folder(name).unwrap(), file);
            assert_eq!(decoded(file).as_deref(), Some(name));
        }
        for other in [".DS_Store", "my folder", "a%2fb", "%FF", "100%", "%41"] {
            assert_eq!(decoded(other), None, "{other}");
        }
        assert_eq!(artifact("plots/roc.png", "k3_x").unwrap(), "plots%2Froc.png_k3%5Fx.pk");
    }

    #[test]
    fn names_that_no_file_can_have_are_refused() {
        assert!(folder(&"a".repeat(255)).is_ok());
        assert!(folder(&"a".repeat(256)).unwrap_err().detail().contains("too long"));
        assert!(folder(&"ü".repeat(43)).is_err());
        assert!(artifact(&"a".repeat(250), "r1").is_err());
    }

    proptest! {
        #[test]
        fn a_folder_is_one_plain_component_and_gives_its_name_back(name in "\\PC{1,20}|[./\\\\%_ -]{1,8}") {
            let file = folder(&name).unwrap();
            prop_assert_eq!(decoded(&file), Some(name));
            let path = Path::new("root").join(&file);
            prop_assert_eq!(path.components().count(), 2);
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            prop_assert!(!file.starts_with('.'));
        }

        #[test]
        fn different_artifacts_have_different_files(
            a in "[a._/]{1,3}", b in "[a._/]{1,3}", run_a in "[a._]{1,3}", run_b in "[a._]{1,3}"
        ) {
            let same = artifact(&a, &run_a).unwrap() == artifact(&b, &run_b).unwrap();
            prop_assert_eq!(same, (a, run_a) == (b, run_b));
        }
    }
}
