//! A server that notes every request.

use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use serde_json::Value;
use skill_sdk::{Client, testing};

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// The body, or how it broke off.
    pub(crate) body: Result<Bytes, String>,
}

impl Noted {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as it was before it was compressed, if it was.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let body = self.body.as_ref().unwrap();
        let mut plain = Vec::new();
        match self.header("content-encoding") {
            Some(encoding) => {
                assert_eq!(encoding, "gzip");
                GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
            }
            None => plain.extend_from_slice(body),
        }
        plain
    }

    /// The method, the target, and the JSON that was sent, if any, by somebody with a token.
    pub(crate) fn sent(&self) -> (&str, &str, Option<Value>) {
        let body = self.plain();
        let body = (!body.is_empty()).then(|| serde_json::from_slice(&body).unwrap());
        // Cognite Data Fusion is told also where there is none.
        let has_type = body.is_some() || self.header("cdf-version").is_some();
        assert_eq!(self.header("content-type"), has_type.then_some("application/json"));
        assert!(self.header("authorization").unwrap().starts_with("Bearer eyJ"));
        (&self.method, &self.target, body)
    }
}

type Answer = Arc<dyn Fn(&Noted) -> Response + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) noted: Arc<Mutex<Vec<Noted>>>,
    answer: Answer,
}

impl Server {
    /// A server that gives every request the same answer.
    pub(crate) async fn answering<A: IntoResponse>(answer: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self::start(move |_| answer().into_response()).await
    }

    /// A server that looks at the request.
    pub(crate) async fn start(answer: impl Fn(&Noted) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, noted: Arc::default(), answer: Arc::new(answer) };
        let router = Router::new().fallback(note).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(crate) fn client(&self) -> Client {
        Client::from_message(testing::message(&()).with_api_endpoint(&self.url)).unwrap()
    }

    pub(crate) fn only(&self) -> Noted {
        let mut noted = self.noted.lock().unwrap();
        assert_eq!(noted.len(), 1, "{noted:?}");
        noted.remove(0)
    }
}

async fn note(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| error.to_string());
    let noted = Noted { method: parts.method.to_string(), target: parts.uri.to_string(), headers: parts.headers, body };
    let answer = (server.answer)(&noted);
    server.noted.lock().unwrap().push(noted);
    answer
}
