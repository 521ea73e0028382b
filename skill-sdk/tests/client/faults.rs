//! What a network and a platform can do wrong, and what becomes of the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use skill_sdk::client::Body;
use skill_sdk::client::content::OCTET_STREAM;
use skill_sdk::{Client, Code, Context, Error, Invocation, Skill, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::Server;

/// What becomes of a connection once its request has come.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// These bytes are the answer, then it is closed.
    Close(&'static str),
    /// These bytes are the beginning of the answer, then it is reset.
    Reset(&'static str),
    /// These bytes are the beginning of the answer, and nothing follows.
    Silence(&'static str),
}

pub(crate) const OK: Fault = Fault::Close("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]");

/// A server whose connections fare so, one after the other; further ones as the last.
pub(crate) struct Faulty {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) async fn start(faults: &'static [Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = connections.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let nth = seen.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(fare(stream, faults[nth.min(faults.len() - 1)]));
            }
        });
        Self { url, connections }
    }

    pub(crate) fn client(&self) -> Client {
        client_of(&self.url)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn fare(mut stream: TcpStream, fault: Fault) {
    let mut request = [0; 8192];
    let _ = stream.read(&mut request).await;
    let (Fault::Close(answer) | Fault::Reset(answer) | Fault::Silence(answer)) = fault;
    let _ = stream.write_all(answer.as_bytes()).await;
    match fault {
        Fault::Close(_) => {}
        Fault::Reset(_) => stream.set_zero_linger().unwrap(),
        Fault::Silence(_) => std::future::pending().await,
    }
}

pub(crate) fn client_of(url: &str) -> Client {
    Client::from_message(testing::message(&()).with_api_endpoint(url)).unwrap()
}

pub(crate) async fn list(client: &Client) -> Result<usize, Error> {
    client.content().list("").await.map(|entries| entries.len())
}

pub(crate) async fn upload(client: &Client) -> Result<(), Error> {
    client.content().upload("k", "hello", OCTET_STREAM).await.map(drop)
}

/// Gives these statuses one after the other, then 200; each failure asks for no pause.
pub(crate) async fn statuses(statuses: &'static [u16]) -> Server {
    let calls = AtomicUsize::new(0);
    Server::start(move |_| match statuses.get(calls.fetch_add(1, Ordering::SeqCst)) {
        Some(status) => (StatusCode::from_u16(*status).unwrap(), [("retry-after", "0")], "not now").into_response(),
        None => "[]".into_response(),
    })
    .await
}

pub(crate) fn calls(server: &Server) -> usize {
    server.noted.lock().unwrap().len()
}

/// Invokes a skill that lists content, with a deadline.
async fn list_within(url: &str, time: Duration) -> Result<(), Error> {
    async fn handler((): (), ctx: Context) -> skill_sdk::Result<()> {
        ctx.client()?.content().list("").await?;
        Ok(())
    }
    let message = testing::message(&()).with_api_endpoint(url);
    let invocation = Invocation::new(message).with_deadline(Instant::now() + time);
    Skill::new("lister", handler).call(invocation).await.map(drop)
}

#[tokio::test]
async fn nothing_goes_on_after_the_deadline() {
    // A pause that would end after it is not begun: the failure is told at once.
    let server = Server::answering(|| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "20")])).await;
    let error = list_within(&server.url, Duration::from_secs(10)).await.unwrap_err();
    assert_eq!((error.code(), error.http_status(), calls(&server)), (Code::PlatformUnavailable, Some(503), 1));

    // The host drops the handler at its deadline; whatever goes on in spite of that ends by itself.
    for fault in [&[Fault::Silence("")][..], &[Fault::Silence("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[")]] {
        let server = Faulty::start(fault).await;
        let error = list_within(&server.url, Duration::from_millis(300)).await.unwrap_err();
        assert_eq!((error.code(), server.connections()), (Code::Timeout, 1));
        assert_eq!(error.detail(), "cannot list content: the deadline of the invocation has passed");
    }
    let server = Server::answering(|| "[]").await;
    assert_eq!(list_within(&server.url, Duration::ZERO).await.unwrap_err().code(), Code::Timeout);
}

#[tokio::test]
async fn a_platform_that_falls_silent_is_not_waited_for_without_end() {
    for fault in [
        &[Fault::Silence("")][..],
        &[Fault::Silence("HTTP/1.1 200 OK\r\n")],
        &[Fault::Silence("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[")],
    ] {
        let server = Faulty::start(fault).await;
        let client = server.client().with_timeout(Duration::from_millis(200));
        let error = list(&client).await.unwrap_err();
        assert_eq!((error.code(), server.connections()), (Code::PlatformUnavailable, 1), "{error}");
        assert!(error.detail().ends_with("in 200ms"), "{error}");
    }
}

