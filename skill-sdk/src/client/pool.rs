//! The pools of HTTP connections, shared by all clients of the process: one for each way to connect.
//!
//! Proxies are taken from `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, in either case, with what `NO_PROXY` takes out
//! (reqwest reads them when a pool is made). This machine itself is never reached through one. Certificates are checked as
//! [`VerifySslCert`] says.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{ClientBuilder, redirect};
use tokio::runtime;
use tracing::Span;
use url::{Host, Url};

use crate::auth::{Environment, ProcessEnvironment};
use crate::error::{Code, Error};

use super::tls::{VerifySslCert, no_client};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most pools that are kept. A program has one runtime and at most two settings; only a test run has many.
const KEPT: usize = 16;

/// The variables that name a proxy for plain HTTP.
const PLAIN_PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A way to connect.
#[derive(Clone, Eq, PartialEq)]
struct Way {
    /// Connections are driven by tasks of the runtime that opened them and must not be used after it has ended.
    runtime: runtime::Id,
    /// How certificates are checked; `None` where there are none.
    tls: Option<VerifySslCert>,
    /// Whether proxies are used, where there are some.
    proxies: bool,
}

static POOLS: Mutex<Vec<(Way, reqwest::Client)>> = Mutex::new(Vec::new());

/// The pool of the current runtime for a URL, made when it is first asked for. Loading the roots of trust reads files and
/// takes milliseconds, so a pool for plain HTTP does without them, and other pools are made beside the workers of the
/// runtime. A pool that could not be made is tried again by the next call.
///
/// # Errors
///
/// [`Code::PlatformUnavailable`] for a CA bundle that cannot be used, [`Code::Internal`] outside of a runtime.
pub(super) async fn http(url: &Url, verify: &VerifySslCert) -> Result<reqwest::Client, Error> {
    let runtime = runtime::Handle::try_current()
        .map_err(|error| Error::new(Code::Internal, "platform calls need a tokio runtime").with_source(error))?;
    let way = Way::to(url, verify, &ProcessEnvironment, runtime.id());
    if let Some(http) = find(&way) {
        return Ok(http);
    }
    let Way { tls, proxies, .. } = way.clone();
    let http = match tls {
        None => builder(proxies).tls_certs_only([]).build().map_err(no_client)?,
        Some(verify) => {
            // What is logged there belongs to this invocation.
            let span = Span::current();
            runtime
                .spawn_blocking(move || span.in_scope(|| verify.finish(|| builder(proxies))))
                .await
                .map_err(|error| Error::new(Code::Internal, "the HTTP client was not set up").with_source(error))??
        }
    };
    Ok(keep(way, http))
}

impl Way {
    fn to(url: &Url, verify: &VerifySslCert, environment: &impl Environment, runtime: runtime::Id) -> Self {
        let proxies = !is_loopback(url);
        let encrypted = url.scheme() == "https" || (proxies && plain_proxy_is_encrypted(environment));
        // Not every caller has asked the environment.
        let tls = encrypted.then(|| verify.clone().or_environment(environment));
        Self { runtime, tls, proxies }
    }
}

/// Whether a URL is of this machine, which proxies cannot reach: another machine's `localhost` is not ours.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

/// Whether plain HTTP may go through a proxy that is itself reached over TLS.
fn plain_proxy_is_encrypted(environment: &impl Environment) -> bool {
    let encrypted = |value: &[u8]| value.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"https://"));
    PLAIN_PROXY_VARIABLES
        .iter()
        .any(|name| environment.raw(name).is_some_and(|value| encrypted(value.as_encoded_bytes())))
}

fn find(way: &Way) -> Option<reqwest::Client> {
    // A panic while this lock is held leaves the list whole: it is only searched, cut and pushed to.
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.iter().find(|(kept, _)| kept == way).map(|(_, http)| http.clone())
}

/// Keeps a pool that was made, unless somebody was faster: then that one is used by both.
fn keep(way: Way, http: reqwest::Client) -> reqwest::Client {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, faster)) = pools.iter().find(|(kept, _)| *kept == way) {
        return faster.clone();
    }
    if pools.len() == KEPT {
        pools.remove(0);
    }
    pools.push((way, http.clone()));
    http
}

fn builder(proxies: bool) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // No client of the platform follows redirects: a 302 says that the token was refused.
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(user_agent());
    if proxies { builder } else { builder.no_proxy() }
}

/// In the form of the platform's own clients (contract "fabric-api", section 1).
fn user_agent() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: String = kernel.trim().chars().filter(char::is_ascii_graphic).collect();
    let bits = usize::BITS;
    format!("skill-sdk/{} ({};{bits}bit;{kernel})", env!("CARGO_PKG_VERSION"), std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn way(url: &str, environment: &BTreeMap<&str, &str>) -> Way {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        Way::to(&Url::parse(url).unwrap(), &VerifySslCert::Yes, environment, runtime.handle().id())
    }

    #[test]
    fn this_machine_is_reached_without_proxies() {
        for (host, proxies) in [
            ("localhost", false),
            ("LOCALHOST", false),
            ("127.0.0.1", false),
            ("127.255.0.7", false),
            ("[::1]", false),
            ("[::ffff:127.0.0.1]", false),
            ("localhost.example.com", true),
            ("notlocalhost", true),
            ("10.0.0.1", true),
            ("128.0.0.1", true),
            ("[::2]", true),
            ("api.example.com", true),
        ] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:8000/x");
                assert_eq!(way(&url, &BTreeMap::new()).proxies, proxies, "{url}");
            }
        }
    }

    #[test]
    fn only_what_is_encrypted_needs_authorities() {
        let none = BTreeMap::new();
        let bundle = BTreeMap::from([("SSL_CERT_FILE", "/bundle"), ("HTTP_PROXY", "http://proxy")]);
        assert_eq!(way("http://h", &none).tls, None);
        assert_eq!(way("http://h", &bundle).tls, None);
        assert_eq!(way("https://h", &none).tls, Some(VerifySslCert::Yes));
        assert_eq!(way("https://h", &bundle).tls, Some("/bundle".into()));
        for name in PLAIN_PROXY_VARIABLES {
            let proxy = BTreeMap::from([(name, "HTTPS://proxy")]);
            assert_eq!(way("http://h", &proxy).tls, Some(VerifySslCert::Yes));
            assert_eq!(way("http://127.0.0.1", &proxy).tls, None);
        }
    }

    #[tokio::test]
    async fn those_who_come_at_the_same_time_share_a_pool() {
        let verify = VerifySslCert::No;
        let url = Url::parse("https://127.0.0.1:1").unwrap();
        let made = tokio::join!(http(&url, &verify), http(&url, &verify), http(&url, &verify));
        assert!(made.0.is_ok() && made.1.is_ok() && made.2.is_ok());
        let way = Way::to(&url, &verify, &ProcessEnvironment, runtime::Handle::current().id());
        let pools = POOLS.lock().unwrap();
        assert_eq!(pools.iter().filter(|(kept, _)| *kept == way).count(), 1);
    }

    #[tokio::test]
    async fn a_pool_that_could_not_be_made_is_not_kept() {
        let verify = VerifySslCert::from("/no/such/bundle");
        let url = Url::parse("https://127.0.0.1:1").unwrap();
        assert_eq!(http(&url, &verify).await.unwrap_err().code(), Code::PlatformUnavailable);
        let way = Way::to(&url, &verify, &ProcessEnvironment, runtime::Handle::current().id());
        assert!(find(&way).is_none());
    }
}
