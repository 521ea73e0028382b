//! What goes through a proxy, and what the proxy's password does not go into.

use super::server::{Authority, Leaf, Proxy, Server};
use super::{BTreeMap, ask_with};

/// `user:hidden` as a proxy is told.
const AUTHORIZATION: &str = "proxy-authorization: Basic dXNlcjpoaWRkZW4=";

#[tokio::test]
async fn plain_requests_go_to_the_proxy_as_a_whole() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let platform = Server::start_plain().await;
        let proxy = Proxy::to(&platform).await;
        let said = ask_with("http://platform.test", BTreeMap::from([(name, proxy.url("user:hidden@"))])).await;
        assert!(said.contains("found: true") && !said.contains("hidden"), "{said}");
        let head = platform.head();
        assert!(head.starts_with("HEAD http://platform.test/fabric/v4/"), "{head}");
        assert!(head.contains(AUTHORIZATION), "{head}");
    }
}

#[tokio::test]
async fn tls_goes_through_the_proxy_from_end_to_end() {
    let authority = Authority::new("ours");
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let bundle = bundle.to_str().unwrap();
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let platform = Server::start(&authority.leaf(Leaf::OfAnotherHost)).await;
        let proxy = Proxy::to(&platform).await;
        let variables = BTreeMap::from([(name, proxy.url("user:hidden@")), ("SSL_CERT_FILE", bundle.to_owned())]);
        let said = ask_with("https://platform.test", variables).await;
        assert!(said.contains("found: true") && !said.contains("hidden"), "{said}");
        let tunnel = proxy.head();
        assert!(tunnel.starts_with("CONNECT platform.test:443 HTTP/1.1\r\n"), "{tunnel}");
        assert!(tunnel.to_lowercase().contains(&AUTHORIZATION.to_lowercase()), "{tunnel}");
        assert!(!tunnel.contains("eyJ") && !platform.head().contains("roxy-"), "{tunnel}");
    }
}

#[tokio::test]
async fn plain_requests_can_go_to_a_proxy_over_tls() {
    let authority = Authority::new("ours");
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let proxy = Server::start(&authority.leaf(Leaf::Good)).await;
    let variables =
        BTreeMap::from([("HTTP_PROXY", proxy.url.clone()), ("SSL_CERT_FILE", bundle.to_str().unwrap().to_owned())]);
    let said = ask_with("http://platform.test", variables).await;
    assert!(said.contains("found: true"), "{said}");
    assert!(proxy.head().starts_with("HEAD http://platform.test/fabric/v4/"));
}

#[tokio::test]
async fn this_machine_is_never_behind_a_proxy() {
    let platform = Server::start_plain().await;
    let port = platform.url.rsplit(':').next().unwrap().to_owned();
    let (_port, proxy) = Proxy::nowhere();
    for host in ["localhost", "127.0.0.1"] {
        let variables = BTreeMap::from([("ALL_PROXY", proxy.clone())]);
        let said = ask_with(&format!("http://{host}:{port}"), variables).await;
        assert!(said.contains("found: true"), "{host}: {said}");
    }
}

#[tokio::test]
async fn no_proxy_takes_hosts_out() {
    let platform = Server::start_plain().await;
    // An address that leads to this machine and that only `NO_PROXY` takes out.
    let url = platform.url.replace("127.0.0.1", "0.0.0.0");
    let (_port, proxy) = Proxy::nowhere();
    let mut variables = BTreeMap::from([("HTTP_PROXY", proxy)]);
    let said = ask_with(&url, variables.clone()).await;
    assert!(said.contains("Connection refused"), "{said}");
    variables.insert("NO_PROXY", "else.test, 0.0.0.0/8".to_owned());
    let said = ask_with(&url, variables).await;
    assert!(said.contains("found: true"), "{said}");
}

#[tokio::test]
async fn no_failure_shows_the_password_of_the_proxy() {
    let (_port, nowhere) = Proxy::nowhere();
    let nowhere = nowhere.replace("http://", "http://user:hidden@");
    for url in ["http://platform.test", "https://platform.test"] {
        let said = ask_with(url, BTreeMap::from([("ALL_PROXY", nowhere.clone())])).await;
        assert!(said.contains(&format!("no answer from {url}")) && said.contains("Connection refused"), "{said}");
        assert!(!said.contains("hidden"), "{said}");
    }
    // A proxy that refuses, and a password that should have been escaped.
    let refusing = Proxy::refusing().await;
    for user in ["user:hidden@", "user:x@hidden@"] {
        let variables = BTreeMap::from([("HTTPS_PROXY", refusing.url(user))]);
        let said = ask_with("https://platform.test", variables).await;
        assert!(said.contains("platform_unavailable: ") && !said.contains("hidden"), "{said}");
    }
}
