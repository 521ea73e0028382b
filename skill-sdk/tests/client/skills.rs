//! Skills: what is sent, and how answers are read. What names do to calls is here for activations too.

use axum::http::StatusCode;
use serde_json::{Value, json};
use skill_sdk::client::{ListOptions, Order, Skills};
use skill_sdk::{Code, Error};

use crate::server::{Noted, Server};

pub(crate) const PROJECT: &str = "/fabric/v4/projects/test-project";

/// Names and how they are sent: each is one segment, whatever it holds.
const NAMES: [(&str, &str); 8] = [
    ("acme/greet", "acme%2Fgreet"),
    ("a b", "a%20b"),
    ("100%", "100%25"),
    ("%2e%2e", "%252e%252e"),
    ("日本", "%E6%97%A5%E6%9C%AC"),
    ("...", "..."),
    ("a?b#c", "a%3Fb%23c"),
    ("a\\b", "a%5Cb"),
];

/// Names that no URL can carry.
const BAD_NAMES: [&str; 6] = ["", ".", "..", "a\nb", "a\tb", "\u{7f}"];

/// Asserts that a request carried nothing but its method, its target below the project and the token.
#[track_caller]
pub(crate) fn assert_plain(noted: &Noted, method: &str, target: &str) {
    assert_eq!((noted.method.as_str(), noted.target.as_str()), (method, format!("{PROJECT}/{target}").as_str()));
    assert_eq!((noted.body.as_deref(), noted.header("content-type")), (Ok(&b""[..]), None));
    assert!(noted.header("authorization").unwrap().starts_with("Bearer eyJ"));
}

/// The JSON of a request, which says that it is that.
#[track_caller]
pub(crate) fn json_body(noted: &Noted) -> Value {
    assert_eq!(noted.header("content-type"), Some("application/json"));
    assert!(noted.header("authorization").unwrap().starts_with("Bearer eyJ"));
    serde_json::from_slice(noted.body.as_ref().unwrap()).unwrap()
}

pub(crate) async fn answering(body: &'static str) -> (Server, Skills) {
    let server = Server::answering(move || body).await;
    let skills = server.client().with_retries(0).skills();
    (server, skills)
}

pub(crate) async fn refusing(status: u16, body: &'static str) -> (Server, Skills) {
    let status = StatusCode::from_u16(status).unwrap();
    let server = Server::answering(move || (status, body)).await;
    let skills = server.client().with_retries(0).skills();
    (server, skills)
}

#[tokio::test]
async fn skills_are_listed() {
    let list = r#"{"success": true, "skills": [
        {"name": "acme/greet", "title": "Greet", "description": "Greets", "createdAt": "2024-05-01T10:00:00Z", "createdBy": "ann",
         "updatedAt": 1714557600000, "deployStatus": "DEPLOYED", "actionStatuses": [{"name": "run", "state": "READY", "since": 5}],
         "inputs": [{"name": "request"}], "_version": 3},
        {"name": "bare"},
        {"name": "nulls", "title": null, "createdAt": null, "deployStatus": null, "actionStatuses": null},
        {"name": "odd", "createdBy": {"id": 7}, "deployStatus": ["half"], "actionStatuses": [{"name": "run", "state": 3}]}
    ]}"#;
    let (server, skills) = answering(list).await;
    let listed = skills.list().await.unwrap();
    assert_plain(&server.only(), "GET", "skills");
    let [greet, bare, nulls, odd] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(
        (greet.name.as_str(), greet.title.as_deref(), greet.description.as_deref()),
        ("acme/greet", Some("Greet"), Some("Greets"))
    );
    assert_eq!((&greet.created_at, &greet.created_by), (&Some(json!("2024-05-01T10:00:00Z")), &Some(json!("ann"))));
    assert_eq!(
        (&greet.updated_at, &greet.deploy_status),
        (&Some(json!(1_714_557_600_000_i64)), &Some("DEPLOYED".into()))
    );
    let status = &greet.action_statuses.as_ref().unwrap()[0];
    assert_eq!(
        (status.name.as_str(), &status.state, &status.other["since"]),
        ("run", &Some("READY".into()), &json!(5))
    );
    assert_eq!((&greet.other["_version"], &greet.other["inputs"][0]["name"]), (&json!(3), &json!("request")));
    assert_eq!((bare.title.as_ref(), bare.action_statuses.as_ref(), bare.other.len()), (None, None, 0));
    assert_eq!((nulls.title.as_ref(), &nulls.deploy_status, nulls.action_statuses.as_ref()), (None, &None, None));
    assert_eq!(odd.deploy_status, Some(json!(["half"])));

    // Nothing is lost on the way back.
    let expected: Value = serde_json::from_str(list).unwrap();
    assert_eq!(serde_json::to_value(greet).unwrap(), expected["skills"][0]);
    assert_eq!(serde_json::to_value(odd).unwrap(), expected["skills"][3]);
}

