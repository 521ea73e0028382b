//! How far platforms are trusted to be who they say they are (contract "fabric-auth", section 9).
//!
//! What counts, the first that is said:
//!
//! 1. the option, when it is [`No`](VerifySslCert::No) or [`Against`](VerifySslCert::Against) a bundle;
//! 2. the bundle that the first set one of the [`CA_BUNDLE_VARIABLES`] names;
//! 3. the system's certificate authorities; on Linux the folders of `SSL_CERT_DIR` if it is set, else the bundle and the
//!    folder of the distribution;
//! 4. Mozilla's certificate authorities, compiled in, where the system has none: an image made from scratch.
//!
//! Whoever names a bundle gets that or an error, never other authorities.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::auth::{Environment, ProcessEnvironment};
use crate::error::{Code, Error};

/// The variables that name a CA bundle, in the order in which they count.
pub const CA_BUNDLE_VARIABLES: [&str; 3] = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"];

/// Names the folders of the system's authorities, to OpenSSL and to what reqwest loads them with.
const CA_FOLDERS_VARIABLE: &str = "SSL_CERT_DIR";

/// Most bytes of a bundle, all its files taken together, and most files of a folder.
const BUNDLE_LIMIT: u64 = 16 * 1024 * 1024;
const FILES_LIMIT: usize = 10_000;

/// Whether the certificates of platforms are checked, and against what.
///
/// As text it is `true`, `false`, or a path. What it says takes effect with the first call to a platform over `https`:
/// certificates are read then, and kept as long as the process lives. A call fails with [`Code::PlatformUnavailable`]
/// when they cannot be read, and the error names the file.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum VerifySslCert {
    /// Against the bundle that the environment names (see [`CA_BUNDLE_VARIABLES`]), else against the system's certificate
    /// authorities, else, where the system has none, against Mozilla's as they were when this was built.
    #[default]
    Yes,
    /// Not at all: whoever sits on the way can read the token. This is logged as a warning.
    No,
    /// Against these certificates and nothing else: a PEM file, or a folder of PEM files under any name. A bundle has at
    /// most 16 MiB, a folder at most 10,000 files; what lies in folders below is not read. What is no certificate
    /// authority is passed over, but there must be one at least. A server's own certificate counts only if it is not marked
    /// as that of an authority (RFC 5280, section 4.2.1.9), as those that OpenSSL makes by default are.
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

    /// Reads what was named, to see that it can be used; takes milliseconds where there is something to read.
    ///
    /// # Errors
    ///
    /// [`Code::PlatformUnavailable`] for a bundle that cannot be read or holds no certificate.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Against(path) => read_bundle(path).map(drop),
            Self::Yes | Self::No => Ok(()),
        }
    }

    /// Finishes an HTTP client so that it checks certificates as this says. Reads files, which takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`Code::PlatformUnavailable`] for a bundle that cannot be read or holds no certificate.
    pub(super) fn finish(&self, client: impl Fn() -> ClientBuilder) -> Result<reqwest::Client, Error> {
        match self {
            Self::Yes => or_bundled(client().build(), &ProcessEnvironment, client),
            Self::No => {
                tracing::warn!(
                    "certificates of platforms are not checked: whoever sits on the way can read and use the token"
                );
                client().tls_danger_accept_invalid_certs(true).build().map_err(no_client)
            }
            Self::Against(path) => client().tls_certs_only(read_bundle(path)?).build().map_err(no_client),
        }
    }
}

pub(super) fn no_client(error: reqwest::Error) -> Error {
    Error::new(Code::Internal, "the HTTP client cannot be set up").with_source(error)
}

/// A client that trusts the system's authorities, or the bundled ones where the system has none: then reqwest could make no
/// `system` client. Anything else that keeps it from making one does so again.
fn or_bundled(
    system: reqwest::Result<reqwest::Client>,
    environment: &impl Environment,
    client: impl Fn() -> ClientBuilder,
) -> Result<reqwest::Client, Error> {
    let none = match system {
        Ok(system) => return Ok(system),
        Err(none) => none,
    };
    if let Some(folders) = environment.path(CA_FOLDERS_VARIABLE) {
        let detail = format!("{CA_FOLDERS_VARIABLE} names no folder with a certificate: {}", folders.display());
        return Err(Error::new(Code::PlatformUnavailable, detail).with_source(none));
    }
    let roots: reqwest::Result<Vec<_>> =
        TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root.as_ref())).collect();
    let bundled = roots.and_then(|roots| client().tls_certs_only(roots).build()).map_err(no_client)?;
    tracing::debug!(
        authorities = TLS_SERVER_ROOT_CERTS.len(),
        "the system has no certificate authorities: the bundled ones count"
    );
    Ok(bundled)
}

