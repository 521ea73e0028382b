//! Skills, invocations, activations and messages, with a host that does as its payload says.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use local_platform::{Invoked, Limits, Options, Platform, SkillHost, StartError};
use reqwest::Method;
use serde_json::{Value, json};
use skill_sdk::Client;
use skill_sdk::client::{ListOptions, Order};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{Local, PATIENCE, header, json as body};

const SKILLS: &str = "/fabric/v4/projects/local/skills";
const INVOKE: &str = "/fabric/v4/projects/local/skillinvoke";
const ACTIVATIONS: &str = "/fabric/v4/projects/local/activations";

/// Runs one skill, `acme/greet`, and keeps the messages it got.
#[derive(Clone, Debug, Default)]
struct Host {
    messages: Arc<Mutex<Vec<Value>>>,
    begun: Arc<Notify>,
}

impl SkillHost for Host {
    fn definitions(&self) -> Vec<Value> {
        vec![definition("acme/greet")]
    }

    fn names(&self) -> Vec<String> {
        vec!["acme/greet".to_owned()]
    }

    fn invoke(
        &self,
        skill: String,
        message: Vec<u8>,
        cancelled: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Invoked> + Send>> {
        assert_eq!(skill, "acme/greet");
        let message: Value = serde_json::from_slice(&message).unwrap();
        self.messages.lock().unwrap().push(message.clone());
        let begun = Arc::clone(&self.begun);
        Box::pin(async move {
            let payload = &message["payload"];
            if payload["wait"] == true {
                begun.notify_one();
                cancelled.cancelled().await;
                return Err(json!({"code": "shutting_down", "detail": "told to stop"}));
            }
            if let Some(detail) = payload.get("fail") {
                return Err(json!({"code": "skill_failed", "status": 500, "detail": detail}));
            }
            if let Some(sent) = payload.get("send") {
                let client = Client::from_message(&message).unwrap();
                let part = |name: &str| message[name].as_str().unwrap().to_owned();
                let (id, channel, output) = (part("activationId"), part("channelId"), part("outputName"));
                client.skills().send_message(&id, &channel, &output, sent).await.unwrap();
            }
            if let Some(text) = payload["text"].as_str() {
                return Ok(text.to_owned());
            }
            let long = payload["long"].as_u64().map(|length| json!("x".repeat(usize::try_from(length).unwrap() - 2)));
            Ok(long.unwrap_or_else(|| payload.clone()).to_string())
        })
    }
}

/// Two inputs: `job` and `daemon`; the latter leads to the former when the property `mode` says `batch`.
fn definition(name: &str) -> Value {
    let to = |runtime: &str| json!({"action": "acme/greet", "runtime": runtime, "output": "response"});
    let rule = json!({"match": "batch", "action": "acme/greet", "runtime": "cortex/jobs", "output": "response"});
    json!({
        "camel": "1.0.0", "name": name, "title": "Greet", "description": "Greets",
        "inputs": [
            {"name": "job", "title": "Job", "parameters": [{"name": "who", "type": "String", "required": "true"}],
             "routing": {"all": to("cortex/jobs")}},
            {"name": "daemon", "routing": {"property": "mode", "default": to("cortex/daemons"), "rules": [rule]}},
        ],
        "outputs": [{"name": "response", "parameters": {"$ref": "acme/greeting"}}],
        "properties": [
            {"name": "mode", "defaultValue": "online"},
            {"name": "key", "secure": true, "defaultValue": "#SECURE.greeting-key"},
        ],
        "actions": [{"name": "acme/greet", "type": "job", "image": "greet:1", "k8sResources": ["kind: Job\n"]}],
    })
}

struct Stage {
    local: Local,
    host: Host,
}

impl Stage {
    async fn set() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let host = Host::default();
        let with_skills = |options: Options| change(options.with_skills(Arc::new(host.clone())));
        let local = Local::start_with(with_skills).await;
        let stage = Self { local, host };
        let secret = stage.post("/fabric/v4/projects/local/secrets/greeting-key", json!({"value": "s3cret"})).await;
        assert_eq!(secret.0, 200);
        stage
    }

    async fn post(&self, path: &str, sent: Value) -> (u16, Value) {
        let response = self.local.request(Method::POST, path).body(sent.to_string()).send().await.unwrap();
        (response.status().as_u16(), body(response).await)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.local.get(path).await;
        (response.status().as_u16(), body(response).await)
    }

