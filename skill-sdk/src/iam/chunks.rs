//! Calls with many items, which go out in several requests (contract "cdf-iam", sections 2 and 4).

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api::{Api, Items};
use crate::client::retry::Repeat;
use crate::error::{Error, ItemOutcomes};

/// Most items of a request.
pub(super) const CHUNK: usize = 1000;

/// How many requests are under way at the same time.
const AT_ONCE: usize = 5;

/// A call with many items.
pub(super) struct Chunked<T> {
    pub(super) path: &'static [&'static str],
    /// What fails if this fails, as the start of an error text.
    pub(super) failure: &'static str,
    /// Most items of a request.
    pub(super) size: usize,
    pub(super) repeat: Repeat,
    /// What an item is known by.
    pub(super) known_by: fn(&T) -> Value,
    /// The id of an item that is deleted; `None` of a call that deletes nothing, and is answered with items.
    pub(super) deletes: Option<fn(&T) -> i64>,
}

impl Api {
    /// What came of the items, in their order. Nothing is sent for none.
    ///
    /// After a request that failed no other is begun, but those that are under way are waited for. The error is that of
    /// the first one that failed; it has what is missing or duplicated of all of them, and what became of each item.
    pub(super) async fn in_chunks<T, R>(&self, call: &Chunked<T>, items: &[T]) -> Result<Vec<R>, Error>
    where
        T: Serialize + Sync,
        R: DeserializeOwned + Send,
    {
        let chunks: Vec<&[T]> = items.chunks(call.size).collect();
        let failed = AtomicBool::new(false);
        let requests: Vec<_> = chunks.iter().map(|chunk| self.chunk_unless(&failed, call, chunk)).collect();
        let results: Vec<Option<Result<Vec<R>, Error>>> = stream::iter(requests).buffered(AT_ONCE).collect().await;
        if !failed.into_inner() {
            return Ok(results.into_iter().flatten().flatten().flatten().collect());
        }
        self.explained(Err(failure(call, chunks.into_iter().zip(results)))).await
    }

    /// Sends a chunk, unless another has failed.
    async fn chunk_unless<T: Serialize, R: DeserializeOwned>(
        &self,
        failed: &AtomicBool,
        call: &Chunked<T>,
        chunk: &[T],
    ) -> Option<Result<Vec<R>, Error>> {
        if failed.load(Ordering::Relaxed) {
            return None;
        }
        let result = self.chunk(call, chunk).await;
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        Some(result)
    }

    async fn chunk<T: Serialize, R: DeserializeOwned>(&self, call: &Chunked<T>, chunk: &[T]) -> Result<Vec<R>, Error> {
        let url = self.url(call.path.iter().copied());
        let request = self.post(url, call.failure)?.repeat(call.repeat).json(&Items { items: chunk })?;
        match call.deletes {
            Some(id) => self.send(request.deletes(chunk.iter().map(id).collect())).await.map(|_| Vec::new()),
            None => self.json_unexplained(request).await.map(|Items { items }| items),
        }
    }
}

/// The failure of a call of which at least one request failed.
fn failure<'i, T: 'i, R>(
    call: &Chunked<T>,
    results: impl Iterator<Item = (&'i [T], Option<Result<R, Error>>)>,
) -> Error {
    let (mut outcomes, mut count) = (ItemOutcomes::default(), 0);
    let (mut first, mut missing, mut duplicated) = (None, Vec::new(), Vec::new());
    for (chunk, result) in results {
        count += chunk.len();
        let list = match &result {
            Some(Ok(_)) => &mut outcomes.successful,
            Some(Err(error)) if error.may_be_done() => &mut outcomes.unknown,
            Some(Err(error)) if error.http_status().is_some() => &mut outcomes.failed,
            // There was no connection, or no token.
            Some(Err(_)) | None => &mut outcomes.skipped,
        };
        list.extend(chunk.iter().map(call.known_by));
        if let Some(Err(error)) = result {
            missing.extend_from_slice(error.missing());
            duplicated.extend_from_slice(error.duplicated());
            first.get_or_insert(error);
        }
    }
    let error = first.unwrap_or_else(|| Error::new(crate::Code::Internal, call.failure));
    let more = if count > 1 { format!(" (items: {outcomes})") } else { String::new() };
    error.with_missing(missing).with_duplicated(duplicated).with_items(outcomes).with_more(&more)
}