/// The certificate authorities of a file or folder.
fn read_bundle(path: &Path) -> Result<Vec<Certificate>, Error> {
    let unusable = |why: &str| Error::new(Code::PlatformUnavailable, format!("the CA bundle {} {why}", path.display()));
    let unreadable = |error: io::Error| unusable("cannot be read").with_source(error);
    let mut bundle = Bundle { room: BUNDLE_LIMIT, authorities: HashSet::new() };
    let kind = std::fs::metadata(path).map_err(unreadable)?;
    if kind.is_dir() {
        for (index, entry) in std::fs::read_dir(path).map_err(unreadable)?.enumerate() {
            if index == FILES_LIMIT {
                return Err(unusable(&format!("holds over {FILES_LIMIT} files")));
            }
            let file = entry.map_err(unreadable)?.path();
            // Follows links: the hashed names are links.
            if !file.is_file() {
                continue;
            }
            match bundle.read(&file) {
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(unreadable(error)),
                Err(error) => tracing::debug!(%error, file = %file.display(), "a file of the CA bundle cannot be read"),
                Ok(()) => {}
            }
        }
    } else if kind.is_file() {
        bundle.read(path).map_err(unreadable)?;
    } else {
        // A pipe could keep the call waiting for ever.
        return Err(unusable("is neither a file nor a folder"));
    }
    if bundle.authorities.is_empty() {
        return Err(unusable("holds no certificate in PEM form"));
    }
    bundle.authorities.iter().map(|der| Certificate::from_der(der)).collect::<reqwest::Result<_>>().map_err(no_client)
}

/// A bundle that is being read.
struct Bundle {
    /// How many more bytes are read.
    room: u64,
    /// A folder has each of them under its hash too.
    authorities: HashSet<CertificateDer<'static>>,
}

