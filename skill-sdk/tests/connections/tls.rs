//! Whose certificates are taken.

use std::path::Path;

use skill_sdk::Code;
use skill_sdk::client::VerifySslCert;

use super::server::{Authority, Leaf, Server};
use super::{BTreeMap, ask, ask_with, client};

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Asks, and gives the causes of the failure that there must be.
async fn refusal(url: &str, verify: impl Into<VerifySslCert>) -> String {
    let error = ask(url, verify).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable, "{error:?}");
    error.chain()
}

#[tokio::test]
async fn an_unknown_authority_is_refused_unless_it_is_named() {
    let authority = Authority::new("ours");
    let server = Server::start(&authority.leaf(Leaf::Good)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "ca.pem", &authority.pem());

    let why = refusal(&server.url, VerifySslCert::Yes).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    assert_eq!(server.answered(), 0);
    assert!(ask(&server.url, file.as_str()).await.unwrap());
    assert!(ask(&server.url, folder.path()).await.unwrap());
    assert!(ask(&server.url, VerifySslCert::No).await.unwrap());
    assert_eq!(server.answered(), 3);
    // What one client may do, another may not.
    refusal(&server.url, VerifySslCert::Yes).await;
}

#[tokio::test]
async fn a_platform_that_is_not_trusted_is_not_asked_again() {
    let server = Server::start(&Authority::new("ours").leaf(Leaf::Good)).await;
    let error = client(&server.url, VerifySslCert::Yes).unwrap().content().exists("k").await.unwrap_err();
    assert!(error.chain().contains("UnknownIssuer"), "{}", error.chain());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_bundle_replaces_all_other_authorities() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let server = Server::start(&ours.leaf(Leaf::Good)).await;
    let folder = tempfile::tempdir().unwrap();
    let wrong = write(folder.path(), "other.pem", &other.pem());
    let why = refusal(&server.url, wrong.as_str()).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    let both = write(folder.path(), "both.pem", &format!("{}\nnotes\n{}", other.pem(), ours.pem()));
    assert!(ask(&server.url, both.as_str()).await.unwrap());

    // Whom the system trusts is not asked.
    let system = tempfile::tempdir().unwrap();
    write(system.path(), "ours.pem", &ours.pem());
    let mut variables = BTreeMap::from([("SSL_CERT_DIR", system.path().to_str().unwrap().to_owned())]);
    let said = ask_with(&server.url, variables.clone()).await;
    assert!(said.contains("found: true"), "{said}");
    variables.insert("REQUESTS_CA_BUNDLE", wrong);
    let said = ask_with(&server.url, variables).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
}

#[tokio::test]
async fn a_known_authority_is_not_enough() {
    let authority = Authority::new("ours");
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "ca.pem", &authority.pem());
    for (leaf, why) in [(Leaf::Expired, "expired"), (Leaf::OfAnotherHost, "not valid for name")] {
        let server = Server::start(&authority.leaf(leaf)).await;
        let chain = refusal(&server.url, bundle.as_str()).await;
        assert!(chain.contains(why), "{chain}");
        assert_eq!(server.answered(), 0);
    }
}

#[tokio::test]
async fn a_bundle_that_cannot_be_used_is_named() {
    let authority = Authority::new("ours");
    let server = Server::start(&authority.leaf(Leaf::Good)).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "late.pem", "");
    let error = ask(&server.url, bundle.as_str()).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.code().is_retryable());
    assert_eq!(error.detail(), format!("the CA bundle {bundle} holds no certificate in PEM form"));
    // Once it can be used, it is.
    std::fs::write(&bundle, authority.pem()).unwrap();
    assert!(ask(&server.url, bundle.as_str()).await.unwrap());
}

#[tokio::test]
async fn plain_http_asks_for_no_bundle() {
    let server = Server::start_plain().await;
    assert!(ask(&server.url, "/no/such/bundle").await.unwrap());
}

#[tokio::test]
async fn the_environment_names_a_bundle() {
    let authority = Authority::new("ours");
    let server = Server::start(&authority.leaf(Leaf::Good)).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "ca.pem", &authority.pem());
    for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        let said = ask_with(&server.url, BTreeMap::from([(name, bundle.clone())])).await;
        assert!(said.contains("found: true"), "{said}");
        let said = ask_with(&server.url, BTreeMap::from([(name, "/no/such/bundle".to_owned())])).await;
        assert!(said.contains("platform_unavailable: the CA bundle /no/such/bundle cannot be read: "), "{said}");
    }
}

#[tokio::test]
async fn a_system_without_authorities_has_the_bundled_ones() {
    let server = Server::start(&Authority::new("ours").leaf(Leaf::Good)).await;
    // What loads the system's authorities takes an empty name for a file, and finds none.
    let said = ask_with(&server.url, BTreeMap::from([("SSL_CERT_FILE", String::new())])).await;
    assert!(said.contains("DEBUG the system has no certificate authorities: the bundled ones count"), "{said}");
    assert!(said.contains("UnknownIssuer"), "{said}");

    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    let said = ask_with(&server.url, BTreeMap::from([("SSL_CERT_DIR", empty.to_owned())])).await;
    assert!(said.contains(&format!("SSL_CERT_DIR names no folder with a certificate: {empty}")), "{said}");
}