    /// Invokes and waits.
    async fn invoke(&self, input: &str, sent: Value) -> Value {
        let (status, answer) = self.post(&format!("{INVOKE}/acme%2Fgreet/inputs/{input}?sync=true"), sent).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn ended(&self, id: &str) -> Value {
        let ended = async {
            loop {
                let (status, activation) = self.get(&format!("{ACTIVATIONS}/{id}")).await;
                assert_eq!(status, 200);
                if activation["status"] != "RUNNING" {
                    return activation;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ended).await.unwrap()
    }

    fn last_message(&self) -> Value {
        self.host.messages.lock().unwrap().last().unwrap().clone()
    }
}

#[tokio::test]
async fn a_message_holds_what_a_skill_needs() {
    let stage = Stage::set().await;
    let sent = json!({"payload": {"who": "you"}, "properties": {"mode": "batch", "limit": 3}, "sessionId": "s-1"});
    let answer = stage.invoke("daemon", sent).await;
    let message = stage.last_message();
    let id = answer["activationId"].as_str().unwrap();
    assert_eq!(message["activationId"], id);
    assert_eq!(message["apiEndpoint"], stage.local.platform.url());
    assert_eq!(message["payload"], json!({"who": "you"}));
    assert_eq!(message["properties"], json!({"mode": "batch", "key": "s3cret", "limit": 3}));
    assert_eq!((&message["projectId"], &message["sessionId"]), (&json!("local"), &json!("s-1")));
    assert_eq!((&message["skillName"], &message["outputName"]), (&json!("acme/greet"), &json!("response")));
    assert_eq!(message["timestamp"], answer["start"]);
    for named in ["channelId", "agentName"] {
        assert!(message[named].is_string(), "{named}");
    }
    // The token is one of whoever asked.
    let client = Client::from_message(&message).unwrap();
    assert!(!client.content().exists("nothing").await.unwrap());
    assert_eq!(client.iam().token().inspect().await.unwrap().subject, answer["username"].as_str().unwrap());

    let without = stage.invoke("job", json!({"payload": null, "properties": null})).await;
    assert_eq!(without["sessionId"], without["activationId"]);
    // The session is there for the skill to use.
    let sessions = client.sessions();
    for id in ["s-1", without["sessionId"].as_str().unwrap()] {
        sessions.put(id, &json!({"greeted": true})).await.unwrap();
        assert_eq!(sessions.get(id).await.unwrap()["greeted"], true);
    }
    stage.invoke("job", json!({"sessionId": "s-1"})).await;
    assert_eq!(sessions.get("s-1").await.unwrap()["greeted"], true);
    assert_eq!(stage.last_message()["properties"], json!({"mode": "online", "key": "s3cret"}));
}

#[tokio::test]
async fn a_job_answers_its_output_and_a_daemon_its_payload() {
    let stage = Stage::set().await;
    let sent = json!({"payload": {"who": "you"}});
    let job = stage.invoke("job", sent.clone()).await;
    assert_eq!((&job["status"], &job["response"]), (&json!("COMPLETED"), &json!("{\"who\":\"you\"}\n")));
    let daemon = stage.invoke("daemon", sent.clone()).await;
    assert_eq!((&daemon["status"], &daemon["response"]), (&json!("COMPLETE"), &json!({"who": "you"})));
    let batch = stage.invoke("daemon", json!({"payload": 1, "properties": {"mode": "batch"}})).await;
    assert_eq!((&batch["status"], &batch["response"]), (&json!("COMPLETED"), &json!("1\n")));

    for field in ["success", "requestId", "skillName", "inputName", "projectId", "username", "sessionId", "payload"] {
        assert!(!job[field].is_null(), "{field}");
    }
    assert!(job["start"].as_i64().unwrap() <= job["end"].as_i64().unwrap());
    let (status, found) = stage.get(&format!("{ACTIVATIONS}/{}", job["activationId"].as_str().unwrap())).await;
    assert_eq!((status, &found), (200, &job));
}

#[tokio::test]
async fn an_invocation_need_not_be_waited_for_and_names_may_be_split() {
    let stage = Stage::set().await;
    for path in ["acme/greet/inputs/daemon", "acme%2Fgreet/inputs/daemon?sync=false"] {
        let (status, answer) = stage.post(&format!("{INVOKE}/{path}"), json!({"payload": path})).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)));
        let activation = stage.ended(answer["activationId"].as_str().unwrap()).await;
        assert_eq!(activation["response"], *path);
    }
}