impl Bundle {
    /// Reads a file. Passing over a part that is no authority takes trust away and gives none, and one part like that in the
    /// bundle of a company should not end all calls.
    fn read(&mut self, file: &Path) -> io::Result<()> {
        let mut text = Vec::new();
        let length = File::open(file)?.take(self.room + 1).read_to_end(&mut text)?;
        self.room = self.room.checked_sub(length as u64).ok_or_else(|| {
            let limit = BUNDLE_LIMIT / (1024 * 1024);
            io::Error::new(io::ErrorKind::FileTooLarge, format!("a bundle may have {limit} MiB"))
        })?;
        let parts = CertificateDer::pem_slice_iter(&text).flatten();
        self.authorities.extend(parts.filter(|der| RootCertStore::empty().add(der.clone()).is_ok()));
        Ok(())
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

impl From<String> for VerifySslCert {
    /// Reads a text as from a `&str`.
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&str> for VerifySslCert {
    /// Reads `true`, `false`, or a path. An empty text says nothing, as `true` does.
    fn from(text: &str) -> Self {
        match text {
            "" | "true" | "True" => Self::Yes,
            "false" | "False" => Self::No,
            path => Self::Against(path.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::{Record, RecordLayer};

    fn authority() -> String {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_text_is_a_word_or_a_path() {
        for (text, verify) in [
            ("", VerifySslCert::Yes),
            ("true", VerifySslCert::Yes),
            ("True", VerifySslCert::Yes),
            ("false", VerifySslCert::No),
            ("False", VerifySslCert::No),
            ("/ca.pem", VerifySslCert::Against("/ca.pem".into())),
            ("./true", VerifySslCert::Against("./true".into())),
        ] {
            assert_eq!(VerifySslCert::from(text), verify);
        }
        assert_eq!((VerifySslCert::from(true), VerifySslCert::from(false)), (VerifySslCert::Yes, VerifySslCert::No));
    }

    /// What goes wrong with a bundle, after its name.
    fn fault(path: &Path) -> String {
        let error = read_bundle(path).unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable);
        let chain = error.chain();
        chain.strip_prefix(&format!("the CA bundle {} ", path.display())).expect(&chain).to_owned()
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_bundle() {
        let mut environment = BTreeMap::from(CA_BUNDLE_VARIABLES.map(|name| (name, format!("/{name}"))));
        for name in CA_BUNDLE_VARIABLES {
            let bundle = VerifySslCert::Against(format!("/{name}").into());
            assert_eq!(VerifySslCert::Yes.or_environment(&environment), bundle);
            assert_eq!(VerifySslCert::No.or_environment(&environment), VerifySslCert::No);
            assert_eq!(VerifySslCert::from("/x").or_environment(&environment), VerifySslCert::from("/x"));
            environment.insert(name, String::new());
        }
        assert_eq!(VerifySslCert::Yes.or_environment(&environment), VerifySslCert::Yes);
    }

    #[test]
    fn a_file_may_hold_other_things_too() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        let no_authority = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----";
        let key = KeyPair::generate().unwrap().serialize_pem();
        let garbled = "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----";
        let (one, two) = (authority(), authority());
        std::fs::write(&bundle, [garbled, &one, "words", &key, no_authority, &two, &one].join("\n")).unwrap();
        assert_eq!(read_bundle(&bundle).unwrap().len(), 2);
        for nothing in ["", "words", garbled, no_authority, &key, "-----BEGIN CERTIFICATE-----\naGVs"] {
            std::fs::write(&bundle, nothing).unwrap();
            assert_eq!(fault(&bundle), "holds no certificate in PEM form", "{nothing}");
        }
    }

    #[test]
    fn a_folder_counts_as_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(fault(path), "holds no certificate in PEM form");
        std::fs::create_dir(path.join("below")).unwrap();
        for name in ["a.pem", "noted", "below/c.pem"] {
            std::fs::write(path.join(name), authority()).unwrap();
        }
        std::fs::write(path.join("README"), "words").unwrap();
        #[cfg(unix)]
        for (name, to) in [("0a1b2c3d.0", "a.pem"), ("dangling", "gone")] {
            std::os::unix::fs::symlink(to, path.join(name)).unwrap();
        }
        assert_eq!(read_bundle(path).unwrap().len(), 2);
        // Files that take no room on the disk.
        for name in ["big", "big too"] {
            File::create(path.join(name)).unwrap().set_len(BUNDLE_LIMIT / 2 + 1).unwrap();
        }
        assert_eq!(fault(path), "cannot be read: a bundle may have 16 MiB");
    }

    #[test]
    fn a_folder_of_all_sorts_is_no_bundle() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..=FILES_LIMIT {
            File::create(folder.path().join(index.to_string())).unwrap();
        }
        assert_eq!(fault(folder.path()), "holds over 10000 files");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fault_of_missing = fault(&folder.path().join("gone"));
        assert!(fault_of_missing.starts_with("cannot be read: "), "{fault_of_missing}");
        let big = folder.path().join("big");
        File::create(&big).unwrap().set_len(BUNDLE_LIMIT + 1).unwrap();
        assert_eq!(fault(&big), "cannot be read: a bundle may have 16 MiB");
        #[cfg(unix)]
        assert_eq!(fault(Path::new("/dev/zero")), "is neither a file nor a folder");
    }

    #[test]
    fn a_system_without_authorities_has_the_bundled_ones() {
        let nothing = BTreeMap::<&str, &str>::new();
        let none = || reqwest::Client::builder().user_agent("\n").build();
        assert!(or_bundled(none(), &nothing, ClientBuilder::new).is_ok());
        for root in TLS_SERVER_ROOT_CERTS {
            RootCertStore::empty().add(root.clone()).unwrap();
        }
        // Folders that were named are not replaced, and what has another reason stays.
        let error = or_bundled(none(), &BTreeMap::from([("SSL_CERT_DIR", "/a:/b")]), ClientBuilder::new).unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable);
        assert_eq!(error.detail(), "SSL_CERT_DIR names no folder with a certificate: /a:/b");
        let error = or_bundled(none(), &nothing, || ClientBuilder::new().user_agent("\n")).unwrap_err();
        assert_eq!(error.code(), Code::Internal);
    }

    #[test]
    fn checking_nothing_is_logged() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let layer = RecordLayer::new(move |record: &Record<'_>| {
            sink.lock().unwrap().push((record.level, record.message.to_owned()));
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            VerifySslCert::No.finish(ClientBuilder::new).unwrap();
        });
        let seen = seen.lock().unwrap();
        let [(level, text)] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(*level, tracing::Level::WARN);
        assert!(text.contains("not checked"), "{text}");
    }
}
