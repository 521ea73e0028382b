//! Messages that a skill sends while it runs (fabric-invocation section 6, `send_message`):
//! `POST /internal/messages/{activation}/{channel}/{output}`. What was sent last is the response of the activation, also after it has ended,
//! and has the limit of one.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::activations::{ACTIVATIONS, PROJECTS};
use crate::answer::{Refusal, success};
use crate::backend::Backend;
use crate::body::{self, JsonBody};
use crate::name::{Segments, check_name};
use crate::records::Lookup;

pub(crate) fn routes() -> Router<Backend> {
    Router::new().route("/internal/messages/{activation}/{channel}/{*output}", post(send))
}

async fn send(
    State(backend): State<Backend>,
    Segments((id, channel, output)): Segments<(String, String, String)>,
    JsonBody(sent): JsonBody<Box<RawValue>>,
) -> Result<Json<Value>, Refusal> {
    check_name("channel", &channel)?;
    check_name("output", &output)?;
    let (size, limits) = (sent.get().len(), backend.limits);
    let message = body::value_of("message", &sent)?;
    let sent = backend.records.write(move |changes| {
        let unknown = || Refusal::not_found(format!("activation {id}"));
        let project = changes.get(PROJECTS, "", &id)?.ok_or_else(unknown)?;
        let mut activation = changes.get(ACTIVATIONS, &project, &id)?.ok_or_else(unknown)?;
        let (what, limit) = if activation.is_job {
            ("message of a job", limits.job_response)
        } else {
            ("message of a daemon", limits.daemon_response)
        };
        if size > limit {
            return Err(Refusal::too_large(what, Some(size), limit));
        }
        activation.response = message;
        activation.output_name = output;
        activation.is_message = true;
        changes.put(ACTIVATIONS, &project, &id, &activation)?;
        Ok::<_, Refusal>(())
    });
    sent.await?;
    Ok(success(json!({})))
}
