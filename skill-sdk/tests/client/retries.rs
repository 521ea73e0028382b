//! Which calls are sent once more, and when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use skill_sdk::client::Body;
use skill_sdk::client::content::OCTET_STREAM;
use skill_sdk::{Code, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::faults::{Fault, Faulty, OK, calls, client_of, list, statuses, upload};
use crate::server::Server;

#[tokio::test]
async fn what_is_safe_is_repeated_and_the_last_failure_is_told() {
    for (failures, given_up) in [
        (&[503][..], None),
        (&[502, 503, 504], None),
        (&[429, 429, 429], None),
        (&[503, 503, 502, 504], Some(504)),
        (&[500], Some(500)),
        (&[501], Some(501)),
        (&[408], Some(408)),
        (&[503, 404], Some(404)),
    ] {
        let server = statuses(failures).await;
        let result = list(&server.client()).await;
        assert_eq!(result.as_ref().err().and_then(Error::http_status), given_up, "{failures:?}");
        let attempts = if given_up.is_some() { failures.len() } else { failures.len() + 1 };
        assert_eq!(calls(&server), attempts, "{failures:?}");
    }
}

#[tokio::test]
async fn an_upload_is_repeated_only_when_nothing_was_taken() {
    for (failures, attempts, given_up) in
        [(&[429, 429][..], 3, None), (&[503], 1, Some(503)), (&[502], 1, Some(502)), (&[500], 1, Some(500))]
    {
        let server = statuses(failures).await;
        let result = upload(&server.client()).await;
        assert_eq!(result.as_ref().err().and_then(Error::http_status), given_up, "{failures:?}");
        assert_eq!(calls(&server), attempts, "{failures:?}");
        let noted = server.noted.lock().unwrap();
        assert!(noted.iter().all(|noted| noted.body.as_deref() == Ok(b"hello")), "each attempt carries all of it");
    }
}

#[tokio::test]
async fn a_download_is_repeated_after_500_too() {
    let server = statuses(&[500, 500]).await;
    assert_eq!(server.client().content().download("k").await.unwrap().bytes().await.unwrap(), "[]");
    assert_eq!(calls(&server), 3);
}

#[tokio::test]
async fn the_number_of_repetitions_can_be_set() {
    for retries in [0, 1, 5] {
        let server = statuses(&[503; 9]).await;
        let error = list(&server.client().with_retries(retries)).await.unwrap_err();
        assert_eq!((error.code(), error.http_status()), (Code::PlatformUnavailable, Some(503)));
        assert_eq!(error.detail(), "cannot list content: the platform answered 503: not now");
        assert_eq!(calls(&server), retries as usize + 1);
    }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let times = times.clone();
        Server::start(move |_| {
            let mut times = times.lock().unwrap();
            times.push(Instant::now());
            match times.len() {
                1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
                _ => "[]".into_response(),
            }
        })
        .await
    };
    list(&server.client()).await.unwrap();
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "{times:?}");
}

#[tokio::test]
async fn who_asks_for_no_pause_is_asked_again_too() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::TOO_MANY_REQUESTS.into_response(),
        _ => "[]".into_response(),
    })
    .await;
    list(&server.client()).await.unwrap();
    assert_eq!(self::calls(&server), 2);
}

#[tokio::test]
async fn who_asks_for_too_long_a_pause_is_not_asked_again() {
    let server = Server::answering(|| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "61")])).await;
    assert_eq!(list(&server.client()).await.unwrap_err().http_status(), Some(503));
    assert_eq!(calls(&server), 1);
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_again() {
    // It has the port, but does not listen.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = client_of(&format!("http://{}", socket.local_addr().unwrap()));
    let error = upload(&client.with_retries(1)).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.chain().contains("refused"), "{}", error.chain());

    // The platform comes up while the call waits for its second attempt. A stream has not been read from by then.
    let reader = Body::reader(std::io::Cursor::new("hello"));
    let content = client.with_retries(30).content();
    let call = content.upload("k", reader, OCTET_STREAM);
    let server = async {
        let mut refused = Box::pin(content.exists("k"));
        let _ = tokio::time::timeout(Duration::from_millis(50), refused.as_mut()).await;
        drop(refused);
        let listener = socket.listen(16).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"0\r\n\r\n") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8(request).unwrap()
    };
    let (answer, request) = tokio::join!(call, server);
    answer.unwrap();
    assert!(request.contains("5\r\nhello\r\n"), "{request}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_where_that_is_safe() {
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[";
    for fault in [Fault::Close(""), Fault::Reset(""), Fault::Close(HALF), Fault::Reset(HALF)] {
        let faults: &'static [Fault] = Box::leak(Box::new([fault, OK]));
        let server = Faulty::start(faults).await;
        assert_eq!(list(&server.client()).await.unwrap(), 0);
        assert_eq!(server.connections(), 2);

        let server = Faulty::start(faults).await;
        let error = upload(&server.client()).await.unwrap_err();
        assert_eq!((error.code(), server.connections()), (Code::PlatformUnavailable, 1), "{error}");

        // An artifact takes the place of what is there, so it may be sent again.
        let server = Faulty::start(faults).await;
        server.client().experiments().runs("e").log_artifact("r", "a", "hello").await.unwrap();
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn what_is_gone_when_it_is_deleted_again_was_deleted() {
    let gone = Fault::Close("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let broken = Fault::Reset("");
    let busy = Fault::Close("HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let many = Fault::Close("HTTP/1.1 429 Many\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    for (faults, deleted) in [
        (vec![broken, gone], true),
        (vec![busy, many, gone], true),
        (vec![gone], false),
        // Too many calls: it had no effect.
        (vec![many, gone], false),
    ] {
        let server = Faulty::start(faults.leak()).await;
        let result = server.client().content().delete("k").await;
        assert_eq!(result.map_err(|error| error.is_not_found()), if deleted { Ok(()) } else { Err(true) });
    }
    // What is read and is gone is gone.
    let server = Faulty::start(vec![broken, gone].leak()).await;
    assert!(server.client().content().download_opt("k").await.unwrap().is_none());
}

#[tokio::test]
async fn what_has_been_read_is_not_sent_again() {
    let server = statuses(&[429, 429]).await;
    let reader = Body::reader(std::io::Cursor::new("hello"));
    let error = server.client().content().upload("k", reader, OCTET_STREAM).await.unwrap_err();
    assert_eq!((error.http_status(), calls(&server)), (Some(429), 1));
}

#[tokio::test]
async fn a_form_is_made_anew_for_each_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "hello").unwrap();
    let server = statuses(&[429]).await;
    server.client().content().upload_form("k", "file", Body::file(&path), OCTET_STREAM).await.unwrap();
    let noted = server.noted.lock().unwrap();
    for noted in noted.iter() {
        let body = String::from_utf8(noted.body.as_ref().unwrap().to_vec()).unwrap();
        assert!(body.contains("\r\n\r\nk\r\n") && body.contains("\r\n\r\nhello\r\n"), "{body}");
    }
    assert_eq!(noted.len(), 2);
}
