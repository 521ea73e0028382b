//! A platform that does what a test tells it: it speaks as much HTTP as that takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use secrecy::ExposeSecret;
use skill_sdk::testing;
use whole_program_tests::{Run, built, skill_runtime};

/// A request whose body has not been read.
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    /// Its headers, as lines.
    pub(crate) head: String,
    length: u64,
    input: BufReader<TcpStream>,
}

impl Request {
    /// Takes a request from a connection; `None` when there is none.
    fn take(connection: &TcpStream) -> Option<Self> {
        let mut input = BufReader::with_capacity(256 << 10, connection.try_clone().unwrap());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if input.read_until(b'\n', &mut head).unwrap_or_default() == 0 {
                return None;
            }
        }
        let head = String::from_utf8(head).unwrap();
        let told = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        // A body in chunks is not taken apart: it ends with the connection.
        let length = told.unwrap_or(if head.contains("transfer-encoding: chunked") { u64::MAX } else { 0 });
        let line = head.split(" HTTP/").next().unwrap().to_owned();
        Some(Self { line, head, length, input })
    }

    /// Throws the body away, and gives how many bytes it had.
    pub(crate) fn discard(&mut self) -> u64 {
        std::io::copy(&mut (&mut self.input).take(self.length), &mut std::io::sink()).unwrap()
    }

    pub(crate) fn answer(&mut self, head: &str, body: &[u8]) {
        self.write(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes());
        self.write(body);
    }

    /// What has not been read.
    pub(crate) fn input(&mut self) -> &mut impl Read {
        &mut self.input
    }

    /// Writes more of an answer, unless nobody waits for it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.input.get_mut().write_all(bytes).is_ok()
    }
}

/// Starts a platform that answers each request so, one a connection, and gives its URL.
pub(crate) fn serve(answer: impl Fn(Request) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                if let Some(request) = Request::take(&connection.unwrap()) {
                    answer(request);
                }
            });
        }
    });
    url
}

/// A token, as it is sent.
pub(crate) fn token() -> String {
    testing::Token::new().text().expose_secret().to_owned()
}

/// A command of `skill-runtime` on such a platform.
pub(crate) fn command(name: &str, url: &str, token: &str) -> Run {
    let run = skill_runtime().arg(name);
    variables(url, token).into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

/// A command that runs the program, which stands in the variable `PROGRAM`, on such a platform, in a folder that is also its
/// home.
pub(crate) fn shell(command: &str, url: &str, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    on(&mut shell, url, folder);
    shell
}

/// Sets the variables, and no others.
pub(crate) fn on(command: &mut Command, url: &str, folder: &Path) {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder)
        .env("TERM", "xterm")
        .env("PROGRAM", &built().runtime)
        .envs(variables(url, &token()))
        .current_dir(folder)
        .stdin(Stdio::null());
}

fn variables<'a>(url: &'a str, token: &'a str) -> [(&'static str, &'a str); 3] {
    [("SKILL_API_ENDPOINT", url), ("SKILL_PROJECT", "p"), ("CORTEX_TOKEN", token)]
}