#[tokio::test]
async fn a_list_can_be_asked_for_in_part() {
    let (server, skills) = answering(r#"{"skills": []}"#).await;
    let options =
        ListOptions::new().filter("createdBy", "ann & ü").sort("updatedAt", Order::Descending).limit(20).skip(40);
    assert!(skills.list_with(&options).await.unwrap().is_empty());
    let query = "filter=%7B%22createdBy%22%3A%22ann+%26+%C3%BC%22%7D&sort=%7B%22updatedAt%22%3A-1%7D&limit=20&skip=40";
    assert_plain(&server.only(), "GET", &format!("skills?{query}"));
    for body in ["[]", "{}", r#"{"skills": [{"title": "no name"}]}"#] {
        let (_server, skills) = answering(body).await;
        let error = skills.list().await.unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable, "{body}");
        assert!(error.detail().starts_with("cannot list skills: the answer is not the JSON"), "{error}");
    }
}

#[tokio::test]
async fn a_skill_is_saved_and_read_and_its_definition_saved_again() {
    let (server, skills) = answering(r#"{"success": true, "version": 4}"#).await;
    let definition = json!({"camel": "1.0.0", "name": "acme/greet", "inputs": [], "outputs": []});
    assert_eq!(skills.save(&definition).await.unwrap(), json!({"success": true, "version": 4}));
    let noted = server.only();
    assert_eq!((noted.method.as_str(), noted.target.as_str()), ("POST", format!("{PROJECT}/skills").as_str()));
    assert_eq!(json_body(&noted), definition);

    let saved = r#"{"camel": "1.0.0", "name": "acme/greet", "title": "Greet", "inputs": [], "outputs": [], "_version": 4,
        "_projectId": "p", "createdAt": "a", "createdBy": "b", "updatedAt": "c", "deployStatus": "d", "actionStatuses": [],
        "success": true}"#;
    let (stored, reading) = answering(saved).await;
    let skill = reading.get("acme/greet").await.unwrap();
    assert_plain(&stored.only(), "GET", "skills/acme%2Fgreet");
    assert_eq!(serde_json::to_value(&skill).unwrap(), serde_json::from_str::<Value>(saved).unwrap());
    assert_eq!(reading.get_opt("acme/greet").await.unwrap().as_ref(), Some(&skill));
    skills.save(&skill).await.unwrap();
    let again = json!({"camel": "1.0.0", "name": "acme/greet", "title": "Greet", "inputs": [], "outputs": []});
    assert_eq!(json_body(&server.only()), again);
}

#[tokio::test]
async fn a_skill_is_deleted() {
    let (server, skills) = answering(r#"{"success": true, "message": "deleted"}"#).await;
    skills.delete("acme/greet").await.unwrap();
    assert_plain(&server.only(), "DELETE", "skills/acme%2Fgreet");
    let (_server, skills) = answering(r#"{"success": false, "message": "it is in use"}"#).await;
    let error = skills.delete("greet").await.unwrap_err();
    assert_eq!(error.detail(), "cannot delete the skill `greet`: the platform did not do it: it is in use");
    let refused = r#"{"message": "greet is in use", "details": [{"name": "a", "type": "agent"}]}"#;
    let (_server, skills) = refusing(403, refused).await;
    let error = skills.delete("greet").await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(403)));
    assert_eq!(error.detail(), "cannot delete the skill `greet`: the platform answered 403: greet is in use (agent a)");
}

