//! Managed content: what is sent, and how answers are read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body as Answer, Bytes};
use axum::http::StatusCode;
use skill_sdk::client::content::OCTET_STREAM;
use skill_sdk::{Client, Code, testing};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::server::Server;

#[tokio::test]
async fn bytes_are_uploaded_with_their_length() {
    let server = Server::answering(|| r#"{"Key": "a b/ü.txt"}"#).await;
    let answer = server.client().content().upload("//a b/ü.txt", "hello", "text/plain").await.unwrap();
    assert_eq!(answer["Key"], "a b/ü.txt");
    let noted = server.only();
    assert_eq!((noted.method.as_str(), noted.body.as_deref()), ("POST", Ok(&b"hello"[..])));
    assert_eq!(noted.target, "/fabric/v4/projects/test-project/content/a%20b/%C3%BC.txt");
    assert_eq!((noted.header("content-type"), noted.header("content-length")), (Some("text/plain"), Some("5")));
    assert_eq!(noted.header("transfer-encoding"), None);
    let bearer = noted.header("authorization").unwrap();
    assert!(bearer.starts_with("Bearer eyJ") && bearer.matches('.').count() == 2, "{bearer}");
    let agent = noted.header("user-agent").unwrap();
    assert!(agent.starts_with("skill-sdk/") && agent.contains("(linux;64bit;"), "{agent}");
}

#[tokio::test]
async fn nothing_is_something_that_can_be_uploaded() {
    let server = Server::answering(|| "{}").await;
    server.client().content().upload("empty", "", OCTET_STREAM).await.unwrap();
    let noted = server.only();
    assert_eq!((noted.body, noted.headers.get("content-length").unwrap().to_str().unwrap()), (Ok(Bytes::new()), "0"));
}

#[tokio::test]
async fn a_reader_is_uploaded_in_chunks() {
    let server = Server::answering(|| "{}").await;
    let reader = tokio::io::repeat(b'x').take(1_000_000);
    server.client().content().upload_streaming("big", reader, OCTET_STREAM).await.unwrap();
    let noted = server.only();
    assert_eq!(noted.body.as_ref().unwrap().len(), 1_000_000);
    assert_eq!((noted.header("transfer-encoding"), noted.header("content-length")), (Some("chunked"), None));
}

#[tokio::test]
async fn a_reader_that_fails_breaks_the_upload_off() {
    let server = Server::answering(|| "{}").await;
    let reader = tokio::io::repeat(b'x').take(1000).chain(tokio_util::io::StreamReader::new(Failing));
    let error = server.client().content().upload_streaming("big", reader, OCTET_STREAM).await.unwrap_err();
    assert!(error.chain().contains("the disk is gone"), "{}", error.chain());
    // No request came to its end, so there was nothing that a server could take for the whole content.
    assert!(server.noted.lock().unwrap().iter().all(|noted| noted.body.is_err()));
}

/// A stream that fails at once.
struct Failing;

impl futures_core::Stream for Failing {
    type Item = std::io::Result<Bytes>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("the disk is gone"))))
    }
}

#[tokio::test]
async fn content_is_downloaded_whole_or_in_pieces() {
    let server = Server::answering(|| ([("content-type", "text/csv")], "a,b\n1,2\n")).await;
    let content = server.client().content();
    let download = content.download("r/1%.csv").await.unwrap();
    assert_eq!((download.content_type(), download.content_length()), (Some("text/csv"), Some(8)));
    let shown = format!("{download:?}");
    assert_eq!(shown, r#"Download { content_type: Some("text/csv"), content_length: Some(8), .. }"#);
    assert_eq!(download.bytes().await.unwrap(), "a,b\n1,2\n");
    let noted = server.only();
    assert_eq!(
        (noted.method.as_str(), noted.target.as_str()),
        ("GET", "/fabric/v4/projects/test-project/content/r/1%25.csv")
    );
    let mut file = Vec::new();
    assert_eq!(content.download("r").await.unwrap().copy_to(&mut file).await.unwrap(), 8);
    assert_eq!(file, b"a,b\n1,2\n");
}

/// A client of a platform whose answer breaks off after a piece.
async fn breaking_off() -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\na piece").await.unwrap();
    });
    Client::from_message(testing::message(&()).with_api_endpoint(url)).unwrap()
}

#[tokio::test]
async fn a_download_that_breaks_off_is_an_error() {
    let error = breaking_off().await.content().download("k").await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().starts_with("cannot download `k`: the answer broke off"), "{error}");
}

