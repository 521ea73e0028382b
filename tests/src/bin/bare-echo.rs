//! The lower bounds of a daemon: axum alone, which reads the whole message and answers with its payload.
//!
//! ```sh
//! bare-echo text 127.0.0.1:5000     # the payload stays the text it is
//! bare-echo value 127.0.0.1:5000    # the message becomes a `serde_json::Value`
//! ```

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::error::Error;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::routing::post;
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

/// The fields of the contract. Texts are copied only where they hold escapes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "all that a message holds is read, though an echo needs only the payload")]
struct Envelope<'a> {
    #[serde(borrow)]
    activation_id: Cow<'a, str>,
    #[serde(borrow)]
    api_endpoint: Cow<'a, str>,
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    project_id: Cow<'a, str>,
    // In an option a text would always be copied.
    #[serde(borrow, default)]
    session_id: Cow<'a, str>,
    #[serde(borrow, default)]
    skill_name: Cow<'a, str>,
    #[serde(borrow, default)]
    output_name: Cow<'a, str>,
    #[serde(borrow, default)]
    channel_id: Cow<'a, str>,
    #[serde(borrow, default)]
    agent_name: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// What is answered.
#[derive(Serialize)]
struct Answer<T> {
    payload: T,
}

type Response = Result<([(HeaderName, &'static str); 1], Vec<u8>), StatusCode>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address] = &arguments[..] else { return Err("usage: bare-echo text|value ADDRESS".into()) };
    let echo = match kind.as_str() {
        "text" => post(async |body: Bytes| text(&body)),
        "value" => post(async |body: Bytes| value(&body)),
        _ => return Err("there are `text` and `value`".into()),
    };
    let listener = TcpListener::bind(address).await?.tap_io(|connection| {
        // An answer is written at once and needs no delay; where it cannot be set there is one.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/invoke", echo)).await?;
    Ok(())
}

fn text(body: &[u8]) -> Response {
    let message: Envelope<'_> = serde_json::from_slice(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    answer(message.payload)
}

fn value(body: &[u8]) -> Response {
    let mut message: Value = serde_json::from_slice(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    answer(message.get_mut("payload").map(Value::take).ok_or(StatusCode::BAD_REQUEST)?)
}

fn answer(payload: impl Serialize) -> Response {
    let answer = serde_json::to_vec(&Answer { payload }).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, "application/json")], answer))
}
