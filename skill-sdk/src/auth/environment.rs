//! The environment variables that are read, and how they are read: through a trait, so that tests need no process-wide state.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::auth::login::{self, Login};
use crate::error::{Code, Error};

/// A token.
pub const CORTEX_TOKEN: &str = "CORTEX_TOKEN";
/// A personal access config: JSON when it begins with `{`, else the path of a file.
pub const CORTEX_PERSONAL_ACCESS_CONFIG: &str = "CORTEX_PERSONAL_ACCESS_CONFIG";
/// Where the platform is.
pub const CORTEX_URI: &str = "CORTEX_URI";
/// Where the platform is, unless [`CORTEX_URI`] says so.
pub const CORTEX_URL: &str = "CORTEX_URL";
/// The project to work in.
pub const CORTEX_PROJECT: &str = "CORTEX_PROJECT";
/// The folder of the [profiles](super::profile); `~/.cortex` unless set.
pub const CORTEX_CONFIG_DIR: &str = "CORTEX_CONFIG_DIR";

/// Where variables come from. One that is set to nothing counts as not set, whoever asks.
///
/// A map is an environment too:
///
/// ```
/// # use std::collections::BTreeMap;
/// use skill_sdk::auth::Environment;
///
/// let environment = BTreeMap::from([("CORTEX_PROJECT", "orders-dev"), ("CORTEX_TOKEN", "")]);
/// assert_eq!(environment.text("CORTEX_PROJECT")?, Some("orders-dev".to_owned()));
/// assert_eq!(environment.text("CORTEX_TOKEN")?, None);
/// # Ok::<_, skill_sdk::Error>(())
/// ```
pub trait Environment {
    /// The value of a variable as it is set; `None` when it is not.
    fn raw(&self, name: &str) -> Option<OsString>;

    /// The home folder of the user.
    fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    /// What somebody has entered in this process; see [`Client::login`](crate::Client::login).
    fn login(&self) -> Option<Arc<Login>> {
        None
    }

    /// The value of a variable that names a file or folder.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The value of a variable that is text.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when it is not UTF-8; the error names the variable, not its value.
    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let value = self.raw(name).filter(|value| !value.is_empty());
        value
            .map(|value| {
                value.into_string().map_err(|_| Error::new(Code::InvalidMessage, format!("{name} is not UTF-8 text")))
            })
            .transpose()
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn raw(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
    }

    fn login(&self) -> Option<Arc<Login>> {
        login::current()
    }
}

impl<V: AsRef<str>> Environment for BTreeMap<&str, V> {
    fn raw(&self, name: &str) -> Option<OsString> {
        self.get(name).map(|value| value.as_ref().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn text_must_be_utf_8() {
        use std::os::unix::ffi::OsStringExt;

        struct Binary;
        impl Environment for Binary {
            fn raw(&self, _: &str) -> Option<OsString> {
                Some(OsString::from_vec(vec![b'a', 0xff]))
            }
        }
        assert_eq!(Binary.text("X").unwrap_err().detail(), "X is not UTF-8 text");
        assert!(Binary.path("X").is_some());
    }

    #[test]
    fn the_process_has_a_home_and_variables() {
        assert_eq!(ProcessEnvironment.raw("PATH"), std::env::var_os("PATH"));
        assert_eq!(ProcessEnvironment.raw("SKILL_SDK_NO_SUCH_VARIABLE"), None);
    }
}
