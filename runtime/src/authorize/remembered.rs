//! What is found out once for all who ask at the same time, and remembered for a while.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use quick_cache::sync::{Cache, EntryAction, EntryResult};
use skill_sdk::Error;

/// A SHA-256 of all that an answer depends on.
pub(super) type Fingerprint = [u8; 32];

/// What tells the time.
pub(crate) type Clock = fn() -> Instant;

/// Answers by fingerprint, in bounded number.
pub(super) struct Remembered<T> {
    answers: Arc<Cache<Fingerprint, Slot<T>>>,
    clock: Clock,
}

/// Whoever waits gets it, also when it is a failure: were each to try again in turn, the last would wait for all of them.
pub(super) type Answer<T> = Result<Arc<T>, Arc<Error>>;

/// Until when an answer counts.
#[derive(Debug)]
pub(super) struct Until<T>(pub(super) T, pub(super) Instant);

type Asking<T> = Shared<BoxFuture<'static, Answer<T>>>;

enum Slot<T> {
    /// A question that lives as long as somebody waits for the answer. Were it kept when all have left, it would go on when the
    /// next one comes, over a connection that nobody has looked after meanwhile.
    Asked(WeakShared<BoxFuture<'static, Answer<T>>>),
    Answered(Arc<T>, Instant),
}

/// What can be had without asking.
enum Known<T> {
    Asked(Asking<T>),
    Answered(Arc<T>),
}

impl<T: Send + Sync + 'static> Remembered<T> {
    /// Room for so many answers. Memory is only taken for those that there are.
    pub(super) fn new(most: usize, clock: Clock) -> Self {
        Self { answers: Arc::new(Cache::new(most)), clock }
    }

    /// The answer that is remembered, else what `ask` gives. Failures are not remembered.
    pub(super) async fn get_or<F>(&self, key: Fingerprint, ask: impl FnOnce() -> F) -> Answer<T>
    where
        F: Future<Output = Result<Until<T>, Error>> + Send + 'static,
    {
        // Most find an answer, for which they need not keep others from looking.
        if let Some(Slot::Answered(answer, until)) = self.answers.get(&key)
            && (self.clock)() < until
        {
            return Ok(answer);
        }
        let asking = match self.answers.entry(&key, None, |_, slot| slot.known(self.clock)) {
            EntryResult::Retained(Known::Answered(answer)) => return Ok(answer),
            EntryResult::Retained(Known::Asked(asking)) => asking,
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => {
                let asking = self.begin(key, ask());
                if let Some(weak) = asking.downgrade() {
                    // It fails when the place was given away meanwhile. Then others ask for themselves.
                    let _ = guard.insert(Slot::Asked(weak));
                }
                asking
            }
            // Nothing is only removed, and the wait for others has no end of its own: they do nothing in between that takes time.
            EntryResult::Removed(..) | EntryResult::Timeout => self.begin(key, ask()),
        };
        asking.await
    }

    fn begin(
        &self,
        key: Fingerprint,
        ask: impl Future<Output = Result<Until<T>, Error>> + Send + 'static,
    ) -> Asking<T> {
        let answers = Arc::clone(&self.answers);
        let asking = async move {
            let Until(answer, until) = ask.await?;
            let answer = Arc::new(answer);
            answers.insert(key, Slot::Answered(Arc::clone(&answer), until));
            Ok(answer)
        };
        asking.boxed().shared()
    }
}

impl<T> Slot<T> {
    fn known(&self, clock: Clock) -> EntryAction<Known<T>> {
        match self {
            Self::Answered(answer, until) if clock() < *until => {
                EntryAction::Retain(Known::Answered(Arc::clone(answer)))
            }
            Self::Answered(..) => EntryAction::ReplaceWithGuard,
            Self::Asked(asking) => match asking.upgrade() {
                Some(asking) if asking.peek().is_none() => EntryAction::Retain(Known::Asked(asking)),
                // It has failed, or nobody waits for it any more.
                _ => EntryAction::ReplaceWithGuard,
            },
        }
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Asked(asking) => Self::Asked(asking.clone()),
            Self::Answered(answer, until) => Self::Answered(Arc::clone(answer), *until),
        }
    }
}

#[cfg(test)]
mod tests;
