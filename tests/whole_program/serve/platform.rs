//! A platform whose answers are told by the project that is asked for: `says-404` answers 404.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::server;

pub(crate) struct Platform {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The headers of a request for content.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    head: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Platform {
    pub(crate) fn start() -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let url = server::serve(move |mut request| {
            if request.line.ends_with("/fabric/v4/info") {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let info = json!({"serverTs": now.as_millis()}).to_string();
                return request.answer(&format!("200 OK\r\ncontent-length: {}", info.len()), info.as_bytes());
            }
            noted.lock().unwrap().push(Asked { head: request.head.clone() });
            let status = request.line.split("/says-").nth(1).map_or("200", |rest| &rest[..3]).to_owned();
            let more = match status.as_str() {
                "401" => {
                    "\r\nwww-authenticate: Bearer error=\"invalid_token\", error_description=\"The token expired\""
                }
                "302" => "\r\nx-auth-error: token expired",
                _ => "",
            };
            request.answer(&format!("{status} Said\r\ncontent-length: 0{more}"), b"");
        });
        Self { url, asked }
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}
