//! What is sent: complete messages with signed tokens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::load::Requests;

/// What the ids of all activations begin with, and how many digits follow: those of a number.
const ACTIVATION: &str = "6f1d6a52-93a0-4a1e-8a8b-";
const COUNTED: usize = 12;

/// Signs tokens like those of the platform.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    /// Writes the key set that tokens are checked with.
    pub(crate) fn write_keys(&self, folder: &Path) -> PathBuf {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "example-key-1", "x": x}]});
        let path = folder.join("keys.json");
        std::fs::write(&path, keys.to_string()).unwrap();
        path
    }

    /// A token that lives for a day, unlike those of other numbers.
    fn token(&self, number: usize) -> String {
        let header = json!({"alg": "EdDSA", "kid": "example-key-1", "typ": "JWT"});
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "iss": "cognitivescale.com", "aud": "cortex", "sub": "71a8faac-9dfb-428d-a90c-0b53481b8665",
            "iat": now, "nbf": now, "exp": now + 24 * 3600, "jti": URL_SAFE_NO_PAD.encode(format!("{number:016}")),
        });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A message like those of the platform (contract "fabric-invocation", section 1), with a token of this number.
    pub(crate) fn message(&self, number: usize, payload: &Value) -> String {
        let activation = format!("{ACTIVATION}{number:0COUNTED$}");
        let message = json!({
            "activationId": activation,
            "agentName": "",
            "apiEndpoint": "http://cortex-internal.cortex.svc.cluster.local",
            "channelId": "2c1b7d70-5f0e-4a2e-9a51-8b5b7f0f5a77",
            "outputName": "response",
            "payload": payload,
            "projectId": "orders-dev",
            "properties": {"daemon.port": "5000", "limit": 3},
            "sessionId": activation,
            "skillName": "acme/order-check",
            "timestamp": jiff::Timestamp::now().as_millisecond(),
            "token": self.token(number),
        });
        message.to_string()
    }
}

/// A payload of so many bytes.
pub(crate) fn payload(size: usize) -> Value {
    let line = |number: usize| json!({"id": number, "name": "ball bearing", "price": 17.25, "inStock": true, "tags": ["steel", "6204"]});
    let order = |lines: usize, note: usize| {
        let lines: Vec<Value> = (1..=lines).map(line).collect();
        json!({"order": 17, "note": "x".repeat(note), "lines": lines})
    };
    let length = |order: &Value| order.to_string().len();
    let lines = (1..size).take_while(|&lines| length(&order(lines, 0)) <= size).last().unwrap_or_default();
    let missing = size - length(&order(lines, 0));
    order(lines, missing)
}

/// A request to invoke.
pub(crate) fn request(address: SocketAddr, path: &str, message: &str) -> Vec<u8> {
    let length = message.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: load\r\nAccept: */*\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{message}"
    )
    .into_bytes()
}

/// Each connection sends a message of its own again and again, and all are answered with as many bytes.
pub(crate) struct Repeated {
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) answer: usize,
}

impl Requests for Repeated {
    fn next(&mut self, connection: usize) -> (&[u8], u16, Option<usize>) {
        (&self.requests[connection], 200, Some(self.answer))
    }
}

/// A request and what is to come of it.
pub(crate) struct Expected {
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
}

/// Requests in turn, each with an activation id that no other has.
pub(crate) struct Counted {
    requests: Vec<Expected>,
    /// Where the number of the activation stands, in each.
    places: Vec<Vec<usize>>,
    sent: usize,
}

impl Counted {
    pub(crate) fn new(requests: Vec<Expected>) -> Self {
        let prefix = ACTIVATION.as_bytes();
        let places = requests.iter().map(|one| {
            let starts = one.request.windows(prefix.len()).enumerate().filter(|(_, window)| *window == prefix);
            starts.map(|(start, _)| start + prefix.len()).collect()
        });
        Self { places: places.collect(), requests, sent: 0 }
    }
}

impl Requests for Counted {
    fn next(&mut self, _: usize) -> (&[u8], u16, Option<usize>) {
        let place = self.sent % self.requests.len();
        self.sent += 1;
        let number = format!("{:0COUNTED$}", self.sent);
        let Expected { request, status } = &mut self.requests[place];
        for &start in &self.places[place] {
            request[start..start + COUNTED].copy_from_slice(number.as_bytes());
        }
        (request, *status, None)
    }
}
