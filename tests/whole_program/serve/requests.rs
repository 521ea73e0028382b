//! Requests that are not as they should be. Each is answered as far as it can be, and the daemon lives on.

use serde_json::{Value, json};
use whole_program_tests::daemon::{Daemon, invocation};
use whole_program_tests::http::{Answer, post, request};

use super::{library, linked};

const PATH: &str = "/skills/echo/invoke";

fn echo(daemon: &Daemon, body: impl AsRef<[u8]>) -> Answer {
    daemon.post(PATH, body)
}

/// A request with this head after its first line, and whatever follows it.
fn with_head(head: &str, rest: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("POST {PATH} HTTP/1.1\r\nHost: test\r\n{head}\r\n").as_bytes(), rest.as_ref()].concat()
}

#[test]
fn a_body_that_is_not_json() {
    let daemon = library().start();
    for body in ["", " ", "x", "payload=1", "{\"payload\": 1", "[1]", "{} {}", "\u{feff}{\"payload\": 1}"] {
        let problem = echo(&daemon, body).problem("invalid_message");
        assert_eq!(problem["activationId"], "", "{body}");
    }
    daemon.assert_well();
}

#[test]
fn a_content_type_that_is_wrong_or_missing() {
    let daemon = linked().start();
    for header in [
        "X-Other: 1",
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/json; charset=latin-1",
        "Content-Type: application/vnd.acme+json",
        "Content-Type: \u{e9}",
        "Content-Type:",
    ] {
        let answer = daemon.send(request("POST", PATH, &[header], r#"{"payload": 1}"#));
        assert_eq!(answer.payload(), 1, "{header}");
    }
    let binary = daemon.send(request("POST", PATH, &["Content-Type: application/octet-stream"], "\0\u{1}x"));
    binary.problem("invalid_message");
    daemon.assert_well();
}

#[test]
fn a_body_that_is_compressed() {
    let daemon = linked().start();
    // `{"payload": 1}`, by gzip.
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x48\xac\xcc\xc9\
        \x4f\x4c\x51\xb2\x52\x30\xac\x05\x00\x47\x8b\x89\xe1\x0e\x00\x00\x00";
    for headers in [&["Content-Encoding: gzip"][..], &[]] {
        daemon.send(request("POST", PATH, headers, packed)).problem("invalid_message");
    }
    daemon.assert_well();
}

#[test]
fn two_framings_at_once() {
    let daemon = linked().start();
    let body = r#"{"payload": 1}"#;
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n";
    for length in [body.len(), 0, chunks.len() + smuggled.len()] {
        for head in [
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        ] {
            let mut connection = daemon.connect();
            connection.write(with_head(&head, &chunks));
            // The chunks count (RFC 9112, section 6.3), or nothing does.
            let first = connection.answer();
            assert!(first.status == 400 || first.payload() == 1, "{head}: {}", first.text());
            connection.write(smuggled);
            // Whatever is answered, it is not in the name of whoever comes next: the connection ends.
            if let Some(second) = connection.next_answer() {
                assert_eq!(second.status, 404, "{head}: {}", second.text());
            }
        }
    }
    for head in [
        "Content-Length: 14\r\nContent-Length: 15\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 0x0e\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
    ] {
        let mut connection = daemon.connect();
        assert_eq!(connection.send(with_head(head, body)).status, 400, "{head}");
        connection.closed();
    }
    daemon.assert_well();
}

#[test]
fn chunks_that_are_none() {
    let daemon = linked().start();
    for chunks in ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n", "ffffffffffffffffff\r\n{}\r\n", "2\r\n{}xx0\r\n\r\n"] {
        let mut connection = daemon.connect();
        connection.write(with_head("Transfer-Encoding: chunked\r\n", chunks));
        assert!(connection.next_answer().is_none_or(|answer| answer.status == 400), "{chunks}");
    }
    daemon.assert_well();
}

#[test]
fn a_body_that_is_shorter_than_declared() {
    let daemon = library().args(["--body-timeout", "200ms"]).start();
    for rest in [&b"{\"payload\": 1}"[..], b""] {
        // Whoever goes away is not answered.
        let mut gone = daemon.connect();
        gone.write(with_head("Content-Length: 100\r\n", rest));
        gone.finish_writing();
        assert!(gone.next_answer().is_none_or(|answer| answer.status == 400));
        // Whoever stays is not waited for.
        let mut staying = daemon.connect();
        staying.write(with_head("Content-Length: 100\r\n", rest));
        staying.answer().problem("invalid_message");
        staying.closed();
    }
    daemon.assert_well();
    let counts = daemon.stop().counts();
    assert_eq!((counts.accepted, counts.finished), (1, 1), "no message that was not read whole is accepted");
}

#[test]
fn a_body_that_is_longer_than_declared() {
    let daemon = linked().start();
    let mut connection = daemon.connect();
    connection.write(with_head("Content-Length: 14\r\n", r#"{"payload": 1}{"payload": 2}"#));
    assert_eq!(connection.answer().payload(), 1);
    // The rest is no request.
    assert_eq!(connection.answer().status, 400);
    connection.closed();
    daemon.assert_well();
}

#[test]
fn a_head_that_is_too_large() {
    let daemon = linked().start();
    let large = format!("X-Large: {}", "x".repeat(30 << 10));
    assert_eq!(daemon.send(request("POST", PATH, &[&large], r#"{"payload": 1}"#)).payload(), 1);
    for head in [
        // Ten thousand headers.
        "X-Many: 1\r\n".repeat(10_000),
        // A header, a name and a path of a megabyte.
        format!("X-Large: {}\r\n", "x".repeat(1 << 20)),
        format!("{}: x\r\n", "x".repeat(1 << 20)),
    ] {
        let mut connection = daemon.connect();
        connection.write(with_head(&format!("{head}Content-Length: 14\r\n"), r#"{"payload": 1}"#));
        let answer = connection.next_answer();
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 431), "{:?}", answer.map(|answer| answer.text()));
    }
    let mut connection = daemon.connect();
    connection.write(format!("POST /{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(1 << 20)));
    assert!(connection.next_answer().is_none_or(|answer| matches!(answer.status, 414 | 431)));
    daemon.assert_well();
}

#[test]
fn what_is_no_request() {
    let daemon = linked().start();
    for bytes in [
        &b"\r\n\r\n\r\n\r\n"[..],
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a handshake of TLS",
        b"POST\r\n\r\n",
        b"POST /invoke\r\n\r\n",
        b"POST /invoke HTTP/9.9\r\n\r\n",
        b"POST /invoke HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /invoke HTTP/1.1\r\n: no name\r\n\r\n",
        b"POST /inv\x00oke HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET /healthz\xff HTTP/1.1\r\nHost: test\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and no frame at all, but bytes that fill several of them",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut connection = daemon.connect();
        connection.write(bytes);
        connection.finish_writing();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        let refused = text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4") || !text.starts_with("HTTP");
        assert!(refused, "{:?} got {text}", String::from_utf8_lossy(bytes));
    }
    daemon.assert_well();
}

#[test]
fn an_unknown_path_or_method() {
    let daemon = library().start();
    for path in ["/", "/nope", "/invoke/x", "/Invoke", "//invoke", "/skills", "/healthz/x"] {
        let problem = daemon.post(path, r#"{"payload": 1, "skillName": "echo"}"#).plain_problem(404);
        assert!(problem["title"].is_string() && problem.get("activationId").is_none(), "{problem}");
    }
    for (method, path, allowed) in [
        ("GET", "/invoke", "POST"),
        ("PUT", "/invoke", "POST"),
        ("DELETE", "/skills/echo/invoke", "POST"),
        ("OPTIONS", "/skills/acme/echo/invoke", "POST"),
        ("X-OWN", "/invoke", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/readyz", "GET, HEAD"),
        ("PUT", "/metrics", "GET, HEAD"),
    ] {
        let answer = daemon.send(request(method, path, &[], ""));
        answer.plain_problem(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    daemon.assert_well();
}

#[test]
fn a_head_alone_is_asked_for() {
    let daemon = linked().start();
    for path in ["/healthz", "/readyz", "/metrics"] {
        let mut connection = daemon.connect();
        connection.write(format!("HEAD {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer);
        let text = String::from_utf8(answer).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\n"), "{path}: {text}");
    }
    daemon.assert_well();
}

#[test]
fn a_message_in_latin_1_and_other_bytes() {
    let daemon = library().start();
    for body in
        [&b"{\"payload\": \"\xe9\"}"[..], b"\xff\xfe{\x00}\x00", b"{\"\xc0\xaf\": 1}", b"{\"payload\": \"\x00\"}"]
    {
        echo(&daemon, body).problem("invalid_message");
    }
    daemon.assert_well();
}

#[test]
fn keys_that_stand_twice() {
    let daemon = library().start();
    for key in ["payload", "token", "activationId", "skillName"] {
        let problem =
            echo(&daemon, format!(r#"{{"payload": 1, "{key}": "a", "{key}": "b"}}"#)).problem("invalid_message");
        assert!(problem["detail"].as_str().unwrap().contains("stands twice"), "{problem}");
    }
    // In a payload they are the skill's to judge.
    assert_eq!(echo(&daemon, r#"{"payload": {"a": 1, "a": 2}}"#).payload(), json!({"a": 2}));
    daemon.assert_well();
}

#[test]
fn numbers_beyond_a_double() {
    let daemon = library().start();
    for number in ["1e400", "-1e400", "1e99999999999"] {
        echo(&daemon, format!(r#"{{"payload": {number}}}"#)).problem("invalid_payload");
        // Where nobody reads it, it does no harm.
        assert_eq!(echo(&daemon, format!(r#"{{"payload": 1, "other": {number}}}"#)).payload(), 1);
    }
    assert_eq!(echo(&daemon, r#"{"payload": 18446744073709551615}"#).payload_json(), "18446744073709551615");
    assert_eq!(echo(&daemon, r#"{"payload": 1e-400}"#).payload_json(), "0.0");
    daemon.assert_well();
}

#[test]
fn nesting_of_ten_thousand() {
    let daemon = library().start();
    let nested = |open: &str, close: &str| open.repeat(10_000) + "1" + &close.repeat(10_000);
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = nested(open, close);
        echo(&daemon, format!(r#"{{"payload":{deep}}}"#)).problem("invalid_payload");
        // In a field that nobody knows it is kept as the text it is, or refused.
        let answer = echo(&daemon, format!(r#"{{"payload": 1, "other":{deep}}}"#));
        assert!(matches!(answer.status, 200 | 400), "{}", answer.text());
    }
    echo(&daemon, r#"{"payload":"#.to_owned() + &"[".repeat(500_000)).problem("invalid_message");
    daemon.assert_well();
}

#[test]
fn a_caller_who_expects_to_be_told_to_go_on() {
    let daemon = linked().args(["--max-message", "100"]).start();
    let mut connection = daemon.connect();
    connection.write(with_head("Content-Length: 14\r\nExpect: 100-continue\r\n", ""));
    assert!(connection.goes_on(), "told to go on");
    connection.write(r#"{"payload": 1}"#);
    assert_eq!(connection.answer().payload(), 1);
    // A message that is too large is not even asked for.
    let mut connection = daemon.connect();
    connection.write(with_head("Content-Length: 101\r\nExpect: 100-continue\r\n", ""));
    connection.answer().problem("message_too_large");
    daemon.assert_well();
}

#[test]
fn requests_in_one_go_are_answered_in_order() {
    let daemon = library().start();
    let mut connection = daemon.connect();
    // The first takes longest.
    let numbers: Vec<u64> = (0..20).map(|turn| 20 - turn).collect();
    let requests = numbers.iter().flat_map(|number| invocation("sleeps", &json!(number)));
    connection.write(requests.collect::<Vec<u8>>());
    for number in numbers {
        assert_eq!(connection.answer().payload(), number);
    }
    // Some of them are none.
    let requests = [invocation("echo", &json!(1)), post("/nope", "{}"), post(PATH, "x"), invocation("echo", &json!(2))];
    connection.write(requests.concat());
    let statuses: Vec<u16> = (0..4).map(|_| connection.answer().status).collect();
    assert_eq!(statuses, [200, 404, 400, 200]);
    daemon.assert_well();
}

#[test]
fn a_token_is_not_told_to_whoever_asks() {
    let daemon = library().env("RUST_LOG", "trace").start();
    let message = crate::message(&json!(1));
    let text = message.to_string();
    let token = message["token"].as_str().unwrap();
    let mut answers: Vec<String> = ["leaks", "panics-with-token", "nope"]
        .map(|skill| daemon.post(&format!("/skills/{skill}/invoke"), &text).text())
        .into();
    answers.push(daemon.post(PATH, &text[..text.len() - 1]).text());
    answers.push(daemon.post("/nope", &text).text());
    answers.push(daemon.get("/metrics").text());
    answers.push(daemon.get("/readyz").text());
    let logs = daemon.stop().logs;
    answers.push(Value::from(logs).to_string());
    for answer in answers {
        assert!(!answer.contains(token), "{answer}");
    }
}
