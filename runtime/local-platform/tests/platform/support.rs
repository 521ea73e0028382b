//! A platform in a temporary folder, and requests to it.

use std::path::Path;
use std::time::Duration;

use local_platform::{Options, Platform};
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The deadline of anything a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Local {
    pub(crate) platform: Platform,
    pub(crate) folder: TempDir,
    pub(crate) http: Client,
    pub(crate) token: String,
}

pub(crate) async fn start_in(folder: &Path) -> Platform {
    Platform::start(options(folder)).await.unwrap()
}

pub(crate) fn options(folder: &Path) -> Options {
    Options::at(folder.join("data")).announced()
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(Options) -> Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = Platform::start(change(options(folder.path()))).await.unwrap();
        let token = token(&platform);
        Self { platform, folder, http: http(), token }
    }

    /// Stops the platform and starts another on the same folder.
    pub(crate) async fn restart(self) -> Self {
        self.platform.shutdown().await;
        let platform = start_in(self.folder.path()).await;
        Self { platform, ..self }
    }

    /// A request with a valid token, to a path below the platform's URL.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.platform.url())).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// What a path below the project `local` answers: its status and its JSON.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.request(method, &project(path));
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), json(response).await)
    }

    /// As [`call`](Self::call) with GET, and expects success.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// As [`call`](Self::call) with POST, and expects success.
    pub(crate) async fn save(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await;
        assert_eq!((status, &answer["success"]), (200, &Value::Bool(true)), "{path}: {answer}");
        answer
    }

    /// Stores bytes and expects success.
    pub(crate) async fn put(&self, path: &str, bytes: impl Into<reqwest::Body>) {
        let response = self.request(Method::POST, path).body(bytes).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }

    pub(crate) async fn keys(&self, query: &str) -> Vec<String> {
        let entries = json(self.get(&content(query)).await).await;
        let entries = entries.as_array().expect("a bare array").clone();
        entries.iter().map(|entry| entry["Key"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn incoming(&self) -> Vec<std::path::PathBuf> {
        let folder = self.folder.path().join("data/content/.incoming");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The files that hold the bytes of content.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        let folder = std::fs::read_dir(self.folder.path().join("data/content")).unwrap();
        folder.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    }

    /// Waits until no upload is under way, nor the removal of what one has left: that is work of its own after the answer.
    pub(crate) async fn nothing_incoming(&self) {
        self.until_incoming(0).await;
    }

    /// Waits until so many uploads are under way.
    pub(crate) async fn until_incoming(&self, uploads: usize) {
        let reached = async {
            while self.incoming().len() != uploads {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{uploads} temporary files"));
    }

    /// A client of the project `local`, with a valid token.
    pub(crate) fn client(&self) -> skill_sdk::Client {
        let client = skill_sdk::Client::builder().without_environment().without_profile();
        let client = client.api_endpoint(self.platform.url()).project(self.platform.project());
        client.token(self.token.clone()).build().unwrap()
    }

    /// The first lines of a request that is written by hand, with a valid token; headers may follow.
    pub(crate) fn head(&self, method: &str, path: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n", self.token)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let address = self.platform.url().strip_prefix("http://").unwrap();
        TcpStream::connect(address).await.unwrap()
    }
}

/// What the platform sends until it closes the connection.
pub(crate) async fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as a close.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the platform closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Begins an upload; on return the platform serves it (`100 Continue` says so) and waits for its body.
pub(crate) async fn begin_upload(local: &Local, path: &str, length: usize) -> TcpStream {
    let mut stream = local.connect().await;
    let head = local.head("POST", path);
    let rest = format!("Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + &rest).as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 100 "));
    stream
}

/// A path below the project `local`.
pub(crate) fn project(rest: &str) -> String {
    format!("/fabric/v4/projects/local{rest}")
}

/// A path below the content of the project `local`.
pub(crate) fn content(rest: &str) -> String {
    project(&format!("/content{rest}"))
}

/// One field of each entry of a list.
pub(crate) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap()).collect()
}

pub(crate) fn token(platform: &Platform) -> String {
    platform.mint_token(Duration::from_mins(2)).unwrap().expose_secret().to_owned()
}

pub(crate) fn http() -> Client {
    Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).no_proxy().build().unwrap()
}

pub(crate) async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}
