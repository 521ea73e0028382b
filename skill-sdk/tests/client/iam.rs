//! Identity and access management: what is sent, and how answers are read.

use std::sync::Mutex;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skill_sdk::iam::Iam;

use crate::server::{Noted, Server};

mod chunks;
mod errors;
mod groups;
mod lists;
mod refused_tokens;
mod repetitions;
mod requests;
mod security_categories;
mod sessions;
mod token;
mod user_profiles;
mod verify;

/// The path of the project.
const PROJECT: &str = "/api/v1/projects/test-project";

/// The status and the JSON of an answer, which asks for no pause.
fn answer(status: u16, body: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("retry-after", "0")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}

/// A server that gives these answers one after the other, then lists of nothing.
async fn scripted(answers: impl IntoIterator<Item = (u16, Value)>) -> Server {
    let answers: Vec<_> = answers.into_iter().collect();
    let answers = Mutex::new(answers.into_iter());
    Server::start(move |_| match answers.lock().unwrap().next() {
        Some((status, body)) => answer(status, &body),
        None => answer(200, &json!({"items": []})),
    })
    .await
}

/// A server that gives every request this answer.
async fn answering(body: Value) -> Server {
    Server::start(move |_| answer(200, &body)).await
}

fn iam(server: &Server) -> Iam {
    server.client().iam()
}

/// What was sent, in its order.
fn sent(server: &Server) -> Vec<(String, String, Option<Value>)> {
    let noted = server.noted.lock().unwrap();
    let sent = noted.iter().map(Noted::sent);
    sent.map(|(method, target, body)| (method.to_owned(), target.to_owned(), body)).collect()
}

/// The only request, whose target is below the project.
#[track_caller]
fn assert_only(server: &Server, method: &str, below: &str, body: Option<Value>) {
    assert_eq!(server.only().sent(), (method, format!("{PROJECT}/{below}").as_str(), body));
}