#[tokio::test]
async fn a_slow_body_is_waited_for_as_long_as_it_gets_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 8192];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n").await;
                for _ in 0..8 {
                    tokio::time::sleep(Duration::from_millis(150)).await;
                    let _ = stream.write_all(b" ").await;
                }
            });
        }
    });
    let client = client_of(&url).with_timeout(Duration::from_secs(1));
    assert_eq!(client.content().download("k").await.unwrap().bytes().await.unwrap(), "        ");
    // A short call has that time for the whole of its answer, and an upload for the answer to it.
    let error = upload(&client).await.unwrap_err();
    assert!(error.detail().ends_with("the answer did not come in 1s"), "{error}");
    let error = list(&client).await.unwrap_err();
    assert!(error.detail().ends_with("the answer did not come in 1s"), "{error}");
}

#[tokio::test]
async fn answers_that_are_no_answers() {
    type Answer = fn() -> Response;
    let rows: [(Answer, Code, &str); 6] = [
        (
            || (StatusCode::FOUND, [("location", "/login")]).into_response(),
            Code::TokenInvalid,
            "Authentication error: ",
        ),
        (
            || ([("content-type", "text/html")], "<!doctype html><p>Sign in").into_response(),
            Code::PlatformUnavailable,
            "the answer is not the JSON that was expected (line 1, column 1)",
        ),
        (
            || r#"[{"Key": "a", "#.into_response(),
            Code::PlatformUnavailable,
            "the answer is not the JSON that was expected (line 1",
        ),
        (|| "".into_response(), Code::PlatformUnavailable, "the answer is not the JSON that was expected"),
        (
            || "[".repeat(100_000).into_response(),
            Code::PlatformUnavailable,
            "the answer is not the JSON that was expected (line 1",
        ),
        (
            || (StatusCode::BAD_REQUEST, "<html>\u{1b}[31mno\n</html>").into_response(),
            Code::SkillFailed,
            "the platform answered 400: <html> [31mno </html>",
        ),
    ];
    for (answer, code, words) in rows {
        let server = Server::answering(answer).await;
        let error = list(&server.client()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.detail().starts_with("cannot list content: ") && error.detail().contains(words), "{error}");
        assert_eq!(calls(&server), 1, "{error}");
    }
}

#[tokio::test]
async fn a_body_that_is_far_too_long_is_not_read() {
    const GIGABYTE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n[";
    // Of one that says how long it is nothing is waited for.
    let server = Faulty::start(&[Fault::Silence(GIGABYTE)]).await;
    let error = list(&server.client()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.detail()),
        (Code::SkillFailed, "cannot list content: the answer is over 16777216 bytes; lists take a limit")
    );
    assert_eq!(server.connections(), 1);

    // Nor of a refusal more than its beginning.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&format!("http://{}", listener.local_addr().unwrap()));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 8192];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 1073741824\r\n\r\n").await.unwrap();
        let mut written = 0;
        let piece = vec![b'x'; 65536];
        while stream.write_all(&piece).await.is_ok() {
            written += piece.len();
        }
        written
    };
    let (error, written) = tokio::join!(list(&client), server);
    assert_eq!(error.unwrap_err().http_status(), Some(400));
    assert!(written < 64 << 20, "{written}");
}

