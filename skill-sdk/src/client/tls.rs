//! How far platforms are trusted to be who they say they are (contract "fabric-auth", section 9).

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::auth::Environment;

/// The variables that name a CA bundle, in the order in which they count.
pub const CA_BUNDLE_VARIABLES: [&str; 3] = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"];

/// Whether the certificates of platforms are checked, and against what.
///
/// As text it is `true`, `false`, or a path.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum VerifySslCert {
    /// Against the system's certificate authorities, or against a bundle that the environment names.
    #[default]
    Yes,
    /// Not at all: whoever sits on the way can read the token. This is logged as a warning.
    No,
    /// Against this file of certificates, or folder of such files, and nothing else.
    Against(PathBuf),
}

impl VerifySslCert {
    /// What the environment says, unless something was said already.
    pub fn or_environment(self, environment: &(impl Environment + ?Sized)) -> Self {
        match self {
            Self::Yes => {
                let bundle = CA_BUNDLE_VARIABLES.iter().find_map(|name| environment.path(name));
                bundle.map_or(Self::Yes, Self::Against)
            }
            said => said,
        }
    }
}

impl From<bool> for VerifySslCert {
    fn from(verify: bool) -> Self {
        if verify { Self::Yes } else { Self::No }
    }
}

impl From<&Path> for VerifySslCert {
    fn from(bundle: &Path) -> Self {
        Self::Against(bundle.to_owned())
    }
}

impl From<PathBuf> for VerifySslCert {
    fn from(bundle: PathBuf) -> Self {
        Self::Against(bundle)
    }
}

impl From<&str> for VerifySslCert {
    /// A path, whatever it says; to read `true` and `false`, parse.
    fn from(bundle: &str) -> Self {
        Self::Against(bundle.into())
    }
}

impl FromStr for VerifySslCert {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "true" | "True" => Self::Yes,
            "false" | "False" => Self::No,
            path => path.into(),
        })
    }
}
