//! Invocations and activations: what is sent, and how answers are read.

use serde_json::{Value, json};
use skill_sdk::{Client, Code, Message, testing};

use crate::server::Server;
use crate::skills::{PROJECT, answering, assert_plain, json_body, refusing};

#[tokio::test]
async fn a_skill_is_invoked_and_its_answer_left_as_it_is() {
    let (server, skills) =
        answering(r#"{"success": false, "activationId": "a-1", "response": {"z": 1, "a": [null]}}"#).await;
    let (payload, properties) = (json!({"order": 17}), json!({"limit": 3}));
    let answer = skills.invoke("acme/greet", "the request", &payload, &properties).await.unwrap();
    assert_eq!(answer, json!({"success": false, "activationId": "a-1", "response": {"z": 1, "a": [null]}}));
    let noted = server.only();
    let target = format!("{PROJECT}/skillinvoke/acme%2Fgreet/inputs/the%20request?sync=true");
    assert_eq!((noted.method.as_str(), noted.target.as_str()), ("POST", target.as_str()));
    assert_eq!(json_body(&noted), json!({"payload": {"order": 17}, "properties": {"limit": 3}}));
}

#[tokio::test]
async fn what_is_not_given_is_left_out_of_an_invocation() {
    let (server, skills) = answering(r#"{"activationId": "a-1"}"#).await;
    for none in [json!(null), json!({})] {
        skills.invoke("greet", "request", "text", &none).await.unwrap();
        assert_eq!(server.only().body.unwrap(), r#"{"payload":"text"}"#);
    }
    skills.invoke("greet", "request", &(), &()).await.unwrap();
    assert_eq!(server.only().body.unwrap(), r#"{"payload":null}"#);
    let within = skills.with_session("s/1");
    assert_eq!(within.invoke_async("greet", "request", &[1.5], &json!({"p": true})).await.unwrap(), "a-1");
    assert_eq!(server.only().body.unwrap(), r#"{"payload":[1.5],"properties":{"p":true},"sessionId":"s/1"}"#);
    for no_object in [json!([1]), json!("text"), json!(true)] {
        let error = skills.invoke("greet", "request", &1, &no_object).await.unwrap_err();
        assert_eq!(error.detail(), "cannot invoke the skill `greet`: the properties must be a JSON object");
    }
    let no_json = std::collections::BTreeMap::from([([1], 1)]);
    let error = skills.invoke("greet", "request", &1, &no_json).await.unwrap_err();
    assert_eq!(error.detail(), "cannot invoke the skill `greet`: the properties cannot be written as JSON");
    let error = skills.invoke("greet", "request", &no_json, &()).await.unwrap_err();
    assert_eq!(error.detail(), "cannot invoke the skill `greet`: the value cannot be written as JSON");
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_invocation_need_not_be_waited_for() {
    let (server, skills) = answering(r#"{"success": true, "activationId": "6f1d6a52"}"#).await;
    assert_eq!(skills.invoke_async("acme/greet", "request", &json!({"a": 1}), &()).await.unwrap(), "6f1d6a52");
    let noted = server.only();
    let target = format!("{PROJECT}/skillinvoke/acme%2Fgreet/inputs/request?sync=false");
    assert_eq!((noted.method.as_str(), noted.target.as_str()), ("POST", target.as_str()));
    assert_eq!(json_body(&noted), json!({"payload": {"a": 1}}));
    for body in [r#"{"success": true}"#, r#"{"activationId": ""}"#, r#"{"activationId": 5}"#, "[]", ""] {
        let (_server, skills) = answering(body).await;
        let error = skills.invoke_async("greet", "request", &1, &()).await.unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable, "{body}");
        assert_eq!(error.detail(), "cannot invoke the skill `greet`: the answer has no `activationId`", "{body}");
    }
    let (_server, skills) = answering(r#"{"success": false, "message": "no such input"}"#).await;
    let error = skills.invoke_async("greet", "request", &1, &()).await.unwrap_err();
    assert_eq!(error.detail(), "cannot invoke the skill `greet`: the platform did not do it: no such input");
}

#[tokio::test]
async fn an_invocation_that_is_too_large_is_not_sent() {
    const LIMIT: usize = 500 * 1024;
    let (server, skills) = answering(r#"{"activationId": "a-1"}"#).await;
    // `{"payload":"..."}` around the text.
    let around = 14;
    let fits = "x".repeat(LIMIT - around);
    skills.invoke("greet", "request", &fits, &()).await.unwrap();
    assert_eq!(server.only().body.unwrap().len(), 512_000);
    let error = skills.invoke("greet", "request", &(fits.clone() + "x"), &()).await.unwrap_err();
    assert_eq!(error.code(), Code::SkillFailed);
    for words in ["cannot invoke the skill `greet`", "512001 bytes", "limit of 512000", "managed content"] {
        assert!(error.detail().contains(words), "{words}: {error}");
    }
    // What stands beside the payload counts too, and so do bytes, not letters.
    skills.invoke_async("greet", "request", &fits, &json!({"p": 1})).await.unwrap_err();
    skills.with_session("s").invoke_async("greet", "request", &fits, &()).await.unwrap_err();
    skills.invoke_async("greet", "request", &"ü".repeat(LIMIT / 2), &()).await.unwrap_err();
    assert!(server.noted.lock().unwrap().is_empty());
    let error =
        server.client().with_body_limit(20).skills().invoke("greet", "request", "1234567", &()).await.unwrap_err();
    assert!(error.detail().contains("21 bytes, over the limit of 20"), "{error}");
    server.client().with_body_limit(21).skills().invoke("greet", "request", "1234567", &()).await.unwrap();
}

#[tokio::test]
async fn an_activation_is_read() {
    let record = r#"{"success": true, "requestId": "a-1", "skillName": "acme/greet", "inputName": "request", "projectId": "p",
        "username": "", "sessionId": "s", "payload": {"a": 1}, "start": 1714557600000, "end": 1714557601000,
        "status": "COMPLETED", "response": "text", "took": 1000}"#;
    let (server, skills) = answering(record).await;
    let activation = skills.activation("a-1").await.unwrap();
    assert_plain(&server.only(), "GET", "activations/a-1");
    assert_eq!((activation.request_id.as_deref(), activation.success), (Some("a-1"), Some(true)));
    assert_eq!(
        (activation.skill_name.as_deref(), activation.input_name.as_deref()),
        (Some("acme/greet"), Some("request"))
    );
    assert_eq!((activation.agent_name.as_ref(), activation.input_service_name.as_ref()), (None, None));
    assert_eq!((activation.project_id.as_deref(), activation.username.as_deref()), (Some("p"), Some("")));
    assert_eq!((activation.start, activation.end), (Some(1_714_557_600_000), Some(1_714_557_601_000)));
    assert_eq!((activation.session_id.as_deref(), &activation.payload), (Some("s"), &json!({"a": 1})));
    assert_eq!((activation.status.as_deref(), &activation.response), (Some("COMPLETED"), &json!("text")));
    assert_eq!(activation.other["took"], 1000);
    assert_eq!(serde_json::to_value(&activation).unwrap(), serde_json::from_str::<Value>(record).unwrap());
    assert_eq!(skills.activation_opt("a-1").await.unwrap(), Some(activation));
}

#[tokio::test]
async fn an_activation_is_complete_in_either_spelling() {
    for (record, complete) in [
        (r#"{"requestId": "a", "status": "COMPLETE", "agentName": "a", "inputServiceName": "s"}"#, true),
        (r#"{"requestId": "a", "status": "COMPLETED"}"#, true),
        (r#"{"requestId": "a", "status": "STARTED", "end": null, "response": null, "payload": null}"#, false),
        (r#"{"requestId": "a", "status": "INCOMPLETE"}"#, false),
        (r#"{"requestId": "a", "status": null}"#, false),
        ("{}", false),
    ] {
        let (_server, skills) = answering(record).await;
        let activation = skills.activation("a").await.unwrap();
        assert_eq!(activation.is_complete(), complete, "{record}");
        assert_eq!((activation.end, &activation.response), (None, &Value::Null));
    }
}

#[tokio::test]
async fn an_activation_is_cancelled() {
    let (server, skills) = answering(r#"{"success": true, "message": "cancelled"}"#).await;
    assert_eq!(skills.cancel("a/1", true).await.unwrap(), json!({"success": true, "message": "cancelled"}));
    assert_plain(&server.only(), "POST", "activations/a%2F1/cancel?inFlight=true");
    skills.cancel("a", false).await.unwrap();
    assert_plain(&server.only(), "POST", "activations/a/cancel?inFlight=false");
    let (_server, skills) = answering(r#"{"success": false, "message": "too late"}"#).await;
    let error = skills.cancel("a", true).await.unwrap_err();
    assert_eq!(error.detail(), "cannot cancel the activation `a`: the platform did not do it: too late");
}

#[tokio::test]
async fn a_message_is_sent_beside_the_versioned_api() {
    let (server, skills) = answering(r#"{"success": true, "id": 3}"#).await;
    let answer = skills.send_message("a-1", "c/1", "the response", &json!({"text": "hey"})).await.unwrap();
    assert_eq!(answer, json!({"success": true, "id": 3}));
    let noted = server.only();
    let target = "/internal/messages/a-1/c%2F1/the%20response";
    assert_eq!((noted.method.as_str(), noted.target.as_str()), ("POST", target));
    assert_eq!(json_body(&noted), json!({"text": "hey"}));
    // A platform that is below a path has its messages there too.
    let message = testing::message(&()).with_api_endpoint(format!("{}/below/", server.url));
    Client::from_message(message).unwrap().skills().send_message("a", "c", "o", "text").await.unwrap();
    let noted = server.only();
    assert_eq!((noted.target.as_str(), json_body(&noted)), ("/below/internal/messages/a/c/o", json!("text")));
}

#[tokio::test]
async fn a_message_is_sent_only_if_the_status_is_200() {
    for (status, body, detail) in [
        (201, "created\nhere", "Send message failed 201: created here"),
        (202, r#"{"success": true}"#, r#"Send message failed 202: {"success": true}"#),
        (204, "", "Send message failed 204: "),
        (400, r#"{"message": "no"}"#, "Send message failed: the platform answered 400: no"),
        (404, "no channel", "Send message failed: the platform answered 404: no channel"),
    ] {
        let (_server, skills) = refusing(status, body).await;
        let error = skills.send_message("a", "c", "o", &1).await.unwrap_err();
        assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(status)));
        assert_eq!(error.detail(), detail);
    }
    let (_server, skills) = refusing(401, "who are you").await;
    let error = skills.send_message("a", "c", "o", &1).await.unwrap_err();
    assert_eq!(error.code(), Code::TokenInvalid);
    let (_server, skills) = answering("").await;
    assert_eq!(skills.send_message("a", "c", "o", &1).await.unwrap(), Value::Null);
    let (_server, skills) = answering("sent").await;
    assert_eq!(skills.send_message("a", "c", "o", &1).await.unwrap_err().code(), Code::PlatformUnavailable);
}

#[tokio::test]
async fn a_handler_sends_with_the_ids_of_its_message() {
    let server = Server::answering(|| r#"{"success": true}"#).await;
    let message = testing::message(&()).with_api_endpoint(&server.url).with_channel_id("c-1");
    let ctx = testing::context_of(message.clone().with_output_name("response"));
    assert_eq!(ctx.send(None, &json!({"done": 1})).await.unwrap(), json!({"success": true}));
    let noted = server.only();
    assert_eq!(noted.target, "/internal/messages/test-activation/c-1/response");
    assert_eq!(json_body(&noted), json!({"done": 1}));
    ctx.send("warnings", "text").await.unwrap();
    assert_eq!(server.only().target, "/internal/messages/test-activation/c-1/warnings");
    ctx.send(Some("warnings"), "text").await.unwrap();
    assert_eq!(server.only().target, "/internal/messages/test-activation/c-1/warnings");
    // An output that is named takes the place of one that the message lacks.
    testing::context_of(message).send("warnings", &1).await.unwrap();
    assert_eq!(server.only().target, "/internal/messages/test-activation/c-1/warnings");
}

#[tokio::test]
async fn a_handler_is_told_what_its_message_lacks() {
    let server = Server::answering(|| "{}").await;
    let bare = Message::new(&()).unwrap().with_api_endpoint(&server.url);
    let with_ids = bare.clone().with_activation_id("a").with_channel_id("c");
    for (message, output, missing) in [
        (bare.clone(), None, json!(["activationId", "channelId", "outputName"])),
        (bare.clone(), Some("o"), json!(["activationId", "channelId"])),
        (
            bare.with_activation_id("").with_channel_id("").with_output_name(""),
            None,
            json!(["activationId", "channelId", "outputName"]),
        ),
        (with_ids.clone(), None, json!(["outputName"])),
        (with_ids.clone().with_output_name("o").with_channel_id(""), None, json!(["channelId"])),
        (with_ids.with_output_name("o").with_activation_id(""), Some("p"), json!(["activationId"])),
    ] {
        let error = testing::context_of(message).send(output, &1).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidMessage);
        assert_eq!(json!(error.missing()), missing);
        let names: Vec<&str> = error.missing().iter().filter_map(Value::as_str).collect();
        assert_eq!(error.detail(), format!("nothing can be sent: the message lacks {}", names.join(", ")));
    }
    // It has all that a message needs, but nothing to make a client from.
    let message = Message::new(&()).unwrap().with_activation_id("a").with_channel_id("c");
    let error = testing::context_of(message).send("o", &1).await.unwrap_err();
    assert_eq!(error.code(), Code::TokenMissing);
    assert!(server.noted.lock().unwrap().is_empty());
}
