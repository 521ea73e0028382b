//! The shape of answers: how each of the two APIs says that it does not serve a request, and that it did.
//!
//! | | Fabric (fabric-api section 1, "Error body", and 13) | CDF (cdf-iam section 4) |
//! |---|---|---|
//! | refused | `{"success": false, "message": "...", ...}` | `{"error": {"code": 400, "message": "...", ...}}` |
//! | a token that is not accepted | 302 with `X-Auth-Error` and `Location` | 401 with `WWW-Authenticate` |
//!
//! Handlers do not choose: a [`Refusal`] gets its form from the path of its request, in [`in_its_form`].

use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::records::StorageError;

/// Where the paths of Cognite Data Fusion begin.
const CDF: &str = "/api/v1/";

/// A request that is not served: a status and a text for its sender.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    /// What is wrong, beside the text: `missing`, `details` and the like.
    fields: Map<String, Value>,
    /// Whether it is the token that is refused.
    token: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), fields: Map::new(), token: false }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(what: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    /// 413, which names the limit, the size where it is known, and the way around it (fabric-invocation section 7).
    pub(crate) fn too_large(what: &str, size: Option<usize>, limit: usize) -> Self {
        let size = size.map_or(String::new(), |size| format!("{size} bytes, "));
        let message =
            format!("the {what} is {size}over the limit of {limit} bytes; send the key of managed content instead");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// The token is missing, or is not accepted for this reason, which is ASCII text.
    pub(crate) fn token(reason: impl Into<String>) -> Self {
        Self { token: true, ..Self::new(StatusCode::UNAUTHORIZED, reason) }
    }

    /// Our own failure. The cause goes to the log, because its text may hold paths.
    pub(crate) fn internal(what: &str, cause: &dyn Display) -> Self {
        tracing::error!(error = %cause, "{what}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    }

    /// Says one thing more.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    fn in_form_of_fabric(self, login: HeaderValue) -> Response {
        let status = if self.token { StatusCode::FOUND } else { self.status };
        let mut body = Map::from_iter([("success".to_owned(), false.into())]);
        body.insert("message".to_owned(), self.message.as_str().into());
        body.extend(self.fields);
        let mut response = (status, Json(body)).into_response();
        if self.token {
            let reason = HeaderValue::try_from(self.message);
            let reason = reason.unwrap_or(HeaderValue::from_static("malformed token"));
            response.headers_mut().insert("x-auth-error", reason);
            response.headers_mut().insert(header::LOCATION, login);
        }
        response
    }

    fn in_form_of_cdf(self) -> Response {
        let mut error = Map::from_iter([("code".to_owned(), self.status.as_u16().into())]);
        error.insert("message".to_owned(), self.message.into());
        error.extend(self.fields);
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        if self.token {
            // RFC 6750, section 3.
            let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let chain = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        Self::internal("the records cannot be used", &chain)
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for Refusal {
    /// The status alone; [`in_its_form`] makes the rest.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives refusals the form of the API that was asked, and answers of CDF their id (cdf-iam section 4).
pub(crate) async fn in_its_form(State(login): State<HeaderValue>, request: Request, next: Next) -> Response {
    let is_cdf = request.uri().path().starts_with(CDF);
    let mut response = next.run(request).await;
    let refusal = response.extensions_mut().remove::<Refusal>();
    let mut response = match refusal {
        Some(refusal) if is_cdf => refusal.in_form_of_cdf(),
        Some(refusal) => refusal.in_form_of_fabric(login),
        None => response,
    };
    if is_cdf && let Ok(id) = HeaderValue::try_from(Uuid::new_v4().to_string()) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// An object that says that it worked, with what it has to say beside that.
pub(crate) fn success(fields: Value) -> Json<Value> {
    let mut body = Map::from_iter([("success".to_owned(), true.into())]);
    if let Value::Object(fields) = fields {
        body.extend(fields);
    }
    Json(Value::Object(body))
}