#[tokio::test]
async fn a_skill_is_deployed_and_taken_down() {
    let (server, skills) = answering(r#"{"success": true, "message": "on its way", "more": [1]}"#).await;
    let answer = json!({"success": true, "message": "on its way", "more": [1]});
    assert_eq!(skills.deploy("acme/greet").await.unwrap(), answer);
    assert_plain(&server.only(), "GET", "skills/acme%2Fgreet/deploy");
    assert_eq!(skills.undeploy("acme/greet").await.unwrap(), answer);
    assert_plain(&server.only(), "GET", "skills/acme%2Fgreet/undeploy");
    let (_server, skills) = answering(r#"{"success": false, "error": {"why": "no image"}}"#).await;
    let error = skills.deploy("greet").await.unwrap_err();
    let detail = r#"cannot deploy the skill `greet`: the platform did not do it: {"why":"no image"}"#;
    assert_eq!((error.code(), error.detail()), (Code::SkillFailed, detail));
    let error = skills.undeploy("greet").await.unwrap_err();
    assert!(error.detail().starts_with("cannot undeploy the skill `greet`: the platform did not do it"), "{error}");
    let (_server, skills) = answering("").await;
    assert_eq!(skills.deploy("greet").await.unwrap(), Value::Null);
}

#[tokio::test]
async fn what_changes_something_is_not_repeated_although_it_is_a_get() {
    let server = Server::answering(|| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], "")).await;
    // With the repetitions that a client makes unless it is told otherwise.
    let skills = server.client().skills();
    for error in [skills.deploy("greet").await.unwrap_err(), skills.undeploy("greet").await.unwrap_err()] {
        assert_eq!((error.code(), error.http_status()), (Code::PlatformUnavailable, Some(503)));
    }
    assert_eq!(server.noted.lock().unwrap().drain(..).count(), 2);
    skills.invoke("greet", "request", &1, &()).await.unwrap_err();
    skills.invoke_async("greet", "request", &1, &()).await.unwrap_err();
    skills.cancel("id", false).await.unwrap_err();
    skills.send_message("a", "c", "o", &1).await.unwrap_err();
    assert_eq!(server.noted.lock().unwrap().drain(..).count(), 4);
    // What only reads is.
    skills.get("greet").await.unwrap_err();
    assert_eq!(server.noted.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn logs_are_lines() {
    let (server, skills) = answering(r#"{"success": true, "logs": ["one", "", "three\n"]}"#).await;
    assert_eq!(skills.logs("acme/greet", "acme/run").await.unwrap(), ["one", "", "three\n"]);
    assert_plain(&server.only(), "GET", "skills/acme%2Fgreet/action/acme%2Frun/logs");
    let (_server, skills) = answering(r#"{"success": true}"#).await;
    assert_eq!(skills.logs("greet", "run").await.unwrap_err().code(), Code::PlatformUnavailable);
}

#[tokio::test]
async fn what_is_absent() {
    let (_server, skills) = refusing(404, r#"{"success": false, "message": "nope not found"}"#).await;
    assert_eq!(skills.get_opt("nope").await.unwrap(), None);
    assert_eq!(skills.activation_opt("nope").await.unwrap(), None);
    let mut errors: Vec<(Error, &str)> = Vec::new();
    errors.push((skills.get("nope").await.unwrap_err(), "get the skill `nope`"));
    errors.push((skills.delete("nope").await.unwrap_err(), "delete the skill `nope`"));
    errors.push((skills.deploy("nope").await.unwrap_err(), "deploy the skill `nope`"));
    errors.push((skills.undeploy("nope").await.unwrap_err(), "undeploy the skill `nope`"));
    errors.push((skills.logs("nope", "run").await.unwrap_err(), "get the logs of `run` of the skill `nope`"));
    errors.push((skills.invoke("nope", "i", &1, &()).await.unwrap_err(), "invoke the skill `nope`"));
    errors.push((skills.invoke_async("nope", "i", &1, &()).await.unwrap_err(), "invoke the skill `nope`"));
    errors.push((skills.activation("nope").await.unwrap_err(), "get the activation `nope`"));
    errors.push((skills.cancel("nope", true).await.unwrap_err(), "cancel the activation `nope`"));
    for (error, what) in errors {
        assert!(error.is_not_found(), "{error}");
        assert_eq!(error.detail(), format!("cannot {what}: the platform answered 404: nope not found"));
    }
    // Only a 404 means that there is nothing.
    let (_server, skills) = refusing(500, "").await;
    assert_eq!(skills.get_opt("nope").await.unwrap_err().code(), Code::PlatformUnavailable);
    let (_server, skills) = refusing(403, "").await;
    assert_eq!(skills.activation_opt("nope").await.unwrap_err().http_status(), Some(403));
}

/// Makes every call that takes names, with the name in the place of each of them. Gives what each comes to.
async fn call_with(skills: &Skills, name: &str) -> Vec<Result<(), Error>> {
    vec![
        skills.get(name).await.map(drop),
        skills.get_opt(name).await.map(drop),
        skills.delete(name).await,
        skills.deploy(name).await.map(drop),
        skills.undeploy(name).await.map(drop),
        skills.logs(name, "run").await.map(drop),
        skills.logs("greet", name).await.map(drop),
        skills.invoke(name, "request", &1, &()).await.map(drop),
        skills.invoke("greet", name, &1, &()).await.map(drop),
        skills.invoke_async(name, "request", &1, &()).await.map(drop),
        skills.invoke_async("greet", name, &1, &()).await.map(drop),
        skills.activation(name).await.map(drop),
        skills.activation_opt(name).await.map(drop),
        skills.cancel(name, true).await.map(drop),
        skills.send_message(name, "c", "o", &1).await.map(drop),
        skills.send_message("a", name, "o", &1).await.map(drop),
        skills.send_message("a", "c", name, &1).await.map(drop),
    ]
}

#[tokio::test]
async fn names_are_one_segment_or_refused() {
    let (server, skills) = answering(r#"{"name": "n", "logs": [], "activationId": "a"}"#).await;
    for name in BAD_NAMES {
        for (call, result) in call_with(&skills, name).await.into_iter().enumerate() {
            let error = result.unwrap_err();
            assert_eq!(error.code(), Code::SkillFailed, "{call} {name:?}");
            assert!(error.detail().contains("cannot be the name of a"), "{call} {name:?}: {error}");
        }
    }
    assert!(server.noted.lock().unwrap().is_empty());
    for (name, sent) in NAMES {
        for (call, result) in call_with(&skills, name).await.into_iter().enumerate() {
            assert!(result.is_ok(), "{call} {name:?}: {result:?}");
        }
        let noted: Vec<Noted> = server.noted.lock().unwrap().drain(..).collect();
        let below = |noted: &Noted| noted.target.strip_prefix(PROJECT).unwrap_or(&noted.target).to_owned();
        let targets: Vec<String> = noted.iter().map(below).collect();
        let expected = [
            "/skills/{}",
            "/skills/{}",
            "/skills/{}",
            "/skills/{}/deploy",
            "/skills/{}/undeploy",
            "/skills/{}/action/run/logs",
            "/skills/greet/action/{}/logs",
            "/skillinvoke/{}/inputs/request?sync=true",
            "/skillinvoke/greet/inputs/{}?sync=true",
            "/skillinvoke/{}/inputs/request?sync=false",
            "/skillinvoke/greet/inputs/{}?sync=false",
            "/activations/{}",
            "/activations/{}",
            "/activations/{}/cancel?inFlight=true",
            "/internal/messages/{}/c/o",
            "/internal/messages/a/{}/o",
            "/internal/messages/a/c/{}",
        ];
        assert_eq!(targets, expected.map(|target| target.replace("{}", sent)), "{name}");
    }
}
