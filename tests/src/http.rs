//! An HTTP client that does what a test tells it, wrong things too: a connection that bytes are written to, and answers read
//! from.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::PATIENCE;

/// A connection. It answers to nothing by itself: what is read is what was sent.
pub struct Connection {
    input: BufReader<TcpStream>,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its headers, in order, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its whole body, without the framing.
    pub body: Vec<u8>,
}

/// A request with a body of JSON.
pub fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST", path, &["Content-Type: application/json"], body)
}

/// A request with these headers, beside `Host` and `Content-Length`.
pub fn request(method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("Content-Length: {}", body.len());
    let first = format!("{method} {path} HTTP/1.1");
    let lines = [first.as_str(), "Host: test", &length].into_iter().chain(headers.iter().copied()).chain(["", ""]);
    let head = lines.collect::<Vec<_>>().join("\r\n");
    [head.as_bytes(), body].concat()
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("somebody listens")
    }

    /// Connects; `None` when nobody listens.
    pub fn try_open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        // What a test writes in pieces is to arrive in pieces, and at once.
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Some(Self { input: BufReader::new(stream) })
    }

    /// Writes bytes; `false` when the other side has gone.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.input.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be written.
    pub fn finish_writing(&mut self) {
        // The other side may have gone already.
        let _ = self.input.get_mut().shutdown(Shutdown::Write);
    }

    /// Reads an answer that must come.
    pub fn answer(&mut self) -> Answer {
        self.next_answer().expect("an answer, and not the end of the connection")
    }

    /// Reads an answer; `None` when the connection ends without one, or in the middle of it.
    pub fn next_answer(&mut self) -> Option<Answer> {
        let line = self.line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {line}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line}"));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.input.read_exact(&mut answer.body).ok()?;
        } else {
            assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "a body of no known length: {answer:?}");
            answer.body = self.chunks()?;
        }
        Some(answer)
    }

    /// Writes a request and reads the answer.
    pub fn send(&mut self, request: impl AsRef<[u8]>) -> Answer {
        // Whoever refuses a request early need not have read all of it.
        self.write(request);
        self.answer()
    }

    /// Reads the word to go on with a body; `false` when it is something else.
    pub fn goes_on(&mut self) -> bool {
        self.line().is_some_and(|line| line == "HTTP/1.1 100 Continue") && self.line().as_deref() == Some("")
    }

    /// Reads what there is until the other side closes the connection.
    pub fn read_to_end(&mut self, bytes: &mut Vec<u8>) {
        match self.input.read_to_end(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the connection is still open")
            }
            // A connection may end in any way.
            _ => {}
        }
    }

    /// Waits until the other side has closed the connection without another byte.
    pub fn closed(&mut self) {
        let mut rest = Vec::new();
        self.read_to_end(&mut rest);
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.input.read_until(b'\n', &mut line).ok()?;
        Some(String::from_utf8(line).unwrap().strip_suffix("\r\n")?.to_owned())
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = u64::from_str_radix(&self.line()?, 16).unwrap();
            (&mut self.input).take(size).read_to_end(&mut body).ok()?;
            assert_eq!(self.line()?, "");
            if size == 0 {
                return Some(body);
            }
        }
    }
}

impl Answer {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The payload of an invocation that did well.
    pub fn payload(&self) -> Value {
        serde_json::from_str(&self.payload_json()).unwrap()
    }

    /// The same as the JSON text it is, to the last digit.
    pub fn payload_json(&self) -> String {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body<'a> {
            #[serde(borrow)]
            payload: &'a RawValue,
        }
        assert_eq!((self.status, self.header("content-type")), (200, Some("application/json")), "{}", self.text());
        let body: Body<'_> = serde_json::from_slice(&self.body).unwrap();
        body.payload.get().to_owned()
    }

    /// The problem document of an invocation that failed, of the code that is expected and with what goes with the code.
    pub fn problem(&self, code: &str) -> Value {
        let problem = self.problem_of_status(code.parse::<skill_sdk::Code>().unwrap().http_status());
        assert_eq!(problem["code"], code, "{problem}");
        let challenge = (self.status == 401).then_some(r#"Bearer error="invalid_token""#);
        assert_eq!(self.header("www-authenticate"), challenge, "{problem}");
        let later = (self.status == 503).then_some("1");
        assert_eq!(self.header("retry-after"), later, "{problem}");
        problem
    }

    /// A problem document of this status that is not of the error table.
    pub fn plain_problem(&self, status: u16) -> Value {
        let problem = self.problem_of_status(status);
        assert_eq!((problem.get("type"), problem.get("code")), (Some(&"about:blank".into()), None), "{problem}");
        problem
    }

    fn problem_of_status(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}
