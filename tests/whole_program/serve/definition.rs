//! Where the daemon is reached: by flags, variables, or the properties of a skill's definition.

use std::net::TcpListener;

use tempfile::TempDir;
use whole_program_tests::daemon::{Daemon, Serve};
use whole_program_tests::http::request;

use super::{library, linked};

const MESSAGE: &str = r#"{"payload": 1, "skillName": "echo"}"#;

/// A definition with these properties of the daemon.
fn definition(properties: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("camel: 1.0.0\nname: acme/skill\nproperties:\n{properties}");
    std::fs::write(folder.path().join("skill.yaml"), text).unwrap();
    folder
}

fn defined(serve: Serve, folder: &TempDir) -> Serve {
    serve.arg("--skill-yaml").arg(folder.path().join("skill.yaml"))
}

fn answers_to(daemon: &Daemon, method: &str, path: &str) {
    assert_eq!(daemon.send(request(method, path, &[], MESSAGE)).payload(), 1, "{method} {path}");
    let named = request(method, "/skills/echo/invoke", &[], MESSAGE);
    assert_eq!(daemon.send(named).payload(), 1);
    let other = if method == "POST" { "PUT" } else { "POST" };
    let answer = daemon.send(request(other, path, &[], MESSAGE));
    answer.plain_problem(405);
    assert_eq!(answer.header("allow"), Some(method));
    if path != "/invoke" {
        daemon.send(request(method, "/invoke", &[], MESSAGE)).plain_problem(404);
    }
}

#[test]
fn by_flags_and_variables() {
    answers_to(&linked().start(), "POST", "/invoke");
    answers_to(&linked().args(["--path", "run", "--method", "PUT"]).start(), "PUT", "/run");
    answers_to(&library().args(["--path", "/a/run"]).start(), "POST", "/a/run");
    let variables = linked().env("SKILL_SERVE_PATH", "/run").env("SKILL_SERVE_METHOD", "PUT");
    answers_to(&variables.env("SKILL_SERVE_PORT", "0").start_at_its_port(), "PUT", "/run");
    let empty = linked().env("SKILL_SERVE_PATH", "").env("SKILL_SERVE_METHOD", "");
    answers_to(&empty.start(), "POST", "/invoke");
    let both = linked().env("SKILL_SERVE_PATH", "/run").args(["--path", "/other"]);
    answers_to(&both.start(), "POST", "/other");
}

/// A port that is free, below those that are given to whoever asks for any.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    (first..32_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[test]
fn by_a_definition() {
    for (path, quote) in [("run", ""), ("/run", "'")] {
        let port = free_port();
        let folder = definition(&format!(
            "- {{name: daemon.path, defaultValue: {path}}}\n- {{name: daemon.method, defaultValue: PUT}}\n\
             - {{name: daemon.port, type: String, defaultValue: {quote}{port}{quote}}}\n- {{name: other}}\n"
        ));
        let daemon = defined(linked(), &folder).start_at_its_port();
        assert_eq!(daemon.address().port(), port);
        answers_to(&daemon, "PUT", "/run");
    }
}

#[test]
fn flags_and_variables_win_over_a_definition() {
    let folder = definition(
        "- {name: daemon.path, defaultValue: run}\n- {name: daemon.port, defaultValue: 1}\n\
         - {name: daemon.method, defaultValue: PUT}\n",
    );
    let flags = || defined(linked(), &folder).args(["--port", "0", "--method", "POST", "--path", "invoke"]);
    answers_to(&flags().start_at_its_port(), "POST", "/invoke");
    let variables = defined(library(), &folder).env("SKILL_SERVE_PORT", "0").env("SKILL_SERVE_PATH", "/mine");
    answers_to(&variables.start_at_its_port(), "PUT", "/mine");
}

#[test]
fn a_definition_may_be_silent() {
    let folder = definition("- {name: daemon.path}\n- {name: limit, defaultValue: 3}\n");
    answers_to(&defined(linked(), &folder).start(), "POST", "/invoke");
}

#[test]
fn a_definition_that_cannot_be_used_is_refused() {
    for properties in [
        "- {name: daemon.port, defaultValue: many}\n",
        "- {name: daemon.port, defaultValue: 0}\n",
        "- {name: daemon.port, defaultValue: 70000}\n",
        "- {name: daemon.port, defaultValue: [1]}\n",
        "- {name: daemon.method, defaultValue: PO ST}\n",
        "- {name: daemon.path, defaultValue: {}}\n",
        "- daemon.port\n",
        "}\n",
    ] {
        let folder = definition(properties);
        let (code, stderr) = defined(linked(), &folder).refused_at_its_port();
        assert_eq!(code, Some(78), "{properties}: {stderr}");
        let last: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
        let detail = last["detail"].as_str().unwrap();
        assert!(detail.contains("skill.yaml") || detail.contains("daemon."), "{detail}");
    }
    let (code, stderr) = linked().args(["--path", "a b"]).refused();
    assert_eq!(code, Some(78), "{stderr}");
    let (code, stderr) = linked().args(["--skill-yaml", "/no/such/skill.yaml"]).refused();
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains("/no/such/skill.yaml"), "{stderr}");
}
