use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server whose answer takes its time: a piece of ten bytes every 100 ms, fifteen times.
async fn trickling() -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        let _ = connection.read(&mut head).await;
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 150\r\n\r\n").await;
        for _ in 0..15 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // Whoever has gone does not want it.
            let _ = connection.write_all(b"0123456789").await;
        }
    });
    url
}

async fn read(wait: Wait) -> Result<usize, Error> {
    let call = Call::get(trickling().await, "cannot read").wait(wait);
    let terms = Terms { timeout: Duration::from_secs(1), ..Terms::default() };
    let caller = Caller { terms, ..Caller::open(&VerifySslCert::Yes) };
    let mut response = send(caller, call).await?;
    let mut length = 0;
    while let Some(piece) = response.chunk().await? {
        length += piece.len();
    }
    Ok(length)
}

#[tokio::test]
async fn a_short_call_ends_in_time_and_a_transfer_goes_on_while_it_gets_on() {
    let (whole, idle) = tokio::join!(read(Wait::Whole), read(Wait::Idle));
    let error = whole.unwrap_err();
    assert_eq!(
        (error.code(), error.detail()),
        (Code::PlatformUnavailable, "cannot read: the answer did not come in 1s")
    );
    assert_eq!(idle.unwrap(), 150);
}
