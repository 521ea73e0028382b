//! What counts as done, for every call that changes something.

use axum::http::StatusCode;
use serde_json::{Value, json};
use skill_sdk::client::content::OCTET_STREAM;
use skill_sdk::{Client, Code, Error};

use crate::server::Server;

/// Makes every such call. Gives what each comes to, null for those that give nothing.
async fn changes(client: &Client) -> Vec<(&'static str, Result<Value, Error>)> {
    let (content, sessions, skills) = (client.content(), client.sessions(), client.skills());
    let (models, types) = (client.models(), client.types());
    let nothing = |()| Value::Null;
    let named = json!({"name": "n"});
    vec![
        ("cannot upload `k`", content.upload("k", "hello", OCTET_STREAM).await),
        ("cannot upload `k`", content.upload_form("k", "k", "hello", OCTET_STREAM).await),
        ("cannot upload `k`", content.upload_streaming("k", &b"hello"[..], OCTET_STREAM).await),
        ("cannot delete `k`", content.delete("k").await.map(nothing)),
        ("cannot save a model", models.save(&named).await),
        ("cannot publish the model `n`", models.publish("n").await.map(nothing)),
        ("cannot unpublish the model `n`", models.unpublish("n").await.map(nothing)),
        ("cannot delete the model `n`", models.delete("n").await.map(nothing)),
        ("cannot save types", types.save(std::slice::from_ref(&named)).await),
        ("cannot delete the type `n`", types.delete("n").await.map(nothing)),
        ("cannot save the skill", skills.save(&named).await),
        ("cannot deploy the skill `n`", skills.deploy("n").await),
        ("cannot undeploy the skill `n`", skills.undeploy("n").await),
        ("cannot delete the skill `n`", skills.delete("n").await.map(nothing)),
        ("cannot cancel the activation `n`", skills.cancel("n", false).await),
        ("cannot put data into the session `s`", sessions.put("s", &json!({})).await.map(nothing)),
        ("cannot delete the session `s`", sessions.delete("s").await.map(nothing)),
    ]
}

#[tokio::test]
async fn an_answer_without_a_body_is_a_success() {
    for status in [StatusCode::NO_CONTENT, StatusCode::CREATED, StatusCode::OK] {
        let server = Server::answering(move || status).await;
        for (what, result) in changes(&server.client()).await {
            assert_eq!(result.unwrap(), Value::Null, "{status}: {what}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_says_that_it_is_no_success_is_none() {
    for status in [StatusCode::OK, StatusCode::CREATED] {
        let server = Server::answering(move || (status, r#"{"success": false, "message": "no"}"#)).await;
        for (what, result) in changes(&server.client()).await {
            let error = result.unwrap_err();
            assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, None), "{status}: {what}");
            assert_eq!(error.detail(), format!("{what}: the platform did not do it: no"));
        }
    }
}
