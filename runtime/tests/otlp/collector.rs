//! A server that notes what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::protobuf::Fields;

/// A collector, or a platform: both answer all requests alike. When it is dropped it listens no more.
pub(crate) struct Collector {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What was sent.
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What a span says.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) id: String,
    pub(crate) parent_id: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) status: u64,
    pub(crate) status_text: String,
}

impl Collector {
    /// Answers with this status.
    pub(crate) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Whoever has dropped the collector says so without a word.
                let Some(request) = answer(&mut stream.unwrap(), status) else { break };
                noted.lock().unwrap().push(request);
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was sent until now.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Ok(stream) = TcpStream::connect(self.address) {
            drop(stream.shutdown(std::net::Shutdown::Write));
            // It ends the connection when it has closed its socket.
            let _ = (&stream).read(&mut [0]);
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16) -> Option<Request> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut request = Request { path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    lines.read_exact(&mut request.body).unwrap();
    let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    lines.into_inner().write_all(answer.as_bytes()).unwrap();
    Some(request)
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The only span of an export.
    pub(crate) fn span(&self) -> Span {
        let span = Fields::of(&self.body).one(1).one(2).one(2);
        let status = span.one(15);
        Span {
            trace_id: span.hex(1),
            id: span.hex(2),
            parent_id: span.hex(4),
            name: span.text(5),
            kind: span.number(6),
            start: span.number(7),
            end: span.number(8),
            attributes: span.all(9).iter().map(attribute).collect(),
            status_text: status.text(2),
            status: status.number(3),
        }
    }

    /// The service of an export.
    pub(crate) fn service(&self) -> String {
        let attributes = Fields::of(&self.body).one(1).one(1).all(1);
        attributes.iter().map(attribute).find(|(key, _)| key == "service.name").unwrap().1
    }
}

fn attribute(pair: &Fields<'_>) -> (String, String) {
    (pair.text(1), pair.one(2).text(1))
}
