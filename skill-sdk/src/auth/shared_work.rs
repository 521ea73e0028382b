//! Work that one caller begins and all wait for.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;

use crate::client::request::unavailable;
use crate::error::{Code, Error};

/// Work in a task of its own. It goes on when whoever began it goes away: otherwise callers who come and go would begin it
/// again and again, and nobody would ever have its result. It ends by itself when its patience does. A failure is logged,
/// once.
#[derive(Clone)]
pub(super) struct SharedWork<T> {
    pub(super) begun: Instant,
    result: watch::Receiver<Option<Result<T, Error>>>,
    what: &'static str,
}

impl<T: Clone + Send + Sync + 'static> SharedWork<T> {
    /// Begins. `what` goes wrong if the work does not end in time.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] outside of a tokio runtime.
    pub(super) fn begin(
        what: &'static str,
        patience: Duration,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<Self, Error> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::new(Code::Internal, "platform calls need a tokio runtime").with_source(error))?;
        let (done, result) = watch::channel(None);
        let work = async move {
            let late = |_| Err(unavailable(what, &format!("it took over {} s", patience.as_secs())));
            let result = tokio::time::timeout(patience, work).await.unwrap_or_else(late);
            if let Err(error) = &result {
                // Here, because those who wait may be many, and may do without.
                tracing::warn!(error = error.chain(), "{what}");
            }
            done.send_replace(Some(result));
        };
        runtime.spawn(work.in_current_span());
        Ok(Self { begun: Instant::now(), result, what })
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.result.borrow().is_none() && self.result.has_changed().is_ok()
    }

    /// What has come of it; `None` before its end.
    pub(super) fn outcome(&self) -> Option<Result<T, Error>> {
        self.result.borrow().as_ref().map(copied)
    }

    /// Waits for its end.
    pub(super) async fn end(mut self) -> Result<T, Error> {
        match self.result.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => copied(result),
            Ok(None) | Err(_) => Err(unavailable(self.what, "the runtime that did it has ended")),
        }
    }
}

fn copied<T: Clone>(result: &Result<T, Error>) -> Result<T, Error> {
    match result {
        Ok(value) => Ok(value.clone()),
        Err(error) => Err(error.without_source()),
    }
}
