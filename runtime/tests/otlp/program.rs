//! The program under test: this very one, with its skills.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use secrecy::ExposeSecret;
use serde_json::json;
use skill_sdk::prelude::*;
use skill_sdk::testing;

/// The variable that makes a program of skills of the test.
pub(crate) const PROGRAM: &str = "OTLP_TEST_PROGRAM";

/// Says its token wherever it can.
pub(crate) async fn leaks(_: Value, context: Context) -> Result<Value> {
    let token = context.message().token().map_or("", ExposeSecret::expose_secret);
    tracing::warn!(token, "the token is {token}");
    Err(SkillError::new(format!("the token is {token}")))
}

/// A message for a skill, with a token, from a platform.
pub(crate) fn message(skill: &str, endpoint: &str) -> String {
    let mut message: Value = serde_json::from_str(&testing::message(&1).to_json_with_token()).unwrap();
    for (name, value) in [
        ("activationId", "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10"),
        ("sessionId", "s-1"),
        ("projectId", "p-1"),
        ("skillName", skill),
    ] {
        message[name] = json!(value);
    }
    if !endpoint.is_empty() {
        message["apiEndpoint"] = json!(endpoint);
    }
    message.to_string()
}

/// The token of a message.
pub(crate) fn token(message: &str) -> String {
    let message: Value = serde_json::from_str(message).unwrap();
    message["token"].as_str().unwrap().to_owned()
}

/// A run of the program.
pub(crate) struct Program {
    command: Command,
}

/// A run that is over.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let proxies = text.to_lowercase().ends_with("_proxy");
            if proxies
                || ["SKILL_", "CORTEX_", "OTEL_", "RUST_LOG", "KUBERNETES_"].iter().any(|one| text.starts_with(one))
            {
                command.env_remove(name);
            }
        }
        command.env(PROGRAM, "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn invoke(mut self, message: &str) -> Ended {
        let output = self.command.args(["invoke", message]).output().unwrap();
        Ended {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Serves until it is told to stop.
    pub(crate) fn serve(mut self) -> Daemon {
        let mut child = self.command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it does not listen: {said}");
            let line: Value = serde_json::from_str(&said[start..]).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        Daemon { child, stderr, said, address }
    }
}

/// A daemon that runs. It is ended with the test.
pub(crate) struct Daemon {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
    address: String,
}

impl Daemon {
    /// Invokes, and gives the status.
    pub(crate) fn post(&self, message: &str, trace_parent: &str) -> u16 {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST /invoke HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\ntraceparent: {trace_parent}\r\n\r\n",
            message.len()
        );
        stream.write_all((head + message).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn stop(mut self) -> Ended {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        let mut stderr = std::mem::take(&mut self.said);
        self.stderr.read_to_string(&mut stderr).unwrap();
        Ended { status: self.child.wait().unwrap(), stdout: String::new(), stderr }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may be over.
        let _ = (self.child.kill(), self.child.wait());
    }
}
