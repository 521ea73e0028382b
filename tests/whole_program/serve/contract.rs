//! What callers can rely on: paths, skills, limits and time.

use serde_json::json;
use whole_program_tests::built;
use whole_program_tests::daemon::{Serve, invocation};
use whole_program_tests::http::{post, request};

use super::{echo_with, forms, library, linked};
use crate::message;

#[test]
fn an_invocation_is_answered() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        let answer = daemon.invoke("echo", &json!({"a": 1}));
        assert_eq!(answer.text(), r#"{"payload":{"a":1}}"#, "{form}");
        let mut message = message(&json!([2.50, null]));
        message["skillName"] = "echo".into();
        assert_eq!(daemon.post("/invoke", message.to_string()).payload_json(), "[2.5,null]", "{form}");
        let stopped = daemon.stop();
        let counts = stopped.counts();
        assert_eq!((stopped.code, counts.accepted, counts.finished), (Some(0), 2, 2), "{form}");
    }
}

#[test]
fn several_skills_have_paths_of_their_own() {
    let daemon = library().start();
    for path in ["/skills/acme/echo/invoke", "/skills/acme%2Fecho/invoke", "/skills/acme%2fecho/invoke"] {
        assert_eq!(daemon.post(path, r#"{"payload": 1, "skillName": "fails"}"#).payload(), 1, "{path}");
    }
    assert_eq!(daemon.post("/skills/%65cho/invoke?x=1", r#"{"payload": 1}"#).payload(), 1);
    assert_eq!(daemon.post("/invoke?x=1", r#"{"payload": 1, "skillName": "acme/echo"}"#).payload(), 1);
    let nameless = message(&json!(1)).to_string();
    for (path, name) in
        [("/skills/nope/invoke", "`nope`"), ("/skills/acme/invoke", "`acme`"), ("/skills/a%20b/invoke", "`a b`")]
    {
        let problem = daemon.post(path, &nameless).problem("skill_not_found");
        assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
    }
    daemon.post("/invoke", &nameless).problem("skill_not_found");
    for path in ["/skills/invoke", "/skills//invoke", "/skills/%ff/invoke", "/skills/echo", "/skills/echo/invoke/"] {
        let answer = daemon.post(path, &nameless);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    daemon.assert_well();
}

#[test]
fn several_libraries_are_one_daemon() {
    let daemon = Serve::libraries(&[&built().misbehaving, &built().word_count]).start();
    assert_eq!(daemon.invoke("echo", &json!(1)).payload(), 1);
    let mut named = message(&json!({"text": "a b"}));
    assert_eq!(daemon.post("/skills/word-count/invoke", named.to_string()).payload()["words"], 2);
    named["skillName"] = "word-count".into();
    named["payload"] = json!({"text": "a"});
    assert_eq!(daemon.post("/invoke", named.to_string()).payload()["words"], 1);
}

#[test]
fn two_skills_of_one_name_are_refused() {
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("libcopy.so");
    std::fs::copy(&built().misbehaving, &copy).unwrap();
    let (code, stderr) = Serve::libraries(&[&built().misbehaving, &copy]).refused();
    assert_eq!(code, Some(66), "{stderr}");
    let problem: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(problem["code"], "skill_not_found");
    assert!(problem["detail"].as_str().unwrap().contains("two skills with the name"), "{problem}");
}

#[test]
fn skills_that_are_not_there_are_refused() {
    let (code, stderr) = Serve::libraries(&["/no/such/libskill.so".as_ref()]).refused();
    assert_eq!(code, Some(66), "{stderr}");
    let (code, stderr) = Serve::libraries(&[]).refused();
    assert_eq!(code, Some(64), "{stderr}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for args in [
        ["--max-concurrency", "0"],
        ["--max-connections", "0"],
        ["--timeout", "0s"],
        ["--queue-timeout", "soon"],
        ["--method", "PO ST"],
    ] {
        let (code, stderr) = linked().args(args).refused();
        assert_eq!(code, Some(64), "{args:?}: {stderr}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stderr) = linked().env("SKILL_SERVE_PORT", &port).refused_at_its_port();
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains(&port), "{stderr}");
}

#[test]
fn a_connection_is_kept() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        let mut connection = daemon.connect();
        for turn in 0..20 {
            assert_eq!(connection.send(invocation("echo", &json!(turn))).payload(), turn, "{form}");
            connection.send(invocation("fails", &json!(1))).problem("skill_failed");
            connection.send(post("/nope", "{}")).plain_problem(404);
            // They are answered on any connection.
            assert_eq!(connection.send(request("GET", "/healthz", &[], "")).status, 200, "{form}");
            assert_eq!(connection.send(request("GET", "/readyz", &[], "")).status, 200, "{form}");
            assert_eq!(connection.send(request("GET", "/metrics", &[], "")).status, 200, "{form}");
        }
        let last = request("POST", "/skills/echo/invoke", &["Connection: close"], r#"{"payload": 1}"#);
        let answer = connection.send(last);
        assert_eq!((answer.payload(), answer.header("connection")), (json!(1), Some("close")), "{form}");
        connection.closed();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_has_many_streams() {
    for (form, serve) in forms() {
        let daemon = tokio::task::spawn_blocking(|| serve.start()).await.unwrap();
        let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let url = daemon.url();
        let calls = (0..100).map(|turn| {
            let call = client.post(format!("{url}/skills/sleeps/invoke")).body(json!({"payload": turn}).to_string());
            tokio::spawn(async move {
                let answer = call.send().await.unwrap();
                (answer.version(), answer.text().await.unwrap(), turn)
            })
        });
        for call in calls.collect::<Vec<_>>() {
            let (version, text, turn) = call.await.unwrap();
            assert_eq!((version, text), (reqwest::Version::HTTP_2, format!(r#"{{"payload":{turn}}}"#)), "{form}");
        }
        let get = async |path: &str| client.get(format!("{url}{path}")).send().await.unwrap().status().as_u16();
        assert_eq!((get("/healthz").await, get("/readyz").await, get("/metrics").await), (200, 200, 200), "{form}");
        assert_eq!((get("/invoke").await, get("/nope").await), (405, 404), "{form}");
    }
}

#[test]
fn limits_are_to_the_byte() {
    let daemon = library().args(["--max-message", "1000", "--max-response", "900"]).start();
    let of_length = |length: usize| {
        let empty = json!({"payload": 1, "x": ""}).to_string();
        json!({"payload": 1, "x": "x".repeat(length - empty.len())}).to_string()
    };
    let chunked = |body: &str| {
        let (first, second) = body.split_at(body.len() / 2);
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = "POST /skills/echo/invoke HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{}{}0\r\n\r\n", chunk(first), chunk(second))
    };
    for (length, fits) in [(999, true), (1000, true), (1001, false), (5000, false)] {
        let body = of_length(length);
        for request in [post("/skills/echo/invoke", &body), chunked(&body).into_bytes()] {
            let answer = daemon.send(request);
            if fits {
                assert_eq!(answer.payload(), 1, "{length}");
            } else {
                let problem = answer.problem("message_too_large");
                assert!(problem["detail"].as_str().unwrap().contains("1000"), "{problem}");
            }
        }
    }
    assert_eq!(daemon.invoke("floods", &json!(898)).payload().as_str().unwrap().len(), 898);
    let problem = daemon.invoke("floods", &json!(899)).problem("response_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("is 901 bytes"), "{problem}");
}

#[test]
fn the_usual_limits_are_those_of_the_platform() {
    let daemon = library().start();
    let around = |length: usize| {
        let payload = "x".repeat(length - r#"{"payload":""}"#.len());
        daemon.invoke("echo", &json!(payload))
    };
    assert_eq!(around(500 << 10).status, 200);
    around((500 << 10) + 1).problem("message_too_large");
    assert_eq!(daemon.invoke("floods", &json!((512 << 10) - 2)).status, 200);
    daemon.invoke("floods", &json!((512 << 10) - 1)).problem("response_too_large");
}

#[test]
fn callers_may_have_less_time_and_never_more() {
    let daemon = linked().args(["--timeout", "400ms"]).start();
    let hang = |headers: &[&str]| daemon.send(request("POST", "/skills/hangs/invoke", headers, r#"{"payload": 1}"#));
    for (header, limit) in [
        ("X-Timeout: 0.2", "200ms"),
        ("X-Timeout: 200ms", "200ms"),
        ("x-timeout:  200ms ", "200ms"),
        ("X-Timeout: 1", "400ms"),
        ("X-Timeout: 5m", "400ms"),
        ("X-Timeout: 99999999999999", "400ms"),
    ] {
        let problem = hang(&[header]).problem("timeout");
        assert_eq!(problem["detail"], format!("the skill did not answer within {limit}"), "{header}");
    }
    assert_eq!(hang(&[]).problem("timeout")["detail"], "the skill did not answer within 400ms");
    for header in
        ["X-Timeout: soon", "X-Timeout:", "X-Timeout: -1", "X-Timeout: 0", "X-Timeout: NaN", "X-Timeout: 1e999"]
    {
        let problem = hang(&[header]).problem("invalid_message");
        assert!(problem["detail"].as_str().unwrap().contains("X-Timeout"), "{header}: {problem}");
    }
    // That of the skill is shorter still.
    let hurried = daemon.send(request("POST", "/skills/hurries/invoke", &["X-Timeout: 200ms"], r#"{"payload": 1}"#));
    assert_eq!(hurried.problem("timeout")["detail"], "the skill did not answer within 50ms");
    assert_eq!(echo_with(&daemon, &["X-Timeout: 10"], &json!(1)).payload(), 1);
}

#[test]
fn every_invocation_has_a_line_in_the_log() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        let message = message(&json!(1)).to_string();
        daemon.post("/skills/echo/invoke", &message).payload();
        daemon.post("/skills/fails/invoke", &message).problem("skill_failed");
        daemon.post("/skills/logs/invoke", &message).payload();
        let stopped = daemon.stop();
        let over: Vec<_> = stopped.logs.iter().filter(|line| line["message"] == "the invocation is over").collect();
        let codes: Vec<_> = over.iter().map(|line| (&line["skill"], &line["outcome"])).collect();
        let expected = [("echo", "ok"), ("fails", "skill_failed"), ("logs", "ok")].map(|(a, b)| (json!(a), json!(b)));
        assert_eq!(codes, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>(), "{form}");
        for line in over {
            let level = if line["outcome"] == "ok" { "INFO" } else { "WARN" };
            let of = (&line["level"], &line["activationId"], &line["sessionId"], &line["project"]);
            assert_eq!(
                of,
                (&json!(level), &json!("test-activation"), &json!("test-activation"), &json!("test-project"))
            );
            assert!(line["durationMs"].is_number(), "{line}");
        }
        // Those of a library too.
        let inside = stopped.logs.iter().find(|line| line["message"] == "from a task").unwrap();
        assert_eq!((&inside["activationId"], &inside["skill"]), (&json!("test-activation"), &json!("logs")), "{form}");
    }
}
