//! Who is told of the requests that clients make.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One request to a platform: an attempt of a call, also of those that ask for tokens and keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlatformRequest {
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// The time until the head of the answer was there, or until there was no more hope of it.
    pub took: Duration,
}

type Observer = Box<dyn Fn(PlatformRequest) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Has a function told of each request that the clients of this process make, for metrics. Only the first call has an effect: gives
/// whether this was it. In a library those of its own clients are meant, and its host has the place taken.
///
/// The function is called on the thread that made the request, and must not block it.
pub fn observe_requests(observer: impl Fn(PlatformRequest) + Send + Sync + 'static) -> bool {
    OBSERVER.set(Box::new(observer)).is_ok()
}

/// A request that is under way. When it is given up, it had no answer.
pub(super) struct Observed {
    pub(super) began: Instant,
    status: Option<u16>,
}

impl Observed {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), status: None }
    }

    pub(super) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(observer) = OBSERVER.get() {
            observer(PlatformRequest { status: self.status, took: self.began.elapsed() });
        }
    }
}