struct Pieces<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Pieces<I> {
    type Item = I::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn content_that_is_absent() {
    let server = Server::answering(|| (StatusCode::NOT_FOUND, r#"{"success": false, "message": "k not found"}"#)).await;
    let content = server.client().content();
    let error = content.download("k").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(404)));
    assert_eq!(error.detail(), "cannot download `k`: the platform answered 404: k not found");
    assert!(content.download_opt("k").await.unwrap().is_none());
    assert!(!content.exists("k").await.unwrap());
    assert!(content.delete("k").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn existence_is_asked_with_head() {
    let server = Server::answering(|| "").await;
    assert!(server.client().content().exists("a//b").await.unwrap());
    let noted = server.only();
    assert_eq!(
        (noted.method.as_str(), noted.target.as_str()),
        ("HEAD", "/fabric/v4/projects/test-project/content/a//b")
    );
    let failing = Server::answering(|| StatusCode::INTERNAL_SERVER_ERROR).await;
    assert_eq!(failing.client().content().exists("a").await.unwrap_err().code(), Code::PlatformUnavailable);
}

#[tokio::test]
async fn content_is_listed_and_deleted() {
    let list = || {
        r#"[{"Key": "a/1", "ContentType": "text/plain", "LastModified": "2024-05-01T10:00:00Z", "Size": 3, "More": 1},
            {"Key": "a/2"}]"#
    };
    let server = Server::answering(list).await;
    let content = server.client().content();
    let entries = content.list_page("a/ü&", Some(2), Some(0)).await.unwrap();
    assert_eq!((entries[0].key.as_str(), entries[0].size, entries[1].content_type.as_deref()), ("a/1", Some(3), None));
    let noted = server.only();
    assert_eq!(noted.target, "/fabric/v4/projects/test-project/content?filter=a%2F%C3%BC%26&limit=2");
    for everything in ["", "/", "//"] {
        content.list(everything).await.unwrap();
        assert_eq!(server.only().target, "/fabric/v4/projects/test-project/content", "{everything}");
    }
    for (prefix, filter) in
        [("/reports", "reports"), ("//reports/", "reports%2F"), ("100% ", "100%25+"), ("../", "..%2F")]
    {
        content.list(prefix).await.unwrap();
        assert_eq!(server.only().target, format!("/fabric/v4/projects/test-project/content?filter={filter}"));
    }
    let server = Server::answering(|| r#"{"success": true}"#).await;
    server.client().content().delete("a").await.unwrap();
    assert_eq!(server.only().method, "DELETE");
}

#[tokio::test]
async fn keys_that_no_url_can_carry_are_refused() {
    let server = Server::answering(|| "{}").await;
    let content = server.client().content();
    for key in ["", "/", "..", "a/../b", "./a", "a/.", "a\nb", "a\tb", "\u{7f}"] {
        let error = content.download(key).await.unwrap_err();
        assert!(error.detail().contains("cannot be the key of content"), "{key}: {error}");
    }
    for key in ["...", "a/..b", "%2e%2e", " ", "a?b#c", "a\\b", "日本"] {
        content.delete(key).await.unwrap();
    }
    let targets: Vec<String> = server.noted.lock().unwrap().iter().map(|noted| noted.target.clone()).collect();
    let keys: Vec<&str> =
        targets.iter().map(|t| t.strip_prefix("/fabric/v4/projects/test-project/content/").unwrap()).collect();
    assert_eq!(keys, ["...", "a/..b", "%252e%252e", "%20", "a%3Fb%23c", "a%5Cb", "%E6%97%A5%E6%9C%AC"]);
}

#[tokio::test]
async fn answers_that_are_not_what_they_should_be() {
    for (body, words) in [
        ("<html>", "the answer is not the JSON that was expected (line 1, column 1)"),
        (r#"[{"Key": "#, "the answer is not the JSON that was expected"),
        (r#"{"Key": "a"}"#, "the answer is not the JSON that was expected"),
    ] {
        let server = Server::answering(move || body).await;
        let error = server.client().content().list("").await.unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable, "{body}");
        assert!(error.detail().contains(words), "{error}");
    }
    // An answer without end is not read to its end.
    let server = Server::answering(|| {
        Answer::from_stream(Pieces(std::iter::repeat_with(|| Ok::<_, std::io::Error>(" ".repeat(65536)))))
    })
    .await;
    let error = server.client().content().list("").await.unwrap_err();
    assert!(error.detail().contains("over 16777216 bytes"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_words_are_kept_short() {
    let server =
        Server::answering(|| (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:9/")], "x".repeat(9000)))
            .await;
    let error = server.client().content().list("").await.unwrap_err();
    assert_eq!(error.http_status(), Some(307));
    assert!(error.detail().len() < 700 && error.detail().ends_with('…'), "{error}");
    let token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln";
    let server = Server::answering(move || (StatusCode::BAD_REQUEST, format!("bad {token}\r\nline"))).await;
    let error = server.client().content().list("").await.unwrap_err();
    assert_eq!(error.detail(), "cannot list content: the platform answered 400: bad [token]  line");
}

#[tokio::test]
async fn a_token_that_expires_meanwhile_is_not_sent() {
    let server = Server::answering(|| "[]").await;
    // Nine seconds past its end the leeway still lets it make a client, and a call.
    let token = testing::Token::new().expired_for(Duration::from_secs(9)).text();
    let message = testing::message(&()).with_api_endpoint(&server.url).with_token(token);
    let content = Client::from_message(message).unwrap().content();
    let expired = loop {
        match content.list("").await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => break error,
        }
    };
    assert!(expired.is_token_expired() && expired.http_status().is_none(), "{expired}");
    let before = server.noted.lock().unwrap().len();
    assert!(content.list("").await.unwrap_err().is_token_expired());
    assert_eq!(server.noted.lock().unwrap().len(), before);
}

#[tokio::test]
async fn a_platform_that_is_not_there() {
    // It has the port, so that nobody else gets it, but does not listen.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let client = Client::from_message(testing::message(&()).with_api_endpoint(&url)).unwrap();
    let error = client.with_retries(0).content().list("").await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().starts_with(&format!("cannot list content: no answer from {url}")), "{error}");
    assert!(error.chain().contains("refused"), "{}", error.chain());
}

#[test]
fn clients_of_several_runtimes_do_not_share_connections() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::answering(|| "[]"));
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { server.client().content().list("").await.unwrap() });
    }
}

#[tokio::test]
async fn content_is_written_to_a_file_when_all_of_it_has_come() {
    let server = Server::answering(|| "new").await;
    let content = server.client().content();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    assert_eq!(content.download_file("k", &path).await.unwrap(), 3);
    assert_eq!(std::fs::read(&path).unwrap(), b"new");

    // A link stays, and what it leads to is replaced.
    let link = folder.path().join("link");
    std::fs::write(&path, "older").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    content.download_file("k", &link).await.unwrap();
    assert!(link.is_symlink() && std::fs::read(&path).unwrap() == b"new");

    // What is no file is written to.
    assert_eq!(content.download_file("k", "/dev/null").await.unwrap(), 3);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());

    let error = content.download_file("k", folder.path().join("no/file")).await.unwrap_err();
    assert_eq!(error.code(), Code::SkillFailed);
    assert!(error.detail().starts_with("cannot write ") && error.detail().ends_with("no/file"), "{error}");

    let error = breaking_off().await.content().download_file("k", &path).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable, "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"new", "it stays as it was");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
}

#[tokio::test]
async fn content_is_read_line_by_line() {
    let server = Server::answering(|| "one\ntwo\n").await;
    let read = Arc::new(Mutex::new(0));
    let download = server.client().content().download("k").await.unwrap().on_progress({
        let read = read.clone();
        move |bytes| *read.lock().unwrap() = bytes
    });
    let mut lines = tokio::io::BufReader::new(download.into_reader()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert_eq!(*read.lock().unwrap(), 8);

    // A failure keeps its place in the error table.
    let mut whole = String::new();
    let download = breaking_off().await.content().download("k").await.unwrap();
    let error = download.into_reader().read_to_string(&mut whole).await.unwrap_err();
    assert_eq!(skill_sdk::SkillError::from(error).code(), Code::PlatformUnavailable);
}

#[tokio::test]
async fn what_else_a_list_says_is_kept() {
    let entry =
        r#"{"Key":"a/1","ContentType":"text/plain","LastModified":"2024-05-01T10:00:00Z","Size":3,"More":{"x":1}}"#;
    let server = Server::answering(move || format!("[{entry}]")).await;
    let entries = server.client().content().list("").await.unwrap();
    assert_eq!(entries[0].other["More"]["x"], 1);
    assert_eq!(serde_json::to_string(&entries[0]).unwrap(), entry);
}
