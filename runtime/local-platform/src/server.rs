//! Routes, the token check before them, and the connections they are served on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::answer::Refusal;
use crate::body;
use crate::content::{self, Store};
use crate::iam;
use crate::token::{Tokens, now};

/// The one path that needs no token (fabric-api section 2).
const INFO: &str = "/fabric/v4/info";
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in flight may take once the platform stops.
const GRACE: Duration = Duration::from_secs(3);
/// The pause after a failed accept, which most often means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Decides who is let in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) tokens: Arc<Tokens>,
    /// Where a refused browser is sent; nothing is there.
    pub(crate) login: HeaderValue,
}

pub(crate) fn router(store: Store, door: Door) -> Router {
    Router::new()
        .route(INFO, get(info))
        .merge(content::routes(store))
        .merge(iam::routes(Arc::clone(&door.tokens)))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(door, authenticate))
}

async fn info() -> Json<Value> {
    Json(json!({
        "success": true,
        "serverTs": u64::try_from(now().as_millis()).unwrap_or(u64::MAX),
        "version": env!("CARGO_PKG_VERSION"),
        "healths": [],
        "endpoints": "{}",
    }))
}

async fn unknown(request: Request) -> Refusal {
    let refusal = Refusal::not_found(request.uri().path());
    body::drain(request).await;
    refusal
}

async fn wrong_method(method: Method, request: Request) -> Refusal {
    body::drain(request).await;
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not allowed here"))
}

/// Lets requests with a valid token pass. The others get the reason, as each of the two APIs gives it: 302 (fabric-auth
/// section 7), or 401 (cdf-iam section 4).
async fn authenticate(State(door): State<Door>, request: Request, next: Next) -> Response {
    if request.uri().path() == INFO {
        return next.run(request).await;
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    match door.tokens.check(authorization.map(HeaderValue::as_bytes)) {
        Ok(()) => next.run(request).await,
        Err(reason) => {
            let is_iam = request.uri().path() == iam::INSPECT;
            body::drain(request).await;
            if is_iam {
                return iam::unauthorized(reason);
            }
            let mut response = Refusal::new(StatusCode::FOUND, reason).into_response();
            response.headers_mut().insert("x-auth-error", HeaderValue::from_static(reason));
            response.headers_mut().insert(header::LOCATION, door.login);
            response
        }
    }
}

/// Serves until `stop`, then lets requests in flight finish for at most 3 s.
///
/// Each connection is a task of this future: when it ends, or is dropped, none is left.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), stop.clone()));
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
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
