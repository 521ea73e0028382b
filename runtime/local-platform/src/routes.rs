//! Where requests go: faults, the token check, and then the two APIs.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::answer::{self, Refusal};
use crate::backend::Backend;
use crate::fault::{self, Faults};
use crate::principals::Caller;
use crate::{body, content, fabric, iam, principals};

/// Bytes of a request to Cognite Data Fusion, packed and unpacked. The limits of Fabric are not its own, and a thousand groups
/// have room.
const CDF_REQUEST: usize = 16 << 20;

/// All that the platform answers.
pub(crate) fn router(backend: Backend, faults: Faults, login: HeaderValue) -> Router {
    let limits = backend.limits;
    let router = Router::new()
        .merge(fabric::routes().merge(principals::routes()).layer(from_fn_with_state(limits.request, body::buffer)))
        .merge(iam::routes().layer(from_fn_with_state(CDF_REQUEST, body::buffer)))
        .merge(content::routes())
        .merge(fabric::streams())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        // The limits are the platform's own: that of the library is smaller than some of them, and other text.
        .layer(DefaultBodyLimit::disable())
        .with_state(backend.clone())
        .layer(from_fn_with_state(backend, authenticate));
    let router = if faults.is_empty() { router } else { router.layer(from_fn_with_state(faults, fault::inject)) };
    router.layer(from_fn_with_state(login, answer::in_its_form))
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

/// Lets requests with a valid token pass, in the name of its principal.
async fn authenticate(State(backend): State<Backend>, mut request: Request, next: Next) -> Response {
    if fabric::needs_no_token(request.uri().path()) {
        return next.run(request).await;
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    match backend.tokens.check(authorization.map(HeaderValue::as_bytes)) {
        Ok(principal) => {
            request.extensions_mut().insert(Caller(principal));
            next.run(request).await
        }
        Err(reason) => {
            body::drain(request).await;
            Refusal::token(reason).into_response()
        }
    }
}