#[tokio::test]
async fn what_a_skill_sends_is_its_response() {
    let stage = Stage::set().await;
    let answer = stage.invoke("job", json!({"payload": {"send": {"sent": 1}}})).await;
    assert_eq!((&answer["response"], &answer["status"]), (&json!({"sent": 1}), &json!("COMPLETED")));
    // Also later, and again.
    let id = answer["activationId"].as_str().unwrap();
    let (status, sent) = stage.post(&format!("/internal/messages/{id}/any/other/output"), json!("later")).await;
    assert_eq!((status, &sent["success"]), (200, &json!(true)));
    let (_, found) = stage.get(&format!("{ACTIVATIONS}/{id}")).await;
    assert_eq!((&found["response"], &found["outputName"]), (&json!("later"), &json!("other/output")));
    let (status, refusal) = stage.post("/internal/messages/nobody/any/output", json!(1)).await;
    assert_eq!((status, &refusal["message"]), (404, &json!("activation nobody not found")));
}

#[tokio::test]
async fn a_failure_is_told_beside_the_platforms_words() {
    let stage = Stage::set().await;
    let answer = stage.invoke("job", json!({"payload": {"fail": "out of greetings"}})).await;
    assert_eq!((&answer["success"], &answer["status"]), (&json!(false), &json!("COMPLETED")));
    assert_eq!((&answer["error"]["code"], &answer["message"]), (&json!("skill_failed"), &json!("out of greetings")));
    let (_, logs) = stage.get(&format!("{SKILLS}/acme/greet/action/acme%2Fgreet/logs")).await;
    let line = logs["logs"][0].as_str().unwrap();
    assert!(line.contains(answer["activationId"].as_str().unwrap()) && line.ends_with(": out of greetings"), "{line}");
    let raw = stage.local.get(&format!("{SKILLS}/acme%2Fgreet/action/x/logs?raw=true")).await;
    assert_eq!(header(&raw, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(raw.text().await.unwrap(), format!("{line}\n"));
}

#[tokio::test]
async fn an_invocation_can_be_cancelled() {
    let stage = Stage::set().await;
    let (_, answer) = stage.post(&format!("{INVOKE}/acme/greet/inputs/job"), json!({"payload": {"wait": true}})).await;
    let id = answer["activationId"].as_str().unwrap();
    stage.host.begun.notified().await;
    assert_eq!(stage.get(&format!("{ACTIVATIONS}/{id}")).await.1["status"], "RUNNING");
    let (status, said) = stage.post(&format!("{ACTIVATIONS}/{id}/cancel?inFlight=true"), json!({})).await;
    assert_eq!((status, &said["success"]), (200, &json!(true)));
    let ended = stage.ended(id).await;
    assert_eq!((&ended["status"], &ended["success"]), (&json!("CANCELLED"), &json!(false)));
    let (_, said) = stage.post(&format!("{ACTIVATIONS}/{id}/cancel"), json!({})).await;
    assert!(said["message"].as_str().unwrap().ends_with("has ended already: CANCELLED"), "{said}");
}

#[tokio::test]
async fn an_invoked_job_is_a_task() {
    let stage = Stage::set().await;
    let tasks = "/fabric/v4/projects/local/tasks";
    let task = async |name: &str| stage.get(&format!("{tasks}/{name}")).await.1;
    let id_of = |activation: &Value| activation["activationId"].as_str().unwrap().to_owned();
    stage.invoke("daemon", json!({"payload": {}})).await;
    assert_eq!(stage.get(tasks).await.1["tasks"], json!([]));

    let done = id_of(&stage.invoke("job", json!({"payload": {"who": "you"}})).await);
    let failed = id_of(&stage.invoke("job", json!({"payload": {"fail": "out of\ngreetings"}})).await);
    let (_, running) = stage.post(&format!("{INVOKE}/acme/greet/inputs/job"), json!({"payload": {"wait": true}})).await;
    let running = id_of(&running);
    stage.host.begun.notified().await;
    let listed = stage.get(&format!("{tasks}?filter=%7B%22skillName%22%3A%22acme%2Fgreet%22%7D")).await.1;
    let names = listed["tasks"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), [&*running, &failed, &done]);
    for (name, state) in [(&running, "RUNNING"), (&failed, "FAILED"), (&done, "SUCCEEDED")] {
        let task = task(name).await;
        assert_eq!((&task["state"], &task["task"]["state"]), (&json!(state), &json!(state)));
        assert_eq!((&task["activationId"], &task["jobType"]), (&json!(name), &json!("job")));
        assert_eq!(task["endTime"].is_null(), *name == running);
    }
    let logs = async |name: &str| stage.get(&format!("{tasks}/{name}/logs")).await.1["logs"].clone();
    assert_eq!(logs(&running).await, json!([]));
    assert!(logs(&failed).await[0].as_str().unwrap().contains(&failed));
    let followed = stage.local.get(&format!("{tasks}/{failed}/logs?follow=true")).await.text().await.unwrap();
    assert!(followed.lines().all(|line| line.is_empty() || line.starts_with("data: ")), "{followed}");
    assert!(followed.ends_with("data: greetings\n\n"), "{followed}");
    for what in ["pause", "resume"] {
        assert_eq!(stage.post(&format!("{tasks}/{running}/{what}"), json!({})).await.0, 409);
    }

    // What runs is cancelled, and the activations are there still.
    for name in [&running, &done] {
        let removed = stage.local.request(Method::DELETE, &format!("{tasks}/{name}")).send().await.unwrap();
        assert_eq!((removed.status().as_u16(), &body(removed).await["success"]), (200, &json!(true)));
        assert_eq!(stage.get(&format!("{tasks}/{name}")).await.0, 404);
        let again = stage.local.request(Method::DELETE, &format!("{tasks}/{name}")).send().await.unwrap();
        assert_eq!(again.status(), 404);
    }
    assert_eq!(stage.ended(&running).await["status"], "CANCELLED");
    assert_eq!(stage.ended(&done).await["status"], "COMPLETED");
    let left = stage.get(tasks).await.1;
    assert_eq!((left["tasks"].as_array().unwrap().len(), &left["tasks"][0]["name"]), (1, &json!(failed)));
}

#[tokio::test]
async fn a_platform_that_stops_cancels_what_runs() {
    let stage = Stage::set().await;
    let (_, answer) = stage.post(&format!("{INVOKE}/acme/greet/inputs/job"), json!({"payload": {"wait": true}})).await;
    stage.host.begun.notified().await;
    let local = timeout(PATIENCE, stage.local.restart()).await.unwrap();
    let path = format!("{ACTIVATIONS}/{}", answer["activationId"].as_str().unwrap());
    let activation = body(local.get(&path).await).await;
    assert_eq!((&activation["status"], &activation["error"]["code"]), (&json!("CANCELLED"), &json!("shutting_down")));
    assert!(activation["end"].is_i64(), "{activation}");
}

#[tokio::test]
async fn a_platform_that_is_dropped_cancels_what_runs() {
    let Stage { local, host } = Stage::set().await;
    let invoked = local.request(Method::POST, &format!("{INVOKE}/acme/greet/inputs/job"));
    let invoked = invoked.body(json!({"payload": {"wait": true}}).to_string()).send().await.unwrap();
    let path = format!("{ACTIVATIONS}/{}", body(invoked).await["activationId"].as_str().unwrap());
    host.begun.notified().await;
    drop(local.platform);
    // The folder is free once nothing runs any more.
    let again = async {
        loop {
            match Platform::start(Options::at(local.folder.path().join("data"))).await {
                Ok(platform) => return platform,
                Err(error) => assert!(matches!(error, StartError::InUse { .. }), "{error}"),
            }
        }
    };
    let again = timeout(PATIENCE, again).await.unwrap();
    let request = local.http.get(format!("{}{path}", again.url())).bearer_auth(&local.token);
    let activation = body(request.send().await.unwrap()).await;
    assert_eq!((&activation["status"], activation["end"].is_i64()), (&json!("CANCELLED"), true), "{activation}");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let stage = Stage::with(|options| {
        let limits = Limits { request: 2000, job_payload: 100, job_response: 50, daemon_response: 60 };
        options.with_limits(limits)
    })
    .await;
    let invoke = |input: &str| format!("{INVOKE}/acme/greet/inputs/{input}?sync=true");
    let payload = |size: usize| json!({"payload": "x".repeat(size - 2)});
    for (input, sent, status, words) in [
        ("job", json!({"payload": {"long": 50}}), 200, ""),
        ("job", json!({"payload": {"long": 51}}), 413, "response of the job is 51 bytes, over the limit of 50"),
        ("daemon", json!({"payload": {"long": 60}}), 200, ""),
        ("daemon", json!({"payload": {"long": 61}}), 413, "response of the daemon is 61 bytes, over the limit of 60"),
        ("job", payload(101), 413, "payload of a job is 101 bytes, over the limit of 100"),
        ("daemon", payload(2001), 413, "request is 2013 bytes, over the limit of 2000"),
    ] {
        let (found, answer) = stage.post(&invoke(input), sent).await;
        assert_eq!(found, status, "{answer}");
        let said = answer["message"].as_str().unwrap_or_default();
        assert!(said.contains(words) && (words.is_empty() || said.contains("managed content")), "{said}");
    }

    // What counts is what was sent.
    let blanks = format!("{{\"payload\": [{}]}}", " ".repeat(99));
    let refused = stage.local.request(Method::POST, &invoke("job")).body(blanks).send().await.unwrap();
    assert_eq!(refused.status(), 413);
    let answer = stage.invoke("job", json!({"payload": 1})).await;
    let message = format!("/internal/messages/{}/c/o", answer["activationId"].as_str().unwrap());
    assert_eq!(stage.post(&message, json!("x".repeat(48))).await.0, 200);
    let (status, refusal) = stage.post(&message, json!("x".repeat(49))).await;
    assert_eq!(status, 413);
    assert!(refusal["message"].as_str().unwrap().contains("message of a job is 51 bytes, over the limit of 50"));
}

#[tokio::test]
async fn what_no_record_can_hold_harms_no_other() {
    let stage = Stage::set().await;
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let first = stage.invoke("daemon", json!({"payload": {"text": deep(100)}})).await;
    assert_eq!(first["success"], true);
    for levels in [101, 126, 127, 128, 1000] {
        let failed = stage.invoke("daemon", json!({"payload": {"text": deep(levels)}})).await;
        assert_eq!((&failed["success"], &failed["error"]["code"]), (&json!(false), &json!("skill_failed")), "{levels}");
    }
    let (status, list) = stage.get(ACTIVATIONS).await;
    assert_eq!((status, list["activations"].as_array().unwrap().len()), (200, 6));
}

#[tokio::test]
async fn no_refusal_tells_a_secret() {
    let stage = Stage::set().await;
    let mut other = definition("other");
    other["inputs"][1]["routing"] = json!({"property": "key", "rules": []});
    assert_eq!(stage.post(SKILLS, other).await.0, 200);
    let (status, refusal) = stage.post(&format!("{INVOKE}/other/inputs/daemon"), json!({})).await;
    assert_eq!(status, 400);
    assert!(!refusal.to_string().contains("s3cret"), "{refusal}");
}

#[tokio::test]
async fn what_cannot_be_invoked_is_refused_with_the_reason() {
    let stage = Stage::set().await;
    let invoke = |path: &str| format!("{INVOKE}/{path}?sync=true");
    for (path, sent, status, words) in [
        ("nobody/inputs/request", json!({}), 404, "skill nobody not found"),
        ("acme/greet/inputs/request", json!({}), 404, "input request of skill acme/greet not found"),
        ("acme/greet", json!({}), 404, "not found"),
        ("acme/greet/inputs/job", json!([]), 400, "has a value of the wrong type"),
        ("acme/greet/inputs/job", json!({"properties": [1]}), 400, "has a value of the wrong type"),
        ("acme/greet/inputs/job", json!({"properties": {"x": "#SECURE.absent"}}), 400, "the secret absent"),
        ("acme/greet/inputs/job", json!({"sessionId": "a\nb"}), 400, "control character"),
        ("acme/greet/inputs/job", json!({"sessionId": "s".repeat(513)}), 400, "longer than 512 bytes"),
        ("acme/greet/inputs/job?sync=true&sync=true&x", json!({}), 400, "duplicate field `sync`"),
    ] {
        let (found, answer) = stage.post(&invoke(path), sent).await;
        assert_eq!((found, &answer["success"]), (status, &json!(false)), "{path}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }
    assert!(stage.host.messages.lock().unwrap().is_empty());

    // A platform without skills keeps definitions all the same.
    let local = Local::start().await;
    let saved = local.request(Method::POST, SKILLS).body(definition("a").to_string()).send().await.unwrap();
    assert_eq!(saved.status(), 200);
    let secret = local.request(Method::POST, "/fabric/v4/projects/local/secrets/greeting-key").body("1");
    assert_eq!(secret.send().await.unwrap().status(), 200);
    let refused = local.request(Method::POST, &invoke("a/inputs/job")).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), 404);
    assert!(body(refused).await["message"].as_str().unwrap().contains("start the platform with `--skill`"));
}

#[tokio::test]
async fn definitions_are_saved_beside_those_that_are_run_here() {
    let stage = Stage::set().await;
    let (_, list) = stage.get(SKILLS).await;
    assert_eq!(
        (&list["skills"][0]["name"], &list["skills"][0]["deployStatus"]),
        (&json!("acme/greet"), &json!("Deployed"))
    );

    let (status, refusal) = stage.post(SKILLS, json!({"name": "x"})).await;
    assert_eq!(status, 400);
    for path in ["body.camel", "body.inputs", "body.outputs"] {
        assert_eq!(refusal["details"][path]["message"], "is required", "{refusal}");
    }
    let (status, saved) = stage.post(SKILLS, definition("other")).await;
    assert_eq!((status, &saved["_version"], &saved["deployStatus"]), (200, &json!(1), &json!("Undeployed")));
    // Another name for what is run here, since there is one skill alone.
    let (_, answer) = stage.post(&format!("{INVOKE}/other/inputs/job?sync=true"), json!({"payload": 1})).await;
    assert_eq!((&answer["skillName"], &answer["response"]), (&json!("other"), &json!("1\n")));

    let delete = |name: &str| stage.local.request(Method::DELETE, &format!("{SKILLS}/{name}")).send();
    let refused = delete("acme/greet").await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(body(refused).await["details"][0]["type"], "Host");
    assert_eq!(delete("other").await.unwrap().status(), 200);
    assert_eq!(delete("other").await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_definition_comes_in_several_forms() {
    let stage = Stage::set().await;
    let text = async |output: &str| {
        let response = stage.local.get(&format!("{SKILLS}/acme%2Fgreet?output={output}")).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "text/yaml; charset=utf-8"));
        response.text().await.unwrap()
    };
    assert!(text("yaml").await.contains("name: acme/greet\n"));
    assert_eq!(text("k8s").await, "---\nkind: Job\n");
    let open_api = text("openapi").await;
    for words in ["openapi: 3.0.3", "/fabric/v4/projects/local/skillinvoke/acme%2Fgreet/inputs/job:", "who:"] {
        assert!(open_api.contains(words), "{words}: {open_api}");
    }
    assert_eq!(stage.get(&format!("{SKILLS}/acme/greet?output=pdf")).await.0, 400);
}

#[tokio::test]
async fn a_type_that_a_skill_refers_to_stays() {
    let stage = Stage::set().await;
    stage.post(SKILLS, definition("acme/other")).await;
    stage.post("/fabric/v4/projects/local/types", json!({"types": [{"name": "acme/greeting"}]})).await;
    let delete = || stage.local.request(Method::DELETE, "/fabric/v4/projects/local/types/acme%2Fgreeting").send();
    let refused = delete().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(body(refused).await["details"], json!([{"name": "acme/other", "type": "Skill"}]));
    stage.local.request(Method::DELETE, &format!("{SKILLS}/acme%2Fother")).send().await.unwrap();
    assert_eq!(delete().await.unwrap().status(), 200);
}

#[tokio::test]
async fn activations_are_listed_and_reported() {
    let stage = Stage::set().await;
    let first = stage.invoke("job", json!({"payload": 1})).await;
    let second = stage.invoke("daemon", json!({"payload": 2})).await;
    let ids = async |query: &str| {
        let (_, list) = stage.get(&format!("{ACTIVATIONS}{query}")).await;
        let ids = list["activations"].as_array().unwrap().iter().map(|one| one["activationId"].clone());
        ids.collect::<Vec<_>>()
    };
    let (first_id, second_id) = (&first["activationId"], &second["activationId"]);
    assert_eq!(ids("?sort=%7B%22start%22%3A1%2C%22requestId%22%3A1%7D").await, [first_id.clone(), second_id.clone()]);
    assert_eq!(ids("?status=COMPLETE").await, std::slice::from_ref(second_id));
    assert_eq!(ids("?skillName=nobody").await, Vec::<Value>::new());
    assert_eq!(ids("?filter=%7B%22payload%22%3A1%7D").await, std::slice::from_ref(first_id));
    assert_eq!(ids(&format!("?startAfter={}", i64::MAX)).await, Vec::<Value>::new());
    let (_, report) = stage.get(&format!("{ACTIVATIONS}/{}?report=true", first_id.as_str().unwrap())).await;
    assert!(report["elapsed"].is_i64());
    assert_eq!(
        (&report["transits"][0]["name"], &report["transits"][0]["status"]),
        (&json!("acme/greet"), &json!("COMPLETED"))
    );
    assert_eq!(stage.get(&format!("{ACTIVATIONS}/nobody")).await.0, 404);
}

#[tokio::test]
async fn every_call_of_the_client_does_what_it_says() {
    let stage = Stage::set().await;
    let skills = stage.local.client().skills();
    let saved = skills.save(&definition("mine")).await.unwrap();
    assert_eq!((&saved["name"], &saved["_version"]), (&json!("mine"), &json!(1)));
    let names =
        |all: Vec<skill_sdk::client::skills::SkillRecord>| all.into_iter().map(|skill| skill.name).collect::<Vec<_>>();
    assert_eq!(names(skills.list().await.unwrap()), ["mine", "acme/greet"]);
    let by_name = ListOptions::default().sort("name", Order::Ascending).limit(1);
    assert_eq!(names(skills.list_with(&by_name).await.unwrap()), ["acme/greet"]);
    assert_eq!(skills.get("acme/greet").await.unwrap().name, "acme/greet");
    assert!(skills.get("nobody").await.unwrap_err().is_not_found());
    assert!(skills.get_opt("nobody").await.unwrap().is_none());
    assert_eq!(skills.deploy("mine").await.unwrap()["deployStatus"], "Deployed");
    assert_eq!(skills.undeploy("mine").await.unwrap()["deployStatus"], "Undeployed");

    let answer = skills.invoke("mine", "daemon", &json!({"who": "me"}), &()).await.unwrap();
    assert_eq!(answer["response"], json!({"who": "me"}));
    let in_session = skills.with_session("s-1");
    let id = in_session.invoke_async("mine", "daemon", &json!({"wait": true}), &()).await.unwrap();
    stage.host.begun.notified().await;
    let running = skills.activation(&id).await.unwrap();
    assert!(!running.is_complete());
    assert_eq!((running.session_id.as_deref(), running.skill_name.as_deref()), (Some("s-1"), Some("mine")));
    skills.send_message(&id, "channel", "response", &json!({"sent": true})).await.unwrap();
    assert!(skills.cancel(&id, true).await.unwrap()["message"].is_string());
    let cancelled = stage.ended(&id).await;
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(skills.activation(&id).await.unwrap().response, json!({"sent": true}));
    assert!(skills.activation_opt("nobody").await.unwrap().is_none());
    assert!(skills.activation(answer["activationId"].as_str().unwrap()).await.unwrap().is_complete());
    assert_eq!(skills.logs("mine", "acme/greet").await.unwrap().len(), 2);
    skills.delete("mine").await.unwrap();
    assert!(skills.delete("mine").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn invocations_of_a_crashed_platform_do_not_run() {
    let stage = Stage::set().await;
    let (_, answer) = stage.post(&format!("{INVOKE}/acme/greet/inputs/job"), json!({"payload": {"wait": true}})).await;
    stage.host.begun.notified().await;
    // As good as a crash for the records: nothing is written any more.
    let crashed = stage.local.folder.path().join("crashed");
    std::fs::create_dir(&crashed).unwrap();
    for file in ["pat.json", "records.redb"] {
        std::fs::copy(stage.local.folder.path().join("data").join(file), crashed.join(file)).unwrap();
    }
    let again = Platform::start(Options::at(&crashed)).await.unwrap();
    let token = crate::support::token(&again);
    let path = format!("{}{ACTIVATIONS}/{}", again.url(), answer["activationId"].as_str().unwrap());
    let activation = body(stage.local.http.get(path).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!((&activation["status"], &activation["error"]["code"]), (&json!("CANCELLED"), &json!("shutting_down")));
}