#[tokio::test]
async fn the_details_of_a_refusal_are_told() {
    for (body, words) in [
        (
            r#"{"success": false, "message": "acme/greet not found", "details": {"body.name": {"message": "is required"}}}"#,
            "acme/greet not found (body.name: is required)",
        ),
        (
            r#"{"error": "invalid", "details": [{"path": "a", "message": "b"}, {"path": "c", "message": "d"}]}"#,
            "invalid (a: b; c: d)",
        ),
        (r#"{"message": "in use", "details": [{"name": "orders", "type": "agent"}]}"#, "in use (agent orders)"),
        (r#"{"message": "odd", "details": [1, {"x": 2}]}"#, "odd"),
        (r#"{"details": {"name": {"message": "is required"}}}"#, "name: is required"),
    ] {
        let server = Server::answering(move || (StatusCode::FORBIDDEN, body)).await;
        let error = list(&server.client()).await.unwrap_err();
        assert_eq!(error.detail(), format!("cannot list content: the platform answered 403: {words}"));
        let details: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(error.details(), Some(&details["details"]));
    }
    let server = Server::answering(|| (StatusCode::FORBIDDEN, r#"{"message": "no"}"#)).await;
    assert_eq!(list(&server.client()).await.unwrap_err().details(), None);
}

#[tokio::test]
async fn calls_of_an_invocation_belong_to_one_trace() {
    let server = statuses(&[503]).await;
    let id = "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10";
    let message = testing::message(&()).with_api_endpoint(&server.url);
    let client = Client::from_message(message.clone().with_activation_id(id)).unwrap();
    list(&client).await.unwrap();
    list(&client.with_project("other").unwrap()).await.unwrap();
    let parents: Vec<String> =
        server.noted.lock().unwrap().drain(..).map(|noted| noted.header("traceparent").unwrap().to_owned()).collect();
    assert_eq!(parents.len(), 3);
    assert!(parents.iter().all(|parent| parent.starts_with("00-6f1d6a5293a04a1e8a8b0c5f1f3c2d10-")), "{parents:?}");
    let spans: std::collections::BTreeSet<&String> = parents.iter().collect();
    assert_eq!(spans.len(), 3, "each request has a span of its own");

    // Where no id tells which, it is any.
    let client = Client::from_message(&message).unwrap();
    list(&client).await.unwrap();
    list(&client).await.unwrap();
    list(&Client::from_message(&message).unwrap()).await.unwrap();
    let noted = server.noted.lock().unwrap();
    let traces: Vec<&str> = noted.iter().map(|noted| &noted.header("traceparent").unwrap()[3..35]).collect();
    assert!(traces[0] == traces[1] && traces[1] != traces[2] && traces[0].chars().any(|c| c != '0'), "{traces:?}");
}

#[tokio::test]
async fn a_refusal_counts_that_comes_before_all_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&format!("http://{}", listener.local_addr().unwrap()));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 8192];
        let _ = stream.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge";
        stream.write_all(answer).await.unwrap();
        // What is still sent is taken, or the answer would be lost with the connection.
        let mut rest = vec![0; 65536];
        while matches!(stream.read(&mut rest).await, Ok(1..)) {}
    };
    let body = Body::reader(tokio::io::repeat(b'x'));
    let content = client.content();
    let (result, ()) = tokio::join!(content.upload("k", body, OCTET_STREAM), server);
    let error = result.unwrap_err();
    assert_eq!(error.http_status(), Some(413), "{}", error.chain());
}

#[tokio::test]
async fn an_upload_that_gets_on_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&format!("http://{}", listener.local_addr().unwrap()));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The whole of it fits into the buffers of the system, from where it is read slowly: for longer than a step may take.
        let mut request = Vec::new();
        while !request.ends_with(b"THE END") {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let mut piece = vec![0; 16 * 1024];
            let read = stream.read(&mut piece).await.unwrap();
            request.extend_from_slice(&piece[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    };
    let body = "x".repeat(200_000) + "THE END";
    let content = client.with_timeout(Duration::from_millis(500)).content();
    let (result, ()) = tokio::join!(content.upload("k", body, OCTET_STREAM), server);
    result.unwrap();
}

#[tokio::test]
async fn a_timeout_may_be_as_long_as_one_likes() {
    let server = Server::answering(|| "[]").await;
    let client = server.client().with_timeout(Duration::MAX);
    list(&client).await.unwrap();
    upload(&client).await.unwrap();
    client.content().download("k").await.unwrap().bytes().await.unwrap();
}

#[tokio::test]
async fn a_download_ends_with_the_invocation() {
    async fn handler((): (), ctx: Context) -> skill_sdk::Result<()> {
        ctx.client()?.content().download("k").await?.bytes().await?;
        Ok(())
    }
    let server = Faulty::start(&[Fault::Silence("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npiece")]).await;
    let message = testing::message(&()).with_api_endpoint(&server.url);
    let invocation = Invocation::new(message).with_deadline(Instant::now() + Duration::from_millis(300));
    let error = Skill::new("reader", handler).call(invocation).await.unwrap_err();
    assert_eq!(
        (error.code(), error.detail()),
        (Code::Timeout, "cannot download `k`: the deadline of the invocation has passed")
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_for_a_call_is_not_sent() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    let data = |length| serde_json::json!({"data": "x".repeat(length)});
    // `{"state":{"data":"..."}}` around the text.
    let sessions = server.client().sessions();
    sessions.put("s", &data(500 * 1024 - 21)).await.unwrap();
    let error = sessions.put("s", &data(500 * 1024 - 20)).await.unwrap_err();
    assert_eq!(
        error.detail(),
        "cannot put data into the session `s`: the body is 512001 bytes, over the limit of 512000; store large input in \
         managed content and send its key"
    );
    server.client().with_body_limit(512_001).sessions().put("s", &data(500 * 1024 - 20)).await.unwrap();
    // Content has no limit.
    server.client().content().upload("k", "x".repeat(600 * 1024), "application/json").await.unwrap();
    assert_eq!(calls(&server), 3);
}
