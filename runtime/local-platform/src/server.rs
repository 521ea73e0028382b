//! The connections that requests come on.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::fault::Reset;

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in flight may take once the platform stops.
const GRACE: Duration = Duration::from_secs(3);
/// The pause after a failed accept, which most often means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections at a time; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 1024;

/// Serves until `stop`, then lets requests in flight finish for at most 3 s.
///
/// Each connection is a task of this future: when it ends, or is dropped, none is left.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((listener.accept().await?.0, place))
        };
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = accepted => match accepted {
                Ok((stream, place)) => {
                    let served = connection(stream, router.clone(), stop.clone());
                    connections.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let finished = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        tracing::warn!(connections = connections.len(), "requests in flight were ended");
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    if let Err(error) = drive(stream, router, stop).await {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn drive(stream: TcpStream, router: Router, stop: CancellationToken) -> Result<(), hyper::Error> {
    // Answers are small; waiting to fill a packet only delays them.
    let _: io::Result<()> = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Stream { tcp: stream, reset: Arc::clone(&reset) };
    let service = Requests { router: TowerToHyperService::new(router), reset };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// The requests of one connection.
struct Requests {
    router: TowerToHyperService<Router>,
    reset: Arc<AtomicBool>,
}

impl Service<hyper::Request<Incoming>> for Requests {
    type Response = Response;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, io::Error>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let answer = self.router.call(request);
        let reset = Arc::clone(&self.reset);
        Box::pin(async move {
            let Ok(response) = answer.await;
            if response.extensions().get::<Reset>().is_some() {
                reset.store(true, Ordering::Relaxed);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(response)
        })
    }
}

/// A stream that is reset when it is dropped, if that was asked for, instead of closed.
struct Stream {
    tcp: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _: io::Result<()> = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, pieces)
    }
}
