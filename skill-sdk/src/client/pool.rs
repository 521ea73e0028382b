//! One pool of HTTP connections per TLS setting, shared by all clients of the process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect;
use tokio::runtime;
use url::Url;

use crate::error::{Code, Error};

use super::tls::VerifySslCert;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most pools that are kept. A program has one runtime and at most two settings; only a test run has many.
const KEPT: usize = 16;

struct Pool {
    /// Connections are driven by tasks of the runtime that opened them and must not be used after it has ended.
    runtime: runtime::Id,
    encrypted: bool,
    http: reqwest::Client,
}

static POOLS: Mutex<Vec<Pool>> = Mutex::new(Vec::new());

/// The pool of the current runtime for a URL, made when it is first asked for. Loading the roots of trust takes
/// milliseconds, so a pool for plain HTTP does without them.
pub(super) async fn http(url: &Url, _verify: &VerifySslCert) -> Result<reqwest::Client, Error> {
    let encrypted = url.scheme() == "https";
    let runtime = runtime::Handle::try_current()
        .map_err(|error| Error::new(Code::Internal, "platform calls need a tokio runtime").with_source(error))?
        .id();
    // A panic while this lock is held leaves the list whole: it is only searched and pushed to.
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.iter().find(|pool| pool.runtime == runtime && pool.encrypted == encrypted) {
        return Ok(pool.http.clone());
    }
    let http = build(encrypted)
        .map_err(|error| Error::new(Code::Internal, "the HTTP client cannot be set up").with_source(error))?;
    if pools.len() == KEPT {
        pools.remove(0);
    }
    pools.push(Pool { runtime, encrypted, http: http.clone() });
    Ok(http)
}

fn build(encrypted: bool) -> reqwest::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // No client of the platform follows redirects: a 302 says that the token was refused.
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(user_agent());
    if !encrypted {
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// In the form of the platform's own clients (contract "fabric-api", section 1).
fn user_agent() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: String = kernel.trim().chars().filter(char::is_ascii_graphic).collect();
    let bits = usize::BITS;
    format!("skill-sdk/{} ({};{bits}bit;{kernel})", env!("CARGO_PKG_VERSION"), std::env::consts::OS)
}
