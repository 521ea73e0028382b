//! Whom spans are sent to.

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use percent_encoding::percent_decode_str;
use reqwest::{Client, redirect};
use skill_sdk::{Code, Error};
use tokio::runtime::{self, Runtime};
use url::{Host, Url};

/// How long a request may take: the default of the specification.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest answer that is read. It says how many spans were refused, and why.
const LARGEST_ANSWER: usize = 64 << 10;

/// Where traces go.
pub(super) struct Endpoint {
    /// The URL, without user and password.
    pub(super) traces: String,
    /// User and password, if the URL had any.
    authorization: Option<HeaderValue>,
    /// Whether proxies can reach it.
    proxies: bool,
}

impl Endpoint {
    /// Reads the URL that `/v1/traces` is under. No error repeats it.
    pub(super) fn of(url: &str) -> Result<Self, Error> {
        let invalid = |why: &str| Error::new(Code::Internal, format!("--otlp-endpoint {why}"));
        let mut url = Url::parse(url).map_err(|error| invalid(&format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("must be an http or https URL"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("must be a URL that a path can be added to"));
        }
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let mut pair: Vec<u8> = percent_decode_str(user).collect();
                pair.push(b':');
                pair.extend(percent_decode_str(password.unwrap_or_default()));
                let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
                let mut value = value.map_err(|_| invalid("has a user that no header can name"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        // Another machine's `localhost` is not ours.
        let proxies = match url.host() {
            Some(Host::Domain(name)) => name != "localhost",
            Some(Host::Ipv4(address)) => !address.is_loopback(),
            Some(Host::Ipv6(address)) => !address.to_canonical().is_loopback(),
            None => true,
        };
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
        // An http URL has a host, so both can be taken away.
        let _ = (url.set_username(""), url.set_password(None));
        Ok(Self { traces: url.into(), authorization, proxies })
    }
}

/// Sends requests to a collector. What that needs is made when the first is sent, on the thread that sends.
pub(super) struct Collector {
    authorization: Option<HeaderValue>,
    proxies: bool,
    connection: OnceLock<(Runtime, Client)>,
}

impl Collector {
    pub(super) fn new(Endpoint { authorization, proxies, .. }: Endpoint) -> Self {
        Self { authorization, proxies, connection: OnceLock::new() }
    }

    fn connection(&self) -> Result<&(Runtime, Client), HttpError> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let builder = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE);
        let client = if self.proxies { builder } else { builder.no_proxy() }.build()?;
        Ok(self.connection.get_or_init(|| (runtime, client)))
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'f>(
        &'a self,
        mut request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            if let Some(value) = &self.authorization {
                request.headers_mut().insert(AUTHORIZATION, value.clone());
            }
            let (runtime, client) = self.connection()?;
            // The exporter has a thread of its own, which does nothing else and belongs to no runtime.
            Ok(runtime.block_on(send(client, request)).map_err(reqwest::Error::without_url)?)
        })
    }
}

async fn send(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let mut response = client.execute(request.try_into()?).await?;
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            // What is left is of no interest, and the connection is given up.
            break;
        }
        body.extend_from_slice(&chunk);
    }
    *answer.body_mut() = body.into();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_under_the_url() {
        for (url, traces, proxies) in [
            ("http://collector:4318", "http://collector:4318/v1/traces", true),
            ("https://collector/otlp/", "https://collector/otlp/v1/traces", true),
            ("http://localhost:4318", "http://localhost:4318/v1/traces", false),
            ("http://[::1]", "http://[::1]/v1/traces", false),
        ] {
            let endpoint = Endpoint::of(url).unwrap();
            assert_eq!((&*endpoint.traces, endpoint.authorization, endpoint.proxies), (traces, None, proxies));
        }
    }

    #[test]
    fn user_and_password_are_no_part_of_the_url() {
        let endpoint = Endpoint::of("http://me:a%3Ab@collector").unwrap();
        assert_eq!(endpoint.traces, "http://collector/v1/traces");
        let value = endpoint.authorization.clone().unwrap();
        assert_eq!(value, format!("Basic {}", STANDARD.encode("me:a:b")).as_str());
        let shown = format!("{value:?} {:?}", Collector::new(endpoint));
        assert!(!shown.contains(&STANDARD.encode("me:a:b")), "{shown}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_not_repeated() {
        for url in [
            "",
            "collector:4318",
            "me:secret@host",
            "ftp://me:secret@host",
            "http://me:secret@host?a=secret",
            "http://me:secret@",
        ] {
            let error = Endpoint::of(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(error.detail().starts_with("--otlp-endpoint ") && !error.detail().contains("secret"), "{error}");
        }
    }
}
